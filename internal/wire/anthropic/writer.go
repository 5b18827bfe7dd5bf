package anthropic

import (
	"slices"
	"strconv"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

var _ wire.StreamWriter = (*writer)(nil)

// Stream makes the writer of one stream. Its blocks never overlap: while a tool's block is open, what belongs to other
// blocks waits until the stop, since other dialects may interleave the arguments of several calls.
func (Front) Stream(llm.Envelope) wire.StreamWriter { return &writer{} }

type writer struct {
	started bool
	over    bool // message_stop or an error was written
	open    *pending
	waiting []*pending
	index   int // of the open block, or of the next one
	tools   []*pending
	thought []byte // reasoning whose signature has not come: it cannot be shown without
	stop    llm.StopReason
	refused bool
	usage   *llm.Usage
}

// pending is a block that is open or waits to be written.
type pending struct {
	kind     string
	tool     int
	id, name string
	text     []byte // text or arguments not written yet
	done     bool
}

// Write appends to dst the frames that say ev.
func (w *writer) Write(dst []byte, ev llm.Event) []byte {
	if w.over || ev.Choice != 0 {
		return dst
	}
	switch ev.Kind {
	case llm.EvPing:
		return append(dst, "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
	case llm.EvError:
		w.over = true
		if ev.Err == nil {
			return appendErrorEvent(dst, llm.AsError(nil))
		}
		return appendErrorEvent(dst, ev.Err)
	case llm.EvMeter:
		w.usage = ev.Usage
		return dst
	}
	dst = w.start(dst, &ev)
	switch ev.Kind {
	case llm.EvText:
		dst = w.text(dst, ev.Text)
	case llm.EvRefusal:
		w.refused = true
		dst = w.text(dst, ev.Text)
	case llm.EvThink:
		dst = w.think(dst, &ev)
	case llm.EvToolStart:
		dst = w.enqueue(dst, &pending{kind: typeToolUse, tool: ev.Tool, id: w.toolID(&ev), name: ev.Name})
	case llm.EvToolArgs:
		dst = w.toolArgs(dst, &ev)
	case llm.EvStop:
		w.stop = ev.Stop
		dst = w.flush(dst)
	case llm.EvEnd:
		dst = w.end(dst)
	}
	return dst
}

// start opens the message once. Its usage is not known yet; message_delta tells all of it.
func (w *writer) start(dst []byte, ev *llm.Event) []byte {
	if w.started {
		return dst
	}
	w.started = true
	id, model := "", ""
	if ev.Kind == llm.EvStart {
		id, model = ev.ID, ev.Model
	}
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"...)
	dst = wire.AppendString(dst, id)
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	dst = wire.AppendString(dst, model)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	dst = appendUsage(dst, w.usage)
	return append(dst, "}}\n\n"...)
}

// toolID makes an id where a provider told none; results are matched by it.
func (w *writer) toolID(ev *llm.Event) string {
	if ev.ID != "" {
		return ev.ID
	}
	return "toolu_" + strconv.Itoa(ev.Tool)
}

func (w *writer) text(dst []byte, text string) []byte {
	if text == "" {
		return dst
	}
	last := w.open
	if n := len(w.waiting); n > 0 {
		last = w.waiting[n-1]
	}
	if last != nil && last.kind == typeText {
		last.text = append(last.text, text...)
		return w.drain(dst)
	}
	return w.enqueue(dst, &pending{kind: typeText, text: []byte(text)})
}

func (w *writer) toolArgs(dst []byte, ev *llm.Event) []byte {
	i := slices.IndexFunc(w.tools, func(p *pending) bool { return p.tool == ev.Tool })
	if i < 0 || w.tools[i].done || ev.Text == "" {
		return dst
	}
	w.tools[i].text = append(w.tools[i].text, ev.Text...)
	return w.drain(dst)
}

// think keeps reasoning until its signature comes and drops what never gets one.
func (w *writer) think(dst []byte, ev *llm.Event) []byte {
	w.thought = append(w.thought, ev.Text...)
	if len(ev.Opaque) == 0 {
		return dst
	}
	o, _ := ownBlock(ev.Opaque)
	switch {
	case o.kind == typeThinking && o.signature != "":
		dst = w.enqueue(dst, &pending{kind: typeThinking, id: o.signature, text: w.thought, done: true})
	case o.kind == typeRedacted && o.data != "":
		dst = w.enqueue(dst, &pending{kind: typeRedacted, id: o.data, done: true})
	}
	w.thought = nil
	return dst
}

// enqueue adds a block at the end. It is opened at once unless a tool's block is open.
func (w *writer) enqueue(dst []byte, p *pending) []byte {
	if p.kind != typeThinking && p.kind != typeRedacted {
		w.thought = nil
	}
	if p.kind == typeToolUse {
		w.tools = append(w.tools, p)
	}
	w.waiting = append(w.waiting, p)
	if w.open == nil || w.open.kind != typeToolUse {
		dst = w.advance(dst)
	}
	return dst
}

// advance closes the open block and opens the first one that waits.
func (w *writer) advance(dst []byte) []byte {
	dst = w.closeBlock(dst)
	if len(w.waiting) == 0 {
		return dst
	}
	w.open, w.waiting = w.waiting[0], w.waiting[1:]
	dst = w.openBlock(dst)
	dst = w.drain(dst)
	if w.open.kind == typeThinking || w.open.kind == typeRedacted {
		dst = w.closeBlock(dst)
	}
	return dst
}

// flush writes all that waits and closes the last block.
func (w *writer) flush(dst []byte) []byte {
	for len(w.waiting) > 0 {
		dst = w.advance(dst)
	}
	return w.closeBlock(dst)
}

func (w *writer) openBlock(dst []byte) []byte {
	p := w.open
	dst = append(dst, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(w.index), 10)
	dst = append(dst, `,"content_block":{"type":"`...)
	dst = append(dst, p.kind...)
	switch p.kind {
	case typeText:
		dst = append(dst, `","text":""`...)
	case typeThinking:
		dst = append(dst, `","thinking":"","signature":""`...)
	case typeRedacted:
		dst = append(dst, `","data":`...)
		dst = wire.AppendString(dst, p.id)
	case typeToolUse:
		dst = append(dst, `","id":`...)
		dst = wire.AppendString(dst, p.id)
		dst = append(dst, `,"name":`...)
		dst = wire.AppendString(dst, p.name)
		dst = append(dst, `,"input":{}`...)
	}
	return append(dst, "}}\n\n"...)
}

// drain writes what the open block has gathered.
func (w *writer) drain(dst []byte) []byte {
	p := w.open
	if p == nil || len(p.text) == 0 {
		return dst
	}
	switch p.kind {
	case typeText:
		dst = w.delta(dst, `"text_delta","text":`, string(p.text))
	case typeThinking:
		dst = w.delta(dst, `"thinking_delta","thinking":`, string(p.text))
	case typeToolUse:
		dst = w.delta(dst, `"input_json_delta","partial_json":`, string(p.text))
	}
	p.text = p.text[:0]
	return dst
}

func (w *writer) delta(dst []byte, kind, text string) []byte {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(w.index), 10)
	dst = append(dst, `,"delta":{"type":`...)
	dst = append(dst, kind...)
	dst = wire.AppendString(dst, text)
	return append(dst, "}}\n\n"...)
}

func (w *writer) closeBlock(dst []byte) []byte {
	if w.open == nil {
		return dst
	}
	if w.open.kind == typeThinking {
		dst = w.delta(dst, `"signature_delta","signature":`, w.open.id)
	}
	dst = append(dst, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(w.index), 10)
	dst = append(dst, "}\n\n"...)
	w.open.done = true
	w.open = nil
	w.index++
	return dst
}

// end writes the terminal group. It waits for the end because usage may be told after the stop.
func (w *writer) end(dst []byte) []byte {
	dst = w.flush(dst)
	w.over = true
	reason := reasonOf(w.stop, w.refused, len(w.tools) > 0)
	dst = append(dst, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\""...)
	dst = append(dst, reason...)
	dst = append(dst, `","stop_sequence":null},"usage":`...)
	dst = appendUsage(dst, w.usage)
	return append(dst, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}
