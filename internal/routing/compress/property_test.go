package compress

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/llm"
)

// genSentence is a random sentence, sometimes with facts.
func genSentence(t *rapid.T) string {
	noun := rapid.SampledFrom([]string{
		"crane", "harbour", "supplier", "invoice", "contract", "deposit", "audit",
		"warehouse",
	})
	n := rapid.IntRange(1, 9999).Draw(t, "n")
	switch rapid.IntRange(0, 7).Draw(t, "form") {
	case 0:
		return fmt.Sprintf("The %s costs $%d.50.", noun.Draw(t, "noun"), n)
	case 1:
		return fmt.Sprintf("The %s INV-%04d is due on 2026-%02d-%02d.", noun.Draw(t, "noun"), n, n%12+1, n%28+1)
	case 2:
		return fmt.Sprintf("You must not pay the %s before May %d, 2026.", noun.Draw(t, "noun"), n%28+1)
	case 3:
		return fmt.Sprintf("Write to clerk%d@acme.example about the %s.", n, noun.Draw(t, "noun"))
	}
	return fmt.Sprintf("The %s near the %s was seen by the %s.", noun.Draw(t, "a"), noun.Draw(t, "b"), noun.Draw(t, "c"))
}

func genText(t *rapid.T, most int) string {
	var b strings.Builder
	for range rapid.IntRange(1, most).Draw(t, "sentences") {
		b.WriteString(genSentence(t))
		b.WriteString(rapid.SampledFrom([]string{" ", "\n", "\n\n"}).Draw(t, "gap"))
	}
	return b.String()
}

// genTalk is a random conversation with tool exchanges; it ends with a question or an open loop.
func genTalk(t *rapid.T) *llm.Request {
	req := &llm.Request{System: []llm.Part{{Text: "You are careful."}}}
	add := func(m ...llm.Message) { req.Messages = append(req.Messages, m...) }
	exchange := func(i int) {
		id := fmt.Sprint("call", i)
		add(toolUse(id, "lookup", fmt.Sprintf(`{"id":"INV-%d"}`, i)), toolResult(id, genText(t, 30)))
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "turns") {
		add(say(llm.User, genText(t, 30)))
		if rapid.Bool().Draw(t, "tools") {
			exchange(i)
		}
		add(say(llm.Assistant, genText(t, 10)))
	}
	add(say(llm.User, "Is "+genSentence(t)))
	for i := range rapid.IntRange(0, 2).Draw(t, "open") {
		exchange(100 + i)
	}
	return req
}

func TestAnyTalkGivesAFaithfulBrief(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := genTalk(t)
		o := Options{
			Target:  rapid.SampledFrom([]int{0, 1, 50, 300, 100_000}).Draw(t, "target"),
			Failure: "at \"/amount\": required",
		}
		b, err := Extract(req, o)
		if err != nil {
			t.Fatal(err)
		}
		f := b.Fidelity()
		if !f.Passed() || f.BriefTokens > f.SourceTokens {
			t.Fatalf("fidelity %+v", f)
		}
		holdsObligations(t, req, b.Text())
		pairsAreWhole(t, b.Request().Messages)
	})
}

// holdsObligations wants every negated obligation of the earlier turns word for word in the brief.
func holdsObligations(t *rapid.T, req *llm.Request, brief string) {
	norm := normal(brief)
	last := lastAsk(req.Messages)
	for i, m := range req.Messages[:last] {
		for _, p := range m.Parts {
			if p.Kind != llm.Text || (Options{}).tokens(p.Text) > longPart {
				continue
			}
			for _, line := range strings.Split(p.Text, "\n") {
				for _, s := range strings.SplitAfter(line, ". ") {
					if strings.Contains(s, "must not") && !strings.Contains(norm, normal(s)) {
						t.Fatalf("message %d: %q is not in the brief", i, s)
					}
				}
			}
		}
	}
}

// pairsAreWhole wants each tool result right after the call that it answers, and the brief in a user turn before.
func pairsAreWhole(t *rapid.T, msgs []llm.Message) {
	if len(msgs) == 0 || msgs[0].Role != llm.User {
		t.Fatal("the brief does not open with a user turn")
	}
	for i, m := range msgs[1:] {
		if has(m.Parts, llm.ToolResult) {
			call := msgs[i].Parts
			if !has(call, llm.ToolUse) || call[len(call)-1].Tool.ID != m.Parts[0].Result.ID {
				t.Fatalf("message %d answers a call that is not before it", i+1)
			}
		}
	}
	if n := len(msgs); n > 1 && !has(msgs[n-1].Parts, llm.ToolResult) {
		t.Fatalf("%d messages without an open tool loop", n)
	}
}

func TestUnitsAreTheWholeSource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Custom(func(t *rapid.T) string { return genText(t, 40) })).Draw(t, "text")
		var got strings.Builder
		for _, u := range splitFlat([]piece{{label: "x", text: text}}).units {
			if !strings.Contains(text, u.text) {
				t.Fatalf("unit %q is not of the source", u.text)
			}
			got.WriteString(u.text)
		}
		if strings.Join(strings.Fields(got.String()), "") != strings.Join(strings.Fields(text), "") {
			t.Fatalf("units lost or changed text of %q", text)
		}
	})
}

func TestFactsAreWhereTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(),
			rapid.StringMatching(`([A-Z]{2}[0-9]{2}( [0-9]{4}){0,4}|[$€#]?[0-9.,]+ ?(%|EUR|May)?|[a-z@ -]+|\n)*`)).Draw(t,
			"text")
		at := 0
		for _, f := range factsOf(s) {
			if f.start < 0 || f.start >= f.end || f.end > len(s) || f.end <= at {
				t.Fatalf("%q: fact %+v after byte %d", s, f, at)
			}
			at = f.end
			if f.key != normal(s[f.start:f.end]) || !textOf(draft{text: s}).holds(f) {
				t.Fatalf("%q: fact %+v is not in its own text", s, f)
			}
		}
	})
}

func TestRankPrefersWhatTheQuestionNames(t *testing.T) {
	units := split([]piece{{
		label: "document",
		text:  "The crane is old.\n\nThe deposit is due in May.\n\nNothing else is known.",
	}}).units
	r := rank(units, "When is the deposit due?")
	if best := slices.Index(r.score, slices.Max(r.score)); units[best].text != "The deposit is due in May." {
		t.Errorf("best is %q", units[best].text)
	}
	if got := r.topic(5); !slices.Equal(got, []int32{1}) {
		t.Errorf("on topic: %v, want the one row", got)
	}
	if got := r.pick(units, 8, Options{}); !slices.Equal(got, []int32{1}) {
		t.Errorf("picked %v with room for one", got)
	}
	if got := r.pick(units, 1000, Options{}); len(got) != 3 {
		t.Errorf("picked %v with room for all", got)
	}
}

func TestRepeatsAreKeptOnce(t *testing.T) {
	text := strings.Repeat("The deposit for the crane is due.\n\n", 50)
	units := split([]piece{{label: "document", text: text}}).units
	if got := rank(units, "deposit crane").pick(units, 10_000, Options{}); len(got) != 1 {
		t.Errorf("%d copies of one sentence", len(got))
	}
}

func TestStem(t *testing.T) {
	for a, b := range map[string]string{
		"invoices": "invoice", "companies": "company", "approved": "approv", "paying": "pay", "cranes": "crane",
	} {
		if string(stem([]byte(a))) != string(stem([]byte(b))) {
			t.Errorf("%s and %s are stemmed to %s and %s", a, b, stem([]byte(a)), stem([]byte(b)))
		}
	}
}

func TestTableHeadsTravelWithTheirRows(t *testing.T) {
	for name, table := range map[string]string{
		"semicolons": "order;supplier;sum\nPO-1;Acme;5\nPO-2;Bolt;6\nPO-3;Acme;7",
		"markdown":   "| order | supplier | sum |\n| PO-1 | Acme | 5 |\n| PO-2 | Bolt | 6 |\n| PO-3 | Acme | 7 |",
	} {
		units := split([]piece{{label: "document", text: table}}).units
		if got := rank(units, "sum of PO-2").pick(units, 1000, Options{}); !slices.Contains(got, 0) || !slices.Contains(got, 2) {
			t.Errorf("%s: kept %v, want the head and the row of PO-2 among them", name, got)
		}
		got := rank(units, "what is with Bolt").pick(units, 1000, Options{})
		if !slices.Equal(got, []int32{0, 2}) {
			t.Errorf("%s: kept %v, want head and row only", name, got)
		}
	}
}
