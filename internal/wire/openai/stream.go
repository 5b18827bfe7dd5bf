package openai

import (
	"bytes"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/sse"
)

var _ wire.StreamReader = (*reader)(nil)

// reader reads one stream.
type reader struct {
	opt      wire.StreamOptions
	w        walker
	sum      assembly // Full
	done     bool     // [DONE] came
	terminal bool
	broken   bool   // a frame could not be read
	size     int    // bytes of answer so far
	out      []byte // a frame with its usage cut out
}

// maxAnswer is the longest answer, in bytes of text, that a Full reader puts together.
const maxAnswer = 64 << 20

// Stream makes a reader of frames. Every frame is walked; without Full, only EvStart, tool calls, stops, usage and
// errors become events. A provider that sends no [DONE] ends its stream when every choice that began has its
// finish_reason.
func (Back) Stream(o wire.StreamOptions) wire.StreamReader {
	return &reader{opt: o, w: walker{decode: o.Full}}
}

var doneMark = []byte("[DONE]")

// Read takes one frame. Delta.Raw aliases it, or with StripUsage a buffer that lives until the next Read. What comes
// after [DONE] is dropped.
func (r *reader) Read(frame []byte) (llm.Delta, error) {
	if r.done {
		return llm.Delta{Terminal: true}, nil
	}
	event, data := sse.Fields(frame)
	if blank(data) {
		d := llm.Delta{Raw: frame, Terminal: r.terminal}
		if r.opt.Full {
			d.Events = []llm.Event{{Kind: llm.EvPing}}
		}
		return d, nil
	}
	if bytes.Equal(bytes.TrimSpace(data), doneMark) {
		r.done, r.terminal = true, true
		return llm.Delta{Raw: frame, Events: []llm.Event{{Kind: llm.EvEnd}}, Terminal: true}, nil
	}
	if err := r.w.read(data, string(event) == "error"); err != nil {
		r.broken = true
		return llm.Delta{}, wire.Unreadable("a stream frame", err)
	}
	if r.size += r.w.bytes; r.opt.Full && r.size > maxAnswer {
		r.broken = true
		return llm.Delta{}, &llm.Error{Code: llm.CodeUpstream, Message: "the provider sent an answer of more than 64 MB"}
	}
	for i := range r.w.events {
		ev := &r.w.events[i]
		r.terminal = r.terminal || ev.Kind == llm.EvStop || ev.Kind == llm.EvError
		if r.opt.Full {
			r.sum.take(*ev)
		}
	}
	return llm.Delta{
		Raw: r.raw(frame, data), Events: r.w.events, Bytes: r.w.bytes, Calls: r.w.calls, Terminal: r.terminal,
	}, nil
}

// raw is the frame as the client gets it.
func (r *reader) raw(frame, data []byte) []byte {
	u := r.w.usage
	if !r.opt.StripUsage || !u.Present() {
		return frame
	}
	if r.w.usageAt && !r.w.hasChoices && !r.w.failed {
		return nil // the chunk that came only for the usage
	}
	if r.opt.Full {
		r.out = nil // a judged answer is held whole: every frame keeps its bytes
	}
	r.out = append(r.out[:0], "data: "...)
	for _, piece := range cutMember(data, u) {
		r.out = append(r.out, piece...)
	}
	for i, b := range r.out {
		if b == '\n' { // data of several lines becomes one; in JSON a line end is white space
			r.out[i] = ' '
		}
	}
	r.out = append(r.out, "\n\n"...)
	return r.out
}

// cutMember returns what lies before and after the member at u, with the comma that parts it from its neighbour.
func cutMember(data []byte, u llm.Span) [2][]byte {
	before, after := data[:u.Start], data[u.End:]
	if rest := bytes.TrimLeft(after, " \t\r\n"); len(rest) > 0 && rest[0] == ',' {
		return [2][]byte{before, bytes.TrimLeft(rest[1:], " \t\r\n")}
	}
	if head := bytes.TrimRight(before, " \t\r\n"); len(head) > 0 && head[len(head)-1] == ',' {
		before = head[:len(head)-1]
	}
	return [2][]byte{before, after}
}

// Finish tells the whole answer (Full only) and whether the stream ended as it should.
func (r *reader) Finish() (*llm.Response, bool) {
	complete := !r.broken && !r.w.failed && (r.done || r.stopped())
	if !r.opt.Full {
		return nil, complete
	}
	r.sum.grow(len(r.w.state))
	return r.sum.response(r.w.created, r.w.sealed), complete
}

// stopped reports whether every choice that began has stopped, and one did.
func (r *reader) stopped() bool {
	some := false
	for _, st := range r.w.state {
		if st.begun && !st.stopped {
			return false
		}
		some = some || st.stopped
	}
	return some
}
