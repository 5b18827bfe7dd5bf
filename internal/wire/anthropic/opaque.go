package anthropic

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

// Reasoning is kept as the content block that said it: it names its own type, so that no dialect mistakes another's
// for its own, and it can be sent back as it is.

// signatureOf is the Opaque of an event that tells a thinking block's signature.
func signatureOf(signature string) []byte {
	dst := append([]byte(nil), `{"type":"thinking","signature":`...)
	return append(wire.AppendString(dst, signature), '}')
}

// thinkingBlock puts a streamed thinking block together again.
func thinkingBlock(text, signature string) jsontext.Value {
	dst := append(jsontext.Value(nil), `{"type":"thinking","thinking":`...)
	dst = append(wire.AppendString(dst, text), `,"signature":`...)
	return append(wire.AppendString(dst, signature), '}')
}

// withInput puts a streamed block of a kind that llm has no word for together again: as it was opened, with the input
// that its deltas told. Input that is no JSON stays out.
func withInput(start jsontext.Value, input []byte) jsontext.Value {
	if len(input) == 0 || !jsontext.Value(input).IsValid() {
		return start
	}
	var whole struct {
		Input jsontext.Value `json:"input,omitzero"`
		Rest  jsontext.Value `json:",embed"`
	}
	if json.Unmarshal(start, &whole) != nil {
		return start
	}
	whole.Input = input
	out, err := json.Marshal(&whole)
	if err != nil {
		return start
	}
	return out
}

// opaque is what is read of a Part's or an Event's Opaque.
type opaque struct{ kind, signature, data string }

// known reports whether kind is a content block type of this dialect that travels as Opaque.
func known(kind string) bool {
	switch kind {
	case typeThinking, typeRedacted, "compaction":
		return true
	}
	return strings.HasSuffix(kind, "_tool_use") || strings.HasSuffix(kind, "_tool_result")
}

// ownBlock reads v if it is a block of this dialect. ok says that it is whole enough to be sent back.
func ownBlock(v []byte) (o opaque, ok bool) {
	if len(v) == 0 {
		return o, false
	}
	c := scan.Open(v)
	defer c.Close()
	if c.Kind() != scan.Object {
		return o, false
	}
	b := scanBlock(c, v)
	if c.End() != nil || !known(b.kind) {
		return o, false
	}
	o = opaque{kind: b.kind, signature: b.signature.Text(v), data: b.data.Text(v)}
	return o, o.kind != typeThinking || (o.signature != "" && b.thinking.Span.Start > 0)
}

func clone(text []byte, s llm.Span) jsontext.Value {
	if !s.Present() {
		return nil
	}
	return jsontext.Value(text[s.Start:s.End]).Clone()
}
