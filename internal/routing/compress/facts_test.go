package compress

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

func TestFactsOf(t *testing.T) {
	names := map[class]string{number: "number", amount: "amount", date: "date", ident: "id"}
	for text, want := range map[string][]string{
		"pay $1,250.00 now":                    {"amount $1,250.00"},
		"pay €1.250,00 now":                    {"amount €1.250,00"},
		"EUR 500 or 500 EUR":                   {"amount eur 500", "amount 500 eur"},
		"a 12% discount of 3 percent":          {"amount 12%", "amount 3 percent"},
		"due 2026-11-24.":                      {"date 2026-11-24"},
		"due 24.11.2026, 24/11/2026":           {"date 24.11.2026", "date 24/11/2026"},
		"on 24 November 2026 and Nov 5, 2025":  {"date 24 november 2026", "date nov 5, 2025"},
		"since May 2019":                       {"date may 2019"},
		"Invoice #402, invoice 403":            {"id #402", "id 403"},
		"INV-402 and PO7731 and SKU_99-A":      {"id inv-402", "id po7731", "id sku_99-a"},
		"ap@acme.example wrote":                {},
		"a.p2@acme.example wrote":              {"id a.p2@acme.example"},
		"DE89 3704 0044 0532 0130 00 is it":    {"id de89 3704 0044 0532 0130 00"},
		"DE89370400440532013000":               {"id de89370400440532013000"},
		"3f2504e0-4f89-11d3-9a0c-0305e82c3301": {"id 3f2504e0-4f89-11d3-9a0c-0305e82c3301"},
		"they may 5 times march":               {"number 5"},
		"20 passages, version 3":               {"number 20", "number 3"},
		"call 0800-55512345":                   {"id 0800-55512345"},
		"no digits here":                       nil,
		"5\nMay":                               {"number 5"},
	} {
		var got []string
		for _, f := range factsOf(text) {
			got = append(got, names[f.class]+" "+f.key)
		}
		if text == "ap@acme.example wrote" {
			want = []string{"id ap@acme.example"}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestForbids(t *testing.T) {
	for text, want := range map[string]bool{
		"You must not pay it.": true, "It shall not exceed 5.": true, "Never call.": true, "Pay unless told otherwise.": true,
		"This is not final until signed.": true, "Das darf nicht bezahlt werden.": true, "You mustn’t.": true,
		"You must pay it.": false, "It is not here.": false, "Nevertheless pay.": false,
	} {
		if got := forbids(text, false); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if !forbids("Please do not pay.", true) || forbids("I do not know.", false) {
		t.Error("an order of the user's counts, a statement of the model's does not")
	}
}

func TestMeasureFindsLossAndInvention(t *testing.T) {
	source := "[user] INV-402 is over $500 and due on 2026-01-02.\n[user] INV-4021 never."
	units := split([]piece{{label: "user", text: "INV-402 is over $500 and due on 2026-01-02.", turn: true}}).units
	pins := pinnedOf(units, everyUnit(units))
	for brief, want := range map[string][3]int{
		"INV-402 is over $500 and due on 2026-01-02.":  {3, 3, 0},
		"INV-4021 is over $500 and due on 2026-01-02.": {3, 2, 0}, // a longer id is another id
		"INV-402 is over $5000":                        {3, 1, 1},
		"INV-403 is due on 2026-01-02":                 {3, 1, 1},
	} {
		kept, invented := measure([]string{source}, draft{text: brief}, pins)
		if got := [3]int{len(pins), kept, invented}; got != want {
			t.Errorf("%q: pinned, kept, invented = %v, want %v", brief, got, want)
		}
	}
}

func TestSealRefusesALossyBrief(t *testing.T) {
	f := &frame{req: &llm.Request{}, pieces: []piece{{label: "user", text: "INV-402"}}}
	units := split(f.pieces).units
	if _, err := f.seal(draft{text: "[user] nothing"}, pinnedOf(units, everyUnit(units)), 0, call.ExtractiveBrief, Options{}); err == nil {
		t.Error("a brief without its pinned id was made")
	}
	if _, err := f.seal(draft{text: "[user] INV-402 INV-999"}, nil, 0, call.SummaryBrief, Options{}); err == nil {
		t.Error("a brief with an invented id was made")
	}
}

func TestSentences(t *testing.T) {
	for line, want := range map[string][]string{
		"One. Two! Three? Four":                      {"One.", "Two!", "Three?", "Four"},
		"Mr. Smith met Dr. Jones. They left.":        {"Mr. Smith met Dr. Jones.", "They left."},
		"It cost 3.50 in the U.S. market. Fine.":     {"It cost 3.50 in the U.S. market.", "Fine."},
		"He said \"no.\" Then he left.":              {"He said \"no.\"", "Then he left."},
		`{"a": "One. Two."}`:                         {`{"a": "One. Two."}`},
		"2026-01-02T10:00:00 ERROR Failed. Retry. X": {"2026-01-02T10:00:00 ERROR Failed. Retry. X"},
		"| a | One. Two. |":                          {"| a | One. Two. |"},
	} {
		var got []string
		for _, c := range cutLine(line) {
			got = append(got, c.text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

func TestOverlongTextIsCutAtSpaces(t *testing.T) {
	long := strings.Repeat("word ", 1000) + strings.Repeat("ü", 5000)
	var joined strings.Builder
	for _, s := range cutLine(long) {
		if len(s.text) > 4*longUnit {
			t.Errorf("a unit of %d bytes", len(s.text))
		}
		if s.shard != strings.HasPrefix(s.text, "ü") {
			t.Errorf("%.20q: shard %t", s.text, s.shard)
		}
		joined.WriteString(strings.ReplaceAll(s.text, " ", ""))
	}
	if joined.String() != strings.ReplaceAll(long, " ", "") {
		t.Error("text was lost or changed")
	}
}

func TestCueOf(t *testing.T) {
	for q, want := range map[string]cue{
		"When is it due?": cueTime, "How many are open?": cueNumber, "Who approved it?": cueName, "Why?": noCue,
		"what year did they meet who": cueTime, "Wann kommt es?": cueTime,
	} {
		if got := cueOf(q); got != want {
			t.Errorf("%q: %d, want %d", q, got, want)
		}
	}
}

// FuzzExtract holds the promises of a brief on any text: no panic, fidelity passed and honest, question verbatim,
// every kept word from the source.
func FuzzExtract(f *testing.F) {
	f.Add("INV-402 must not be paid. "+filler(30), "Noted, $5.", "Is INV-402 paid?", 0)
	f.Add(`[{"a":1},{"a":2}]`+strings.Repeat(`,{"id":"PO-1234567"}`, 200), "x", "PO-1234567?", 50)
	f.Add(strings.Repeat("a;b;c;d 5 May 2026\n", 300), "", "when", 1)
	f.Add("DE89 3704 0044 0532 0130 00 "+strings.Repeat("\xff\xfe never ", 400), "é", "until not", 20)
	f.Fuzz(func(t *testing.T, history, reply, question string, target int) {
		req := &llm.Request{Messages: []llm.Message{say(llm.User, history), say(llm.Assistant, reply), say(llm.User,
			question)}}
		b, err := Extract(req, Options{Target: target % 5000, Failure: "check x"})
		if err != nil {
			t.Fatalf("an extractive brief failed its own check: %v", err)
		}
		checkBrief(t, b, question)
	})
}

func checkBrief(t *testing.T, b call.Brief, question string) {
	t.Helper()
	f := b.Fidelity()
	if !f.Passed() || f.BriefSHA != sha256.Sum256([]byte(b.Text())) {
		t.Fatalf("fidelity %+v", f)
	}
	if f.BriefTokens > f.SourceTokens {
		t.Fatalf("the brief is longer (%d tokens) than its source (%d)", f.BriefTokens, f.SourceTokens)
	}
	parts := b.Request().Messages[0].Parts
	asked := ""
	for _, p := range parts {
		asked += p.Text
	}
	for _, para := range strings.Split(question, "\n\n") {
		if len(question) < 4*edge && !strings.Contains(asked, strings.TrimSpace(para)) {
			t.Fatalf("the question is not verbatim")
		}
	}
}
