package compress

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/llm"
)

// briefOf compresses one tool's output under a question and returns the brief's text.
func briefOf(t *testing.T, output, question string, target int) string {
	t.Helper()
	b, err := Extract(&llm.Request{Messages: []llm.Message{
		say(llm.User, "Get it."), toolUse("1", "get", `{}`), toolResult("1", output), say(llm.Assistant, "Done."),
		say(llm.User, question),
	}}, Options{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	return b.Text()
}

func TestJSONKeepsItsShape(t *testing.T) {
	var doc strings.Builder
	doc.WriteString(`{"page": 3, "tenant": "north", "customers": [`)
	for i := range 60 {
		fmt.Fprintf(&doc, `{"id": "C-%d", "name": "Customer %d", "note": "%s", "orders": [`, 100+i, i, strings.Repeat("likes calm weather ", 12))
		for k := range 9 {
			fmt.Fprintf(&doc, `{"order": "PO-%d", "sum": "%d.25 EUR", "state": "open", "remark": "%s"},`, 1000+i*9+k, 10+i*9+k,
				strings.Repeat("as agreed ", 6))
		}
		doc.WriteString(`{}]},`)
	}
	doc.WriteString(`{}]}`)
	for name, text := range map[string]string{
		"whole": doc.String(), "cut off by its tool": doc.String()[:doc.Len()-700], "after a line": "HTTP 200\n" + doc.String(),
	} {
		got := briefOf(t, text, "What is the sum of PO-1220?", 200)
		for _, want := range []string{
			"\"customers\": [", `{"order": "PO-1220", "sum": "230.25 EUR", "state": "open"`, `"id": "C-124", "name": "Customer 24"`, "…", "]\n}",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is missing in\n%s", name, want, got)
			}
		}
		if strings.Contains(got, "PO-1400") || strings.Count(got, "{") != strings.Count(got, "}") {
			t.Errorf("%s: not pruned, or brackets that do not close:\n%s", name, got)
		}
	}
}

func TestWhatOnlyBeginsLikeJSONIsText(t *testing.T) {
	for _, text := range []string{
		"[see the note] The crane is old.", `{"a": 1, oops}`, `{{name}} is a template`, "[1, 2", `{"a"}`, `[}`, `{"a": "b`,
		strings.Repeat("[", 70), strings.Repeat(`{"a":`, 70), `[tru, 1]`, `{"k": -}`, "[\n[x]\n[y]\n]",
	} {
		text += strings.Repeat("\nAnd more of it, so that it is long.", 40)
		var got strings.Builder
		for _, u := range split([]piece{{label: "x", text: text}}).units {
			if !strings.Contains(text, u.text) {
				t.Errorf("%.20q: unit %q is not of the source", text, u.text)
			}
			got.WriteString(u.text)
		}
		if !strings.Contains(got.String(), "so that it is long") {
			t.Errorf("%.20q lost its text", text)
		}
	}
}

func FuzzStructure(f *testing.F) {
	f.Add(`{"a":[1,2,3,{"b":"c\nd"}],"e":null}` + strings.Repeat(`,{"x":1}`, 80))
	f.Add("2026-11-24T10:00:00Z ERROR x\nNAME   AGE\na   1\n" + strings.Repeat("func f() {\n\treturn\n}\n", 20))
	f.Add(strings.Repeat(`{"k":"`+strings.Repeat("v w ", 50)+`"},`, 9))
	f.Fuzz(func(t *testing.T, text string) {
		pieces := []piece{{label: "document", text: text}}
		src := split(pieces)
		for i, u := range src.units {
			if !strings.Contains(text, u.text) || int(u.head) >= len(src.units) || int(u.node) >= len(src.nodes) {
				t.Fatalf("unit %d %+v is not of the source", i, u)
			}
		}
		all := everyUnit(src.units)
		body, _ := render(pieces, src, slices.DeleteFunc(all, func(i int32) bool { return i%3 == 1 }), nil)
		for _, w := range body.units {
			if w.end > len(body.text) || w.start > w.end {
				t.Fatalf("stretch %+v of %d bytes", w, len(body.text))
			}
		}
	})
}

func TestLogsTellTheirErrorsFirst(t *testing.T) {
	var log strings.Builder
	for i := range 2000 {
		level, what := "INFO", "request served"
		switch {
		case i == 1234:
			level, what = "ERROR", "disk quota of tenant 44 exhausted"
		case i%97 == 5:
			level, what = "ERROR", "connection reset by peer"
		}
		fmt.Fprintf(&log, "2026-11-24T10:%02d:%02d.%03dZ %s %s, worker %d\n", i/60%60, i%60, i%1000, level, what, i%8)
	}
	got := briefOf(t, log.String(), "Why did the upload break?", 400)
	if !strings.Contains(got, "disk quota of tenant 44 exhausted") {
		t.Errorf("the one error that differs is gone:\n%s", got)
	}
	if n := strings.Count(got, "connection reset"); n == 0 || n > ofTemplate {
		t.Errorf("%d lines of one form, want 1 to %d", n, ofTemplate)
	}
	asked := briefOf(t, log.String(), "What was served at 10:33:19, worker 7?", 400)
	if !strings.Contains(asked, "10:33:19") {
		t.Errorf("the line that was asked for is gone:\n%s", asked)
	}
}

func TestRepeatsInOtherWordsAreLeftOut(t *testing.T) {
	base := "The carrier confirmed that the pallets for the Bremen plant leave the harbour with the evening train of the northern line"
	text := base + ".\n\n" + "Please note: " + base + ".\n\n" + base + " on 2026-11-24.\n\nThe crane is painted blue."
	units := split([]piece{{label: "document", text: text}}).units
	got := rank(units, "pallets harbour Bremen train").pick(units, 1000, Options{})
	if n := len(got); n != 3 {
		t.Errorf("kept %v of %d, want one of the two that say the same, the one with a date, and the crane", got, len(units))
	}
	kept := ""
	for _, i := range got {
		kept += units[i].text
	}
	if !strings.Contains(kept, "2026-11-24") || !strings.Contains(kept, "blue") {
		t.Errorf("kept %q", kept)
	}
}

func TestListingsAndRules(t *testing.T) {
	for name, table := range map[string]string{
		"columns by spaces": "NAME        READY   STATUS\nweb-7f9     1/1     Running\ndb-0        0/1     CrashLoopBackOff\n" +
			"cache-1     1/1     Running",
		"rule of dashes": "| 2024 pod | ready | status |\n|---|---|---|\n| web-7f9 | 1/1 | Running |\n| db-0 | 0/1 | CrashLoopBackOff |",
	} {
		units := split([]piece{{label: "tool result", text: table}}).units
		got := rank(units, "status of db-0").pick(units, 1000, Options{})
		if !slices.Contains(got, 0) || len(got) > 3 {
			t.Errorf("%s: kept %v, want the head and the row", name, got)
		}
	}
}

func TestCodeKeepsItsLinesTogether(t *testing.T) {
	var src strings.Builder
	for i := range 120 {
		fmt.Fprintf(&src, "func step%d(in []byte) error {\n\tif len(in) == 0 {\n\t\treturn errEmpty\n\t}\n\treturn next(in[%d:])\n}\n\n", i, i)
	}
	got := briefOf(t, src.String(), "What does step77 do?", 300)
	if want := "func step77(in []byte) error {\n\tif len(in) == 0 {\n\t\treturn errEmpty\n\t}\n\treturn next(in[77:])\n}"; !strings.Contains(got, want) {
		t.Errorf("the function is not whole in\n%s", got)
	}
}

func TestTheBestPassagesStandAtTheEdges(t *testing.T) {
	passages := []string{
		"The railing of the pier was painted.", "The crane in Bremen was sold in 1987 to a museum.", "The crane is tall and old.",
		"A pier is a raised structure.", "Bremen has a museum of a crane.",
	}
	var numbered, plain strings.Builder
	for i, p := range passages {
		text := p + strings.Repeat(" Nothing more is known of the harbour and its weather.", 5)
		fmt.Fprintf(&numbered, "Document [%d] %s\n\n", i+1, text)
		fmt.Fprintf(&plain, "%s\n\n", text)
	}
	order := func(doc string) []int {
		b, err := Extract(&llm.Request{Messages: []llm.Message{
			say(llm.User, doc+filler(40), "When was the crane in Bremen sold to the museum?"),
		}}, Options{Target: 300})
		if err != nil {
			t.Fatal(err)
		}
		var at []int
		for _, p := range passages {
			at = append(at, strings.Index(b.Text(), p))
		}
		return at
	}
	at := order(numbered.String())
	if at[1] < 0 || at[1] > at[2] || at[1] > at[4] || at[4] < at[2] {
		t.Errorf("numbered passages stand at %v, want the second first and the fifth last", at)
	}
	if at = order(plain.String()); at[1] < 0 || at[1] > at[2] || at[2] > at[4] {
		t.Errorf("passages of a text stand at %v, want their order", at)
	}
}
