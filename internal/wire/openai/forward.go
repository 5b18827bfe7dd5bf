package openai

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

// Forward sends a caller's own bytes on. The pieces of the body alias r.Body. What differs: the model's name; the
// output cap, when the order's is lower or the caller gave none; stream; and stream_options, which asks for usage when
// the order streams, and is null when the caller's stream is answered from a whole body. Cut out are a second name of
// the cap, which is null and would be the same key twice once the cap is renamed, and sampling that the model refuses.
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
	if key := nameOf(r.Body, env.MaxSpan); o.Target.OutputKey != "" && key.Present() &&
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
	edits = append(edits, cuts(r.Body, refused(r.Body, env, o.Target.FixedSampling()))...) // last: it may begin where one puts in
	return call.Wire{Path: path, Header: r.Forward, Body: wire.Splice(r.Body, edits), Stream: o.Stream}, nil
}

// nameOf is the name of the member whose value lies at value, without its quotes; absent when there is no value.
func nameOf(body []byte, value llm.Span) llm.Span {
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

// refused are the values of members that must not be sent, in no order.
func refused(body []byte, env *llm.Envelope, fixedSampling bool) []llm.Span {
	var out []llm.Span
	if env.MaxTwin.Present() {
		out = append(out, env.MaxTwin)
	}
	if !fixedSampling {
		return out
	}
	for _, v := range [...]llm.Span{env.Temperature, env.TopP} {
		if !v.Present() {
			continue
		}
		if n, err := strconv.ParseFloat(string(body[v.Start:v.End]), 64); err != nil || n != 1 {
			out = append(out, v)
		}
	}
	return out
}

// cuts takes out the members whose values lie at values, with one comma each. The object keeps at least one member,
// the model. Neighbours are one cut, so that no comma is in two.
func cuts(body []byte, values []llm.Span) []wire.Edit {
	if len(values) == 0 {
		return nil
	}
	slices.SortFunc(values, func(a, b llm.Span) int { return a.Start - b.Start })
	out := make([]wire.Edit, 0, len(values))
	for _, v := range values {
		at := llm.Span{Start: nameOf(body, v).Start - 1, End: past(body, v.End)}
		last := body[at.End] != ','
		if last {
			at.End = v.End
		} else {
			at.End = past(body, at.End+1)
		}
		if n := len(out); n > 0 && out[n-1].At.End == at.Start {
			at.Start = out[n-1].At.Start
			out = out[:n-1]
		}
		if last {
			at.Start = bytes.LastIndexByte(body[:at.Start], ',')
		}
		out = append(out, wire.Edit{At: at})
	}
	return out
}

// past is the first byte from on that is not white space.
func past(body []byte, from int) int {
	for from < len(body) && bytes.IndexByte([]byte(" \t\r\n"), body[from]) >= 0 {
		from++
	}
	return from
}
