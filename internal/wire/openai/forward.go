package openai

import (
	"fmt"
	"strconv"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// edit replaces a span of a body; an empty span inserts.
type edit struct {
	at   llm.Span
	text []byte
}

// Forward sends a caller's own bytes on. The pieces of the body alias r.Body. What differs: the model's name; the output
// cap, when the order's is lower or the caller gave none; stream; and stream_options, which asks for usage when the
// order streams, and is null when the caller's stream is answered from a whole body.
func (b Back) Forward(r *call.Raw, o call.Order) (call.Wire, error) {
	env := &r.Envelope
	if env.Dialect != llm.OpenAI || !env.ModelSpan.Present() {
		return call.Wire{}, &llm.Error{
			Code: llm.CodeInternal, Message: "internal error", Err: fmt.Errorf("openai: forwarding a %q request", env.Dialect),
		}
	}
	var room [5]edit
	edits := append(room[:0], edit{env.ModelSpan, appendQuoted(nil, o.Target.WireID)})
	var insert []byte
	if o.MaxOut > 0 && (env.MaxOutput == 0 || env.MaxOutput > o.MaxOut) {
		if env.MaxSpan.Present() {
			edits = append(edits, edit{env.MaxSpan, strconv.AppendInt(nil, int64(o.MaxOut), 10)})
		} else {
			insert = append(append(append(insert, '"'), b.capKey()...), `":`...)
			insert = append(strconv.AppendInt(insert, int64(o.MaxOut), 10), ',')
		}
	}
	switch {
	case env.StreamSpan.Present() && env.Stream != o.Stream:
		edits = append(edits, edit{env.StreamSpan, strconv.AppendBool(nil, o.Stream)})
	case o.Stream && !env.StreamSpan.Present():
		insert = append(insert, `"stream":true,`...)
	}
	switch {
	case o.Stream && !env.IncludeUsage && env.StreamOptions.Present():
		edits = append(edits, askUsage(r.Body, env.StreamOptions))
	case o.Stream && !env.IncludeUsage:
		insert = append(insert, `"stream_options":{"include_usage":true},`...)
	case env.Stream && !o.Stream && env.StreamOptions.Present():
		edits = append(edits, edit{env.StreamOptions, []byte("null")})
	}
	if len(insert) > 0 {
		edits = append(edits, edit{llm.Span{Start: env.ObjectOpen, End: env.ObjectOpen}, insert})
	}
	return call.Wire{Path: path, Header: r.Forward, Body: splice(r.Body, edits), Stream: o.Stream}, nil
}

// askUsage sets include_usage in the stream_options that lie at span: null, or an object without it or where it is off.
func askUsage(body []byte, span llm.Span) edit {
	const ask = `"include_usage":true`
	c := scan.Open(body[span.Start:span.End])
	defer c.Close()
	if c.Null() {
		return edit{span, []byte("{" + ask + "}")}
	}
	c.Object(streamOptionKeys)
	open, members := span.Start+c.Pos(), 0
	for c.Next() {
		members++
		if c.Key() == "include_usage" {
			v := c.Skip()
			return edit{llm.Span{Start: span.Start + v.Start, End: span.Start + v.End}, []byte("true")}
		}
	}
	text := ask
	if members > 0 {
		text += ","
	}
	return edit{llm.Span{Start: open, End: open}, []byte(text)}
}

// splice applies edits, which do not overlap, and returns the pieces of the result.
func splice(body []byte, edits []edit) [][]byte {
	for i := 1; i < len(edits); i++ { // few: insertion sort by place
		for j := i; j > 0 && edits[j].at.Start < edits[j-1].at.Start; j-- {
			edits[j], edits[j-1] = edits[j-1], edits[j]
		}
	}
	out := make([][]byte, 0, 2*len(edits)+1)
	from := 0
	for _, e := range edits {
		if e.at.Start > from {
			out = append(out, body[from:e.at.Start:e.at.Start])
		}
		out = append(out, e.text)
		from = e.at.End
	}
	if from < len(body) {
		out = append(out, body[from:len(body):len(body)])
	}
	return out
}
