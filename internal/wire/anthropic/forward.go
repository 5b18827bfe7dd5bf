package anthropic

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
	var room [4]edit
	edits := append(room[:0], edit{env.ModelSpan, appendString(nil, o.Target.WireID)})
	if o.MaxOut > 0 && env.MaxOutput > o.MaxOut {
		if budget := thinkingBudget(r.Body); budget >= int64(o.MaxOut) {
			return call.Wire{}, budgetUnfit(budget, o.MaxOut)
		}
		edits = append(edits, edit{env.MaxSpan, strconv.AppendInt(nil, int64(o.MaxOut), 10)})
	}
	switch {
	case env.StreamSpan.Present() && env.Stream != o.Stream:
		edits = append(edits, edit{env.StreamSpan, strconv.AppendBool(nil, o.Stream)})
	case !env.StreamSpan.Present() && o.Stream:
		edits = append(edits, edit{llm.Span{Start: env.ObjectOpen, End: env.ObjectOpen}, []byte(`"stream":true,`)})
	}
	if env.Metadata != (llm.Hints{}) {
		edits = append(edits, withoutHints(r.Body))
	}
	return call.Wire{Path: path, Header: header(r.Forward), Body: splice(r.Body, edits), Stream: o.Stream}, nil
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
func withoutHints(body []byte) edit {
	c := scan.Open(body)
	defer c.Close()
	for c.Object(requestKeys); c.Next(); {
		if c.Key() != "metadata" || c.Kind() != scan.Object {
			continue
		}
		e := edit{at: llm.Span{Start: c.Pos()}, text: []byte{'{'}}
		var h llm.Hints
		for c.Object(nil); c.Next(); {
			if hintField(&h, c.KeyBytes()) != nil {
				continue
			}
			if len(e.text) > 1 {
				e.text = append(e.text, ',')
			}
			e.text = append(appendString(e.text, string(c.KeyBytes())), ':')
			v := c.Skip()
			e.text = append(e.text, body[v.Start:v.End]...)
		}
		e.text, e.at.End = append(e.text, '}'), c.Pos()
		return e
	}
	return edit{}
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
