// Package agent is a coding agent's client: it asks, runs the tools that are called, sends their results and goes on until
// nothing is called any more, as Claude Code and Codex do, in the Messages dialect or in that of Chat Completions, streamed
// or not. Blocks of a model's turn go back as they came, and the prompt cache is marked where such agents mark it.
//
// It knows nothing of Weir: it speaks to a provider or to what stands before one.
package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Tool is one that the agent has.
type Tool struct {
	Name, Description string
	Schema            jsontext.Value
}

// Agent is one conversation. Not safe for concurrent use.
type Agent struct {
	URL      string // before /v1/messages or /v1/chat/completions
	Key      string
	Client   *http.Client
	Model    string
	Messages bool // the Messages dialect; else Chat Completions
	Stream   bool
	Thinking bool // Messages: the model is asked to think
	System   string
	Tools    []Tool
	// Do runs a tool.
	Do func(name string, args jsontext.Value) (result string, failed bool)
	// Header is sent beside the dialect's own.
	Header http.Header

	turns []turn
}

// Answer is what one request brought.
type Answer struct {
	Text   string
	Calls  int
	Header http.Header
	Signed []string // signatures and sealed data of its thinking blocks
}

// turn is one message: role and content, as blocks (Messages) or whole (Chat).
type turn struct {
	role   string
	blocks []jsontext.Value // Messages
	whole  jsontext.Value   // Chat
}

// said is a model's answer, in no dialect.
type said struct {
	turn   turn
	text   string
	calls  []called
	signed []string
}

type called struct {
	id, name string
	args     jsontext.Value
}

// longestLoop bounds the requests of one question.
const longestLoop = 50

// Ask says something and works until the model calls no tool any more. It returns the answer of every request.
func (a *Agent) Ask(ctx context.Context, text string) ([]Answer, error) {
	if a.Messages {
		a.turns = append(a.turns, turn{role: "user", blocks: []jsontext.Value{textBlock(text)}})
	} else {
		a.turns = append(a.turns, turn{whole: marshal(map[string]any{"role": "user", "content": text})})
	}
	var out []Answer
	for range longestLoop {
		s, h, err := a.request(ctx)
		if err != nil {
			return out, err
		}
		out = append(out, Answer{Text: s.text, Calls: len(s.calls), Header: h, Signed: s.signed})
		a.turns = append(a.turns, s.turn)
		if len(s.calls) == 0 {
			return out, nil
		}
		a.work(s.calls)
	}
	return out, fmt.Errorf("the model called tools %d times and never came to an end", longestLoop)
}

// work runs the tools that were called and keeps their results.
func (a *Agent) work(calls []called) {
	results := turn{role: "user"}
	for _, c := range calls {
		result, failed := a.Do(c.name, c.args)
		if a.Messages {
			results.blocks = append(results.blocks, marshal(map[string]any{
				"type": "tool_result", "tool_use_id": c.id, "content": result, "is_error": failed,
			}))
			continue
		}
		a.turns = append(a.turns, turn{whole: marshal(map[string]any{"role": "tool", "tool_call_id": c.id, "content": result})})
	}
	if a.Messages {
		a.turns = append(a.turns, results)
	}
}

func (a *Agent) request(ctx context.Context) (said, http.Header, error) {
	path, body := "/v1/chat/completions", a.chatBody
	if a.Messages {
		path, body = "/v1/messages", a.messagesBody
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+path, bytes.NewReader(marshal(body())))
	if err != nil {
		return said{}, nil, err
	}
	for name, values := range a.Header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	if a.Messages {
		r.Header.Set("X-Api-Key", a.Key)
		r.Header.Set("Anthropic-Version", "2023-06-01")
	} else {
		r.Header.Set("Authorization", "Bearer "+a.Key)
	}
	res, err := a.Client.Do(r)
	if err != nil {
		return said{}, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return said{}, nil, fmt.Errorf("the answer is cut: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return said{}, nil, fmt.Errorf("status %d: %.2000s", res.StatusCode, raw)
	}
	read := map[[2]bool]func([]byte) (said, error){
		{true, true}: streamedMessage, {true, false}: wholeMessage, {false, true}: streamedChat, {false, false}: wholeChat,
	}[[2]bool{a.Messages, a.Stream}]
	s, err := read(raw)
	if err != nil {
		return s, nil, fmt.Errorf("%w in %.2000s", err, raw)
	}
	return s, res.Header, nil
}

// marshal encodes values that cannot fail: strings, numbers, lists and maps of them.
func marshal(v any) jsontext.Value {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic("agent: " + err.Error())
	}
	return b
}
