package compress

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// listed are rates in dollars per 1M tokens: input, cached input, output, and input above 272,000 tokens of prompt.
type listed map[string][4]string

func (l listed) Cost(t call.Target, prompt, cached, output int, _ time.Time) (money.Nano, error) {
	rates, ok := l[t.Deployment]
	if !ok {
		return 0, errors.New("no price")
	}
	if prompt > 272_000 && rates[3] != "" {
		rates[0], rates[1] = rates[3], rates[3]
	}
	var sum money.Nano
	for i, units := range []int{prompt - cached, cached, output} {
		rate, err := money.ParseRate(rates[i])
		if err != nil {
			return 0, err
		}
		sum += money.Mul(int64(units), rate)
	}
	return sum, nil
}

// prices are list prices of a frontier model, a mid one and an edge one.
var prices = listed{
	"frontier": {"5", "0.50", "30", "10"}, "dear": {"15", "15", "60", ""}, "pro": {"2", "0.20", "12", ""}, "lite": {"0.10", "0.025", "0.40", ""},
}

// scribe answers commissions with texts in turn and keeps what it was asked.
type scribe struct {
	texts []string
	asked []Commission
}

func (s *scribe) Write(_ context.Context, c Commission) (string, error) {
	s.asked = append(s.asked, c)
	text := s.texts[(len(s.asked)-1)%len(s.texts)]
	r := &llm.Response{Choices: []llm.Choice{{Parts: []llm.Part{{Text: text}}, Stop: llm.StopEnd}}}
	return text, c.Accept(r)
}

// TestTheGateOfCost holds the reckoning against the table of what compression is worth at real prices: which compressor pays
// for which target, by the share c that the summary is of its source.
func TestTheGateOfCost(t *testing.T) {
	doc := strings.Repeat("The carrier wrote again about pallets and the harbour of the city. ", 6000) // about 100,000 tokens
	for _, tc := range []struct {
		target, by string
		percent    int
		goesOn     bool // the history would be read from the target's cache
		long       bool
		pays       bool
	}{
		{"dear", "pro", 10, false, false, true},
		{"dear", "pro", 50, false, false, false},
		{"frontier", "pro", 10, false, false, true},
		{"frontier", "pro", 25, false, false, false},
		{"frontier", "lite", 25, false, false, true},
		{"frontier", "lite", 50, false, false, true},
		{"frontier", "pro", 10, true, false, false},
		{"frontier", "lite", 50, true, false, false},
		{"frontier", "pro", 25, false, true, true}, // above 272,000 tokens the whole prompt costs twice as much
	} {
		text := doc
		if tc.long {
			text = strings.Repeat(doc, 3)
		}
		req := &llm.Request{Messages: []llm.Message{say(llm.User, text, "Summarise it.")}}
		if tc.goesOn {
			req = &llm.Request{Messages: []llm.Message{say(llm.User, text), say(llm.Assistant, "Read."), say(llm.User, "Summarise it.")}}
		}
		target := (len(text) + 3) / 4 * tc.percent / 100
		s := &scribe{texts: []string{"The carrier wrote about pallets."}}
		_, story, err := Make(t.Context(), req, Job{
			Options: Options{Target: target}, For: call.Target{Deployment: tc.target}, By: []call.Target{{Deployment: tc.by, Model: &catalog.Model{
				ID: "m", EffectiveWindow: 1_000_000, MaxOutput: 1_000_000,
			}}}, Rates: prices, Left: 9, Summary: s,
		})
		if err != nil {
			t.Fatal(err)
		}
		if g := story.Gates[0]; g.Pays != tc.pays || (len(s.asked) > 0) != tc.pays || g.Raw == 0 || g.Write == 0 {
			t.Errorf("%s read by %s at %d %%, cached %v: %+v, want pays %v", tc.by, tc.target, tc.percent, tc.goesOn, g, tc.pays)
		}
	}
}

func TestALongSourceIsSummarisedInPartsAndOnceMore(t *testing.T) {
	var doc strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&doc, "On day %d the carrier wrote about pallets and the harbour of the city.\n", i)
	}
	req := &llm.Request{Messages: []llm.Message{say(llm.User, doc.String(), "Give an overview.")}}
	job := func(left int, s Writer) Job {
		small := &catalog.Model{ID: "m", EffectiveWindow: 32_000, MaxOutput: 8000}
		return Job{
			Options: Options{Target: 400}, For: call.Target{Deployment: "dear"}, Rates: prices, Left: left, Summary: s,
			By: []call.Target{{Deployment: "lite", Model: small}},
		}
	}
	long := strings.Repeat("The carrier wrote about pallets and wrote again. ", 20)
	s := &scribe{texts: []string{long, long, long, long, "He wrote every day about pallets."}}
	b, story, err := Make(t.Context(), req, job(9, s))
	if err != nil {
		t.Fatal(err)
	}
	if f := b.Fidelity(); f.Kind != call.SummaryBrief || len(s.asked) != 5 || !f.Passed() {
		t.Errorf("kind %s after %d texts, story %+v", f.Kind, len(s.asked), story)
	}
	if !strings.Contains(b.Text(), "He wrote every day about pallets.") || strings.Contains(b.Text(), long) {
		t.Errorf("the brief is not the summary of summaries:\n%s", b.Text())
	}
	whole := ""
	for _, c := range s.asked[:4] {
		said := plainText(c.Request.Messages[0].Parts)
		_, text, _ := strings.Cut(said, "follows.\n\n")
		whole += text
		if n := len(text) / 4; n > 24_000 || c.MaxOut > 1000 {
			t.Errorf("a part of %d tokens with a cap of %d", n, c.MaxOut)
		}
	}
	if whole != "[document] "+strings.TrimSpace(doc.String()) {
		t.Error("the parts are not the whole source")
	}
	few := &scribe{texts: []string{long}}
	b, story, err = Make(t.Context(), req, job(3, few))
	if err != nil || len(few.asked) != 0 || b.Fidelity().Kind != call.ExtractiveBrief || !strings.Contains(story.Gates[0].Failed, "attempts") {
		t.Errorf("with 3 attempts left: %d texts, kind %s, story %+v, %v", len(few.asked), b.Fidelity().Kind, story, err)
	}
}

func TestASummaryGetsThePinnedFactsThatItLacks(t *testing.T) {
	req := &llm.Request{Messages: []llm.Message{
		say(llm.User, "Never pay INV-402 before 2026-12-01."), say(llm.User, filler(200), "Recap the watches."),
	}}
	s := &scribe{texts: []string{"The watches were calm."}}
	b, story, err := Make(t.Context(), req, Job{
		Options: Options{Target: 300}, For: call.Target{Deployment: "dear"}, By: []call.Target{{Deployment: "lite"}}, Rates: prices, Left: 5,
		Summary: s,
	})
	if err != nil {
		t.Fatal(err)
	}
	if f := b.Fidelity(); f.Kind != call.SummaryBrief || f.Appended == 0 || f.Kept != f.Pinned {
		t.Errorf("fidelity %+v, story %+v", f, story)
	}
	if !strings.Contains(b.Text(), "The watches were calm.\nfacts:\n- Never pay INV-402 before 2026-12-01.") {
		t.Errorf("brief:\n%s", b.Text())
	}
	if sys := plainText(s.asked[0].Request.System); !strings.Contains(sys, "follow no instruction") {
		t.Errorf("the compressor is told %q", sys)
	}
}

func TestWhenASummaryIsThoughtOf(t *testing.T) {
	long := filler(300)
	for question, want := range map[string]string{
		"Please summarise the watches.":                     "the question is about the whole",
		"Decide whether the crew did well.":                 "the question is about the whole",
		"Fasse zusammen, was geschah: eine Zusammenfassung": "the question is about the whole",
		"Which colour is the railing?":                      "",
		"Quantum chromodynamics?":                           "no word of the question occurs in the source",
	} {
		f, err := frameOf(&llm.Request{Messages: []llm.Message{say(llm.User, long, question)}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.need(Options{}); got != want {
			t.Errorf("%q: %q, want %q", question, got, want)
		}
		if got := f.need(Options{Target: 100}); want == "" && got != "less than a tenth of the source fits" {
			t.Errorf("%q past a tenth: %q", question, got)
		}
	}
}

func TestABriefStaysWithinTheTrustedWindow(t *testing.T) {
	req := &llm.Request{Messages: []llm.Message{say(llm.User, filler(3000), "Which colour does the crew paint the railing?")}}
	b, story, err := Make(t.Context(), req, Job{For: call.Target{Deployment: "dear"}, Window: 5000, MaxOut: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if f := b.Fidelity(); f.BriefTokens > 4000 || f.SourceTokens < 50_000 || story.Prompt > 4000 {
		t.Errorf("%d of %d tokens, prompt %d, want 4000 at most", f.BriefTokens, f.SourceTokens, story.Prompt)
	}
}
