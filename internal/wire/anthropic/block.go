package anthropic

import (
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// Content block types that have a meaning in llm.
const (
	typeText     = "text"
	typeThinking = "thinking"
	typeRedacted = "redacted_thinking"
	typeToolUse  = "tool_use"
)

// block is one content block of an answer as far as it is read. Spans lie in the text it was scanned from.
type block struct {
	kind                            string
	text, thinking, signature, data scan.Str
	id, name                        scan.Str
	input                           llm.Span
	raw                             llm.Span
}

var blockKeys = scan.NewKeys("type", "text", "thinking", "signature", "data", "id", "name", "input", "citations",
	"source", "content", "tool_use_id", "is_error", "cache_control", "title", "context")

// scanBlock reads the content block that comes next.
func scanBlock(c *scan.Cursor, text []byte) block {
	var b block
	c.Kind() // goes past white space, so that Pos is the block's start
	b.raw.Start = c.Pos()
	if !c.Object(blockKeys) {
		return b
	}
	for c.Next() {
		switch key := c.Key(); key {
		case "type":
			b.kind = kindOf(c.String(), text)
		case "input":
			b.input = c.Skip()
		default:
			if at := b.member(key); at != nil && c.Kind() == scan.String {
				*at = c.String()
			}
		}
	}
	b.raw.End = c.Pos()
	return b
}

func (b *block) member(key string) *scan.Str {
	switch key {
	case "text":
		return &b.text
	case "thinking":
		return &b.thinking
	case "signature":
		return &b.signature
	case "data":
		return &b.data
	case "id":
		return &b.id
	case "name":
		return &b.name
	}
	return nil
}

// kindOf reads a type without new memory for the usual ones.
func kindOf(s scan.Str, text []byte) string {
	for _, known := range [...]string{typeText, typeToolUse, typeThinking, typeRedacted} {
		if s.Is(text, known) {
			return known
		}
	}
	return s.Text(text)
}

// bytes is what counts as answer text: all that was generated and is visible on the wire.
func (b *block) bytes() int {
	return b.text.Len() + b.thinking.Len() + (b.input.End - b.input.Start)
}

// part translates a block of an answer. Blocks that llm has no word for travel like reasoning: opaque, for this
// dialect.
func (b *block) part(text []byte) llm.Part {
	switch b.kind {
	case typeText:
		return llm.Part{Kind: llm.Text, Text: b.text.Text(text)}
	case typeToolUse:
		return llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{
			ID: b.id.Text(text), Name: b.name.Text(text), Args: clone(text, b.input),
		}}
	}
	return llm.Part{Kind: llm.Reasoning, Text: b.thinking.Text(text), Opaque: clone(text, b.raw)}
}
