package agent

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	mostTokens     = 8000
	thinkingBudget = 2000
)

func textBlock(text string) jsontext.Value {
	return marshal(map[string]any{"type": "text", "text": text})
}

var ephemeral = map[string]any{"type": "ephemeral"}

// marked is a block that ends a part of the prompt for the provider to keep.
func marked(block jsontext.Value) jsontext.Value {
	end := bytes.LastIndexByte(block, '}')
	return append(append(block[:end:end], `,"cache_control":`...), append(marshal(ephemeral), '}')...)
}

// messagesBody is the request: instructions and the latest turn are marked for the prompt cache.
func (a *Agent) messagesBody() any {
	var tools []any
	for _, t := range a.Tools {
		tools = append(tools, map[string]any{"name": t.Name, "description": t.Description, "input_schema": t.Schema})
	}
	var turns []any
	for i, t := range a.turns {
		blocks := append([]jsontext.Value(nil), t.blocks...)
		if i == len(a.turns)-1 {
			blocks[len(blocks)-1] = marked(blocks[len(blocks)-1])
		}
		turns = append(turns, map[string]any{"role": t.role, "content": blocks})
	}
	body := map[string]any{
		"model": a.Model, "max_tokens": mostTokens, "stream": a.Stream, "tools": tools, "messages": turns,
		"system": []jsontext.Value{marked(textBlock(a.System))},
	}
	if a.Thinking {
		body["thinking"] = map[string]any{"type": "enabled", "budget_tokens": thinkingBudget}
	}
	return body
}

// block is a content block of an answer.
type block struct {
	Type      string         `json:"type"`
	Text      string         `json:"text"`
	Thinking  string         `json:"thinking"`
	Signature string         `json:"signature"`
	Data      string         `json:"data"`
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Input     jsontext.Value `json:"input"`
}

// take adds a block to what was said. raw is the block as it goes back.
func (s *said) take(b block, raw jsontext.Value) {
	switch b.Type {
	case "text":
		s.text += b.Text
	case "tool_use":
		s.calls = append(s.calls, called{b.ID, b.Name, b.Input})
	case "thinking":
		s.signed = append(s.signed, b.Thinking+"|"+b.Signature)
	case "redacted_thinking":
		s.signed = append(s.signed, b.Data)
	}
	s.turn.blocks = append(s.turn.blocks, raw)
}

func wholeMessage(raw []byte) (said, error) {
	var m struct {
		Content []jsontext.Value `json:"content"`
		Stop    string           `json:"stop_reason"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return said{}, err
	}
	s := said{turn: turn{role: "assistant"}}
	for _, v := range m.Content {
		var b block
		if err := json.Unmarshal(v, &b); err != nil {
			return s, err
		}
		s.take(b, v)
	}
	if m.Stop == "" || len(s.turn.blocks) == 0 {
		return s, errors.New("no answer")
	}
	return s, nil
}

// event is what a stream's event may hold.
type event struct {
	Type  string         `json:"type"`
	Index int            `json:"index"`
	Block jsontext.Value `json:"content_block"`
	Delta struct {
		Type      string `json:"type"`
		Text      string `json:"text"`
		Thinking  string `json:"thinking"`
		Signature string `json:"signature"`
		Partial   string `json:"partial_json"`
		Stop      string `json:"stop_reason"`
	} `json:"delta"`
}

// streamedMessage puts a stream's blocks together; they must come one after another.
func streamedMessage(raw []byte) (said, error) {
	s, stop, ended := said{turn: turn{role: "assistant"}}, "", false
	var now block
	input := ""
	for _, data := range frames(raw) {
		var ev event
		if err := json.Unmarshal(data, &ev); err != nil {
			return s, err
		}
		switch ev.Type {
		case "content_block_start":
			now, input = block{}, ""
			if err := json.Unmarshal(ev.Block, &now); err != nil {
				return s, err
			}
			if ev.Index != len(s.turn.blocks) {
				return s, fmt.Errorf("block %d comes after %d blocks", ev.Index, len(s.turn.blocks))
			}
		case "content_block_delta":
			now.Text += ev.Delta.Text
			now.Thinking += ev.Delta.Thinking
			now.Signature += ev.Delta.Signature
			input += ev.Delta.Partial
		case "content_block_stop":
			if input != "" {
				now.Input = jsontext.Value(input)
			}
			s.take(now, now.value())
		case "message_delta":
			stop = ev.Delta.Stop
		case "message_stop":
			ended = true
		case "error":
			return s, fmt.Errorf("error in the stream: %s", data)
		}
	}
	if !ended || stop == "" || len(s.turn.blocks) == 0 {
		return s, errors.New("the stream does not end as it should")
	}
	return s, nil
}

// value is a block as a client sends it back.
func (b block) value() jsontext.Value {
	v := map[string]any{"type": b.Type}
	switch b.Type {
	case "text":
		v["text"] = b.Text
	case "thinking":
		v["thinking"], v["signature"] = b.Thinking, b.Signature
	case "redacted_thinking":
		v["data"] = b.Data
	case "tool_use":
		v["id"], v["name"], v["input"] = b.ID, b.Name, b.Input
	}
	return marshal(v)
}

// frames are the data of a stream's events.
func frames(raw []byte) (out [][]byte) {
	for line := range bytes.Lines(raw) {
		if data, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("data: ")); ok {
			out = append(out, data)
		}
	}
	return out
}
