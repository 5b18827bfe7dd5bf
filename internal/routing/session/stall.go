package session

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
)

// Stall is a loop that goes in circles. The zero value is none.
type Stall struct {
	What string // the tool and how often; "" = no stall
	// Hard: nothing else happened in the whole window, so the loop will not end by itself.
	Hard bool
}

// step is one tool call with its result.
type step struct {
	llm.ToolSpans
	result  []byte
	failed  bool
	settled bool // it has a result

	call, outcome int    // places of the first steps that made the same call, that brought the same
	form          []byte // of the arguments, whatever the order of their keys; nil = not asked for yet, or none
	formed        bool   // it was
}

// Bounds of the bytes that one look reads: more count as news, so a loop that is too large to be looked through is none.
const (
	mostCompared  = 4 << 20
	mostCanonical = 256 << 10 // of arguments, for the order of their keys
	longestForm   = 16 << 10  // of the arguments of one call
)

// circle reads the latest calls of an open loop, newest first.
type circle struct {
	body                []byte
	steps               []step
	compared, canonical int // bytes so far
}

// StallOf looks at the calls of messages after from, the last 2 * after of them. The latest call is a stall when it came
// after times, in a row or each time with the same result, or when its failure came after times. A call that was
// repeated with other calls between and other results is work: tests run again after each change.
func StallOf(body []byte, t *llm.Talk, from, after int) Stall {
	if after <= 0 || !t.Open || t.Calls.Len() < after {
		return Stall{}
	}
	c := circle{body: body}
	for i := range min(2*after, t.Calls.Len()) {
		call := t.Calls.Back(i)
		if call.Turn <= from {
			break
		}
		c.steps = append(c.steps, c.step(call, t))
	}
	if len(c.steps) < after {
		return Stall{}
	}
	c.number()
	var what string
	switch name := c.name(c.steps[0]); {
	case c.inRow(0) >= after || c.repeats(0) >= after:
		what = fmt.Sprintf("the call of %s came %d times", name, max(c.inRow(0), c.repeats(0)))
	case c.failures(0) >= after:
		what = fmt.Sprintf("the same failure of %s came %d times", name, c.failures(0))
	default:
		return Stall{}
	}
	s := Stall{What: fmt.Sprintf("%s in the last %d calls", what, len(c.steps)), Hard: len(c.steps) == 2*after}
	for i := range c.steps {
		s.Hard = s.Hard && (c.repeats(i) >= after || c.failures(i) >= after)
	}
	return s
}

func (c *circle) step(call llm.ToolSpans, t *llm.Talk) step {
	s := step{ToolSpans: call}
	id := c.at(call.ID)
	for i := range t.Results.Len() {
		r := t.Results.Back(i)
		if r.Turn > call.Turn && c.equal(c.at(r.ID), id) {
			s.result, s.settled = c.at(r.Content), true
			s.failed = r.Failed || soundsFailed(s.result)
			break
		}
	}
	return s
}

func (c *circle) at(s llm.Span) []byte { return c.body[s.Start:s.End] }

// equal compares bytes as long as the bound allows.
func (c *circle) equal(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	c.compared += len(a)
	return c.compared <= mostCompared && bytes.Equal(a, b)
}

// number finds which steps are the same.
func (c *circle) number() {
	for i := range c.steps {
		s := &c.steps[i]
		for s.call < i && (c.steps[s.call].call != s.call || !c.sameCall(&c.steps[s.call], s)) {
			s.call++
		}
		for s.outcome < i && (c.steps[s.outcome].outcome != s.outcome || !c.sameOutcome(&c.steps[s.outcome], s)) {
			s.outcome++
		}
	}
}

// inRow counts the steps from i on that make the same call as step i, until another call comes.
func (c *circle) inRow(i int) int {
	n := 0
	for n < len(c.steps)-i && c.steps[i+n].call == c.steps[i].call {
		n++
	}
	return n
}

// repeats counts the steps that make the same call as step i and brought the same.
func (c *circle) repeats(i int) int {
	n := 0
	for _, s := range c.steps {
		if s.call == c.steps[i].call && s.outcome == c.steps[i].outcome {
			n++
		}
	}
	return n
}

// failures counts the steps that failed as step i did, in the same words.
func (c *circle) failures(i int) int {
	n := 0
	for _, s := range c.steps {
		if c.steps[i].failed && s.failed && s.outcome == c.steps[i].outcome {
			n++
		}
	}
	return n
}

func (c *circle) sameOutcome(a, b *step) bool {
	return a.settled == b.settled && c.equal(a.result, b.result)
}

// sameCall compares name and arguments, whatever the order of the keys and the white space.
func (c *circle) sameCall(a, b *step) bool {
	if !c.equal(c.at(a.Name), c.at(b.Name)) {
		return false
	}
	if a.Quoted == b.Quoted && c.equal(c.at(a.Args), c.at(b.Args)) {
		return true
	}
	x, y := c.formOf(a), c.formOf(b)
	return x != nil && y != nil && c.equal(x, y)
}

// formOf is the canonical form of a step's arguments; nil where they are no JSON, or more than may be read.
func (c *circle) formOf(s *step) []byte {
	if s.formed {
		return s.form
	}
	s.formed = true
	args := c.at(s.Args)
	if len(args) > longestForm || c.canonical+len(args) > mostCanonical {
		return nil
	}
	c.canonical += len(args)
	s.form = canonical(args, s.Quoted)
	return s.form
}

func canonical(args []byte, quoted bool) []byte {
	var v jsontext.Value
	if quoted {
		text, err := jsontext.AppendUnquote(nil, append(append([]byte{'"'}, args...), '"'))
		if err != nil {
			return nil
		}
		v = text
	} else {
		v = bytes.Clone(args)
	}
	if v.Canonicalize() != nil {
		return nil
	}
	return v
}

// longestName bounds the tool's name in a note.
const longestName = 64

func (c *circle) name(s step) string {
	name := c.at(s.Name)
	return string(bytes.ToValidUTF8(name[:min(len(name), longestName)], nil))
}

// failureWords begin the results of tools that failed, where the dialect has no word for it.
var failureWords = [][]byte{
	[]byte("error"), []byte("err:"), []byte("fail"), []byte("fatal"), []byte("exception"), []byte("traceback"), []byte("panic"),
}

// soundsFailed reports whether a result begins as failures do. v is a JSON value.
func soundsFailed(v []byte) bool {
	v = bytes.ToLower(bytes.TrimLeft(v[:min(len(v), 64)], " \t\n\"[({\\'"))
	for _, w := range failureWords {
		if bytes.HasPrefix(v, w) {
			return true
		}
	}
	return false
}
