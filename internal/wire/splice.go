package wire

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
)

// Edit replaces a span of a body; an empty span inserts.
type Edit struct {
	At   llm.Span
	Text []byte
}

// Splice applies edits, which do not overlap, and returns the pieces of the result. They alias body and the edits; the
// edits are sorted by place.
func Splice(body []byte, edits []Edit) [][]byte {
	for i := 1; i < len(edits); i++ { // few: insertion sort
		for j := i; j > 0 && edits[j].At.Start < edits[j-1].At.Start; j-- {
			edits[j], edits[j-1] = edits[j-1], edits[j]
		}
	}
	out := make([][]byte, 0, 2*len(edits)+1)
	from := 0
	for _, e := range edits {
		if e.At.Start > from {
			out = append(out, body[from:e.At.Start:e.At.Start])
		}
		out = append(out, e.Text)
		from = e.At.End
	}
	if from < len(body) {
		out = append(out, body[from:len(body):len(body)])
	}
	return out
}

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // the error only tells of the replacement
	return dst
}
