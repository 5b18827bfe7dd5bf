package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/observe"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/store/sqlite"
)

func (a *app) usage() *cobra.Command {
	var q usageFlags
	c := &cobra.Command{
		Use:   "usage",
		Short: "What was spent, on what, and what it would have cost",
		Long: `Reads the ledger, whether or not a server writes it, and adds up every attempt: also failed, retried, rejected
and aborted ones. TC/1M is total cost per million tokens; the escalation tax is the part of the cost that rejected and
broken attempts took; frontier is the same tokens at the route's dearest deployment.

With --observe it tells of routes in mode: observe instead: what the cascade would have cost and saved, which layer would
have answered, how often no layer's answer would have passed, how often it would have been another answer than the caller
got, and what the shadows that know it cost. What is extrapolated from shadows stands with its 95 % interval.

With --outputs it tells what the answers were like instead: how many passed their checks, were truncated, filtered,
refused, empty or repaired, called tools, how long they were and in which language; --every adds a series over time.`,
		Example: `  weir usage --by model
  weir usage --observe --since 7d
  weir usage --by use-case --since 24h
  weir usage --by layer --since 2026-06-01 --json
  weir usage --outputs --by route,layer --since 7d --every 1d`,
		Args: exact(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case q.observe && q.outputs:
				return &usageError{errors.New("--observe and --outputs tell different things: use one"), "weir usage"}
			case q.every != "" && !q.outputs:
				return &usageError{errors.New("--every goes with --outputs"), "weir usage"}
			case q.observe:
				return a.runObserve(cmd.Context(), q)
			case q.outputs:
				return a.runOutputs(cmd.Context(), q)
			}
			return a.runUsage(cmd.Context(), q)
		},
	}
	c.Flags().StringVar(&q.by, "by", "", "group by "+strings.Join(ledger.Groupings, "|"))
	c.Flags().BoolVar(&q.observe, "observe", false, "what the cascades of observed routes would have done, by "+
		strings.Join(observe.Groupings, "|"))
	c.Flags().StringVar(&q.since, "since", "", "from then on: 24h, 7d, 2026-06-01 or RFC 3339; none = all")
	c.Flags().StringVar(&q.dir, "dir", "", "storage folder to read, in place of the configured one")
	c.Flags().BoolVar(&a.json, "json", false, "as JSON")
	c.Flags().BoolVar(&q.outputs, "outputs", false, "what the answers were like; --by takes several groupings, and check")
	c.Flags().StringVar(&q.every, "every", "", "with --outputs, a series of slots so long: 1h, 1d")
	offer(c, "by", ledger.OutputGroupings...)
	return c
}

type usageFlags struct {
	by, since, dir, every string
	observe, outputs      bool
}

func (a *app) runUsage(ctx context.Context, q usageFlags) error {
	since, err := sinceOf(q.since, time.Now())
	if err := errors.Join(err, byOf(q.by)); err != nil {
		return err
	}
	r, targets, err := a.ledger(q.dir)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // read only: nothing to lose
	u, err := ledger.ReadUsage(ctx, r, ledger.Query{Since: since, By: q.by})
	if err != nil {
		return err
	}
	t := report.UsageOf(u, targets)
	if a.json {
		return a.printJSON(t)
	}
	return printUsage(a.Out, t)
}

// ledger opens the ledger of the configured storage folder, or of dir, for reading.
func (a *app) ledger(dir string) (*sqlite.Reader, map[string]int, error) {
	var targets map[string]int
	if dir == "" {
		c, err := a.read()
		if err != nil {
			return nil, nil, err
		}
		dir, targets = c.Storage.Dir, server.Targets(c)
	}
	r, err := sqlite.OpenReader(dir)
	return r, targets, err
}

// sinceOf reads a point in time: a length back from now, a date, or RFC 3339. "" = the zero time.
func sinceOf(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if d, err := time.ParseDuration(days + "h"); err == nil && d >= 0 && d <= math.MaxInt64/24 {
			return now.Add(-24 * d), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &usageError{
		fmt.Errorf("--since %q is no point in time: use 24h, 7d, 2026-06-01 or RFC 3339", s), "weir usage",
	}
}

// byOf refuses a grouping that the ledger does not have.
func byOf(s string) error {
	if s == "" || slices.Contains(ledger.Groupings, s) {
		return nil
	}
	return &usageError{
		fmt.Errorf("--by %q is no grouping: use %s", s, strings.Join(ledger.Groupings, ", ")), "weir usage",
	}
}

// printUsage writes three tables, each with columns of its own width: what was spent, how long it took, how it was
// booked.
func printUsage(out io.Writer, t report.UsageTable) error {
	rows := append(slices.Clone(t.Groups), t.Total)
	head := cmp.Or(t.By, "total")
	for _, table := range []func(io.Writer, string, []report.UsageRow){printSpent, printClocks, printBooked} {
		w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
		table(w, head, rows)
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	for _, s := range []struct {
		what string
		all  []report.Share
	}{{"layers", t.Layers}, {"tiers", t.Tiers}} {
		fmt.Fprintf(out, "accepted answers by %s:", s.what)
		for _, x := range s.all {
			fmt.Fprintf(out, "  %s %s", x.Name, x.Part)
			if x.Target != "" {
				fmt.Fprintf(out, " (target %s)", x.Target)
			}
		}
		fmt.Fprintln(out)
	}
	_, err := fmt.Fprintf(out, "\n%s\nclocks: p50/p95/p99 in ms; amounts: to six digits or the cent, --json has them exactly\n", t.Prices)
	return err
}

func printSpent(w io.Writer, head string, rows []report.UsageRow) {
	fmt.Fprintf(w, "%s\tcalls\tattempts\ttokens in\ttokens out\tcost\tTC/1M\tfrontier\tsaved\tescalated\t"+
		"tax\t\n", head)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Name, r.Calls, r.Attempts,
			r.Input+r.CacheRead+r.CacheWrite, r.Output+r.Reasoning, rounded(r.Cost), rounded(r.PerM), rounded(r.Frontier),
			rounded(r.Saved), r.Escalated, r.Tax)
	}
}

func printClocks(w io.Writer, head string, rows []report.UsageRow) {
	fmt.Fprintf(w, "%s\tprovider's first token\tfirst byte to the client\taccepted\ttokens/s\t\n", head)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t\n", r.Name, clocks(r.TTFT), clocks(r.FirstByte), clocks(r.Accepted),
			r.Speed)
	}
}

func printBooked(w io.Writer, head string, rows []report.UsageRow) {
	fmt.Fprintf(w, "%s\tcache read\tcache write\treasoning\tin/1M\tout/1M\tsettled\testimated\tpresumed\tnot sent\t"+
		"wasted\t\n", head)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t\n", r.Name, r.CacheRead, r.CacheWrite, r.Reasoning,
			rounded(r.PerMIn), rounded(r.PerMOut), r.Settled, r.Estimated, r.Presumed, r.NotSent, rounded(r.Wasted))
	}
}

func clocks(q report.Quantiles) string { return fmt.Sprintf("%.1f/%.1f/%.1f", q.P50, q.P95, q.P99) }
