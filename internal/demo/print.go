package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/weirhq/weir/internal/report"
)

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) title(what, note string) {
	p.line("\n== %s", what)
	if note != "" {
		p.line("   %s", note)
	}
}

// report lets another room write its lines.
func (p *printer) report(write func(io.Writer) error) {
	if p.err == nil {
		p.err = write(p.w)
	}
	p.line("")
}

// quoted is how many lines of a text are shown.
const quoted = 24

func (p *printer) quote(text string) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		if i >= quoted && i < len(lines)-4 { // the end holds the question
			if i == quoted {
				p.line("  | … %d more lines …", len(lines)-4-quoted)
			}
			continue
		}
		p.line("  | %s", l)
	}
}

// story tells a call's steps without what varies from run to run.
func (p *printer) story(c report.Call) {
	for _, a := range c.Attempts {
		p.line("  layer %d %-5s %-18s %-9s rule %s", a.Layer, a.LayerName, a.Model, a.Purpose, a.Rule)
		if n := a.Notes; n != nil {
			if n.Carried != "" {
				p.line("     told      the answer before failed %s", n.Carried)
			}
			if b := n.Brief; b != nil {
				p.line("     brief     %d -> %d tokens, %d of %d pinned facts kept, sha256 %.12s",
					b.SourceTokens, b.BriefTokens, b.Kept, b.Pinned, b.BriefSHA)
			}
			for _, r := range n.Repairs {
				p.line("     repaired  %s", r)
			}
		}
		verdict := a.Verdict
		if a.Check != "" {
			verdict += ": " + a.Check + ": " + a.Reason
		}
		p.line("     %s", verdict)
		p.line("     %d in, %d out, $%s (%s)", a.Usage.Input+a.Usage.CacheRead, a.Usage.Output, a.Cost, a.Settlement)
	}
	p.line("  cost $%s; on the frontier alone it would have been $%s", c.Cost, c.Frontier)
}

// sampled prints the played sample, before and after.
func (p *printer) sampled(r Result) {
	p.title("Played: a sample through the gateway, as its ledger has it", fmt.Sprintf(
		"%d interactions a run (seed %d), scaled to 100,000 a day; prompts and answers drawn, priced and judged one by one;\n"+
			"   accepted wrong = the answer passed every check and reached the caller, and is false", r.Sample, r.Seed))
	for _, s := range r.Sampled {
		p.line("profile %s, prices %s", s.Profile, s.Book)
		w := tabwriter.NewWriter(p.w, 0, 4, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "\tsample, exact\tinteraction\tday\tyear\tattempts\taccepted\taccepted wrong\trefused\t")
		for _, side := range []struct {
			name string
			s    Side
		}{{"all on gpt-5.5", s.Before}, {"cascade", s.After}} {
			x := side.s
			fmt.Fprintf(w, "%s\t$%s\t%s\t%s\t%s\t%d\t%d\t%d (%s)\t%d\t\n", side.name, x.Cost, x.Interaction, x.Day, x.Year,
				x.Attempts, x.Accepted, x.Wrong, report.Percent(x.WrongBP), x.Refused)
		}
		if err := w.Flush(); p.err == nil {
			p.err = err
		}
		p.line("  saving %s   layers %s   tiers %s", report.Percent(s.SavedBP), shares(s.LayerBP, layerTargets), shares(s.TierBP, nil))
		p.line("  escalation tax %s   briefs %d -> %d tokens (%s)   pinned facts kept %d of %d\n", report.Percent(s.TaxBP), s.SourceTokens,
			s.BriefTokens, report.Percent(s.CompressionBP), s.Kept, s.Pinned)
	}
}

// short is the bottom line: the realistic profile at real prices.
func (p *printer) short(r Result) {
	for _, s := range r.Sampled {
		if s.Profile != "mixed" || s.Book != "list-2026-08" {
			continue
		}
		p.title("In short", "the mixed profile at real list prices, as played")
		p.line("  a day costs %s instead of %s: %s less, failed and rejected attempts paid", s.After.Day, s.Before.Day,
			report.Percent(s.SavedBP))
		p.line("  of the accepted answers %s are wrong, instead of %s: the checks here see an answer's shape and its spoken",
			report.Percent(s.After.WrongBP), report.Percent(s.Before.WrongBP))
		p.line("  confidence, not its truth; stronger checks buy that back, and the ledger says at what price")
	}
}

// layerTargets are the article's shares.
var layerTargets = map[string]string{"edge": "75", "mid": "20", "top": "5"}

func shares(bp map[string]int64, targets map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(bp)) {
		s := name + " " + report.Percent(bp[name])
		if t := targets[name]; t != "" {
			s += " (article " + t + "%)"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// measured prints the clocks, which vary from run to run.
func measured(w io.Writer, all []Measured) {
	fmt.Fprintf(w, "\nmeasured on this machine, in the scenario's time (models ran %dx faster, so Weir's own share counts "+
		"%dx): p50 / p95 / p99 ms\n", speed, speed)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "run\tprovider's first token\tfirst byte to the client\tfirst accepted byte\t")
	for _, m := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", m.Run, three(m.Provider), three(m.FirstByte), three(m.Accepted))
	}
	_ = t.Flush() // Err is a terminal or a log; there is nowhere else to complain to
}

func three(q report.Quantiles) string { return fmt.Sprintf("%.0f / %.0f / %.0f", q.P50, q.P95, q.P99) }
