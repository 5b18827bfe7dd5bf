package gateway

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/quality"
	"github.com/weirhq/weir/internal/routing/validate"
)

// heard is what an exchange keeps of an answer on its way, for call.Output: what the frames tell that are read anyway.
type heard struct {
	stop  llm.StopReason
	tools int
	ids   []string      // of the tool calls that the frames told
	args  *arguments    // of the tool calls of a live stream; nil = none came
	final *llm.Response // the whole of an answer that is judged or translated
}

// stopped notes why one of the answers stopped; the gravest reason stays.
func (h *heard) stopped(why llm.StopReason) {
	if !slices.Contains(call.StopReasons, why) {
		if why == "" {
			return
		}
		why = call.OtherStop
	}
	if h.stop == "" || slices.Index(call.StopReasons, why) < slices.Index(call.StopReasons, h.stop) {
		h.stop = why
	}
}

// mostIDs bounds the tool calls of an answer whose ids are kept: the first ones and the last, whose result mostly comes
// last.
const mostIDs = 32

// called notes a tool call.
func (h *heard) called(id string) {
	h.tools++
	h.ids = withID(h.ids, id)
}

func withID(ids []string, id string) []string {
	if len(ids) < mostIDs {
		return append(ids, id)
	}
	ids[mostIDs-1] = id
	return ids
}

// calls are the ids of the answer's tool calls.
func (h *heard) calls() []string {
	if h.final == nil {
		return h.ids
	}
	var ids []string
	for _, c := range h.final.Choices {
		for _, p := range c.Parts {
			if p.Kind == llm.ToolUse {
				ids = withID(ids, p.Tool.ID)
			}
		}
	}
	return ids
}

// mostArgs bounds the bytes of tool arguments that a live stream makes Weir keep; beyond, nobody looks at them.
const mostArgs = 64 << 10

// arguments gathers the arguments of a live stream's tool calls.
type arguments struct {
	of   map[[2]int][]byte // by choice and call
	size int
}

func (h *heard) argue(ev *llm.Event) {
	if h.args == nil {
		h.args = &arguments{of: map[[2]int][]byte{}}
	}
	a := h.args
	if a.size += len(ev.Text); a.size > mostArgs {
		a.of = nil
		return
	}
	k := [2]int{ev.Choice, ev.Tool}
	a.of[k] = append(a.of[k], ev.Text...)
}

// output tells what is known of the answer.
func (x *exchange) output() call.Output {
	h := &x.heard
	o := call.Output{Seen: true, Stop: h.stop, Bytes: x.text, Tools: h.tools}
	if !x.finished { // what a part of an answer lacks may have been on its way
		return o
	}
	if h.final != nil {
		whole(&o, h.final)
		return o
	}
	o.Empty = x.hollow()
	switch {
	case h.tools == 0 || x.a.Order.Target.Dialect != llm.OpenAI: // objects within the answer's own JSON
		o.Args = call.No
	case x.reader == nil || h.args != nil && h.args.of == nil: // a body is not read so far; too long to keep
	case h.args == nil:
		o.Args = call.No
	default:
		for _, text := range h.args.of {
			if !isObject(text) {
				o.Broken++
			}
		}
		o.Args = call.FindingOf(o.Broken > 0)
	}
	return o
}

// hollow reports whether a whole answer that passed by unread has nothing in it. Gemini's may be an image alone, which
// frames that nobody decodes do not tell.
func (x *exchange) hollow() call.Finding {
	if x.a.Order.Target.Dialect == llm.Gemini {
		return call.Unknown
	}
	return call.FindingOf(x.text == 0 && x.heard.tools == 0)
}

// whole looks at an answer that was decoded.
func whole(o *call.Output, r *llm.Response) {
	o.Empty, o.Refusal = call.FindingOf(len(r.Choices) == 0), call.NotRefused
	for i := range r.Choices {
		c := &r.Choices[i]
		if validate.Empty(c) {
			o.Empty = call.Yes
		}
		if how := validate.Declines(c); how != call.NotRefused && o.Refusal != call.ByProvider {
			o.Refusal = how
		}
		for _, p := range c.Parts {
			if p.Kind == llm.ToolUse && p.Tool != nil && !isObject(p.Tool.Args) {
				o.Broken++
			}
		}
	}
	o.Args = call.FindingOf(o.Broken > 0)
	if text := longest(r); text != "" {
		o.Language = quality.Language(text)
	}
}

// longest is the longest text of the first answer.
func longest(r *llm.Response) (text string) {
	if len(r.Choices) == 0 {
		return ""
	}
	for _, p := range r.Choices[0].Parts {
		if p.Kind == llm.Text && len(p.Text) > len(text) {
			text = p.Text
		}
	}
	return text
}

// isObject reports whether the arguments of a tool call are a JSON object. Blank ones stand for an empty one.
func isObject(args []byte) bool {
	v := jsontext.Value(bytes.TrimSpace(args))
	return len(v) == 0 || v.Kind() == '{' && v.IsValid()
}
