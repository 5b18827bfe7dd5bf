// Package validate judges one answer by rules that need no model: is it there, whole and willing, do its tool calls
// fit the tools that were offered, does its JSON match a schema, its text a pattern, its references the request,
// its arithmetic itself. It also repairs form (fences, stray prose, commas, brackets) before anything is judged, so
// that nobody pays a dearer model for formatting.
//
// It is not a judge of truth, holds no state about calls and never asks a model. Invariants: a Check is safe for
// concurrent use and never changes a Subject; a Finding's reason names fields and positions and quotes nothing else
// of the call; a repair changes form and never a value; what cannot be read with confidence is not held against an
// answer.
package validate

import (
	"strings"

	"github.com/weirhq/weir/internal/llm"
)

// Subject is one answer to judge. Checks read it and never change it.
type Subject struct {
	Request *llm.Request  // what the caller asked, decoded
	Answer  *llm.Response // what the model answered, repaired
	Choice  int           // which of the answer's choices is judged, from 0
}

// Finding is what one check says. Reason is safe to show and is handed to the next layer as the failure text: it
// names fields and positions, no other content of the call. Both strings are empty when OK.
type Finding struct {
	OK            bool
	Check, Reason string
	Doubt         *Doubt // of a check that grades; nil = none did
}

// Check is one rule. Implementations are safe for concurrent use.
type Check interface {
	Name() string
	Judge(Subject) Finding
}

// All runs the checks in order and returns the first failure, or a Finding that is OK; either with the gravest doubt that
// was told on the way. For an answer with several choices the caller loops over Subject.Choice.
func All(checks []Check, s Subject) Finding {
	all := Finding{OK: true}
	for _, c := range checks {
		f := c.Judge(s)
		f.Doubt = Graver(all.Doubt, f.Doubt)
		if all = f; !f.OK {
			break
		}
	}
	return all
}

// Passed names the checks that came before the one that failed, by commas; failed "" = all of them.
func Passed(failed string, lists ...[]Check) string {
	b := make([]byte, 0, 128)
	for _, checks := range lists {
		for _, c := range checks {
			name := c.Name()
			if name == failed {
				return string(b)
			}
			if len(b) > 0 {
				b = append(b, ',')
			}
			b = append(b, name...)
		}
	}
	return string(b)
}

// rule is a check made of a name and a function that returns the reason of a failure, "" when there is none.
type rule struct {
	name  string
	judge func(Subject) string
}

var _ Check = rule{}

// Name is the check's name.
func (r rule) Name() string { return r.name }

// Judge runs the rule.
func (r rule) Judge(s Subject) Finding {
	if why := r.judge(s); why != "" {
		return Finding{Check: r.name, Reason: why}
	}
	return Finding{OK: true}
}

// choice is the choice that the subject is about, or nil.
func (s Subject) choice() *llm.Choice {
	if s.Answer == nil || s.Choice < 0 || s.Choice >= len(s.Answer.Choices) {
		return nil
	}
	return &s.Answer.Choices[s.Choice]
}

// text joins the text parts of the choice.
func (s Subject) text() string {
	c := s.choice()
	if c == nil {
		return ""
	}
	return joinText(c.Parts)
}

// toolsOnly reports whether the choice asks for tool calls and says nothing: checks of text do not apply to it.
func (s Subject) toolsOnly() bool {
	c := s.choice()
	if c == nil {
		return false
	}
	tools := false
	for _, p := range c.Parts {
		switch {
		case p.Kind == llm.ToolUse:
			tools = true
		case p.Kind == llm.Text && strings.TrimSpace(p.Text) != "":
			return false
		}
	}
	return tools
}

// joinText joins text parts as the dialects do: without a separator.
func joinText(parts []llm.Part) string {
	one, n := "", 0
	for _, p := range parts {
		if p.Kind == llm.Text {
			one = p.Text
			n++
		}
	}
	if n <= 1 {
		return one
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Kind == llm.Text {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}
