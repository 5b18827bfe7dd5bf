package anthropic

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

// outRequest is a request as it is written.
type outRequest struct {
	Model        string        `json:"model"`
	MaxTokens    int           `json:"max_tokens"`
	System       []any         `json:"system,omitzero"`
	Messages     []*outTurn    `json:"messages"`
	Tools        []toolDef     `json:"tools,omitzero"`
	ToolChoice   *toolChoice   `json:"tool_choice,omitzero"`
	OutputConfig *outputConfig `json:"output_config,omitzero"`
	Stop         []string      `json:"stop_sequences,omitzero"`
	Temperature  *float64      `json:"temperature,omitzero"`
	TopP         *float64      `json:"top_p,omitzero"`
	Metadata     *metadata     `json:"metadata,omitzero"`
	Stream       bool          `json:"stream,omitzero"`
}

type outTurn struct {
	Role    llm.Role `json:"role"`
	Content []any    `json:"content"`
	results int      // the first blocks of Content that are tool results
}

type textBlock struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type mediaBlock struct {
	Type   string      `json:"type"`
	Source mediaSource `json:"source"`
}

type mediaSource struct {
	Type string `json:"type"`
	MIME string `json:"media_type,omitzero"`
	Data string `json:"data,omitzero"`
	URL  string `json:"url,omitzero"`
}

type toolUseBlock struct {
	Type  string         `json:"type"`
	ID    string         `json:"id"`
	Name  string         `json:"name"`
	Input jsontext.Value `json:"input"`
}

type toolResultBlock struct {
	Type    string `json:"type"`
	ID      string `json:"tool_use_id"`
	Content []any  `json:"content,omitzero"`
	IsError bool   `json:"is_error,omitzero"`
}

const (
	maxUserID = 256 // characters the dialect takes
	jsonOnly  = "Answer with one JSON object and nothing else."
)

// Encode writes a request of any origin. Lost on the way: seed; top_p where temperature is set too (the dialect takes
// one of them); temperature above 1 becomes 1; json_object becomes an instruction; reasoning of other dialects;
// sampling that the model refuses. A request of system texts alone asks them as the user; tool arguments that are no
// JSON object go as the text "arguments" of one. What the dialect has no place for is
// CodeUnfit: another layer's may have one.
func (Back) Encode(q *llm.Request, o call.Order) (call.Wire, error) {
	if q.N > 1 || o.N > 1 {
		return call.Wire{}, &llm.Error{
			Code: llm.CodeUnfit, Message: "n: the Anthropic dialect gives one answer a call", Param: "n",
			Hint: "ask for n = 1, or name a route with models that give several answers",
		}
	}
	most, err := maxTokensOf(q.MaxOutput, o)
	if err != nil {
		return call.Wire{}, err
	}
	out := outRequest{Model: o.Target.WireID, MaxTokens: most, Stream: o.Stream}
	if err := out.sampling(q, o.Target.FixedSampling()); err != nil {
		return call.Wire{}, err
	}
	for i := range q.System {
		if s := q.System[i].Text; strings.TrimSpace(s) != "" {
			out.System = append(out.System, &textBlock{typeText, s})
		}
	}
	if err := out.turns(q.Messages); err != nil {
		return call.Wire{}, err
	}
	if err := out.format(q.Format); err != nil {
		return call.Wire{}, err
	}
	out.toolsAndChoice(q)
	if q.User != "" && len(q.User) <= maxUserID {
		out.Metadata = &metadata{UserID: q.User}
	}
	body, err := json.Marshal(&out)
	if err != nil {
		return call.Wire{}, &llm.Error{
			Code: llm.CodeUnfit, Message: "the request cannot be written in the Anthropic dialect", Err: err,
			Hint: "check that schemas and tool arguments are JSON without duplicate keys",
		}
	}
	return call.Wire{Path: path, Header: header(nil), Body: [][]byte{body}, Stream: o.Stream}, nil
}

// maxTokensOf is the cap to send: the dialect demands one.
func maxTokensOf(asked int, o call.Order) (int, error) {
	most := asked
	if most == 0 || (o.MaxOut > 0 && most > o.MaxOut) {
		most = o.MaxOut
	}
	if m := o.Target.Model; m != nil && m.MaxOutput > 0 && (most == 0 || most > m.MaxOutput) {
		most = m.MaxOutput
	}
	if most <= 0 {
		return 0, &llm.Error{
			Code: llm.CodeUnfit, Message: "max_tokens: the Anthropic dialect demands a cap on output", Param: "max_tokens",
			Hint: "set max_tokens in the request, or max_output of the layer",
		}
	}
	return most, nil
}

func (out *outRequest) sampling(q *llm.Request, fixed bool) error {
	for _, s := range q.Stop {
		if strings.TrimSpace(s) == "" {
			return &llm.Error{
				Code: llm.CodeUnfit, Message: "stop: the Anthropic dialect takes no stop sequence of white space", Param: "stop",
				Hint: "use a stop sequence with a visible character",
			}
		}
	}
	out.Stop = q.Stop
	if fixed {
		return nil
	}
	if q.Temperature != nil {
		t := min(*q.Temperature, 1)
		out.Temperature = &t
	} else if q.TopP != nil && *q.TopP < 1 {
		out.TopP = q.TopP
	}
	return nil
}

func (out *outRequest) format(f *llm.Format) error {
	switch {
	case f == nil:
	case f.Kind == "json_schema" && len(f.Schema) > 0:
		out.OutputConfig = &outputConfig{Format: &outputFormat{Type: "json_schema", Schema: f.Schema}}
	case f.Kind == "json_schema":
		return unsaid("response_format", "json_schema without a schema")
	default:
		out.System = append(out.System, &textBlock{typeText, jsonOnly})
	}
	return nil
}

func (out *outRequest) toolsAndChoice(q *llm.Request) {
	if len(q.Tools) == 0 {
		return // a choice without tools is refused by the dialect
	}
	for i := range q.Tools {
		t := &q.Tools[i]
		schema := t.Schema
		if len(schema) == 0 {
			schema = jsontext.Value(`{"type":"object","properties":{}}`)
		}
		out.Tools = append(out.Tools, toolDef{Name: t.Name, Description: t.Description, Schema: schema, Strict: t.Strict})
	}
	c := &toolChoice{Type: "auto", NoParallel: q.Choice.NoParallel}
	switch q.Choice.Mode {
	case "required":
		c.Type = "any"
	case "tool":
		c.Type, c.Name = "tool", q.Choice.Name
	case "none":
		c.Type, c.NoParallel = "none", false
	case "":
		if !c.NoParallel {
			return
		}
	}
	out.ToolChoice = c
}

// turns writes the messages. Neighbours of the same role become one, since all results of a turn's tool calls must
// stand in the one message after it, before anything else.
func (out *outRequest) turns(in []llm.Message) error {
	for i := range in {
		where := fmt.Sprintf("messages[%d]", i)
		for j := range in[i].Parts {
			p := &in[i].Parts[j]
			b, err := outBlock(p, where)
			if err != nil {
				return err
			}
			if b != nil {
				out.turn(in[i].Role).add(b, p.Kind == llm.ToolResult)
			}
		}
	}
	if len(out.Messages) == 0 && len(out.System) > 0 {
		out.Messages, out.System = []*outTurn{{Role: llm.User, Content: out.System}}, nil
	}
	if len(out.Messages) == 0 {
		return unsaid("messages", "there is nothing in them for a model to answer")
	}
	last := out.Messages[len(out.Messages)-1]
	if t, ok := last.Content[len(last.Content)-1].(*textBlock); ok && last.Role == llm.Assistant {
		t.Text = strings.TrimRight(t.Text, " \t\r\n") // a prefill must not end in white space
	}
	return nil
}

func (out *outRequest) turn(role llm.Role) *outTurn {
	if n := len(out.Messages); n > 0 && out.Messages[n-1].Role == role {
		return out.Messages[n-1]
	}
	t := &outTurn{Role: role}
	out.Messages = append(out.Messages, t)
	return t
}

func (t *outTurn) add(b any, result bool) {
	t.Content = append(t.Content, b)
	if result {
		copy(t.Content[t.results+1:], t.Content[t.results:])
		t.Content[t.results] = b
		t.results++
	}
}

// outBlock writes one part; nil = the dialect takes nothing for it.
func outBlock(p *llm.Part, where string) (any, error) {
	switch p.Kind {
	case llm.Text, llm.Refusal:
		if strings.TrimSpace(p.Text) == "" {
			return nil, nil // refused by the dialect
		}
		return &textBlock{typeText, p.Text}, nil
	case llm.Media:
		return mediaOf(p.Media, where)
	case llm.ToolUse:
		args, ok := objectArgs(p.Tool.Args)
		if !ok {
			args = wrapped(p.Tool.Args)
		}
		return &toolUseBlock{typeToolUse, wireID(p.Tool.ID), p.Tool.Name, args}, nil
	case llm.ToolResult:
		b := &toolResultBlock{Type: "tool_result", ID: wireID(p.Result.ID), IsError: p.Result.IsError}
		for i := range p.Result.Content {
			inner, err := outBlock(&p.Result.Content[i], where)
			if err != nil {
				return nil, err
			}
			if inner != nil {
				b.Content = append(b.Content, inner)
			}
		}
		return b, nil
	case llm.Reasoning:
		if _, ok := ownBlock(p.Opaque); ok {
			return p.Opaque, nil
		}
	}
	return nil, nil
}

// unsaid refuses what the dialect has no place for.
func unsaid(where, why string) *llm.Error {
	return &llm.Error{
		Code: llm.CodeUnfit, Message: where + ": " + why, Param: where,
		Hint: "this cannot go to a model of the Anthropic dialect",
	}
}

// wrapped puts a text into the object that the dialect demands.
func wrapped(args jsontext.Value) jsontext.Value {
	return append(wire.AppendString(jsontext.Value(`{"arguments":`), string(args)), '}')
}

func mediaOf(m *llm.MediaPart, where string) (any, error) {
	kind, plain := "image", strings.HasPrefix(m.MIME, "text/")
	switch {
	case m.MIME == "application/pdf" || plain || (m.MIME == "" && strings.HasSuffix(m.URL, ".pdf")):
		kind = "document"
	case m.MIME != "" && !strings.HasPrefix(m.MIME, "image/"):
		return nil, &llm.Error{
			Code: llm.CodeUnfit, Message: where + ": the Anthropic dialect takes no media of type " + wire.Bounded(m.MIME, 64),
			Hint: "send images, PDF or plain text", Param: where,
		}
	}
	switch {
	case m.Data == "":
		return &mediaBlock{kind, mediaSource{Type: "url", URL: m.URL}}, nil
	case plain:
		text, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil {
			return nil, unsaid(where, "inline media is no base64")
		}
		return &mediaBlock{kind, mediaSource{Type: "text", MIME: "text/plain", Data: string(text)}}, nil
	case m.MIME == "":
		return nil, unsaid(where, "inline media without a media type")
	}
	return &mediaBlock{kind, mediaSource{Type: "base64", MIME: m.MIME, Data: m.Data}}, nil
}

// wireID makes another dialect's tool call id fit ^[a-zA-Z0-9_-]+$: bytes outside become _ and two hex digits.
func wireID(id string) string {
	plain := func(b byte) bool {
		return b == '_' || b == '-' || '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z'
	}
	var out []byte
	for i := 0; i < len(id); i++ {
		switch {
		case !plain(id[i]):
			if out == nil {
				out = append(out, id[:i]...)
			}
			out = fmt.Appendf(out, "_%02x", id[i])
		case out != nil:
			out = append(out, id[i])
		}
	}
	if out == nil {
		return id
	}
	return string(out)
}
