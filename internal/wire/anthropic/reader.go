package anthropic

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
	"github.com/weirhq/weir/internal/wire/sse"
)

var _ wire.StreamReader = (*reader)(nil)

// Stream makes a reader of frames. The dialect always tells usage, so there is nothing to strip.
func (Back) Stream(o wire.StreamOptions) wire.StreamReader { return &reader{full: o.Full} }

type reader struct {
	full     bool
	id       string
	model    string
	usage    usage
	stop     llm.StopReason
	seq      string
	stopped  bool // a stop reason was told
	terminal bool // message_delta has come
	ended    bool // message_stop has come
	failed   bool // an error event has come
	tools    int
	blocks   map[int64]*streamBlock // all when full, else those of tools
	order    []*streamBlock
}

// streamBlock is a content block as its deltas arrive.
type streamBlock struct {
	kind            string
	tool            int
	id, name        string
	start           jsontext.Value // the block as it was opened
	text, args      []byte
	signature, data string
}

// event is what one frame's data holds, whatever its type. Members that its type lacks are empty.
type event struct {
	kind    scan.Str
	index   int64
	delta   delta
	block   block
	message message
	fault   *llm.Error
}

type delta struct {
	kind, text, thinking, signature, args scan.Str
	stop, seq                             scan.Str
}

var (
	eventKeys = scan.NewKeys("type", "index", "delta", "content_block", "message", "usage", "error",
		"context_management")
	deltaKeys = scan.NewKeys("type", "text", "thinking", "signature", "partial_json", "citation", "stop_reason",
		"stop_sequence", "container")
)

// Read takes one frame.
func (r *reader) Read(frame []byte) (llm.Delta, error) {
	d := llm.Delta{Raw: frame, Terminal: r.terminal}
	_, data := sse.Fields(frame)
	if len(data) == 0 {
		return d, nil
	}
	ev, err := r.scan(data)
	if err != nil {
		return d, wire.Unreadable("a stream frame", err)
	}
	switch kind := ev.kind.Raw(data); string(kind) {
	case "content_block_delta":
		r.onDelta(&d, &ev, data)
	case "content_block_start":
		r.onBlock(&d, &ev, data)
	case "message_start":
		r.id, r.model = ev.message.id.Text(data), ev.message.model.Text(data)
		d.Events = append(d.Events, llm.Event{Kind: llm.EvStart, ID: r.id, Model: r.model})
		d.Events = r.meter(d.Events)
	case "message_delta":
		r.onMessageDelta(&d, &ev, data)
	case "message_stop":
		r.ended, r.terminal, d.Terminal = true, true, true
		d.Events = []llm.Event{{Kind: llm.EvEnd}}
	case "ping":
		d.Events = []llm.Event{{Kind: llm.EvPing}}
	case "error":
		r.failed = true
		d.Events = []llm.Event{{Kind: llm.EvError, Err: failure(ev.fault)}}
	}
	return d, nil
}

// scan walks the data of one frame. Usage goes straight to the reader's own, which only ever rises.
func (r *reader) scan(data []byte) (event, error) {
	var ev event
	c := scan.Open(data) // pooled: a cursor is too large to keep one for every stream that is open
	defer c.Close()
	c.Object(eventKeys)
	for c.Next() {
		switch c.Key() {
		case "type":
			ev.kind = c.String()
		case "index":
			ev.index, _ = c.Int()
		case "delta":
			ev.delta.scan(c)
		case "content_block":
			ev.block = scanBlock(c, data)
		case "message":
			ev.message.usage = r.usage
			ev.message.scan(c, data, func(*block) {})
			r.usage = ev.message.usage
		case "usage":
			r.usage.scan(c, data)
		case "error":
			if c.Kind() == scan.Object {
				ev.fault = wire.FaultAt(c, data).Error()
			}
		}
	}
	return ev, c.End()
}

func (d *delta) scan(c *scan.Cursor) {
	if !c.Object(deltaKeys) {
		return
	}
	for c.Next() {
		switch c.Key() {
		case "type":
			d.kind = c.String()
		case "text":
			d.text = c.String()
		case "thinking":
			d.thinking = c.String()
		case "signature":
			d.signature = c.String()
		case "partial_json":
			d.args = c.String()
		case "stop_reason":
			d.stop = optional(c)
		case "stop_sequence":
			d.seq = optional(c)
		}
	}
}

func (r *reader) meter(evs []llm.Event) []llm.Event {
	if u := r.usage.meter(); u != nil {
		evs = append(evs, llm.Event{Kind: llm.EvMeter, Usage: u})
	}
	return evs
}

func (r *reader) onMessageDelta(d *llm.Delta, ev *event, data []byte) {
	r.terminal, d.Terminal = true, true
	if ev.delta.stop.Len() > 0 && !r.stopped {
		r.stopped = true
		r.stop, r.seq = stopOf(ev.delta.stop.Text(data)), ev.delta.seq.Text(data)
		d.Events = append(d.Events, llm.Event{Kind: llm.EvStop, Stop: r.stop})
	}
	d.Events = r.meter(d.Events)
}

// onBlock opens a content block. Text that comes with the opening counts like a delta's.
func (r *reader) onBlock(d *llm.Delta, ev *event, data []byte) {
	b := &ev.block
	d.Bytes = b.text.Len() + b.thinking.Len()
	d.Calls = strings.HasSuffix(b.kind, "tool_use") // those of the provider's own tools too
	if b.kind != typeToolUse && !r.full {
		return
	}
	s := &streamBlock{kind: b.kind, data: b.data.Text(data), signature: b.signature.Text(data)}
	if r.blocks == nil {
		r.blocks = make(map[int64]*streamBlock)
	}
	r.blocks[ev.index] = s
	r.order = append(r.order, s)
	switch b.kind {
	case typeToolUse:
		s.tool, s.id, s.name = r.tools, b.id.Text(data), b.name.Text(data)
		r.tools++
		d.Events = append(d.Events, llm.Event{Kind: llm.EvToolStart, Tool: s.tool, ID: s.id, Name: s.name})
		if args := data[b.input.Start:b.input.End]; len(args) > 0 && !emptyObject(args) {
			r.toolArgs(d, s, string(args))
		}
	case typeText:
		r.addText(d, s, llm.EvText, b.text.Text(data))
	case typeThinking:
		r.addText(d, s, llm.EvThink, b.thinking.Text(data))
	default:
		s.start = clone(data, b.raw)
		d.Events = append(d.Events, llm.Event{Kind: llm.EvThink, Opaque: s.start})
	}
}

// emptyObject reports whether args is {}: what a block opens with when its arguments come in deltas.
func emptyObject(args []byte) bool {
	for _, b := range args {
		if b == '"' {
			return false
		}
	}
	return args[0] == '{'
}

func (r *reader) toolArgs(d *llm.Delta, s *streamBlock, text string) {
	d.Events = append(d.Events, llm.Event{Kind: llm.EvToolArgs, Tool: s.tool, Text: text})
	if r.full {
		s.args = append(s.args, text...)
	}
}

func (r *reader) addText(d *llm.Delta, s *streamBlock, kind llm.EventKind, text string) {
	if text == "" {
		return
	}
	d.Events = append(d.Events, llm.Event{Kind: kind, Text: text})
	s.text = append(s.text, text...)
}

// onDelta takes a fragment of a block. Live, only fragments of tool arguments become events.
func (r *reader) onDelta(d *llm.Delta, ev *event, data []byte) {
	x := &ev.delta
	d.Bytes = x.text.Len() + x.thinking.Len() + x.args.Len()
	s := r.blocks[ev.index]
	if s == nil {
		return
	}
	switch s.kind { // a fragment that is not of its block's kind says nothing
	case typeToolUse:
		if x.args.Len() > 0 {
			r.toolArgs(d, s, x.args.Text(data))
		}
	case typeText:
		r.addText(d, s, llm.EvText, x.text.Text(data))
	case typeThinking:
		r.addText(d, s, llm.EvThink, x.thinking.Text(data))
		if x.signature.Len() > 0 {
			s.signature += x.signature.Text(data)
			d.Events = append(d.Events, llm.Event{Kind: llm.EvThink, Opaque: signatureOf(s.signature)})
		}
	default:
		s.args = append(s.args, x.args.Text(data)...)
	}
}

// Finish gives the whole answer (Full only) and whether message_stop has come and no error.
func (r *reader) Finish() (*llm.Response, bool) {
	complete := r.ended && !r.failed
	if !r.full {
		return nil, complete
	}
	choice := llm.Choice{Stop: r.stop, Seq: r.seq}
	for _, s := range r.order {
		choice.Parts = append(choice.Parts, s.part())
	}
	return &llm.Response{ID: r.id, Model: r.model, Usage: r.usage.meter(), Choices: []llm.Choice{choice}}, complete
}

// part is the block as llm has it.
func (s *streamBlock) part() llm.Part {
	switch s.kind {
	case typeText:
		return llm.Part{Kind: llm.Text, Text: string(s.text)}
	case typeToolUse:
		args := jsontext.Value(s.args).Clone()
		if len(args) == 0 {
			args = jsontext.Value("{}")
		}
		return llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: s.id, Name: s.name, Args: args}}
	case typeThinking:
		return llm.Part{Kind: llm.Reasoning, Text: string(s.text), Opaque: thinkingBlock(string(s.text), s.signature)}
	}
	return llm.Part{Kind: llm.Reasoning, Opaque: withInput(s.start, s.args)}
}
