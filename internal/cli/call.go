package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/report"
)

func (a *app) call() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "call ID",
		Short: "One call's story: attempts, verdicts with reasons, rule, clocks, cost",
		Long: `Shows what happened to one call. ID is the x-request-id of its answer. Content is not kept, so none is
shown; of a brief the ledger keeps hashes and sizes.`,
		Example: "  weir call 0199d2c4a5f07c0e8b1f5a6d3e2c1b0a",
		Args:    exact(1, "the x-request-id of an answer"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runCall(cmd.Context(), args[0], dir)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "storage folder to read, in place of the configured one")
	c.Flags().BoolVar(&a.json, "json", false, "as JSON")
	return c
}

func (a *app) runCall(ctx context.Context, arg, dir string) error {
	id, err := call.ParseOpID(arg)
	if err != nil {
		return &usageError{err, "weir call"}
	}
	r, _, err := a.ledger(dir)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // read only: nothing to lose
	attempts, err := ledger.Call(ctx, r, id)
	if err != nil {
		return err
	}
	if len(attempts) == 0 {
		return &hinted{
			fmt.Errorf("the ledger has no call %s", arg),
			"the id is the x-request-id of an answer; the access log of weir serve has them all",
		}
	}
	c := report.CallOf(attempts)
	if a.json {
		return a.printJSON(c)
	}
	printCall(a.Out, c)
	return nil
}

// printCall tells a call on one screen.
func printCall(w io.Writer, c report.Call) {
	fmt.Fprintf(w, "call      %s\n", c.ID)
	fmt.Fprintf(w, "at        %s   route %s   dialect %s\n", c.At.Format(time.RFC3339Nano), c.Route, c.Dialect)
	who := []string{"key " + c.Key}
	for _, f := range []struct{ name, value string }{
		{"team", c.Team}, {"use case", c.UseCase}, {"workflow", c.Workflow}, {"agent", c.Agent}, {"session", c.Session},
	} {
		if f.value != "" {
			who = append(who, f.name+" "+f.value)
		}
	}
	fmt.Fprintf(w, "for       %s   data class %s\n", strings.Join(who, "   "), c.DataClass)
	for _, x := range c.Attempts {
		printAttempt(w, x)
	}
	if c.Observed != nil {
		printObserved(w, c.Observed)
	}
	state := "not answered"
	if c.Answered {
		state = fmt.Sprintf("answered; accepted after %.1f ms", c.Clocks.Accepted)
	}
	fmt.Fprintf(w, "\n%s; cost %s", state, usd(c.Cost))
	if c.Frontier != "" {
		fmt.Fprintf(w, "; the frontier alone would have cost %s", usd(c.Frontier))
	}
	fmt.Fprintln(w)
}

// signsOf lists what made a doubt.
func signsOf(d *report.Doubt) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(d.Signs)) {
		fmt.Fprintf(&b, "; %s %.2f", name, d.Signs[name])
	}
	return b.String()
}

// printObserved tells what the cascade of an observed route would have done.
func printObserved(w io.Writer, o *report.Observed) {
	fmt.Fprint(w, "\nobserved     ")
	if len(o.Layers) == 0 {
		fmt.Fprintln(w, "the cascade would have refused the call: no layer is left after policy and fit")
		return
	}
	fmt.Fprintf(w, "the cascade would have begun at %s, of layers %s", o.Start, strings.Join(o.Layers, ", "))
	if o.Would != "" {
		fmt.Fprintf(w, "; the same tokens cost %s there", usd(o.Would))
	}
	fmt.Fprintln(w)
	s := o.Shadow
	if s == nil {
		return
	}
	fmt.Fprintf(w, "   shadow    %s", s.Outcome)
	if s.Layer != "" {
		fmt.Fprintf(w, " at layer %s", s.Layer)
	}
	if s.Check != "" {
		fmt.Fprintf(w, ": %s", s.Check)
	}
	fmt.Fprintf(w, " after %d attempts, cost %s\n", s.Attempts, usd(s.Cost))
	if s.How != "" {
		same := map[bool]string{true: "the same", false: "not the same"}[s.Same]
		fmt.Fprintf(w, "   compared  by %s: says %s as the answer that the caller got; %s of their words are shared\n", s.How, same, s.Overlap)
	}
}

// printSession tells what the conversation's session had to do with an attempt.
func printSession(w io.Writer, s *report.Session) {
	if s == nil {
		return
	}
	for _, line := range []struct{ word, text string }{
		{"pinned", s.Pinned}, {"bent", s.Bent}, {"stalled", s.Stalled}, {"warm", s.Warm},
	} {
		if line.text != "" {
			fmt.Fprintf(w, "   %-9s %s\n", line.word, line.text)
		}
	}
	if s.Start > 0 {
		fmt.Fprintf(w, "   began     at layer %d: %s\n", s.Start, s.Why)
	}
	if s.Dropped > 0 {
		fmt.Fprintf(w, "   dropped   %d signed pieces of other models\n", s.Dropped)
	}
}

// printBrief tells of the context that an attempt was given.
func printBrief(w io.Writer, n *report.Notes) {
	if b := n.Brief; b != nil {
		fmt.Fprintf(w, "   brief     %d -> %d tokens, %d of %d pinned facts kept, sha256 %.12s -> %.12s\n",
			b.SourceTokens, b.BriefTokens, b.Kept, b.Pinned, b.SourceSHA, b.BriefSHA)
		if b.Kind != "" {
			fmt.Fprintf(w, "   made      %s, %g to 1, recall %g, %d facts added as a list\n", b.Kind, b.Ratio, b.Recall, b.Appended)
		}
		for _, s := range b.Summaries {
			printSummary(w, s)
		}
	}
	if n.Summary != nil {
		printSummary(w, *n.Summary)
	}
	for _, k := range n.Warnings {
		fmt.Fprintf(w, "   warning   %s: %s\n", k, sizeWords[k])
	}
}

// sizeWords say what the warnings of a prompt's size mean.
var sizeWords = map[string]string{
	"near_window":  "prompt and answer fill nine tenths of the model's window",
	"past_trusted": "the prompt is longer than the model is trusted with",
	"past_step":    "the whole request is charged at the rates of long prompts",
}

func printSummary(w io.Writer, s report.Summary) {
	verdict := "does not pay"
	switch {
	case s.Failed != "":
		verdict = s.Failed
	case s.Pays:
		verdict = "pays"
	}
	fmt.Fprintf(w, "   summary   by %s, since %s: reading %d tokens (%d cached) %s, a summary %s, writing it %s: %s\n", s.Deployment,
		s.Need, s.Source, s.Cached, usd(s.Raw), usd(s.Read), usd(s.Write), verdict)
}

func printAttempt(w io.Writer, x report.Attempt) {
	where := "no deployment"
	if x.Deployment != "" {
		where = fmt.Sprintf("%s (%s, %s)", x.Deployment, x.Model, x.Tier)
	}
	if x.LayerName != "" {
		where = fmt.Sprintf("layer %d %s: %s", x.Layer, x.LayerName, where)
	}
	fmt.Fprintf(w, "\n%d  %-9s %s\n", x.N, x.Purpose, where)
	if n := x.Notes; n != nil {
		for _, s := range n.Skipped {
			fmt.Fprintf(w, "   skipped   %s in layer %s: %s\n", s.Deployment, s.Layer, s.Why)
		}
		printSession(w, n.Session)
		if n.Carried != "" {
			fmt.Fprintf(w, "   told      the answer before failed %s\n", n.Carried)
		}
		printBrief(w, n)
		for _, r := range n.Repairs {
			fmt.Fprintf(w, "   repaired  %s\n", r)
		}
		if d := n.Doubt; d != nil {
			fmt.Fprintf(w, "   doubt     %.0f %%%s\n", 100*d.Score, signsOf(d))
		}
	}
	fmt.Fprintf(w, "   rule      %s\n", x.Rule)
	fmt.Fprintf(w, "   outcome   %s, %s", x.Outcome, x.Verdict)
	for _, s := range []string{x.Check, x.Reason, x.Error} {
		if s != "" {
			fmt.Fprintf(w, ": %s", s)
		}
	}
	fmt.Fprintln(w)
	if x.Settlement == string(call.NotSent) {
		return
	}
	fmt.Fprintf(w, "   clocks    sent %.1f ms, provider's first %.1f, client's first %.1f, accepted %.1f, end %.1f\n",
		x.Clocks.Sent, x.Clocks.Provider, x.Clocks.FirstByte, x.Clocks.Accepted, x.Clocks.End)
	printOutput(w, x)
	fmt.Fprintf(w, "   cost      %s %s (held %s)", usd(x.Cost), x.Settlement, usd(x.Held))
	for _, l := range x.Lines {
		fmt.Fprintf(w, "; %d %s at %s/1M", l.Units, l.Meter, usd(l.Rate))
	}
	fmt.Fprintf(w, "\n   price     %s", x.PriceRow)
	if x.Served != "" { // a provider that fails does not tell
		fmt.Fprintf(w, "   served as %s", x.Served)
	}
	fmt.Fprintln(w)
}

// printOutput tells in one line what is known of an attempt's answer.
func printOutput(w io.Writer, x report.Attempt) {
	o := x.Output
	if o == nil {
		return
	}
	said := []string{"stop reason " + cmp.Or(o.Stop, "not told"), fmt.Sprintf("%d tokens, %d bytes", x.Usage.Output, o.Bytes)}
	tools := fmt.Sprintf("tool calls %d", o.ToolCalls)
	if o.BrokenCalls != nil && *o.BrokenCalls > 0 {
		tools += fmt.Sprintf(", broken %d", *o.BrokenCalls)
	}
	said = append(said, tools)
	for _, f := range []struct{ name, value string }{
		{"language", o.Language},
		{"empty", o.Empty},
		{"refusal", o.Refusal},
		{"repaired", o.Repaired},
		{"passed", strings.Join(o.Passed, " ")},
	} {
		if f.value != "" {
			said = append(said, f.name+" "+f.value)
		}
	}
	fmt.Fprintf(w, "   answer    %s\n", strings.Join(said, "; "))
}
