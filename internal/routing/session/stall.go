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
}

// circle reads the latest calls of an open loop, newest first.
type circle struct {
	body  []byte
	steps []step
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
		if r.Turn > call.Turn && bytes.Equal(c.at(r.ID), id) {
			s.result, s.settled = c.at(r.Content), true
			s.failed = r.Failed || soundsFailed(s.result)
			break
		}
	}
	return s
}

func (c *circle) at(s llm.Span) []byte { return c.body[s.Start:s.End] }

// inRow counts the steps from i on that make the same call as step i, until another call comes.
func (c *circle) inRow(i int) int {
	n := 0
	for _, s := range c.steps[i:] {
		if !c.sameCall(c.steps[i], s) {
			break
		}
		n++
	}
	return n
}

// repeats counts the steps that make the same call as step i and brought the same.
func (c *circle) repeats(i int) int {
	n := 0
	for _, s := range c.steps {
		if c.steps[i].settled == s.settled && bytes.Equal(c.steps[i].result, s.result) && c.sameCall(c.steps[i], s) {
			n++
		}
	}
	return n
}

// failures counts the steps that failed as step i did, in the same words.
func (c *circle) failures(i int) int {
	n := 0
	for _, s := range c.steps {
		if c.steps[i].failed && s.failed && bytes.Equal(c.steps[i].result, s.result) {
			n++
		}
	}
	return n
}

// mostCanonical bounds the arguments that are compared beyond their bytes.
const mostCanonical = 16 << 10

// sameCall compares name and arguments, whatever the order of the keys and the white space.
func (c *circle) sameCall(a, b step) bool {
	if !bytes.Equal(c.at(a.Name), c.at(b.Name)) {
		return false
	}
	x, y := c.at(a.Args), c.at(b.Args)
	if a.Quoted == b.Quoted && bytes.Equal(x, y) {
		return true
	}
	if len(x) > mostCanonical || len(y) > mostCanonical {
		return false
	}
	x, okX := canonical(x, a.Quoted)
	y, okY := canonical(y, b.Quoted)
	return okX && okY && bytes.Equal(x, y)
}

func canonical(args []byte, quoted bool) ([]byte, bool) {
	var v jsontext.Value
	if quoted {
		text, err := jsontext.AppendUnquote(nil, append(append([]byte{'"'}, args...), '"'))
		if err != nil {
			return nil, false
		}
		v = text
	} else {
		v = bytes.Clone(args)
	}
	return v, v.Canonicalize() == nil
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
