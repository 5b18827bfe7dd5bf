package anthropic

import (
	"fmt"
	"strconv"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

// Forward sends a caller's own bytes on; the pieces of the body alias r.Body. What differs: the model's name, the
// output cap when the order's is lower, stream, and Weir's own hints in metadata, which the dialect would refuse.
func (Back) Forward(r *call.Raw, o call.Order) (call.Wire, error) {
	env := &r.Envelope
	if env.Dialect != llm.Anthropic || !env.ModelSpan.Present() || !env.MaxSpan.Present() {
		return call.Wire{}, &llm.Error{
			Code: llm.CodeInternal, Message: "internal error",
			Err: fmt.Errorf("anthropic: forwarding a %q request", env.Dialect),
		}
	}
	var room [4]wire.Edit
	edits := append(room[:0], wire.Edit{At: env.ModelSpan, Text: wire.AppendString(nil, o.Target.WireID)})
	if o.MaxOut > 0 && env.MaxOutput > o.MaxOut {
		if budget := thinkingBudget(r.Body); budget >= int64(o.MaxOut) {
			return call.Wire{}, budgetUnfit(budget, o.MaxOut)
		}
		edits = append(edits, wire.Edit{At: env.MaxSpan, Text: strconv.AppendInt(nil, int64(o.MaxOut), 10)})
	}
	switch {
	case env.StreamSpan.Present() && env.Stream != o.Stream:
		edits = append(edits, wire.Edit{At: env.StreamSpan, Text: strconv.AppendBool(nil, o.Stream)})
	case !env.StreamSpan.Present() && o.Stream:
		at := llm.Span{Start: env.ObjectOpen, End: env.ObjectOpen}
		edits = append(edits, wire.Edit{At: at, Text: []byte(`"stream":true,`)})
	}
	if env.Metadata != (llm.Hints{}) {
		edits = append(edits, withoutHints(r.Body))
	}
	return call.Wire{Path: path, Header: header(r.Forward), Body: wire.Splice(r.Body, edits), Stream: o.Stream}, nil
}

func budgetUnfit(budget int64, most int) error {
	return &llm.Error{
		Code: llm.CodeUnfit, Param: "thinking.budget_tokens",
		Message: fmt.Sprintf("thinking.budget_tokens: %d does not fit into the %d output tokens allowed here", budget, most),
		Hint:    "ask for a smaller thinking budget, or raise max_output of the layer",
	}
}

// thinkingBudget is thinking.budget_tokens of a request that was scanned before; 0 = none.
func thinkingBudget(body []byte) (n int64) {
	c := scan.Open(body)
	defer c.Close()
	for c.Object(requestKeys); c.Next(); {
		if c.Key() != "thinking" || c.Kind() != scan.Object {
			continue
		}
		for c.Object(thinkingKeys); c.Next(); {
			if c.Key() == "budget_tokens" && c.Kind() == scan.Number {
				n, _ = c.Int()
			}
		}
		return n
	}
	return 0
}

// withoutHints writes the metadata of a request that was scanned before anew, without Weir's hints.
func withoutHints(body []byte) wire.Edit {
	c := scan.Open(body)
	defer c.Close()
	for c.Object(requestKeys); c.Next(); {
		if c.Key() != "metadata" || c.Kind() != scan.Object {
			continue
		}
		e := wire.Edit{At: llm.Span{Start: c.Pos()}, Text: []byte{'{'}}
		var h llm.Hints
		for c.Object(nil); c.Next(); {
			if hintField(&h, c.KeyBytes()) != nil {
				continue
			}
			if len(e.Text) > 1 {
				e.Text = append(e.Text, ',')
			}
			e.Text = append(wire.AppendString(e.Text, string(c.KeyBytes())), ':')
			v := c.Skip()
			e.Text = append(e.Text, body[v.Start:v.End]...)
		}
		e.Text, e.At.End = append(e.Text, '}'), c.Pos()
		return e
	}
	return wire.Edit{}
}
