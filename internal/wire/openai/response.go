package openai

import (
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

// Response reads the whole body of a non-streamed answer.
func (Back) Response(body []byte) (*llm.Response, error) {
	w := walker{whole: true, decode: true}
	if err := w.body(body); err != nil {
		return nil, err
	}
	var a assembly
	for _, ev := range w.events {
		a.take(ev)
	}
	a.grow(len(w.state))
	return a.response(w.created, w.sealed), nil
}

// Peek scans the body of a non-streamed answer without decoding its content: EvStart, then an EvToolStart a tool call
// and an EvStop a choice, then EvMeter when usage was told; and the bytes of answer text, reasoning and arguments
// included, escapes not undone.
func (Back) Peek(body []byte) (events []llm.Event, textBytes int, err error) {
	w := walker{whole: true}
	if err := w.body(body); err != nil {
		return nil, 0, err
	}
	return w.events, w.bytes, nil
}

// body reads a whole answer, which holds at least one choice.
func (w *walker) body(body []byte) error {
	if err := w.read(body, false); err != nil {
		return wire.Unreadable("an answer", err)
	}
	for _, ev := range w.events {
		if ev.Kind == llm.EvError {
			return ev.Err
		}
	}
	if len(w.state) == 0 {
		return &llm.Error{Code: llm.CodeUpstream, Message: "the provider sent an answer without choices"}
	}
	return nil
}
