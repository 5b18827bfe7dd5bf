package validate

import (
	"strings"
	"unicode/utf8"
)

// span is a bracketed stretch of a text with its mended form.
type span struct {
	start, end int // in the text
	fixed      string
	how        []string // what was mended
}

// The kinds of mending that a span may need.
const (
	howComma    = "trailing comma removed"
	howQuotes   = "typographic quotes replaced"
	howBrackets = "missing closing brackets added"
)

// scanner reads a text once, left to right, and writes the mended form of each bracketed stretch.
type scanner struct {
	s     string
	i     int
	out   strings.Builder
	stack []byte // closers expected
	comma int    // offset in out of a comma that nothing has followed yet; -1 = none
	how   []string
	pend  strings.Builder // what stands after that comma: white space
}

// spans finds the outermost bracketed stretches of s, one pass. One that is open at the end of s is closed when whole
// says that the model had finished; one whose brackets do not pair is given up.
func spans(s string, whole bool) []span {
	var out []span
	sc := &scanner{s: s}
	for sc.i < len(s) {
		if c := s[sc.i]; c != '{' && c != '[' {
			sc.i++
			continue
		}
		start := sc.i
		if sc.stretch(whole) {
			out = append(out, span{start: start, end: sc.i, fixed: sc.out.String(), how: sc.how})
		}
	}
	return out
}

// stretch reads one bracketed stretch from its opening bracket. On false the scan goes on at sc.i, which has moved.
func (sc *scanner) stretch(whole bool) bool {
	sc.out.Reset()
	sc.pend.Reset()
	sc.stack, sc.comma, sc.how = sc.stack[:0], -1, nil
	for sc.i < len(sc.s) {
		switch c := sc.s[sc.i]; {
		case c == '{' || c == '[':
			sc.flush()
			sc.stack = append(sc.stack, c+2) // '{' and '}', '[' and ']' are two apart
			sc.emit(c)
		case c == '}' || c == ']':
			if sc.stack[len(sc.stack)-1] != c {
				sc.i++
				return false
			}
			sc.drop()
			sc.stack = sc.stack[:len(sc.stack)-1]
			sc.emit(c)
			if len(sc.stack) == 0 {
				return true
			}
		case c == '"':
			sc.flush()
			if !sc.str() {
				return false
			}
		case c == ',' && sc.comma < 0:
			sc.comma = sc.i
			sc.i++
		case sc.comma >= 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			sc.pend.WriteByte(c)
			sc.i++
		case strings.HasPrefix(sc.s[sc.i:], "“") || strings.HasPrefix(sc.s[sc.i:], "”"):
			sc.flush()
			if !sc.smart() {
				return false
			}
		default:
			sc.flush()
			sc.emit(c)
		}
	}
	return whole && sc.closeAll()
}

// emit copies the byte at sc.i.
func (sc *scanner) emit(c byte) {
	sc.out.WriteByte(c)
	sc.i++
}

// flush writes a comma that turned out to have something after it.
func (sc *scanner) flush() {
	if sc.comma >= 0 {
		sc.out.WriteByte(',')
		sc.out.WriteString(sc.pend.String())
		sc.pend.Reset()
		sc.comma = -1
	}
}

// drop forgets a comma that turned out to stand before a closing bracket.
func (sc *scanner) drop() {
	if sc.comma >= 0 {
		sc.out.WriteString(sc.pend.String())
		sc.pend.Reset()
		sc.comma = -1
		sc.note(howComma)
	}
}

// str copies a string literal byte for byte; false when it does not end.
func (sc *scanner) str() bool {
	from := sc.i
	for sc.i++; sc.i < len(sc.s); sc.i++ {
		switch sc.s[sc.i] {
		case '\\':
			sc.i++
		case '"':
			sc.i++
			sc.out.WriteString(sc.s[from:sc.i])
			return true
		}
	}
	sc.i = len(sc.s)
	return false
}

// smart copies a string that is delimited by typographic quotes, with plain ones. It ends at the first closing mark
// that JSON can follow; a plain quote inside would need an escape that the model did not write, so that gives up.
func (sc *scanner) smart() bool {
	const mark = len("“")
	from := sc.i + mark
	for sc.i = from; sc.i < len(sc.s); {
		r, n := utf8.DecodeRuneInString(sc.s[sc.i:])
		switch {
		case r == '"' || r == '\n':
			sc.i += n
			return false
		case r == '\\':
			sc.i += n
			if sc.i < len(sc.s) {
				sc.i++
			}
			continue
		case (r == '”' || r == '“') && ends(sc.s[sc.i+n:]):
			sc.out.WriteByte('"')
			sc.out.WriteString(sc.s[from:sc.i])
			sc.out.WriteByte('"')
			sc.i += n
			sc.note(howQuotes)
			return true
		}
		sc.i += n
	}
	return false
}

// ends reports whether rest goes on as JSON does after a string.
func ends(rest string) bool {
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case ' ', '\t', '\r', '\n':
		case ':', ',', '}', ']':
			return true
		default:
			return false
		}
	}
	return true
}

// closeAll adds the brackets that are missing at the end of the text.
func (sc *scanner) closeAll() bool {
	sc.drop()
	text := strings.TrimRight(sc.out.String(), " \t\r\n")
	sc.out.Reset()
	sc.out.WriteString(text)
	for i := len(sc.stack) - 1; i >= 0; i-- {
		sc.out.WriteByte(sc.stack[i])
	}
	sc.note(howBrackets)
	return true
}

func (sc *scanner) note(how string) {
	for _, h := range sc.how {
		if h == how {
			return
		}
	}
	sc.how = append(sc.how, how)
}
