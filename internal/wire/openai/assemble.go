package openai

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
)

// assembly puts an answer together from its events.
type assembly struct {
	head    llm.Event
	usage   *llm.Usage
	choices []*spoken
}

// spoken is what one choice said.
type spoken struct {
	think, text, refusal strings.Builder
	tools                []*invoked
	stop                 llm.StopReason
}

type invoked struct {
	id, name string
	args     strings.Builder
}

func (a *assembly) choice(i int) *spoken {
	a.grow(i + 1)
	return a.choices[i]
}

// grow makes room for n choices: one that said nothing is a choice too.
func (a *assembly) grow(n int) {
	for len(a.choices) < n {
		a.choices = append(a.choices, &spoken{})
	}
}

func (s *spoken) tool(i int) *invoked {
	for len(s.tools) <= i {
		s.tools = append(s.tools, &invoked{})
	}
	return s.tools[i]
}

func (a *assembly) take(ev llm.Event) {
	switch ev.Kind {
	case llm.EvStart:
		a.head = ev
	case llm.EvText:
		a.choice(ev.Choice).text.WriteString(ev.Text)
	case llm.EvThink:
		a.choice(ev.Choice).think.WriteString(ev.Text)
	case llm.EvRefusal:
		a.choice(ev.Choice).refusal.WriteString(ev.Text)
	case llm.EvToolStart:
		t := a.choice(ev.Choice).tool(ev.Tool)
		t.id, t.name = ev.ID, ev.Name
	case llm.EvToolArgs:
		a.choice(ev.Choice).tool(ev.Tool).args.WriteString(ev.Text)
	case llm.EvStop:
		a.choice(ev.Choice).stop = ev.Stop
	case llm.EvMeter:
		a.usage = ev.Usage
	}
}

// response is the answer so far.
func (a *assembly) response(created int64, sealed bool) *llm.Response {
	r := &llm.Response{
		Sealed: sealed,
		ID:     a.head.ID, Model: a.head.Model, Fingerprint: a.head.Fingerprint, Created: created, Usage: a.usage,
		Choices: make([]llm.Choice, len(a.choices)),
	}
	for i, s := range a.choices {
		r.Choices[i] = llm.Choice{Parts: s.parts(), Stop: s.stop}
	}
	return r
}

func (s *spoken) parts() []llm.Part {
	var parts []llm.Part
	if s.think.Len() > 0 {
		parts = append(parts, llm.Part{Kind: llm.Reasoning, Text: s.think.String()})
	}
	if s.text.Len() > 0 {
		parts = append(parts, llm.Part{Kind: llm.Text, Text: s.text.String()})
	}
	if s.refusal.Len() > 0 {
		parts = append(parts, llm.Part{Kind: llm.Refusal, Text: s.refusal.String()})
	}
	for _, t := range s.tools {
		use := &llm.ToolCall{ID: t.id, Name: t.name, Args: argsOf(t.args.String())}
		parts = append(parts, llm.Part{Kind: llm.ToolUse, Tool: use})
	}
	return parts
}

// argsOf is a call's arguments: {} when the model gave none, else its text, whether or not that is JSON.
func argsOf(text string) jsontext.Value {
	if strings.TrimSpace(text) == "" {
		return jsontext.Value("{}")
	}
	return jsontext.Value(text)
}
