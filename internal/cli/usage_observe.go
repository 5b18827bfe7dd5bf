package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirhq/weir/internal/finops/observe"
	"github.com/weirhq/weir/internal/report"
)

// runObserve tells what the cascades of observed routes would have done.
func (a *app) runObserve(ctx context.Context, q usageFlags) error {
	if q.by == "" {
		q.by = observe.Groupings[0]
	}
	since, err := sinceOf(q.since, time.Now())
	if !slices.Contains(observe.Groupings, q.by) {
		err = errors.Join(err, &usageError{
			fmt.Errorf("--by %q is no grouping of observed calls: use %s", q.by, strings.Join(observe.Groupings, ", ")), "weir usage",
		})
	}
	if err != nil {
		return err
	}
	r, _, err := a.ledger(q.dir)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // read only: nothing to lose
	got, err := observe.Read(ctx, r, observe.Query{Since: since, By: q.by})
	if err != nil {
		return err
	}
	t := report.ObserveOf(got)
	if a.json {
		return a.printJSON(t)
	}
	return printObserve(a.Out, t)
}

// printObserve writes four tables: money, who would have answered, how answers compare, how shadows ended.
func printObserve(out io.Writer, t report.ObserveTable) error {
	rows := t.Rows()
	for _, table := range []func(io.Writer, string, []report.ObserveRow){observedMoney, observedLayers, observedAnswers, observedShadows} {
		w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
		table(w, t.By, rows)
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	_, err := fmt.Fprintf(out, "%s\namounts: to six digits or the cent, --json has them exactly\n", t.Note)
	return err
}

func observedMoney(w io.Writer, head string, rows []report.ObserveRow) {
	fmt.Fprintf(w, "%s\tobserved\tspent\tat the start\tthe cascade\t95 %%\tsaved\tof spent\tn\t\n", head)
	for _, r := range rows {
		of := r.SavedBP
		if of == "" {
			of = "-"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t\n", r.Name, r.Calls, rounded(r.Spent), rounded(r.AtStart),
			guessed(r.Would), interval(r.Would), guessed(r.Saved), of, r.Would.N)
	}
}

func observedLayers(w io.Writer, head string, rows []report.ObserveRow) {
	fmt.Fprintf(w, "%s\twould be answered by\tshadows\tof all, 95 %%\t\n", head)
	for _, r := range rows {
		for _, l := range r.Layers {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t\n", r.Name, l.Name, l.N, l)
		}
		fmt.Fprintf(w, "%s\tno layer passes\t%d\t%s\t\n", r.Name, r.Nowhere.N, r.Nowhere)
		if r.Failed.N > 0 {
			fmt.Fprintf(w, "%s\tproviders fail\t%d\t%s\t\n", r.Name, r.Failed.N, r.Failed)
		}
	}
}

func observedAnswers(w io.Writer, head string, rows []report.ObserveRow) {
	fmt.Fprintf(w, "%s\tanswers compared\tother than given, 95 %%\tby\tn\tthe same\twords shared\t\n", head)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%s\t\t\t\t\t\n", r.Name, r.Differs.Of, r.Differs)
		for _, c := range r.Compared {
			fmt.Fprintf(w, "\t\t\t%s\t%d\t%d\t%s\t\n", c.How, c.N, c.Same, c.Overlap)
		}
	}
}

func observedShadows(w io.Writer, head string, rows []report.ObserveRow) {
	fmt.Fprintf(w, "%s\twould be refused\tdrawn\ttold\tover budget\tdropped\tcut\topen\tcost of observing\t\n", head)
	for _, r := range rows {
		d := r.Drawn
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", r.Name, r.Refused, d.Drawn, d.Told, d.Budget, d.Dropped, d.Cut,
			d.Open, rounded(d.Cost))
	}
}

func guessed(e report.Estimate) string {
	if e.At == "" {
		return "-"
	}
	return rounded(e.At)
}

func interval(e report.Estimate) string {
	switch {
	case e.Exact:
		return "exact"
	case e.Low == "":
		return "-"
	}
	return rounded(e.Low) + " to " + rounded(e.High)
}
