package scenario

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/sim"
	"github.com/weirhq/weir/internal/sim/tokens"
)

// TestOutcomesOfTheDay draws what three models make of a part of the mixed day. The counts are pinned, and each is also
// within four standard deviations of the file's probability.
func TestOutcomesOfTheDay(t *testing.T) {
	s := Procurement()
	d, err := s.Day("mixed", Seed)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[Outcome]int{}
	models := []string{1: layer1, 2: layer2, 3: layer3}
	for i := range sample {
		it := d.sketch(i)
		for layer := 1; layer <= 3; layer++ {
			key := fmt.Sprintf("%s able=%v", models[layer], layer >= it.Needs)
			if got[key] == nil {
				got[key] = map[Outcome]int{}
			}
			got[key][s.Answers.outcome(d.rng(i, "answer", models[layer]), layer, it.Needs)]++
		}
	}
	want := map[string]map[Outcome]int{
		"gemini-flash-lite able=false": {
			SchemaViolation: 1833, RefusalOrHedge: 920, Truncated: 287,
			LowConfidenceWrong: 2119, PlausibleWrong: 918,
		},
		"gemini-flash-lite able=true": {
			Right: 13518, SchemaViolation: 72, RefusalOrHedge: 39, Truncated: 12,
			LowConfidenceWrong: 89, PlausibleWrong: 193,
		},
		"gemini-3.1-pro able=false": {
			SchemaViolation: 373, RefusalOrHedge: 197, Truncated: 71, LowConfidenceWrong: 432,
			PlausibleWrong: 207,
		},
		"gemini-3.1-pro able=true": {
			Right: 18350, SchemaViolation: 76, RefusalOrHedge: 30, Truncated: 15,
			LowConfidenceWrong: 71, PlausibleWrong: 178,
		},
		"gpt-5.5 able=true": {
			Right: 19803, SchemaViolation: 40, RefusalOrHedge: 15, Truncated: 6, LowConfidenceWrong: 40,
			PlausibleWrong: 96,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	below := map[Outcome]float64{
		SchemaViolation: .30, RefusalOrHedge: .15, Truncated: .05, LowConfidenceWrong: .35,
		PlausibleWrong: .15,
	}
	for key, counts := range got {
		n := 0
		for _, c := range counts {
			n += c
		}
		base := map[string]float64{layer1: .03, layer2: .02, layer3: .01}[strings.Fields(key)[0]]
		for o, p := range below {
			if strings.HasSuffix(key, "true") {
				p = base / 2 * p / .85
				if o == PlausibleWrong {
					p = base / 2
				}
			}
			near(t, key+" "+string(o), counts[o], n, p)
		}
	}
}

// checker compiles the scenario's schema with a validator that is not ours.
func checker(t *testing.T) func(text string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(AnswerSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("answer.json", doc); err != nil {
		t.Fatal(err)
	}
	sch, err := c.Compile("answer.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return err
		}
		return sch.Validate(v)
	}
}

// unfenced strips what a repair strips: prose and fences about the outermost object.
func unfenced(text string) string {
	from, to := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if from < 0 || to < from {
		return text
	}
	return text[from : to+1]
}

func TestAnswersAreWhatTheirOutcomeSays(t *testing.T) {
	s, check := Procurement(), checker(t)
	d, err := s.Day("mixed", Seed)
	if err != nil {
		t.Fatal(err)
	}
	passed, all, fenced := map[Outcome]int{}, map[Outcome]int{}, 0
	for i := range 6000 {
		it := d.sketch(i)
		o, text := d.Try(it, layer1, 1)
		if o == Right && i%2 == 0 { // the other layers' right answers too, for breadth
			o, text = d.Try(it, layer3, 3)
		}
		all[o]++
		if check(unfenced(text)) == nil {
			passed[o]++
		}
		if strings.HasPrefix(text, "```") {
			fenced++
		}
		if it.Judge(text) != (o == Right) {
			t.Fatalf("%s: judged %v, but it is %s: %s", it.Ref, it.Judge(text), o, text)
		}
	}
	for o, want := range map[Outcome][2]float64{ // share that passes the schema after repair: least, most
		Right: {.99, 1}, PlausibleWrong: {.95, 1}, LowConfidenceWrong: {.05, .14}, SchemaViolation: {0, 0},
		RefusalOrHedge: {0, 0}, Truncated: {0, 0},
	} {
		got := float64(passed[o]) / float64(all[o])
		if all[o] < 50 || got < want[0] || got > want[1] {
			t.Errorf("%s: %d of %d pass the schema, want %.2f to %.2f", o, passed[o], all[o], want[0], want[1])
		}
	}
	if fenced < 100 || fenced > 350 {
		t.Errorf("%d answers are fenced, want some", fenced)
	}
}

func TestAnswersHaveAboutTheDrawnTokens(t *testing.T) {
	s := Procurement()
	for _, profile := range s.Names() {
		d, err := s.Day(profile, Seed)
		if err != nil {
			t.Fatal(err)
		}
		drawn, made := 0, 0
		for i := range 2000 {
			it := d.sketch(i)
			if o, text := d.Try(it, layer3, 3); o == Right {
				drawn, made = drawn+it.Output, made+tokens.Count(text)
			}
		}
		if off := 100 * float64(made-drawn) / float64(drawn); off < -2 || off > 2 {
			t.Errorf("%s: answers have %d tokens, drawn were %d (%+.1f %%)", profile, made, drawn, off)
		}
	}
}

func TestJudge(t *testing.T) {
	it := Interaction{Record: Record{Invoice: "INV-0402", Status: "approved", Cents: 124000}}
	for text, want := range map[string]bool{
		`{"invoice":"INV-0402","status":"approved","amount":"1240.00","reason":"r","confidence":0.93}`:             true,
		"```json\n{\"invoice\":\"INV-0402\",\"status\":\"approved\",\"amount\":\"1240.00\",\"confidence\":1}\n```": true,
		"```\n{\"invoice\":\"INV-0402\",\"status\":\"approved\",\"amount\":\"1240.00\",\"confidence\":1}```":       true,
		`{"invoice":"INV-0402","status":"pending","amount":"1240.00","reason":"r","confidence":0.93}`:              false,
		`{"invoice":"INV-0402","status":"approved","amount":"1,240.00","reason":"r","confidence":0.93}`:            false,
		`{"invoice":"INV-0403","status":"approved","amount":"1240.00","reason":"r","confidence":0.93}`:             false,
		`{"invoice":"INV-0402","status":"approved","amount":"1240.00"`:                                             false,
		`Yes, INV-0402 is approved.`: false, "": false, "[]": false,
	} {
		if got := it.Judge(text); got != want {
			t.Errorf("Judge(%s) = %v", text, got)
		}
	}
}

func FuzzJudge(f *testing.F) {
	it := Interaction{Record: Record{Invoice: "INV-0402", Status: "approved", Cents: 124000}}
	f.Add(encode(it.Expected()))
	f.Add("```json\n{}\n```")
	f.Fuzz(func(t *testing.T, text string) {
		if it.Judge(text) && !strings.Contains(text, "1240.00") && !strings.Contains(text, `\u`) {
			t.Fatalf("right without the amount: %q", text)
		}
	})
}

func prompt(it Interaction) sim.Query {
	q := sim.Query{System: it.System, Seed: 1}
	for _, h := range it.History {
		q.Turns = append(q.Turns, sim.Turn{Role: h.Role, Text: h.Text})
	}
	q.Turns = append(q.Turns, sim.Turn{Role: "user", Text: it.Question})
	return q
}

func TestAgentAnswersByReference(t *testing.T) {
	s, c := Procurement(), catalog.Embedded()
	agent := Agent{Scenario: s, Seed: Seed, Catalog: c}
	for _, profile := range s.Names() {
		d, _ := s.Day(profile, Seed)
		for i := range 200 {
			it := d.At(i)
			q := prompt(it)
			q.Catalog = layer2
			// What a gateway adds on an escalation must not matter.
			q.Turns[len(q.Turns)-1].Text = "Context summary: compressed.\n" + it.Question + "\n\nThe previous answer failed: " +
				"no JSON."
			got, err := agent.Answer(q)
			o, text := d.Try(it, layer2, 2)
			if err != nil || got.Text != text || got.Note != string(o) {
				t.Fatalf("%s: %q (%s), %v; want %q (%s)", it.Ref, got.Text, got.Note, err, text, o)
			}
			if (got.Finish == sim.FinishLength) != (o == Truncated) || got.Finish == sim.FinishRefusal && o != RefusalOrHedge {
				t.Errorf("%s: %s finishes with %q", it.Ref, o, got.Finish)
			}
		}
	}
}

func TestBriefThatLostTheFactsIsNotAnswered(t *testing.T) {
	agent := Agent{Scenario: Procurement(), Seed: Seed, Catalog: catalog.Embedded()}
	_, it := agent.Scenario.Walkthrough(Seed)
	q := prompt(it)
	q.Catalog = layer3
	if got, err := agent.Answer(q); err != nil || got.Note != string(Right) {
		t.Fatalf("whole context: %s, %v", got.Note, err)
	}
	q.Turns = []sim.Turn{{Role: "user", Text: "Brief: " + it.Record.Invoice + " over USD " +
		"" + it.Record.Amount() + "\n" + it.Question}}
	if got, err := agent.Answer(q); err != nil || got.Note != string(Right) {
		t.Errorf("good brief: %s, %v", got.Note, err)
	}
	q.Turns = []sim.Turn{{Role: "user", Text: "Brief: an invoice over some amount.\n" + it.Question}}
	got, err := agent.Answer(q)
	if err != nil || got.Note != string(FactsLost) || it.Judge(got.Text) {
		t.Errorf("brief without the amount: %s, %v: %s", got.Note, err, got.Text)
	}
}

func TestHeldPaymentCallsTheTool(t *testing.T) {
	agent := Agent{Scenario: Procurement(), Seed: Seed, Catalog: catalog.Embedded()}
	_, it := agent.Scenario.Walkthrough(Seed)
	q := prompt(it)
	q.Catalog, q.Tools = layer3, []sim.Tool{{Name: "send_mail"}, {Name: it.Tool}}
	got, err := agent.Answer(q)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"invoice":%q,"amount_usd":%q}`, it.Record.Invoice, it.Record.Amount())
	if it.Record.Status != "on_hold" || len(got.Calls) != 1 || got.Calls[0].Name != it.Tool ||
		string(got.Calls[0].Args) != want {
		t.Errorf("status %s, calls %v, want %s(%s)", it.Record.Status, got.Calls, it.Tool, want)
	}
	q.Force = "none"
	if got, _ := agent.Answer(q); len(got.Calls) != 0 {
		t.Errorf("tool_choice none: %v", got.Calls)
	}
}

func TestAgentSummarises(t *testing.T) {
	agent := Agent{Scenario: Procurement(), Seed: Seed, Catalog: catalog.Embedded()}
	_, it := agent.Scenario.Walkthrough(Seed)
	q := prompt(it)
	q.System, q.Catalog, q.Turns = "Compress the conversation.", layer1, q.Turns[:len(q.Turns)-1]
	got, err := agent.Answer(q)
	size := it.Prompt()
	if n := tokens.Count(got.Text); err != nil || got.Note != "summary" || n > size/4 || n < size/20 {
		t.Errorf("summary of %d tokens from %d, %v", n, size, err)
	}
}

func TestAgentOutsideTheScenario(t *testing.T) {
	agent := Agent{Scenario: Procurement(), Seed: Seed, Catalog: catalog.Embedded()}
	q := sim.Query{Model: "m", Catalog: layer1, Turns: []sim.Turn{{Role: "user", Text: "hello"}}}
	if got, err := agent.Answer(q); err != nil || !strings.Contains(got.Text, "hello") {
		t.Errorf("no reference: %q, %v", got.Text, err)
	}
	for _, text := range []string{"Ref: QX-000001", "Ref: QM-0000001", "Ref: QM-1"} {
		if _, it, ok := agent.Scenario.locate(Seed, text); ok {
			t.Errorf("%q leads to %s", text, it.Ref)
		}
	}
	q = sim.Query{Catalog: "deepseek-v4-pro", Turns: []sim.Turn{{Role: "user", Text: "Ref: QM-000001"}}}
	if _, err := agent.Answer(q); err == nil || !strings.Contains(err.Error(), "no layer") {
		t.Errorf("a model in no layer: %v", err)
	}
}

func TestModelsAreServedUnderTheirWireIDs(t *testing.T) {
	s, c := Procurement(), catalog.Embedded()
	models := s.Models(c)
	if _, err := sim.New(sim.Config{Models: models}); err != nil {
		t.Fatal(err)
	}
	by := map[string]sim.Model{}
	for _, m := range models {
		by[m.ID] = m
	}
	for id, want := range map[string]struct {
		catalog string
		dialect sim.Dialect
		ttft    int64
		tps     int
	}{
		"gemini-2.5-flash-lite":  {"gemini-flash-lite", sim.Gemini, 150, 220},
		"gemini-3.1-pro-preview": {"gemini-3.1-pro", sim.Gemini, 900, 110},
		"claude-opus-4-6":        {"claude-opus-4.6", sim.Anthropic, 1600, 60},
		"gpt-5.5":                {"gpt-5.5", "", 1800, 70},
		"gpt-5.4-mini":           {"gpt-5.4-mini", "", 900, 80}, // layer 2's slowest
	} {
		m, ok := by[id]
		if !ok || m.Catalog != want.catalog || m.Dialect != want.dialect || m.TTFT.Milliseconds() != want.ttft ||
			m.TPS != want.tps ||
			m.Sigma != latencySigma || m.Window == 0 {
			t.Errorf("%s: %+v, want %+v", id, m, want)
		}
	}
	if _, ok := by["deepseek-v4-pro"]; ok {
		t.Error("a model that stands in no layer is served")
	}
}

func TestSchemaAsksForTheConfidence(t *testing.T) {
	var v struct {
		Properties struct {
			Confidence struct{ Minimum float64 } `json:"confidence"`
			Status     struct{ Enum []string }   `json:"status"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(AnswerSchema(), &v, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	if v.Properties.Confidence.Minimum != LeastConfidence {
		t.Errorf("minimum %v, want %v", v.Properties.Confidence.Minimum, LeastConfidence)
	}
	known := map[string]bool{}
	for _, st := range v.Properties.Status.Enum {
		known[st] = true
	}
	for name, topic := range topics {
		for _, st := range topic.statuses {
			if !known[st] || !strings.Contains(system, st) {
				t.Errorf("%s: status %s is missing in the schema or the instruction", name, st)
			}
		}
	}
	if AnswerSchema().Kind() != '{' {
		t.Error("the schema is no object")
	}
}
