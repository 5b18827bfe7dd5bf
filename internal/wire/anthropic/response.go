package anthropic

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

var messageKeys = scan.NewKeys("type", "id", "role", "model", "content", "stop_reason", "stop_sequence", "usage",
	"container", "context_management", "error", "request_id")

// message is an answer's envelope: all but its content.
type message struct {
	id, model, stop, seq scan.Str
	failed               bool // {"type":"error"} with a status of 200
	answered             bool // has content, even if empty
	fault                *llm.Error
	usage                usage
}

// scan walks the message object that comes next; each is called with every content block in order.
func (m *message) scan(c *scan.Cursor, text []byte, each func(*block)) {
	if !c.Object(messageKeys) {
		return
	}
	for c.Next() {
		switch c.Key() {
		case "type":
			m.failed = c.String().Is(text, "error")
		case "error":
			if c.Kind() == scan.Object {
				m.fault = wire.FaultAt(c, text).Error()
			}
		case "id":
			m.id = optional(c)
		case "model":
			m.model = optional(c)
		case "stop_reason":
			m.stop = optional(c)
		case "stop_sequence":
			m.seq = optional(c)
		case "usage":
			m.usage.scan(c, text)
		case "content":
			m.answered = true
			scanContent(c, text, each)
		}
	}
}

func scanContent(c *scan.Cursor, text []byte, each func(*block)) {
	if !c.Array() {
		return
	}
	for c.More() {
		b := scanBlock(c, text)
		if c.Err() == nil {
			each(&b)
		}
	}
}

// optional reads a string or a null.
func optional(c *scan.Cursor) scan.Str {
	if c.Null() {
		return scan.Str{}
	}
	return c.String()
}

// read walks a whole body.
func (m *message) read(body []byte, each func(*block)) error {
	c := scan.Open(body)
	defer c.Close()
	m.scan(c, body, each)
	if err := c.End(); err != nil {
		return wire.Unreadable("an answer", err)
	}
	if m.failed {
		return failure(m.fault)
	}
	if !m.answered {
		return wire.Unreadable("an answer", errors.New("it has no content"))
	}
	return nil
}

// Response reads the whole body of a non-streamed answer.
func (Back) Response(body []byte) (*llm.Response, error) {
	var m message
	var parts []llm.Part
	err := m.read(body, func(b *block) { parts = append(parts, b.part(body)) })
	if err != nil {
		return nil, err
	}
	return &llm.Response{
		ID: m.id.Text(body), Model: m.model.Text(body), Usage: m.usage.meter(),
		Choices: []llm.Choice{{Parts: parts, Stop: stopOf(m.stop.Text(body)), Seq: m.seq.Text(body)}},
	}, nil
}

// Peek scans the body of a non-streamed answer without decoding its content.
func (Back) Peek(body []byte) (events []llm.Event, textBytes int, err error) {
	var m message
	events = append(make([]llm.Event, 0, 4), llm.Event{Kind: llm.EvStart})
	tools := 0
	err = m.read(body, func(b *block) {
		textBytes += b.bytes()
		if b.kind == typeToolUse {
			events = append(events, llm.Event{
				Kind: llm.EvToolStart, Tool: tools, ID: b.id.Text(body), Name: b.name.Text(body),
			})
			tools++
		}
	})
	if err != nil {
		return nil, 0, err
	}
	events[0].ID, events[0].Model = m.id.Text(body), m.model.Text(body)
	events = append(events, llm.Event{Kind: llm.EvStop, Stop: stopOf(string(m.stop.Raw(body)))})
	if u := m.usage.meter(); u != nil {
		events = append(events, llm.Event{Kind: llm.EvMeter, Usage: u})
	}
	return events, textBytes, nil
}

// Response is the whole body of a non-streamed answer. Of several choices the dialect has room for the first. Arguments
// that are no JSON object have no form in this dialect and are an error.
func (Front) Response(r *llm.Response) ([]byte, error) {
	var choice llm.Choice
	if len(r.Choices) > 0 {
		choice = r.Choices[0]
	}
	dst := append(make([]byte, 0, 512), `{"id":`...)
	dst = wire.AppendString(dst, r.ID)
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	dst = wire.AppendString(dst, r.Model)
	dst = append(dst, `,"content":[`...)
	refused, called := false, false
	for i := range choice.Parts {
		refused = refused || choice.Parts[i].Kind == llm.Refusal
		called = called || choice.Parts[i].Kind == llm.ToolUse
		more, err := appendPart(dst, &choice.Parts[i])
		if err != nil {
			return nil, err
		}
		if len(more) > len(dst) {
			dst = append(more, ',')
		}
	}
	if dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	reason := reasonOf(choice.Stop, refused, called)
	dst = append(dst, `],"stop_reason":"`...)
	dst = append(dst, reason...)
	dst = append(dst, `","stop_sequence":`...)
	if choice.Seq == "" {
		dst = append(dst, "null"...)
	} else {
		dst = wire.AppendString(dst, choice.Seq)
	}
	dst = append(dst, `,"usage":`...)
	dst = appendUsage(dst, r.Usage)
	return append(dst, '}'), nil
}

// appendPart appends the content block that says p, or nothing.
func appendPart(dst []byte, p *llm.Part) ([]byte, error) {
	switch p.Kind {
	case llm.Text, llm.Refusal:
		if p.Text == "" {
			return dst, nil
		}
		dst = append(dst, `{"type":"text","text":`...)
		return append(wire.AppendString(dst, p.Text), '}'), nil
	case llm.ToolUse:
		args, ok := objectArgs(p.Tool.Args)
		if !ok {
			return dst, &llm.Error{
				Code: llm.CodeUpstream, Message: "the model called " + p.Tool.Name + " with arguments that are no JSON object",
				Hint: "a check on tool arguments would have had another model answer",
			}
		}
		dst = append(dst, `{"type":"tool_use","id":`...)
		dst = wire.AppendString(dst, p.Tool.ID)
		dst = append(dst, `,"name":`...)
		dst = wire.AppendString(dst, p.Tool.Name)
		dst = append(dst, `,"input":`...)
		return append(append(dst, args...), '}'), nil
	case llm.Reasoning:
		if _, ok := ownBlock(p.Opaque); ok {
			return append(dst, p.Opaque...), nil
		}
	}
	return dst, nil
}

// objectArgs is a tool call's arguments as the dialect wants them: a JSON object, {} for none.
func objectArgs(args jsontext.Value) (jsontext.Value, bool) {
	if len(args) == 0 {
		return jsontext.Value("{}"), true
	}
	return args, args.Kind() == '{' && args.IsValid()
}
