package cli_test

import (
	"bytes"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/weirhq/weir/internal/report"
)

// parsed is a file's JSON value.
func parsed(ts *testscript.TestScript, file string) any {
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(file)), &v); err != nil {
		ts.Fatalf("%s is not JSON: %v", file, err)
	}
	return v
}

// at is the member of a JSON file at a path like groups.0.name; len is a list's length.
func at(ts *testscript.TestScript, file, path string) string {
	v := parsed(ts, file)
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			next, ok := x[step]
			if !ok {
				ts.Fatalf("%s has no %s", file, path)
			}
			v = next
		case []any:
			if step == "len" {
				return strconv.Itoa(len(x))
			}
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				ts.Fatalf("%s has no %s: the list has %d entries", file, path, len(x))
			}
			v = x[i]
		default:
			ts.Fatalf("%s has no %s", file, path)
		}
	}
	return fmt.Sprint(v)
}

// want compares a member of a JSON file: want FILE PATH VALUE.
func want(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: want file path value")
	}
	if got := at(ts, args[0], args[1]); (got == args[2]) == neg {
		ts.Fatalf("%s of %s is %q", args[1], args[0], got)
	}
}

// take sets a variable to a member of a JSON file: take NAME FILE PATH.
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: take name file path")
	}
	ts.Setenv(args[0], at(ts, args[1], args[2]))
}

// shows demands that a text shows everything that a JSON file tells, but for the members named:
// shows TEXT JSON EXCEPT...
func shows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: shows text json except...")
	}
	text := ts.ReadFile(args[0])
	n := 0
	var walk func(name string, v any)
	walk = func(name string, v any) {
		if slices.Contains(args[2:], name) {
			return
		}
		switch x := v.(type) {
		case map[string]any:
			for k, v := range x {
				walk(k, v)
			}
		case []any:
			for _, v := range x {
				walk(name, v)
			}
		default:
			if w := written(name, x); w != "" && !holds(text, w) {
				ts.Fatalf("%s does not show %s %s", args[0], name, w)
			}
			n++
		}
	}
	walk("", parsed(ts, args[1]))
	if n == 0 {
		ts.Fatalf("%s tells nothing", args[1])
	}
}

// written is a JSON value as the text writes it; "" = not at all.
func written(name string, v any) string {
	switch x := v.(type) {
	case string:
		if strings.Contains(name, "sha256") {
			return x[:12]
		}
		return x
	case float64:
		if strings.HasSuffix(name, "_ms") {
			return strconv.FormatFloat(x, 'f', 1, 64)
		}
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return "" // true, false and null become words of their own
}

// holds reports whether a text has a word that is not part of a longer figure or name.
func holds(text, word string) bool {
	edge := `(?:^|$|[^0-9A-Za-z.]|\.(?:$|[^0-9]))`
	return regexp.MustCompile(edge + regexp.QuoteMeta(word) + edge).MatchString(text)
}

// tally demands that the table of weir usage has, row by row and figure by figure, what its JSON has: tally FLAGS...
func tally(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: tally flags...")
	}
	ts.Check(ts.Exec("weir", append([]string{"usage", "--json"}, args...)...))
	var t report.UsageTable
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &t))
	ts.Check(ts.Exec("weir", append([]string{"usage"}, args...)...))
	text := ts.ReadFile("stdout")
	lines := strings.Split(text, "\n")
	rows := append(slices.Clone(t.Groups), t.Total)
	for i, r := range rows {
		// three times: a head, the rows, an empty line
		for at, figures := range map[int][]string{1 + i: spent(r), 3 + len(rows) + i: took(r), 5 + 2*len(rows) + i: booked(r)} {
			if at >= len(lines) {
				ts.Fatalf("the table ends before line %d", at+1)
			}
			cells := strings.Fields(strings.TrimPrefix(strings.TrimSpace(lines[at]), r.Name))
			if !slices.Equal(cells, figures) {
				ts.Fatalf("line %d of the table, %q:\n%v\nis not\n%v", at+1, r.Name, cells, figures)
			}
		}
	}
	for _, s := range slices.Concat(t.Layers, t.Tiers) {
		shown := "  " + s.Name + " " + s.Part
		if s.Target != "" {
			shown += " (target " + s.Target + ")"
		}
		if !strings.Contains(text, shown) {
			ts.Fatalf("the table does not show %q", shown)
		}
	}
}

func spent(r report.UsageRow) []string {
	n := strconv.FormatInt
	cells := []string{
		n(r.Calls, 10), n(r.Attempts, 10), n(r.Input+r.CacheRead+r.CacheWrite, 10), n(r.Output+r.Reasoning, 10),
	}
	for _, amount := range []string{r.Cost, r.PerM, r.Frontier, r.Saved} {
		cells = append(cells, dollars(amount))
	}
	return append(cells, r.Escalated, r.Tax)
}

func took(r report.UsageRow) []string {
	var cells []string
	for _, q := range []report.Quantiles{r.TTFT, r.FirstByte, r.Accepted} {
		cells = append(cells, fmt.Sprintf("%.1f/%.1f/%.1f", q.P50, q.P95, q.P99))
	}
	return append(cells, strconv.FormatInt(r.Speed, 10))
}

func booked(r report.UsageRow) []string {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	return []string{
		n(r.CacheRead), n(r.CacheWrite), n(r.Reasoning), dollars(r.PerMIn), dollars(r.PerMOut), n(r.Settled), n(r.Estimated),
		n(r.Presumed), n(r.NotSent), dollars(r.Wasted),
	}
}

// dollars writes an amount below a thousand as tables do: six digits, but no more than six decimals and no zeros after
// the cents.
func dollars(decimal string) string {
	rest, negative := strings.CutPrefix(decimal, "-")
	r, ok := new(big.Rat).SetString(rest)
	if !ok {
		return decimal + " is no amount"
	}
	whole, _, _ := strings.Cut(rest, ".")
	places := 6
	if whole != "0" {
		places -= len(whole)
	}
	text := strings.TrimRight(r.FloatString(places), "0")
	at := strings.IndexByte(text, '.')
	text += strings.Repeat("0", max(0, at+3-len(text)))
	if negative {
		return "-$" + text
	}
	return "$" + text
}

// schema compiles a JSON Schema and judges YAML files by it: schema SCHEMA FILES...
func schema(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: schema schema files...")
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	c := jsonschema.NewCompiler()
	ts.Check(c.AddResource("weir.schema.json", doc))
	compiled, err := c.Compile("weir.schema.json")
	ts.Check(err)
	for _, file := range args[1:] {
		text, err := os.ReadFile(ts.MkAbs(file))
		ts.Check(err)
		asJSON, err := yaml.YAMLToJSON(text)
		ts.Check(err)
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		ts.Check(err)
		if err := compiled.Validate(v); (err == nil) == neg {
			ts.Fatalf("%s by %s: %v", file, args[0], err)
		}
	}
}
