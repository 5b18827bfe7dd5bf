package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/sim"
	"github.com/weirhq/weir/internal/sim/tokens"
)

// Agent answers for the simulated models. It finds the interaction by the reference in the last user turn and draws, by
// interaction and model, what a model of that layer makes of it: the same again for the same prompt, on its own for
// another model.
//
// An answer needs the invoice's number and amount in the prompt: a brief that lost them is answered with a hedge
// (FactsLost), whatever the model. A prompt without a reference that asks for a summary gets one of a quarter of its
// size; any other gets sim.Echo's answer.
type Agent struct {
	Scenario *Scenario
	Seed     uint64
	Catalog  *catalog.Catalog // says which layer a model stands in
}

var _ sim.Answerer = Agent{}

// Answer fails for a model that stands in no layer.
func (a Agent) Answer(q sim.Query) (sim.Answer, error) {
	d, it, ok := a.Scenario.locate(a.Seed, q.LastUser())
	if summaryAsked(q, ok) {
		return sim.Answer{Text: summary(q), Note: "summary"}, nil
	}
	if !ok {
		return sim.Echo{}.Answer(q)
	}
	m, ok := a.Catalog.Model(q.Catalog)
	if !ok || len(m.Layers) == 0 {
		return sim.Answer{}, fmt.Errorf("the scenario does not say what model %q answers: it stands in no layer", q.Catalog)
	}
	o, text := d.say(it, m.ID, m.Layers[0], q)
	out := sim.Answer{Text: text, Note: string(o)}
	switch {
	case o == Truncated:
		out.Finish = sim.FinishLength
	case o == RefusalOrHedge && d.rng(it.Index, "refusal", m.ID).IntN(2) == 0:
		out.Finish = sim.FinishRefusal
	case o == Right || o == PlausibleWrong:
		out.Calls = action(it, q, text)
	}
	return out, nil
}

// Try tells what the scenario's model of a layer makes of an interaction whose whole prompt it gets.
func (d Day) Try(it Interaction, model string, layer int) (Outcome, string) {
	return d.say(it, model, layer, sim.Query{Turns: []sim.Turn{{
		Role: "user",
		Text: it.Record.Invoice + it.Record.Amount(),
	}}})
}

func (d Day) say(it Interaction, model string, layer int, q sim.Query) (Outcome, string) {
	r := d.rng(it.Index, "answer", model)
	o := d.scenario.Answers.outcome(r, layer, it.Needs)
	if !q.Has(it.Record.Invoice) || !q.Has(it.Record.Amount()) {
		o = FactsLost
	}
	return o, speaker{r, d.scenario.Answers, it, q.JSON}.text(o)
}

// action is the tool call that a held payment asks for, if the tool was offered.
func action(it Interaction, q sim.Query, text string) []sim.Call {
	var got Answer
	if it.Tool == "" || q.Force == "none" || json.Unmarshal([]byte(text), &got) != nil || got.Status != "on_hold" {
		return nil
	}
	for _, t := range q.Tools {
		if t.Name == it.Tool {
			args := struct {
				Invoice   string `json:"invoice"`
				AmountUSD string `json:"amount_usd"`
			}{got.Invoice, got.Amount}
			b, err := json.Marshal(args)
			if err != nil {
				panic("scenario: encoding its own arguments: " + err.Error()) // plain strings
			}
			return []sim.Call{{Name: t.Name, Args: b}}
		}
	}
	return nil
}

// summaryAsked tells a compressor's prompt from the agent's own: its system prompt says so, or, without a question of
// ours, its last turn. A brief in front of a question may well call itself a summary.
func summaryAsked(q sim.Query, question bool) bool {
	text := q.System
	if !question {
		text += "\n" + q.LastUser()
	}
	text = strings.ToLower(text)
	return !strings.Contains(q.System, system) && (strings.Contains(text, "summar") || strings.Contains(text, "compress"))
}

// summary keeps the lines that name something: a number and a prohibition first, then what fits into a quarter.
func summary(q sim.Query) string {
	var all strings.Builder
	for _, t := range q.Turns {
		all.WriteString(t.Text + "\n")
	}
	room := tokens.Count(all.String()) / briefShare
	var kept []string
	for _, line := range strings.Split(all.String(), "\n") {
		n := tokens.Count(line) + 1
		if strings.ContainsAny(line, "0123456789") && n <= room {
			kept = append(kept, line)
			room -= n
		}
	}
	if len(kept) == 0 {
		return "Nothing to keep."
	}
	return strings.Join(kept, "\n")
}

// Sim is the configuration of simulated providers that play this scenario with a seed, so many times faster than life.
func (s *Scenario) Sim(c *catalog.Catalog, seed uint64, speed int) sim.Config {
	return sim.Config{Models: s.Models(c), Answers: Agent{s, seed, c}, Seed: seed, Speed: speed}
}

// dialects are the presets whose wire ids the simulated providers serve.
var dialects = map[string]sim.Dialect{"openai": sim.OpenAI, "anthropic": sim.Anthropic, "gemini": sim.Gemini}

// Models are the catalogue's models that stand in a layer, under each wire id of the three providers and on every
// dialect under the catalogue's own id, with the scenario's latency. A model that the scenario gives no latency takes
// the slowest of its layer's.
func (s *Scenario) Models(c *catalog.Catalog) []sim.Model {
	var out []sim.Model
	have := map[string]bool{}
	put := func(m sim.Model) {
		if !have[m.ID] {
			have[m.ID] = true
			out = append(out, m)
		}
	}
	for _, m := range c.Models() {
		if len(m.Layers) == 0 {
			continue
		}
		l := s.latency(c, m)
		model := sim.Model{ID: m.ID, Catalog: m.ID, Window: m.Window, TTFT: l.ttft(), TPS: l.TPS, Sigma: latencySigma}
		put(model)
		for _, w := range m.Wire {
			if d, ok := dialects[w.Preset]; ok {
				model.ID, model.Dialect = w.ID, d
				put(model)
			}
		}
	}
	return out
}

func (s *Scenario) latency(c *catalog.Catalog, m *catalog.Model) Latency {
	if l, ok := s.Latency[m.ID]; ok {
		return l
	}
	slow := Latency{TTFT: 1, TPS: int(time.Second)}
	for id, l := range s.Latency {
		if o, ok := c.Model(id); ok && len(o.Layers) > 0 && o.Layers[0] == m.Layers[0] {
			slow.TTFT, slow.TPS = max(slow.TTFT, l.TTFT), min(slow.TPS, l.TPS)
		}
	}
	return slow
}
