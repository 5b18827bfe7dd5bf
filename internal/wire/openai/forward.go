package openai

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

// Forward sends a caller's own bytes on. The pieces of the body alias r.Body. What differs: the model's name; the
// output cap, when the order's is lower or the caller gave none; stream; and stream_options, which asks for usage when
// the order streams, and is null when the caller's stream is answered from a whole body.
func (b Back) Forward(r *call.Raw, o call.Order) (call.Wire, error) {
	env := &r.Envelope
	if env.Dialect != llm.OpenAI || !env.ModelSpan.Present() {
		err := fmt.Errorf("openai: forwarding a %q request", env.Dialect)
		return call.Wire{}, &llm.Error{Code: llm.CodeInternal, Message: "internal error", Err: err}
	}
	var room [6]wire.Edit
	edits := room[:0]
	// What is put in lies in one buffer: pieces stay valid when it grows, since it is only appended to.
	text, from := make([]byte, 0, 160), 0
	put := func(at llm.Span) {
		edits = append(edits, wire.Edit{At: at, Text: text[from:len(text):len(text)]})
		from = len(text)
	}
	text = wire.AppendString(text, o.Target.WireID)
	put(env.ModelSpan)
	if key := capSpan(r.Body, env.MaxSpan); o.Target.OutputKey != "" && key.Present() &&
		string(r.Body[key.Start:key.End]) != o.Target.OutputKey {
		text = append(text, o.Target.OutputKey...)
		put(key)
	}
	capped := o.MaxOut > 0 && (env.MaxOutput == 0 || env.MaxOutput > o.MaxOut)
	if capped && env.MaxSpan.Present() {
		text = strconv.AppendInt(text, int64(o.MaxOut), 10)
		put(env.MaxSpan)
	}
	if env.StreamSpan.Present() && env.Stream != o.Stream {
		text = strconv.AppendBool(text, o.Stream)
		put(env.StreamSpan)
	}
	ask := o.Stream && !env.IncludeUsage
	switch {
	case ask && env.StreamOptions.Present():
		edits = append(edits, askUsage(r.Body, env.StreamOptions))
	case env.Stream && !o.Stream && env.StreamOptions.Present():
		text = append(text, "null"...)
		put(env.StreamOptions)
	}
	if capped && !env.MaxSpan.Present() {
		text = append(wire.AppendString(text, capKey(o)), ':')
		text = append(strconv.AppendInt(text, int64(o.MaxOut), 10), ',')
	}
	if o.Stream && !env.StreamSpan.Present() {
		text = append(text, `"stream":true,`...)
	}
	if ask && !env.StreamOptions.Present() {
		text = append(text, `"stream_options":{"include_usage":true},`...)
	}
	if len(text) > from {
		put(llm.Span{Start: env.ObjectOpen, End: env.ObjectOpen})
	}
	return call.Wire{Path: path, Header: r.Forward, Body: wire.Splice(r.Body, edits), Stream: o.Stream}, nil
}

// capSpan is the name of the member whose value lies at value, without its quotes; absent when there is no value.
func capSpan(body []byte, value llm.Span) llm.Span {
	if !value.Present() {
		return llm.Span{}
	}
	end := bytes.LastIndexByte(body[:value.Start], '"')
	return llm.Span{Start: bytes.LastIndexByte(body[:end], '"') + 1, End: end}
}

// askUsage sets include_usage in the stream_options that lie at span: null, or an object without it or where it is off.
func askUsage(body []byte, span llm.Span) wire.Edit {
	const ask = `"include_usage":true`
	c := scan.Open(body[span.Start:span.End])
	defer c.Close()
	if c.Null() {
		return wire.Edit{At: span, Text: []byte("{" + ask + "}")}
	}
	c.Object(streamOptionKeys)
	open, members := span.Start+c.Pos(), 0
	for c.Next() {
		members++
		if c.Key() == "include_usage" {
			v := c.Skip()
			at := llm.Span{Start: span.Start + v.Start, End: span.Start + v.End}
			return wire.Edit{At: at, Text: []byte("true")}
		}
	}
	text := ask
	if members > 0 {
		text += ","
	}
	return wire.Edit{At: llm.Span{Start: open, End: open}, Text: []byte(text)}
}
