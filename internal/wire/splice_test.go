package wire_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

func span(start, end int) llm.Span { return llm.Span{Start: start, End: end} }

func TestSplice(t *testing.T) {
	for _, tt := range []struct {
		name, body, want string
		edits            []wire.Edit
	}{
		{"nothing", "abc", "abc", nil},
		{"replace", "abcdef", "aXdef", []wire.Edit{{At: span(1, 3), Text: []byte("X")}}},
		{"insert", "abc", "aXbc", []wire.Edit{{At: span(1, 1), Text: []byte("X")}}},
		{"at both ends", "abc", "<abc>", []wire.Edit{
			{At: span(3, 3), Text: []byte(">")}, {At: span(0, 0), Text: []byte("<")},
		}},
		{"delete all", "abc", "", []wire.Edit{{At: span(0, 3)}}},
		{"out of order", "0123456789", "0a3b6c9", []wire.Edit{
			{At: span(7, 9), Text: []byte("c")}, {At: span(1, 3), Text: []byte("a")}, {At: span(4, 6), Text: []byte("b")},
		}},
		{"an empty body", "", "x", []wire.Edit{{At: span(0, 0), Text: []byte("x")}}},
	} {
		if got := string(bytes.Join(wire.Splice([]byte(tt.body), tt.edits), nil)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Splicing is what replacing from the back would give, whatever the order of the edits, and leaves the body as it was.
func TestSpliceIsReplacementFromTheBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		body := []byte(rapid.StringMatching(`[a-z]{0,40}`).Draw(rt, "body"))
		var edits []wire.Edit
		want := append([]byte(nil), body...)
		shift := 0
		for at := 0; at < len(body); {
			start := at + rapid.IntRange(0, 5).Draw(rt, "gap")
			end := start + rapid.IntRange(0, 4).Draw(rt, "length")
			if end > len(body) {
				break
			}
			text := []byte(rapid.StringMatching(`[A-Z]{0,3}`).Draw(rt, "text"))
			edits = append(edits, wire.Edit{At: span(start, end), Text: text})
			want = append(want[:start+shift:start+shift], append(append([]byte(nil), text...), body[end:]...)...)
			shift += len(text) - (end - start)
			at = end + 1
		}
		before := string(body)
		order := rapid.Permutation(edits).Draw(rt, "order")
		if got := bytes.Join(wire.Splice(body, order), nil); !bytes.Equal(got, want) {
			rt.Fatalf("%q with %v: %q, want %q", body, edits, got, want)
		}
		if string(body) != before {
			rt.Fatalf("the body was changed to %q", body)
		}
	})
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		``: `""`, `a "b"`: `"a \"b\""`, "\n\x00": `"\n\u0000"`, "ü€": `"ü€"`, "a\xffb": `"a` + "\uFFFD" + `b"`,
	} {
		if got := string(wire.AppendString([]byte("x:"), in)); got != "x:"+want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
		if got := string(wire.AppendString(nil, []byte(in))); got != want {
			t.Errorf("%q as bytes: %s, want %s", in, got, want)
		}
	}
}

func TestAtLeastOnlyRises(t *testing.T) {
	n := int64(5)
	for _, step := range []struct {
		text string
		want int64
	}{{`3`, 5}, {`null`, 5}, {`9`, 9}, {`-1`, 9}, {`9223372036854775807`, 1 << 40}} {
		c := scan.Open([]byte(step.text))
		wire.AtLeast(&n, c)
		if err := c.End(); err != nil || n != step.want {
			t.Errorf("after %s: %d, %v, want %d", step.text, n, err, step.want)
		}
		c.Close()
	}
	c := scan.Open([]byte(`1.5`))
	defer c.Close()
	if wire.AtLeast(&n, c); c.End() == nil {
		t.Error("half a token is a count")
	}
}
