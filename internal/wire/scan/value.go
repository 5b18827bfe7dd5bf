package scan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/weirhq/weir/internal/llm"
)

// Str is a string as it lies in a text.
type Str struct {
	Span    llm.Span // inside the quotes
	Escaped bool     // holds a backslash
}

// Value is the span with its quotes.
func (s Str) Value() llm.Span { return llm.Span{Start: s.Span.Start - 1, End: s.Span.End + 1} }

// Len is the string's length in the text, in bytes, escapes not undone.
func (s Str) Len() int { return s.Span.End - s.Span.Start }

// Raw is the string's bytes in text, escapes not undone.
func (s Str) Raw(text []byte) []byte { return text[s.Span.Start:s.Span.End] }

// Text is a copy of the string with its escapes undone.
func (s Str) Text(text []byte) string {
	raw := s.Raw(text)
	if !s.Escaped {
		return string(raw)
	}
	return string(Unquote(make([]byte, 0, len(raw)), raw))
}

// Is reports whether the string is lit, which must be plain ASCII without anything JSON escapes.
func (s Str) Is(text []byte, lit string) bool {
	if !s.Escaped {
		return string(s.Raw(text)) == lit
	}
	return s.Text(text) == lit
}

// String reads the string that comes next; another value is an error.
func (c *Cursor) String() Str {
	if !c.want(String) {
		return Str{}
	}
	s, _ := c.quoted()
	return s
}

// Bool reads the boolean that comes next; another value is an error.
func (c *Cursor) Bool() bool {
	if !c.want(Bool) {
		return false
	}
	truth := c.buf[c.pos] == 't'
	c.scalar(Bool)
	return truth && c.err == nil
}

// Null reads a null if one comes next, and reports whether it did.
func (c *Cursor) Null() bool {
	if c.Kind() != Null {
		return false
	}
	c.pending = false
	c.scalar(Null)
	return c.err == nil
}

// Int reads the integer that comes next. Another value is an error, and so is a number with a fraction or an exponent,
// or beyond 64 bits.
func (c *Cursor) Int() (int64, llm.Span) {
	if !c.want(Number) {
		return 0, llm.Span{}
	}
	start := c.pos
	c.scalar(Number)
	if c.err != nil {
		return 0, llm.Span{}
	}
	n, err := strconv.ParseInt(string(c.buf[start:c.pos]), 10, 64)
	if err != nil {
		c.pos = start
		c.Fail("want an integer of at most 64 bits")
		return 0, llm.Span{}
	}
	return n, llm.Span{Start: start, End: c.pos}
}

// Float reads the number that comes next; another value is an error, and so is one beyond a float64.
func (c *Cursor) Float() float64 {
	if !c.want(Number) {
		return 0
	}
	start := c.pos
	c.scalar(Number)
	if c.err != nil {
		return 0
	}
	f, err := strconv.ParseFloat(string(c.buf[start:c.pos]), 64)
	if err != nil {
		c.pos = start
		c.Fail("the number is out of range")
		return 0
	}
	return f
}

// scalar reads a value of kind k that is no object or array.
func (c *Cursor) scalar(k Kind) {
	switch k {
	case String:
		c.quoted()
	case Number:
		c.number()
	case Null:
		c.literal("null")
	default:
		if c.buf[c.pos] == 't' {
			c.literal("true")
		} else {
			c.literal("false")
		}
	}
}

func (c *Cursor) literal(word string) {
	if len(c.buf)-c.pos < len(word) || string(c.buf[c.pos:c.pos+len(word)]) != word {
		c.syntax(c.pos, "want "+word)
		return
	}
	c.pos += len(word)
}

func (c *Cursor) number() {
	i, b := c.pos, c.buf
	if b[i] == '-' {
		i++
	}
	whole := digits(b, i)
	if whole == i || (b[i] == '0' && whole > i+1) {
		c.syntax(c.pos, "a number is malformed")
		return
	}
	i = whole
	if i < len(b) && b[i] == '.' {
		end := digits(b, i+1)
		if end == i+1 {
			c.syntax(c.pos, "a number is malformed")
			return
		}
		i = end
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		end := digits(b, i)
		if end == i {
			c.syntax(c.pos, "a number is malformed")
			return
		}
		i = end
	}
	c.pos = i
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// marks sets the high bit of a byte where w has a quote, a backslash or a control byte. With its second bit flipped a
// quote is 0x20, next to the control bytes, so that one comparison, with 0x21, finds both. The lowest mark is exact: false
// ones come only from a borrow out of a true one. The other bits mean nothing.
func marks(w uint64) uint64 {
	return (((w ^ 0x02*ones) - 0x21*ones) | ((w ^ '\\'*ones) - ones)) &^ w
}

// unmarked skips, from i, groups of 32 bytes without a mark. seen has the high bits of the bytes that it skipped.
func unmarked(b []byte, i int) (end int, seen uint64) {
	for ; i+32 <= len(b); i += 32 {
		p := (*[32]byte)(b[i:])
		w0, w1 := binary.LittleEndian.Uint64(p[0:]), binary.LittleEndian.Uint64(p[8:])
		w2, w3 := binary.LittleEndian.Uint64(p[16:]), binary.LittleEndian.Uint64(p[24:])
		if (marks(w0)|marks(w1)|marks(w2)|marks(w3))&highs != 0 {
			break
		}
		seen |= w0 | w1 | w2 | w3
	}
	return i, seen
}

// quoted reads a string from its opening quote.
func (c *Cursor) quoted() (Str, bool) {
	b, i := c.buf, c.pos+1
	var high uint64
	escaped := false
	for {
		// Eight bytes at a time to the first mark; most strings are short, so that the wide steps come later.
		for long := i + 4*8; i+8 <= len(b); {
			w := binary.LittleEndian.Uint64(b[i:])
			high |= w
			if m := marks(w) & highs; m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			if i += 8; i == long {
				end, seen := unmarked(b, i)
				i, high = end, high|seen
			}
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= 0x20 {
			high |= uint64(b[i])
			i++
		}
		if i >= len(b) {
			c.syntax(c.pos, "the text ends inside a string")
			return Str{}, false
		}
		if b[i] == '"' {
			break
		}
		if b[i] != '\\' {
			c.syntax(i, "a control character in a string must be escaped")
			return Str{}, false
		}
		n := escape(b[i:])
		if n == 0 {
			c.syntax(i, "an escape in a string is malformed")
			return Str{}, false
		}
		escaped = true
		i += n
	}
	s := Str{llm.Span{Start: c.pos + 1, End: i}, escaped}
	if high&highs != 0 && !utf8.Valid(s.Raw(b)) {
		c.syntax(s.Span.Start+validPrefix(s.Raw(b)), "a string is not valid UTF-8")
		return Str{}, false
	}
	c.pos = i + 1
	return s, true
}

// validPrefix is the length of b's part before its first invalid byte.
func validPrefix(b []byte) int {
	i := 0
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return i
}

// escape is the length of the escape that b begins with; 0 = malformed. A surrogate counts only as a pair.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	r := hex4(b[2:])
	switch {
	case r < 0:
		return 0
	case !utf16.IsSurrogate(r):
		return 6
	case len(b) >= 12 && b[6] == '\\' && b[7] == 'u' && utf16.DecodeRune(r, hex4(b[8:])) != utf8.RuneError:
		return 12
	}
	return 0
}

// hex4 reads four hex digits; -1 = there are none.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}

// Unquote appends to dst the characters of raw, the bytes between the quotes of a string that a Cursor has read. A
// malformed escape, which no Cursor lets through, is kept as it stands.
func Unquote(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		raw = raw[i:]
		n := escape(raw)
		switch n {
		case 0:
			n = 1
			dst = append(dst, '\\')
		case 2:
			dst = append(dst, plain(raw[1]))
		case 6:
			dst = utf8.AppendRune(dst, hex4(raw[2:]))
		default:
			dst = utf8.AppendRune(dst, utf16.DecodeRune(hex4(raw[2:]), hex4(raw[8:])))
		}
		raw = raw[n:]
	}
}

func plain(b byte) byte {
	switch b {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return b
}

// DataURL tells whether a string is a data: URL with base64 content, and if so its media type and where its data
// begins, in bytes of raw. Such a string is media: counted, never read as text.
func DataURL(raw []byte) (mime string, data int, ok bool) {
	const scheme, mark = "data:", ";base64"
	if len(raw) < len(scheme) || !bytes.EqualFold(raw[:len(scheme)], []byte(scheme)) {
		return "", 0, false
	}
	head := raw[:min(len(raw), 256)] // a media type is short; the data may be megabytes
	comma := bytes.IndexByte(head, ',')
	if comma < 0 || !bytes.HasSuffix(head[:comma], []byte(mark)) {
		return "", 0, false
	}
	kind := head[len(scheme) : comma-len(mark)]
	if semi := bytes.IndexByte(kind, ';'); semi >= 0 {
		kind = kind[:semi]
	}
	return string(kind), comma + 1, true
}
