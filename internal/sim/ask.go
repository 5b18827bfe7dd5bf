package sim

import (
	"encoding/binary"
	"hash/fnv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/sim/tokens"
)

// Turn is one message of a conversation, its text parts joined.
type Turn struct {
	Role string // user, assistant, tool
	Text string
}

// Tool is a function offered to the model.
type Tool struct {
	Name   string
	Schema jsontext.Value // of the arguments; nil = none told
}

// Query is what an Answerer sees of a request.
type Query struct {
	Model   string // as requested
	Catalog string // the catalogue's name
	System  string
	Turns   []Turn
	Tools   []Tool
	Force   string         // "" = the model may, "none" = no tool, "required" = any tool, else the tool's name
	Schema  jsontext.Value // of the answer, if one was asked for
	JSON    bool           // a JSON answer was asked for
	Choice  int            // which of n answers, from 0
	Seed    uint64         // of this content
	Thinks  bool           // the model was asked to think where the client sees it
}

// LastUser is the text of the last user turn, "" when there is none.
func (q Query) LastUser() string {
	for i := len(q.Turns) - 1; i >= 0; i-- {
		if q.Turns[i].Role == "user" {
			return q.Turns[i].Text
		}
	}
	return ""
}

// Has reports whether a text occurs anywhere in the prompt.
func (q Query) Has(text string) bool {
	if strings.Contains(q.System, text) {
		return true
	}
	for _, t := range q.Turns {
		if strings.Contains(t.Text, text) {
			return true
		}
	}
	return false
}

// ask is a decoded request.
type ask struct {
	Query
	dialect        Dialect
	model          *Model
	stream         bool
	sse            bool // Gemini: alt=sse; others always
	usage          bool // OpenAI: the usage chunk was asked for
	n              int
	max            int  // tokens; 0 = not set
	fill           bool // a cap of 0: the prompt cache is filled, nothing is answered
	temperature    *float64
	topP           *float64
	maxTokensField bool
	prompt         int // tokens billed as input
	occurrence     int
	wish           string // the fault asked for by header
	fault          Fault
	chain          []link // the prompt, as a cache compares it
	blocks, marks  int
	thoughts       []thought
	demands        bool   // thinking must stand before the calls of an open tool loop
	spokeFirst     string // what the message before began with, when a model said it without thinking first
	lacks          string // what stands there instead
	lacksAt        int    // in which message
}

// messageTokens is what a provider counts for the frame of one message.
const messageTokens = 4

// chatTokens is what Chat Completions count for the frame of a conversation.
const chatTokens = 3

// ChatTokens is what the simulated Chat Completions bill as input for a conversation of such texts, without tools.
func ChatTokens(texts ...string) int {
	n := chatTokens
	for _, t := range texts {
		n += tokens.Count(t) + messageTokens
	}
	return n
}

// AnswerTokens is what they bill as output for an answer of such a text.
func AnswerTokens(text string) int { return max(tokens.Count(text), 1) }

// say adds a turn and its tokens; turns of one role that follow each other stay apart.
func (a *ask) say(role, text string) {
	a.Turns = append(a.Turns, Turn{Role: role, Text: text})
	a.read(role, text, messageTokens)
}

// instruct adds to the system prompt.
func (a *ask) instruct(text string) {
	if a.System != "" {
		a.System += "\n"
	}
	a.System += text
	a.read("system", text, messageTokens)
}

// offer adds a tool.
func (a *ask) offer(name, description string, schema jsontext.Value) {
	a.Tools = append(a.Tools, Tool{Name: name, Schema: schema})
	a.read("tool", name+"\n"+description+"\n"+string(schema), messageTokens)
}

// shape asks for JSON, of a schema if one is given.
func (a *ask) shape(schema jsontext.Value) {
	a.JSON, a.Schema = true, schema
	a.prompt += tokens.Count(string(schema))
}

// hash is the seed of this content: the configured seed, the model and everything said.
func (a *ask) hash(seed uint64) uint64 {
	h := fnv.New64a()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	h.Write(b[:])
	put := func(s string) {
		binary.LittleEndian.PutUint64(b[:], uint64(len(s)))
		h.Write(b[:])
		h.Write([]byte(s))
	}
	put(a.Catalog)
	put(a.System)
	for _, t := range a.Turns {
		put(t.Role)
		put(t.Text)
	}
	for _, t := range a.Tools {
		put(t.Name)
	}
	return h.Sum64()
}

// Finish says why an answer ends.
type Finish string

// Finishes; each dialect has its own words for them.
const (
	FinishStop    Finish = "stop"
	FinishLength  Finish = "length"
	FinishTools   Finish = "tools"
	FinishRefusal Finish = "refusal" // in the dialect's own refusal field or reason
	FinishFilter  Finish = "filter"
)

// Call is a tool call that an answer makes.
type Call struct {
	Name string
	Args jsontext.Value // a JSON object
}

// Answer is what a model says. With FinishRefusal, Text is the refusal.
type Answer struct {
	Thinking  string // said before, where the client asked for it (Anthropic); signed
	Redacted  bool   // the thinking is sealed: the client cannot read it
	Text      string
	Calls     []Call
	Finish    Finish // "" = stop, or tools when there are Calls
	Reasoning int    // hidden tokens billed as output
	Cached    int    // of the prompt's tokens, how many came from the provider's cache
	Note      string // counted in the statistics: what the answer is, for instance "plausible_wrong"
}

// Answerer says what a model answers. It must be safe for concurrent use and deterministic in the query. An error
// becomes a 404 in the dialect: the simulated model has nothing to say to that.
type Answerer interface {
	Answer(q Query) (Answer, error)
}

// reply is a request's answers, ready to be written.
type reply struct {
	id      string // the hexadecimal part of the answer's id
	created int64
	answers []Answer
	output  []int // tokens of each answer, hidden ones included
	prompt  int
	metered metered
	thought any  // Anthropic's block of what the model thought
	silent  bool // tell no usage
}

// total is all output tokens.
func (r *reply) total() int {
	t := 0
	for _, n := range r.output {
		t += n
	}
	return t
}

// reasoning is all hidden output tokens.
func (r *reply) reasoning() int {
	t := 0
	for _, a := range r.answers {
		t += a.Reasoning
	}
	return t
}

// cached is how many prompt tokens came from the cache; all answers share one prompt.
func (r *reply) cached() int { return min(max(r.answers[0].Cached, r.metered.read), r.prompt) }

// limited cuts an answer to the tokens asked for and counts it.
func limited(a Answer, limit int) (Answer, int) {
	if a.Finish == "" {
		a.Finish = FinishStop
		if len(a.Calls) > 0 {
			a.Finish = FinishTools
		}
	}
	n := a.Reasoning + tokens.Count(a.Thinking) + tokens.Count(a.Text)
	for _, c := range a.Calls {
		n += tokens.Count(c.Name) + tokens.Count(string(c.Args)) + messageTokens
	}
	if limit <= 0 || n <= limit {
		return a, max(n, 1)
	}
	a.Reasoning = min(a.Reasoning, limit)
	a.Thinking, _ = tokens.Cut(a.Thinking, limit-a.Reasoning)
	a.Text, _ = tokens.Cut(a.Text, limit-a.Reasoning-tokens.Count(a.Thinking))
	a.Calls, a.Finish = nil, FinishLength
	return a, limit
}
