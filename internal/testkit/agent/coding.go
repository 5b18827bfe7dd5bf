package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/sim"
)

// Session is a coding session: what a user says, what a model answers and what the tools bring.
type Session struct {
	System    string
	Tools     []Tool
	Questions []string
	Script    sim.Script
	Do        func(name string, args jsontext.Value) (string, bool)
}

// Coding is a session of so many questions, each with three rounds of tools, two of them in parallel, and an answer; models
// that are asked to think do so before most of what they say, once in a while behind a seal.
func Coding(questions int) Session {
	s := Session{System: rules(), Tools: tools(), Do: do}
	for q := range questions {
		s.Questions = append(s.Questions, fmt.Sprintf("Task %d: the total of module m%d is wrong when a line is cancelled. "+
			"Find out why, mend it, and see that the tests pass.", q+1, q))
		s.Script.Turns = append(s.Script.Turns, []sim.Answer{
			{
				Thinking: fmt.Sprintf("The total of m%d: the code and its test both matter. Read them together.", q),
				Text:     fmt.Sprintf("I read module m%d and its test.", q),
				Calls: []sim.Call{
					callOf("read_file", `{"path":"m%d/total.go"}`, q), callOf("read_file", `{"path":"m%d/total_test.go"}`, q),
					callOf("grep", `{"pattern":"cancelled%d"}`, q),
				},
			},
			{
				Thinking: fmt.Sprintf("Cancelled lines of m%d are still added. Leave them out.", q), Redacted: q%4 == 3,
				Calls: []sim.Call{callOf("edit_file", `{"path":"m%d/total.go","old":"sum += l.Amount","new":"sum += l.Open()"}`, q)},
			},
			{
				Thinking: "Now the tests, and the linter beside them.",
				Calls:    []sim.Call{callOf("run", `{"command":"go test ./m%d/..."}`, q), callOf("run", `{"command":"go vet ./m%d/..."}`, q)},
			},
			{Text: fmt.Sprintf("Module m%d no longer adds cancelled lines; its tests pass.", q)},
		})
	}
	return s
}

func callOf(name, args string, q int) sim.Call {
	return sim.Call{Name: name, Args: jsontext.Value(fmt.Sprintf(args, q))}
}

func rules() string {
	var b strings.Builder
	b.WriteString("You are a coding agent in a repository of small Go modules. Use the tools; never guess what a file holds.\n")
	for i := range 60 {
		fmt.Fprintf(&b, "Rule %d: before a change to module m%d read its code and its test, keep the change small, and run the tests "+
			"after it.\n", i+1, i)
	}
	return b.String()
}

func tools() []Tool {
	object := func(names ...string) jsontext.Value {
		props, required := map[string]any{}, []string{}
		for _, n := range names {
			props[n] = map[string]any{"type": "string"}
			required = append(required, n)
		}
		return marshal(map[string]any{"type": "object", "properties": props, "required": required, "additionalProperties": false})
	}
	return []Tool{
		{"read_file", "Reads a file of the repository.", object("path")},
		{"grep", "Finds a pattern in all files.", object("pattern")},
		{"edit_file", "Replaces a text of a file.", object("path", "old", "new")},
		{"run", "Runs a command and brings its output.", object("command")},
	}
}

// do is the repository: every call brings the same each time.
func do(name string, args jsontext.Value) (string, bool) {
	switch name {
	case "read_file":
		var b strings.Builder
		fmt.Fprintf(&b, "// %s\npackage m\n", args)
		for i := range 40 {
			fmt.Fprintf(&b, "func line%d(l Line) Amount { return l.Amount.Times(%d) } // as the contract has it\n", i, i)
		}
		return b.String(), false
	case "grep":
		return strings.Repeat(fmt.Sprintf("total.go:31: if l.Cancelled { continue } // %s\n", args), 5), false
	case "edit_file":
		return "edited", false
	case "run":
		return fmt.Sprintf("ok  \t%s\t0.012s", args), false
	}
	return "no tool of that name", true
}

// Careless plays a script, but some models make a call with wrong arguments at one place, until they are told so.
type Careless struct {
	sim.Script
	Models         []string // as providers call them
	Question, Step int      // the place, from 0
	Always         bool     // they do not learn
}

// told begins the note by which the model is told.
const told = "was rejected by an automatic check"

var _ sim.Answerer = Careless{}

// At reports whether a model is at the place.
func (c Careless) At(q sim.Query) bool {
	question, answers := q.Place()
	return slices.Contains(c.Models, q.Model) && question == c.Question && answers == c.Step
}

// Answer plays the script, or the mistake.
func (c Careless) Answer(q sim.Query) (sim.Answer, error) {
	a, err := c.Script.Answer(q)
	if err != nil || !c.At(q) || !c.Always && strings.Contains(q.Turns[len(q.Turns)-1].Text, told) {
		return a, err
	}
	a.Calls = []sim.Call{{Name: "run", Args: jsontext.Value(`{"cmd":7}`)}}
	return a, nil
}
