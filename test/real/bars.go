package main

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
)

// bar is one claim with what was measured.
type bar struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"` // percent
	Bar     string  `json:"bar"`
	OK      bool    `json:"ok"`
	Command string  `json:"command"`
}

// percent is rounded to two decimals; 0 of nothing.
func percent(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return math.Round(float64(part)*10_000/float64(whole)) / 100
}

// gap is how much of what the dear model solves beyond the cheap one the cascade solves too.
func gap(runs []result) float64 {
	cascade, low, high := runs[0].right, runs[1].right, runs[2].right
	return percent(cascade-low, high-low)
}

func printTable(w io.Writer, runs []result, b books) {
	n := runs[0].asked
	fmt.Fprintf(w, "%d questions of GSM8K, recorded answers of %s and %s; cost and calls from the ledger\n\n", n, cheap, strong)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "run\tcalls\tattempts\tright\taccuracy\tto the strong model\ttokens in\ttokens out\tcost\tTC/1M\t")
	for _, r := range runs {
		u := b.useCase[r.route]
		to := map[string]int{"cascade": b.strongCalls(), "always-strong": u.Calls}[r.route]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.1f %%\t%.1f %%\t%d\t%d\t$%s\t$%s\t\n", r.route, u.Calls, u.Attempts, r.right,
			percent(r.right, n), percent(to, u.Calls), u.Input, u.Output, u.Cost, u.PerM)
	}
	_ = t.Flush() // the output's own error shows with the bars
	fmt.Fprintln(w)
}

// printBars prints one JSON line a bar.
func printBars(w io.Writer, o options, runs []result, b books) (ok bool, err error) {
	command := "go run ./test/real"
	if o.shared != "" {
		command += " --shared $WEIR_SHARED"
	}
	recovered, share := gap(runs), percent(b.strongCalls(), runs[0].asked)
	ok = true
	for _, x := range []bar{
		{"real input: accuracy gap recovered, percent", recovered, ">= 50", recovered >= 50, command},
		{"real input: calls to the strong model, percent", share, "<= 20", share <= 20, command},
	} {
		ok = ok && x.OK
		line, err := json.Marshal(x)
		if err != nil {
			return false, err
		}
		if _, err := fmt.Fprintf(w, "%s\n", line); err != nil {
			return false, fmt.Errorf("print: %w", err)
		}
	}
	return ok, nil
}
