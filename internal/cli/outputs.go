package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/report"
)

// runOutputs tells what models' answers were like.
func (a *app) runOutputs(ctx context.Context, q usageFlags) error {
	since, err := sinceOf(q.since, time.Now())
	if err != nil {
		return err
	}
	every, err := ledger.ParseEvery(q.every)
	if err != nil {
		return &usageError{fmt.Errorf("--every %q is no length of time of at least a minute: use 1h or 1d", q.every), "weir usage"}
	}
	var by []string
	if q.by != "" {
		by = strings.Split(q.by, ",")
	}
	for _, name := range by {
		if !slices.Contains(ledger.OutputGroupings, name) {
			return &usageError{
				fmt.Errorf("--by %q is no grouping of outputs: use %s", name, strings.Join(ledger.OutputGroupings, ", ")), "weir usage",
			}
		}
	}
	r, _, err := a.ledger(q.dir)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // read only: nothing to lose
	o, err := ledger.ReadOutputs(ctx, r, ledger.OutputQuery{Since: since, By: by, Every: every})
	if err != nil {
		return err
	}
	t := report.OutputsOf(o, q.every)
	if a.json {
		return a.printJSON(t)
	}
	return printOutputs(a.Out, t)
}

// printOutputs writes what answers were like and how long they were, then a series of each group where one was asked for.
func printOutputs(out io.Writer, t report.OutputTable) error {
	rows := append(slices.Clone(t.Groups), t.Total)
	head := cmp.Or(strings.ReplaceAll(t.By, ",", " / "), "total")
	if err := printAnswers(out, head, rows, func(r report.OutputRow) (string, report.Answers) { return r.Name, r.Answers }); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tstop reasons\tlanguages\tchecks that failed\n", head)
	for _, r := range rows {
		var failed []string
		for _, c := range r.Checks {
			if c.Yes < c.N {
				failed = append(failed, fmt.Sprintf("%s %d of %d", c.Name, c.N-c.Yes, c.N))
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, counts(r.Stops), counts(r.Languages), cmp.Or(strings.Join(failed, ", "), "-"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if t.Every != "" {
		for _, r := range rows {
			fmt.Fprintln(out)
			err := printAnswers(out, r.Name+", every "+t.Every, r.Series, func(s report.OutputSlot) (string, report.Answers) {
				return s.At.Format("2006-01-02T15:04Z"), s.Answers
			})
			if err != nil {
				return err
			}
		}
	}
	if t.Unseen > 0 {
		fmt.Fprintf(out, "\n%d answers were booked before anything was kept of answers; they are in no figure\n", t.Unseen)
	}
	_, err := fmt.Fprintln(out, "\nrates: of so many answers of which it is known; lengths: p50/p95; --json has every count")
	return err
}

// printAnswers writes one table of rates and lengths.
func printAnswers[T any](out io.Writer, head string, rows []T, of func(T) (string, report.Answers)) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tanswers\tpassed\ttruncated\tfiltered\trefused\tempty\trepaired\tcalled tools\tcalls\tbroken\ttokens\t"+
		"bytes\t\n", head)
	for _, r := range rows {
		name, x := of(r)
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t\n", name, x.N, rate(x.Passed), rate(x.Truncated),
			rate(x.Filtered), rate(x.Refused), rate(x.Empty), rate(x.Repaired), rate(x.Called), x.Calls, rate(x.Broken),
			length(x.Tokens), length(x.Bytes))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

func rate(r report.Rate) string {
	if r.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%s of %d", r.Part, r.N)
}

func length(l report.Length) string {
	if l.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", l.P50, l.P95)
}

func counts(all []report.NamedCount) string {
	var said []string
	for _, c := range all {
		said = append(said, fmt.Sprintf("%s %d", c.Name, c.N))
	}
	return cmp.Or(strings.Join(said, ", "), "-")
}
