package agent

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func (a *Agent) chatBody() any {
	var tools []any
	for _, t := range a.Tools {
		f := map[string]any{"name": t.Name, "description": t.Description, "parameters": t.Schema}
		tools = append(tools, map[string]any{"type": "function", "function": f})
	}
	turns := []jsontext.Value{marshal(map[string]any{"role": "system", "content": a.System})}
	for _, t := range a.turns {
		turns = append(turns, t.whole)
	}
	return map[string]any{
		"model": a.Model, "max_completion_tokens": mostTokens, "stream": a.Stream, "tools": tools, "messages": turns,
	}
}

// call is a tool call of an answer, or a piece of one.
type call struct {
	Index    int    `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name string `json:"name"`
		Args string `json:"arguments"`
	} `json:"function"`
}

type choice struct {
	Message speech `json:"message"`
	Delta   speech `json:"delta"`
	Finish  string `json:"finish_reason"`
}

type speech struct {
	Content string `json:"content"`
	Calls   []call `json:"tool_calls"`
}

func wholeChat(raw []byte) (said, error) {
	var m struct {
		Choices []choice `json:"choices"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return said{}, err
	}
	if len(m.Choices) != 1 || m.Choices[0].Finish == "" {
		return said{}, errors.New("no answer")
	}
	return spoken(m.Choices[0].Message), nil
}

func streamedChat(raw []byte) (said, error) {
	var all speech
	finish, ended := "", false
	for _, data := range frames(raw) {
		if string(data) == "[DONE]" {
			ended = true
			continue
		}
		var m struct {
			Choices []choice       `json:"choices"`
			Error   jsontext.Value `json:"error"`
		}
		if err := json.Unmarshal(data, &m); err != nil {
			return said{}, err
		}
		if m.Error != nil {
			return said{}, fmt.Errorf("error in the stream: %s", data)
		}
		for _, c := range m.Choices {
			all.Content += c.Delta.Content
			for _, piece := range c.Delta.Calls {
				if piece.Index == len(all.Calls) {
					all.Calls = append(all.Calls, call{})
				}
				if piece.Index >= len(all.Calls) {
					return said{}, fmt.Errorf("call %d comes after %d calls", piece.Index, len(all.Calls))
				}
				to := &all.Calls[piece.Index]
				to.ID += piece.ID
				to.Function.Name += piece.Function.Name
				to.Function.Args += piece.Function.Args
			}
			finish += c.Finish
		}
	}
	if !ended || finish == "" {
		return said{}, errors.New("the stream does not end as it should")
	}
	return spoken(all), nil
}

// spoken is an answer and the message as it goes back.
func spoken(m speech) said {
	s := said{text: m.Content}
	back := map[string]any{"role": "assistant", "content": m.Content}
	var calls []any
	for _, c := range m.Calls {
		s.calls = append(s.calls, called{c.ID, c.Function.Name, jsontext.Value(c.Function.Args)})
		calls = append(calls, map[string]any{
			"id": c.ID, "type": "function", "function": map[string]any{"name": c.Function.Name, "arguments": c.Function.Args},
		})
	}
	if calls != nil {
		back["tool_calls"] = calls
		if m.Content == "" {
			back["content"] = nil
		}
	}
	s.turn.whole = marshal(back)
	return s
}
