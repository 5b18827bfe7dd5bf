package cascade

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/routing/validate"
)

// meter counts what it is told.
type meter struct{ briefs, warnings map[string]int }

func (m *meter) Brief(_, kind string, _, _ int) { count(&m.briefs, kind) }
func (m *meter) Warning(_, kind string)         { count(&m.warnings, kind) }

func count(m *map[string]int, what string) {
	if *m == nil {
		*m = map[string]int{}
	}
	(*m)[what]++
}

// talk is a request of one question, or of history and a question.
func talk(texts ...string) *llm.Request {
	q := &llm.Request{}
	for i, text := range texts {
		role := llm.User
		if i%2 == 1 {
			role = llm.Assistant
		}
		q.Messages = append(q.Messages, llm.Message{Role: role, Parts: []llm.Part{{Text: text}}})
	}
	return q
}

func asking(q *llm.Request) *call.Raw {
	return call.NewRaw(nil, llm.Envelope{}, func([]byte) (*llm.Request, error) { return q, nil })
}

// tariff prices a token in nano-dollars by deployment.
type tariff map[string]money.Nano

func (p tariff) Cost(t call.Target, prompt, cached, output int, _ time.Time) (money.Nano, error) {
	rate, ok := p[t.Deployment]
	if !ok {
		return 0, errors.New("no price")
	}
	return rate * (money.Nano(prompt-cached) + money.Nano(cached)/10 + 5*money.Nano(output)), nil
}

func (tariff) Step(call.Target, time.Time) int { return 5000 }
func (tariff) Prompt(call.Target) int          { return 7000 }

// dispute is a long document with facts in it and a question, in a conversation that begins or that goes on.
func dispute(question string, goesOn bool) *llm.Request {
	var mail strings.Builder
	for i := range 300 {
		fmt.Fprintf(&mail, "On day %d the carrier wrote again about pallets and the harbour of Bremen. ", i)
	}
	rule := "Invoice INV-402 over $1,250.00 must not be paid before 2026-12-01."
	if goesOn {
		return talk(rule+" "+mail.String(), "Noted.", question)
	}
	q := talk(rule)
	q.Messages = append(q.Messages, llm.Message{Role: llm.User, Parts: []llm.Part{{Text: mail.String()}, {Text: question}}})
	return q
}

func TestASummaryIsAnAttemptLikeAnyOther(t *testing.T) {
	digits := mustCheck(t, validate.Spec{Name: "digits", Regex: `^\d+$`})
	good := "The carrier wrote every day about pallets at Bremen; INV-402 over $1,250.00 is open."
	dear, cheap := tariff{"gpt": 15000, "mini": 100}, tariff{"gpt": 100, "mini": 15000}
	for _, tc := range []struct {
		name     string
		question string
		costs    Costs
		lines    []reply
		attempts int
		seen     string
		kind     string
		notes    []string // of the last attempt
		goesOn   bool
	}{
		{
			"pays and passes", "Summarise what happened.", dear,
			[]reply{{text: "none"}, {text: good}, {text: "7"}},
			6,
			"answer flash, compress mini, escalate gpt", "summary",
			[]string{`"pays":true`, `"need":"the question is about the whole"`, `"kind":"summary"`, `"read_source_usd":"0.`},
			false,
		},
		{
			"invents a number", "Summarise what happened.", dear,
			[]reply{{text: "none"}, {text: good + " It is 9,999 days late."}, {text: "7"}},
			6, "answer flash, compress mini, escalate gpt", "extractive",
			[]string{`"failed":"the summary states 1 numbers or ids that the source lacks"`, `"kind":"extractive"`},
			false,
		},
		{
			"is cut off", "Summarise what happened.", dear,
			[]reply{{text: "none"}, {text: good, stop: llm.StopLength}, {text: "7"}},
			6,
			"answer flash, compress mini, escalate gpt", "extractive",
			[]string{`"failed":"the summary was cut off"`},
			false,
		},
		{
			"fails at the provider", "Summarise what happened.", dear,
			[]reply{{text: "none"}, {err: &llm.Error{Code: llm.CodeUpstream, Upstream: 500}}, {text: "7"}},
			6,
			"answer flash, compress mini, escalate gpt", "extractive",
			[]string{`"failed":"upstream_error"`},
			false,
		},
		{
			"does not pay", "Summarise what happened.", cheap,
			[]reply{{text: "none"}, {text: "7"}},
			6, "answer flash, escalate gpt",
			"extractive",
			[]string{`"pays":false`},
			false,
		},
		{
			"a cache spares more", "Summarise what happened.", dear,
			[]reply{{text: "none"}, {text: "7"}},
			6, "answer flash, escalate gpt",
			"extractive",
			[]string{`"pays":false`, `"cached_tokens":`},
			true,
		},
		{
			"has no price", "Summarise what happened.",
			tariff{"gpt": 15000},
			[]reply{{text: "none"}, {text: "7"}},
			6,
			"answer flash, escalate gpt", "extractive",
			[]string{`"failed":"a price is not known"`},
			false,
		},
		{
			"words of the source do", "When may INV-402 be paid?", dear,
			[]reply{{text: "none"}, {text: "7"}},
			6,
			"answer flash, escalate gpt", "extractive", nil, false,
		},
		{
			"no attempt is left for it", "Summarise what happened.", dear,
			[]reply{{text: "none"}, {text: "7"}},
			2,
			"answer flash, escalate gpt", "extractive",
			[]string{`"failed":"a summary takes 1 attempts and 0 are left"`},
			false,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			top := layer(2, nil, "gpt")
			top.Brief, top.BriefTokens, top.Writers = true, 800, []call.Target{{Deployment: "mini"}}
			d, s, m := &scripted{t: t, lines: tc.lines}, &caller{}, &meter{}
			p := Plan{Layers: []Layer{layer(1, digits, "flash"), top}, Attempts: tc.attempts, N: 1, Costs: tc.costs}
			if err := (&Cascade{Meter: m}).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, asking(dispute(tc.question, tc.goesOn)), s); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(d.seen, ", "); got != tc.seen {
				t.Errorf("attempts %s, want %s", got, tc.seen)
			}
			if m.briefs[tc.kind] != 1 {
				t.Errorf("briefs %v, want one %s", m.briefs, tc.kind)
			}
			last := len(d.seen) - 1
			for _, want := range tc.notes {
				if !strings.Contains(d.notes[last], want) {
					t.Errorf("notes lack %s:\n%s", want, d.notes[last])
				}
			}
			b, ok := d.load[last].(call.Brief)
			if !ok || !b.Fidelity().Passed() {
				t.Fatalf("payload %T", d.load[last])
			}
			if !strings.Contains(b.Text(), "must not be paid before 2026-12-01") || strings.Contains(b.Text(), "9,999") {
				t.Errorf("brief:\n%s", b.Text())
			}
		})
	}
}

func TestSizesAreWarnedOf(t *testing.T) {
	model := &catalog.Model{ID: "m", Window: 8000, EffectiveWindow: 4000, MaxOutput: 1000}
	small := &catalog.Model{ID: "s", Window: 100_000, EffectiveWindow: 50_000, MaxOutput: 1000}
	for name, tc := range map[string]struct {
		target call.Target
		brief  bool
		want   []string
	}{
		"raw":                   {call.Target{Deployment: "gpt", Model: model}, false, []string{nearWindow, pastTrusted, pastStep}},
		"a large window":        {call.Target{Deployment: "gpt", Model: small}, false, []string{pastStep}},
		"a brief of few tokens": {call.Target{Deployment: "gpt", Model: model}, true, nil},
	} {
		l := Layer{Name: "only", Number: 1, Targets: []call.Target{tc.target}, Brief: tc.brief}
		d, m := &scripted{t: t, lines: []reply{{text: "7"}}}, &meter{}
		p := Plan{Layers: []Layer{l}, Attempts: 6, N: 1, Costs: tariff{}}
		if err := (&Cascade{Meter: m}).Run(t.Context(), d, call.Facts{Dialect: llm.OpenAI}, p, asking(dispute("Why?", false)), &caller{}); err != nil {
			t.Fatal(err)
		}
		if len(m.warnings) != len(tc.want) {
			t.Errorf("%s: warnings %v, want %v", name, m.warnings, tc.want)
		}
		for _, w := range tc.want {
			if m.warnings[w] != 1 || !strings.Contains(d.notes[0], w) {
				t.Errorf("%s: %s is not told: %v, %s", name, w, m.warnings, d.notes[0])
			}
		}
	}
}
