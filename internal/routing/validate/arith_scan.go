package validate

import (
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind tags a token of a text that is read for calculations.
type tokenKind uint8

const (
	tNum   tokenKind = iota // a plain number
	tOp                     // + - * /
	tOpen                   // (
	tClose                  // )
	tEq                     // =
	tWord                   // letters
	tBreak                  // anything that ends a calculation: punctuation, line end, relation signs
	tOdd                    // something mathematical that is not understood: what touches it is not judged
)

// token is one token. at is its byte offset in the text as scanned.
type token struct {
	kind     tokenKind
	at       int
	op       byte
	word     string // lower case
	num      *big.Rat
	decimals int  // digits after the point
	percent  bool // number followed by %
	money    bool // number with a currency sign
	spaced   bool // white space stands before it
	lineHead bool // first token of its line
}

// Bounds on what is read as one calculation; beyond them it is not judged.
const (
	maxDigits    = 40
	maxStatement = 200 // tokens
	maxParens    = 24
)

// scanTokens reads a text (annotations already taken out) into tokens.
func scanTokens(s string) []token {
	var out []token
	lx := lexer{s: s, head: true}
	for lx.i < len(s) {
		t, ok := lx.next()
		if !ok {
			continue
		}
		t.spaced, t.lineHead = lx.spaced, lx.head
		lx.spaced, lx.head = false, false
		if t.kind == tBreak && t.word == "\n" {
			lx.head = true
		}
		out = append(out, t)
	}
	return out
}

type lexer struct {
	s      string
	i      int
	spaced bool // white space since the last token
	head   bool // no token on this line yet
}

// next reads one token; false for what counts as nothing: space, currency signs, bold marks.
func (l *lexer) next() (token, bool) {
	at := l.i
	r, n := utf8.DecodeRuneInString(l.s[at:])
	tok := func(k tokenKind, size int) (token, bool) {
		l.i += size
		return token{kind: k, at: at}, true
	}
	op := func(c byte, size int) (token, bool) {
		l.i += size
		return token{kind: tOp, op: c, at: at}, true
	}
	rest := l.s[at:]
	switch {
	case r == '\n':
		l.i++
		return token{kind: tBreak, word: "\n", at: at}, true
	case unicode.IsSpace(r):
		l.i += n
		l.spaced = true
		return token{}, false
	case r >= '0' && r <= '9', r == '.' && len(rest) > 1 && isDigit(rest[1]) && !l.afterAlnum():
		return l.number(false), true
	case isCurrency(r):
		return l.currency(n)
	case unicode.IsLetter(r):
		return l.letters(), true
	case strings.HasPrefix(rest, "**"):
		return l.stars()
	case r == '*' || r == '×' || r == '·' || r == '∗' || r == '⋅':
		return op('*', n)
	case r == '/' || r == '÷':
		return op('/', n)
	case r == '+':
		return op('+', n)
	case r == '-' || r == '−' || r == '–':
		return op('-', n)
	case r == '(' || r == '[':
		if l.afterLetter() {
			return tok(tOdd, n) // sqrt(16), a[0]
		}
		return tok(tOpen, n)
	case r == ')' || r == ']':
		return tok(tClose, n)
	case r == '=':
		return l.equals()
	case strings.ContainsRune("^²³√!?_\\%≈~<>≤≥≠{}", r):
		l.i += n
		return token{kind: tOdd, word: string(r), at: at}, true
	}
	return tok(tBreak, n)
}

// currency reads the number behind a currency sign of n bytes; a sign without one is passed over.
func (l *lexer) currency(n int) (token, bool) {
	at := l.i
	j := at + n
	for j < len(l.s) && l.s[j] == ' ' {
		j++
	}
	if j < len(l.s) && (isDigit(l.s[j]) || l.s[j] == '.' && j+1 < len(l.s) && isDigit(l.s[j+1])) {
		l.i = j
		t := l.number(true)
		t.at = at
		return t, true
	}
	l.i = at + n
	return token{}, false
}

// stars tells bold marks from powers: a mark that touches digits or brackets on both sides is a power.
func (l *lexer) stars() (token, bool) {
	at := l.i
	l.i += 2
	before := at > 0 && (isDigit(l.s[at-1]) || l.s[at-1] == ')')
	after := l.i < len(l.s) && (isDigit(l.s[l.i]) || l.s[l.i] == '(')
	if before && after {
		return token{kind: tOdd, at: at}, true
	}
	return token{}, false
}

// equals reads '=' and tells it from ==, =>, := and the like, which are no equations.
func (l *lexer) equals() (token, bool) {
	at := l.i
	l.i++
	if l.i < len(l.s) && (l.s[l.i] == '=' || l.s[l.i] == '>' || l.s[l.i] == '<') {
		for l.i < len(l.s) && strings.IndexByte("=<>", l.s[l.i]) >= 0 {
			l.i++
		}
		return token{kind: tOdd, at: at}, true
	}
	if at > 0 && strings.IndexByte("<>!:~≈", l.s[at-1]) >= 0 {
		return token{kind: tOdd, at: at}, true
	}
	return token{kind: tEq, at: at}, true
}

// letters reads a word. 'x' between numbers is a multiplication.
func (l *lexer) letters() token {
	at := l.i
	for l.i < len(l.s) {
		r, n := utf8.DecodeRuneInString(l.s[l.i:])
		if !unicode.IsLetter(r) && r != '\'' && r != '’' {
			break
		}
		l.i += n
	}
	w := strings.ToLower(l.s[at:l.i])
	t := token{kind: tWord, at: at, word: w}
	switch w {
	case "x":
		t.kind, t.op = tOp, 'x' // settled by the parser: an operator between operands, else a variable
	case "times":
		t.kind, t.op = tOp, '*'
	case "plus":
		t.kind, t.op = tOp, '+'
	case "minus":
		t.kind, t.op = tOp, '-'
	}
	if l.i < len(l.s) && isDigit(l.s[l.i]) && w != "x" {
		t.kind = tOdd // letters that run into digits: an id or a variable
	}
	return t
}

// number reads digits with groups of three and decimals. Anything it cannot read surely becomes tOdd.
func (l *lexer) number(money bool) token {
	at := l.i
	odd := l.afterAlnum()
	if n := notNumber(l.s[at:]); n > 0 {
		l.i += n
		return token{kind: tOdd, at: at}
	}
	var digits strings.Builder
	run := l.digits(&digits)
	groups := false
	for run > 0 && run <= 3 && l.peek(',') && l.digitsAhead(1) >= 3 {
		if l.digitsAhead(1) != 3 {
			odd = true
		}
		groups = true
		l.i++
		run = l.digits(&digits)
	}
	if !groups && l.peek(',') && l.digitsAhead(1) > 0 {
		odd = true // 5,6: a decimal comma or a list
	}
	decimals := 0
	if l.peek('.') && l.digitsAhead(1) > 0 {
		l.i++
		digits.WriteByte('.')
		decimals = l.digits(&digits)
	}
	if (l.peek('.') || l.peek(':') || l.peek(',')) && l.digitsAhead(1) > 0 {
		odd = true // versions, dates, times, other notations
	}
	if decimals == 3 && !groups && (money || l.priced(at)) {
		odd = true // €1.200 is a thousand in one country and one in another
	}
	t := token{kind: tNum, at: at, decimals: decimals, money: money}
	if l.peek('%') {
		t.percent = true
		l.i++
	}
	if strings.HasPrefix(l.s[l.i:], "¢") {
		l.i += len("¢")
		odd = true // mixes with $ and means a hundredth of it
	}
	text := digits.String()
	if strings.HasPrefix(text, ".") {
		text = "0" + text
	}
	if odd || len(text) > maxDigits {
		t.kind = tOdd
		l.skipJoined()
		return t
	}
	t.num, _ = new(big.Rat).SetString(text)
	if t.num == nil {
		t.kind = tOdd
	}
	return t
}

func (l *lexer) peek(c byte) bool {
	return l.i < len(l.s) && l.s[l.i] == c
}

// skipJoined reads over what a number that is not understood goes on with.
func (l *lexer) skipJoined() {
	for l.i < len(l.s) && (isDigit(l.s[l.i]) || strings.IndexByte(".,:", l.s[l.i]) >= 0 && l.digitsAhead(1) > 0) {
		l.i++
	}
}

// digits appends the digits at l.i and returns how many there were.
func (l *lexer) digits(b *strings.Builder) int {
	from := l.i
	for l.i < len(l.s) && isDigit(l.s[l.i]) {
		l.i++
	}
	b.WriteString(l.s[from:l.i])
	return l.i - from
}

// digitsAhead counts the digits that begin skip bytes after l.i.
func (l *lexer) digitsAhead(skip int) int {
	n := 0
	for j := l.i + skip; j < len(l.s) && isDigit(l.s[j]); j++ {
		n++
	}
	return n
}

// afterAlnum reports whether a letter or digit stands right before l.i. An x there is a multiplication sign.
func (l *lexer) afterAlnum() bool {
	if l.i == 0 {
		return false
	}
	r, n := utf8.DecodeLastRuneInString(l.s[:l.i])
	if r == 'x' || r == 'X' {
		prev, _ := utf8.DecodeLastRuneInString(l.s[:l.i-n])
		return unicode.IsLetter(prev)
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isCurrency(r rune) bool { return unicode.Is(unicode.Sc, r) && r != '¢' }
