package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/eval"
	"github.com/weirhq/weir/internal/finops/money"
)

// evalFlags are the flags of weir eval as they are given.
type evalFlags struct {
	eval.Options
	part   string
	prices []string
}

func (a *app) eval() *cobra.Command {
	var o evalFlags
	c := &cobra.Command{
		Use:   "eval",
		Short: "What a cascade would do on recorded answers of real models",
		Long: `Plays recorded answers to the production cascade: a weak model first, the strong one where the check "doubt"
refuses its answer. Prints how much of the strong model's advantage is kept at what share of its calls, beside chance,
question length and an oracle, by the measures of RouteLLM (arXiv 2406.18665). Right and wrong are the recording's.

--data is a folder or a file: CSV with a column for the prompt and one of grades for each model, or JSON. With --wire
a simulator plays the answers behind a running gateway, and everything goes over HTTP; the figures are the same.
Results go to standard output, progress to standard error. docs/evaluation.md says what each figure means.`,
		Example: `  weir eval --data recorded.jsonl
  weir eval --data gsm8k --wire --stream --json
  weir eval --data gsm8k --price gpt-4-1106-preview=24.7 --price mistralai/Mixtral-8x7B-Instruct-v0.1=0.24`,
		Args: exact(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runEval(cmd.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.Data, "data", "", "folder or file with recorded answers")
	f.BoolVar(&o.Wire, "wire", false, "over HTTP, through a running gateway")
	f.BoolVar(&o.Stream, "stream", false, "with --wire: ask for streams")
	f.IntVar(&o.Limit, "doubt", eval.DefaultLimit, "percent of doubt up to which the weak model's answer passes")
	f.StringVar(&o.Weak, "weak", "", "model that is asked first; default the least accurate")
	f.StringVar(&o.Strong, "strong", "", "model that is asked next; default the most accurate")
	f.StringArrayVar(&o.prices, "price", nil, "MODEL=USD or MODEL=INPUT/OUTPUT, per 1M tokens; default the data's, or the price book's")
	f.StringVar(&o.part, "part", string(eval.All), "rows that count: all, design (four fifths) or held (the rest)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of everything drawn")
	f.StringVar(&o.Dir, "dir", "", "folder in which the gateway's configuration and ledger stay; default none stays")
	f.BoolVar(&a.json, "json", false, "results as one JSON object")
	return c
}

func (a *app) runEval(ctx context.Context, o evalFlags) error {
	wrong := func(format string, args ...any) error {
		return &usageError{fmt.Errorf(format, args...), "weir eval"}
	}
	switch {
	case o.Data == "":
		return wrong("--data is missing: which folder or file holds the recorded answers?")
	case o.Stream && !o.Wire:
		return wrong("--stream does nothing without --wire")
	case o.Limit < 1 || o.Limit > 100:
		return wrong("--doubt %d: choose 1 to 100", o.Limit)
	}
	if o.Part = eval.Part(o.part); o.Part != eval.All && o.Part != eval.Design && o.Part != eval.Held {
		return wrong("--part %s: choose all, design or held", o.part)
	}
	o.Prices = map[string]eval.Price{}
	for _, text := range o.prices {
		model, price, err := priceOf(text)
		if err != nil {
			return wrong("--price %s: %w", text, err)
		}
		o.Prices[model] = price
	}
	tune()
	o.Err, o.Version = a.Err, versionString()
	r, err := eval.Run(ctx, o.Options)
	if unknown := (*eval.UnknownModel)(nil); errors.As(err, &unknown) {
		return &hinted{err, "--weak and --strong take names as the data has them"}
	}
	if err != nil {
		return &hinted{err, "docs/evaluation.md says what the files may look like"}
	}
	if a.json {
		return a.printJSON(r)
	}
	return printEval(a.Out, r)
}

// priceOf reads MODEL=USD or MODEL=INPUT/OUTPUT.
func priceOf(text string) (model string, p eval.Price, err error) {
	i := strings.LastIndexByte(text, '=')
	if i < 1 {
		return "", p, errors.New("write MODEL=USD or MODEL=INPUT/OUTPUT")
	}
	in, out, both := strings.Cut(text[i+1:], "/")
	if !both {
		out = in
	}
	for _, usd := range []string{in, out} {
		if _, err := money.ParseRate(usd); err != nil {
			return "", p, err
		}
	}
	return text[:i], eval.Price{Input: in, Output: out}, nil
}

// printEval prints what an evaluation found.
func printEval(w io.Writer, r *eval.Result) error {
	for _, s := range r.Sets {
		fmt.Fprintf(w, "%s: %s of %s, run %s, seed %d\n", s.Name, count(s.Rows, "row"), count(len(s.Files), "file"), r.Run, r.Seed)
		for _, why := range sortedKeys(s.LeftOut) {
			fmt.Fprintf(w, "  left out: %s %s\n", count(s.LeftOut[why], "row"), why)
		}
		fmt.Fprintf(w, "  weak    %s: %s%s\n  strong  %s: %s%s\n", s.Weak.Name, grade(s.Weak.Grade), priced(s.Weak), s.Strong.Name,
			grade(s.Strong.Grade), priced(s.Strong))
		if s.Note != "" {
			fmt.Fprintf(w, "  note: %s\n", s.Note)
		}
		if err := printRouters(w, s); err != nil {
			return err
		}
		printCascade(w, r, s)
		fmt.Fprintln(w)
	}
	const most = 5
	for _, n := range r.NotRead[:min(len(r.NotRead), most)] {
		fmt.Fprintf(w, "not read: %s\n", n)
	}
	if rest := len(r.NotRead) - most; rest > 0 {
		fmt.Fprintf(w, "not read: %s more; --json lists them\n", count(rest, "file"))
	}
	return nil
}

func grade(v float64) string { return fmt.Sprintf("%.2f", v) }

func priced(m eval.Model) string {
	if m.Input == "" {
		return "; no price known (--price)"
	}
	return fmt.Sprintf("; $%s in, $%s out per 1M tokens", m.Input, m.Output)
}

func printRouters(w io.Writer, s eval.SetResult) error {
	if len(s.Routers) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "calls by\tCPT50\tCPT80\tAPGR\twhole curve: CPT50 [95 %]\tAPGR [95 %]\tcost at CPT50\t")
	for _, r := range s.Routers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t%s [%.1f, %.1f]\t%.3f [%.3f, %.3f]\t%s\t\n", r.Name, at(r.CPT50), at(r.CPT80), r.APGR,
			at(r.Whole.CPT50), r.Whole.CPT50Interval[0], r.Whole.CPT50Interval[1], r.Whole.APGR, r.Whole.APGRInterval[0],
			r.Whole.APGRInterval[1], at(r.CostAt50))
	}
	return t.Flush()
}

// at shows a share of calls, or that it is never reached.
func at(percent *float64) string {
	if percent == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", *percent)
}

func printCascade(w io.Writer, r *eval.Result, s eval.SetResult) {
	c := s.Cascade
	if c == nil {
		return
	}
	fmt.Fprintf(w, "\nthe cascade at a limit of %d %%: %s; %.1f %% of the calls to the strong model, %.1f %% of the gap recovered\n",
		r.Limit, grade(c.Grade), c.Strong, c.Gap)
	for _, check := range sortedKeys(c.Refused) {
		fmt.Fprintf(w, "  refused by %s: %s\n", check, count(c.Refused[check], "answer"))
	}
	fmt.Fprintf(w, "  of these wrong: %.1f %%\n", c.Right)
	if c.Cost != "" {
		fmt.Fprintf(w, "  cost: %s, %.1f %% of the strong model alone (%s); TC/1M %s, strong alone %s\n", rounded(c.Cost), c.OfStrong,
			rounded(c.StrongCost), rounded(c.PerM), rounded(c.StrongPerM))
	}
	if x := s.Wrapper; x != nil {
		what := "nothing common stands around the questions"
		if x.Wrapped {
			what = fmt.Sprintf("%.2f %% when it is stripped", x.Stripped)
		}
		fmt.Fprintf(w, "  decisions that the words around a question change: %s; %.2f %% in another wrapper\n", what, x.Scrambled)
	}
}

// sortedKeys are a map's keys in order.
func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
