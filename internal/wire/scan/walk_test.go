package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/llm"
)

// drawValue draws a JSON value of at most the given depth.
func drawValue(rt *rapid.T, depth int) any {
	kinds := 4
	if depth > 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds-1).Draw(rt, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(rt, "bool")
	case 2:
		return rapid.Float64Range(-1e15, 1e15).Draw(rt, "number")
	case 3:
		return drawString(rt)
	case 4:
		out := []any{}
		for range rapid.IntRange(0, 4).Draw(rt, "elements") {
			out = append(out, drawValue(rt, depth-1))
		}
		return out
	}
	out := map[string]any{}
	for range rapid.IntRange(0, 20).Draw(rt, "members") {
		out[drawString(rt)] = drawValue(rt, depth-2)
	}
	return out
}

func drawString(rt *rapid.T) string {
	part := rapid.SampledFrom([]string{
		"a", "key", "longer than eight bytes", "\"", "\\", "\n", "\x00", "é", "😀", "/", "\u2028",
	})
	return strings.Join(rapid.SliceOfN(part, 0, 4).Draw(rt, "string"), "")
}

// drawText writes a value as JSON, with drawn white space and escapes.
func drawText(rt *rapid.T, v any) []byte {
	options := []json.Options{json.Deterministic(true)}
	if rapid.Bool().Draw(rt, "spread over lines") {
		options = append(options, jsontext.Multiline(true))
	}
	if rapid.Bool().Draw(rt, "spaces") {
		options = append(options, jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true))
	}
	if rapid.Bool().Draw(rt, "escapes") {
		options = append(options, jsontext.EscapeForHTML(true), jsontext.EscapeForJS(true))
	}
	text, err := json.Marshal(v, options...)
	if err != nil {
		rt.Fatal(err)
	}
	return text
}

// walked reads the value that comes next through the cursor's own methods.
func walked(c *Cursor, text []byte) any {
	switch c.Kind() {
	case Null:
		c.Null()
		return nil
	case Bool:
		return c.Bool()
	case Number:
		return c.Float()
	case String:
		return c.String().Text(text)
	case Array:
		out := []any{}
		for c.Array(); c.More(); {
			out = append(out, walked(c, text))
		}
		return out
	}
	out := map[string]any{}
	for c.Object(nil); c.Next(); {
		out[string(c.KeyBytes())] = walked(c, text)
	}
	return out
}

// A walk reads what a decoder reads.
func TestWalksReadWhatADecoderReads(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawText(rt, drawValue(rt, 6))
		var want any
		if err := json.Unmarshal(text, &want); err != nil {
			rt.Fatal(err)
		}
		c := Open(text)
		defer c.Close()
		got := walked(c, text)
		if err := c.End(); err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatalf("%s (-decoded +walked):\n%s", text, d)
		}
	})
}

// Whatever is read and whatever is left out, the rest is checked and stands where it stands: spans of skipped values
// are the decoder's.
func TestSkippedValuesAreTheirOwnText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		members := map[string]any{}
		for i := range rapid.IntRange(1, 12).Draw(rt, "members") {
			members[fmt.Sprintf("m%d", i)] = drawValue(rt, 3)
		}
		text := drawText(rt, members)
		c := Open(text)
		defer c.Close()
		got := map[string]jsontext.Value{}
		for c.Object(nil); c.Next(); {
			key := string(c.KeyBytes())
			if k := c.KeySpan(); string(text[k.Start:k.End]) != strconv.Quote(key) {
				rt.Fatalf("%s: the key %s lies at %v", text, key, k)
			}
			if rapid.Bool().Draw(rt, "read") {
				v := c.Skip()
				got[key] = text[v.Start:v.End]
			}
		}
		if err := c.End(); err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		var want map[string]jsontext.Value
		if err := json.Unmarshal(text, &want); err != nil {
			rt.Fatal(err)
		}
		for key, v := range got {
			if !bytes.Equal(v, want[key]) {
				rt.Fatalf("%s: %s is %q, want %q", text, key, v, want[key])
			}
		}
	})
}

// One byte that is changed, left out or put in: the cursor accepts exactly what a strict decoder accepts.
func TestChangedTextsAreJudgedAsADecoderJudgesThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawText(rt, drawValue(rt, 5))
		at := rapid.IntRange(0, len(text)-1).Draw(rt, "at")
		b := rapid.SampledFrom([]byte(`"\{}[],:0123456789-+.eEtrufalsn /`+"\x00\x1f\x7f\x80\xc3\xff\n")).Draw(rt, "byte")
		switch rapid.IntRange(0, 2).Draw(rt, "change") {
		case 0:
			text[at] = b
		case 1:
			text = append(text[:at], text[at+1:]...)
		default:
			text = append(text[:at], append([]byte{b}, text[at:]...)...)
		}
		err, valid := read(text), jsontext.Value(text).IsValid()
		if (err == nil) != valid {
			rt.Fatalf("%q: %v, valid for a decoder: %v", text, err, valid)
		}
		var e *llm.Error
		if err != nil && (!errors.As(err, &e) || e.Code != llm.CodeInvalid || len(e.Message) > 1<<13) {
			rt.Fatalf("%q: %v", text, err)
		}
	})
}

// A key is found again whether it is the first or the last of few or of many, plain or escaped.
func TestDuplicatesAreFoundAmongAnyNumberOfKeys(t *testing.T) {
	for _, n := range []int{1, 2, fewKeys - 1, fewKeys, fewKeys + 1, 31, 32, 33, 64, 65, 200} {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%q:%d", strings.Repeat("k", i%11)+strconv.Itoa(i), i)
		}
		plain := strings.Join(names, ",")
		if err := read([]byte("{" + plain + "}")); err != nil {
			t.Fatalf("%d keys: %v", n, err)
		}
		for i := range n {
			key, _, _ := strings.Cut(names[i], ":")
			escaped := `"\u00` + strconv.FormatInt(int64(key[1]), 16) + key[2:]
			for _, again := range []string{key, escaped} {
				if read([]byte("{"+plain+","+again+":0}")) == nil || read([]byte("{"+again+":0,"+plain+"}")) == nil {
					t.Errorf("%d keys: %s is there twice", n, again)
				}
			}
		}
	}
}

// The path of an error names the value it is at.
func TestPathsNameTheValue(t *testing.T) {
	text := []byte(`{"a":[{"b":1},{"b":[[2]],"c d":{"":3}}],"e.f":4}`)
	var got []string
	c := Open(text)
	defer c.Close()
	var visit func()
	visit = func() {
		switch c.Kind() {
		case Object:
			for c.Object(nil); c.Next(); {
				visit()
			}
		case Array:
			for c.Array(); c.More(); {
				visit()
			}
		default:
			got = append(got, c.Path())
			c.Skip()
		}
	}
	visit()
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	want := []string{"a[0].b", "a[1].b[0][0]", "a[1].c d.", "e.f"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Cursors come from a pool: what one text left behind is nothing to the next one.
func TestCursorsForgetTheTextBefore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := new(Cursor)
		for range rapid.IntRange(2, 5).Draw(rt, "texts") {
			text := drawText(rt, drawValue(rt, 5))
			cut := rapid.IntRange(0, len(text)).Draw(rt, "cut")
			c.Reset(text[:cut])
			c.Skip()
			_ = c.End()
			c.Reset(text)
			c.Skip()
			if err := c.End(); err != nil {
				rt.Fatalf("%s after its first %d bytes: %v", text, cut, err)
			}
		}
	})
}

// Each reader takes its own kind and refuses all others, once and for all.
func TestEveryReaderTakesItsOwnKindOnly(t *testing.T) {
	texts := map[Kind]string{Null: `null`, Bool: `true`, Number: `12`, String: `"s"`, Object: `{}`, Array: `[]`}
	readers := map[Kind]func(*Cursor){
		Bool: func(c *Cursor) { c.Bool() }, Number: func(c *Cursor) { c.Int() }, String: func(c *Cursor) { c.String() },
		Object: func(c *Cursor) { c.Object(nil); c.Next() }, Array: func(c *Cursor) { c.Array(); c.More() },
	}
	for kind, text := range texts {
		for wants, read := range readers {
			c := Open([]byte(text))
			read(c)
			err := c.End()
			if (err == nil) != (kind == wants) {
				t.Errorf("a reader of %s got %s: %v", wants, kind, err)
			}
			if err != nil && !strings.Contains(err.Error(), "want "+wants.String()+", got "+kind.String()) {
				t.Errorf("a reader of %s got %s: %v", wants, kind, err)
			}
			c.Close()
		}
		c := Open([]byte(text))
		if c.Null() != (kind == Null) || kind != Null && c.Err() != nil {
			t.Errorf("Null at %s: %v", kind, c.Err())
		}
		c.Close()
	}
}

func TestIntegersAndNumbers(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "1", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.0", "1e2", "1E-2",
		"0.1", "-1.5e+10", "1e308", "1e309", "123456789012345678901234567890", "5e-324", "1e-400",
	} {
		n, parseErr := strconv.ParseInt(text, 10, 64)
		c := Open([]byte(text))
		got, at := c.Int()
		if err := c.End(); (err == nil) != (parseErr == nil) || got != n && err == nil {
			t.Errorf("%s as an integer: %d, %v, want %d, %v", text, got, err, n, parseErr)
		} else if err == nil && at != (llm.Span{End: len(text)}) {
			t.Errorf("%s lies at %v", text, at)
		}
		c.Reset([]byte(text))
		f, parseErr := strconv.ParseFloat(text, 64)
		if got := c.Float(); (c.End() == nil) != (parseErr == nil) || parseErr == nil && got != f {
			t.Errorf("%s as a number: %v, %v, want %v, %v", text, got, c.Err(), f, parseErr)
		}
		c.Close()
	}
}

func TestStringsAreUnquotedAsADecoderUnquotesThem(t *testing.T) {
	for _, text := range []string{
		`""`, `"a"`, `"\b\f\n\r\t\"\\\/"`, `"\u0000\u001f\u007f\u00e9\u20ac\ud83d\ude00\uD83D\uDE00"`, `"é\u00e9"`,
		`"eight by\ntes"`, `"\\\\\\\\"`, `"data: x\n\n"`, "\"\u2028\"", `"\uffff\ufffe"`,
	} {
		want, err := jsontext.AppendUnquote(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		c := Open([]byte(text))
		s := c.String()
		if err := c.End(); err != nil || s.Text([]byte(text)) != string(want) || s.Len() != len(text)-2 {
			t.Errorf("%s: %q of %d bytes, %v, want %q", text, s.Text([]byte(text)), s.Len(), err, want)
		}
		c.Close()
	}
}

// The eight bytes at a time of quoted must see every mark at every offset.
func TestEveryByteOfAStringIsLookedAt(t *testing.T) {
	for length := range 40 {
		for at := range length {
			body := bytes.Repeat([]byte{'a'}, length)
			for _, bad := range []byte{0x00, 0x1f, 0x80, 0xff} {
				body[at] = bad
				if read([]byte(`"`+string(body)+`"`)) == nil {
					t.Fatalf("byte %#x at %d of %d is let through", bad, at, length)
				}
			}
			body[at] = '"'
			c := Open([]byte(`["` + string(body) + `"]`))
			if c.Array(); !c.More() || c.String().Len() != at {
				t.Fatalf("a quote at %d of %d is passed over", at, length)
			}
			c.Close()
		}
	}
}

// What a walk does not read is judged as strictly as what it reads: a decoder that reads the same tokens agrees on
// where the text goes wrong.
func TestErrorsStandWhereTheDecoderStops(t *testing.T) {
	for _, text := range []string{
		`{"a":[1,2,}`, `{"a":"\x"}`, `[true,fals]`, `{"a":1,"a":2}`, `{"a" 1}`, "[\"\xff\"]", `{"a":{"b":nul}}`,
	} {
		dec := jsontext.NewDecoder(strings.NewReader(text))
		var want error
		for want == nil {
			_, want = dec.ReadToken()
		}
		if errors.Is(want, io.EOF) {
			t.Fatalf("%s is valid", text)
		}
		var e *llm.Error
		if !errors.As(read([]byte(text)), &e) {
			t.Errorf("%s is let through", text)
			continue
		}
		_, rest, _ := strings.Cut(e.Message, "byte ")
		at, err := strconv.Atoi(rest[:strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })])
		if err != nil || int64(at) < dec.InputOffset() || at > len(text) {
			t.Errorf("%s: %s, the decoder stops behind byte %d", text, e.Message, dec.InputOffset())
		}
	}
}
