// Package quality looks at what models say, so that a change of it can be seen over time. Today: the language of an
// answer. It keeps no text, asks no model and knows no call.
package quality

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// sampled is how many bytes of a text are looked at: a language shows in its first lines, and no answer may cost more to
// look at than a few microseconds.
const sampled = 1 << 10

// Undetermined is what Language says of a text that it cannot tell.
const Undetermined = "und"

// Languages are the codes (ISO 639-1) that Language tells.
var Languages = []string{
	"ar", "bg", "ca", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "hy", "id", "it", "ja", "ka",
	"ko", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sv", "th", "tr", "uk", "ur", "vi", "zh",
}

// own are scripts that one language is written in, or nearly so, as ranges of letters in ascending order.
var own = []struct {
	first, last rune
	language    string
}{
	{0x370, 0x3ff, "el"},
	{0x530, 0x58f, "hy"},
	{0x590, 0x5ff, "he"},
	{0xe00, 0xe7f, "th"},
	{0x10a0, 0x10ff, "ka"},
	{0x1100, 0x11ff, "ko"},
	{0x1f00, 0x1fff, "el"},
	{0x3041, 0x30ff, "ja"},
	{0x3400, 0x4dbf, "zh"},
	{0x4e00, 0x9fff, "zh"},
	{0xac00, 0xd7a3, "ko"},
}

// What it takes to tell a language.
const (
	leastLetters = 8      // of a script that is a language's own
	leastScore   = 3 * 60 // three words that no other language has
	leastPart    = 5      // one of so many words is a common one
)

// mark is a set of languages, by their place in spoken.
type mark uint32

// spoken are the languages told by their words; marks are the common words with the languages that have them.
var spoken, marks = func() (names []string, of map[string]mark) {
	of = map[string]mark{}
	for _, name := range Languages {
		if common[name] == "" {
			continue
		}
		for _, w := range strings.Fields(common[name]) {
			of[w] |= 1 << len(names)
		}
		names = append(names, name)
	}
	return names, of
}()

// Language tells in which language a text is written, from its first kilobyte: by its script where that is one
// language's own, else by the commonest words. A text that is short, mixed or no prose is Undetermined: a wrong guess
// would be worse than none. The zero text is Undetermined too.
func Language(text string) string {
	if len(text) > sampled {
		end := sampled
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	var t teller
	for _, r := range text {
		t.take(r)
	}
	t.word()
	return t.tell()
}

// teller reads a text letter by letter.
type teller struct {
	buf   [48]byte // the word so far, in lower case
	n     int
	spoil bool // the word has a digit or an underscore, or is too long: it is no word of prose

	words, hits int
	letters     int
	scripts     [16]int // letters by place in own
	scores      [32]int // by place in spoken
}

func (t *teller) take(r rune) {
	if r < utf8.RuneSelf {
		t.ascii(byte(r))
		return
	}
	for i := range own {
		if r < own[i].first {
			break
		}
		if r <= own[i].last { // its words are not looked at
			t.word()
			t.letters++
			t.scripts[i]++
			return
		}
	}
	switch {
	case 0x430 <= r && r <= 0x45f: // small Cyrillic letters, without a look into the tables
	case !unicode.IsLetter(r) && !unicode.IsMark(r):
		t.word()
		return
	default:
		r = unicode.ToLower(r)
	}
	t.letters++
	if t.n+utf8.UTFMax > len(t.buf) {
		t.spoil = true
		return
	}
	t.n += utf8.EncodeRune(t.buf[t.n:], r)
}

func (t *teller) ascii(c byte) {
	switch {
	case 'A' <= c && c <= 'Z':
		c += 'a' - 'A'
	case 'a' <= c && c <= 'z':
	case '0' <= c && c <= '9', c == '_':
		t.spoil = true
		return
	default:
		t.word()
		return
	}
	t.letters++
	if t.n == len(t.buf) {
		t.spoil = true
		return
	}
	t.buf[t.n] = c
	t.n++
}

// word ends the word. Sixty points are shared by the languages that have it among their common ones.
func (t *teller) word() {
	if t.n > 0 && !t.spoil {
		t.words++
		if m := marks[string(t.buf[:t.n])]; m != 0 {
			t.hits++
			t.score(m)
		}
	}
	t.n, t.spoil = 0, false
}

func (t *teller) score(m mark) {
	n := 0
	for x := m; x != 0; x &= x - 1 {
		n++
	}
	for i := range spoken {
		if m&(1<<i) != 0 {
			t.scores[i] += 60 / n
		}
	}
}

func (t *teller) tell() string {
	if s := t.script(); s != "" {
		return s
	}
	best, most, next := 0, 0, 0
	for i := range spoken {
		switch n := t.scores[i]; {
		case n > most:
			best, most, next = i, n, most
		case n > next:
			next = n
		}
	}
	if most < leastScore || t.hits*leastPart < t.words || most*3 < next*4 {
		return Undetermined
	}
	return spoken[best]
}

// script is the language whose own script most letters are of; Japanese mixes its own with Han.
func (t *teller) script() string {
	var most, kana, all int
	best := ""
	for i, n := range t.scripts[:len(own)] {
		all += n
		if n > most {
			most, best = n, own[i].language
		}
		if own[i].language == "ja" {
			kana += n
		}
	}
	switch {
	case all < leastLetters || all*2 < t.letters:
		return ""
	case kana*10 > all:
		return "ja"
	case most*10 < all*9:
		return Undetermined
	}
	return best
}
