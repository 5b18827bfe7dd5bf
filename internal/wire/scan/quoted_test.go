package scan

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weirhq/weir/internal/llm"
)

// readByByte is what quoted means: the string at the start of text, looked at byte by byte.
func readByByte(text []byte) (s Str, ok bool) {
	i := 1
	for i < len(text) && text[i] != '"' {
		switch {
		case text[i] < 0x20:
			return Str{}, false
		case text[i] != '\\':
			i++
			continue
		}
		n := escape(text[i:])
		if n == 0 {
			return Str{}, false
		}
		s.Escaped = true
		i += n
	}
	if i >= len(text) || !utf8.Valid(text[1:i]) {
		return Str{}, false
	}
	s.Span = llm.Span{Start: 1, End: i}
	return s, true
}

// pieces are what random strings are made of: runs of plain text of every length, and now and then what ends a run.
var pieces = []string{
	`"`, `\"`, `\\`, `\n`, `\u00e9`, `\ud83d\ude00`, `\`, `\x`, "\x00", "\x1f", "\x7f", "\x80", "\xff", "\xc3\xa9", "漢", "😀", "\xc3",
}

func randomString(r *rand.Rand, b []byte) []byte {
	b = append(b[:0], '"')
	const plain = "please check whether the invoice matches the order and the goods receipt, then say so in one word"
	for range r.IntN(4) {
		n := r.IntN(len(plain))
		b = append(b, plain[:n]...)
		if r.IntN(3) > 0 {
			b = append(b, pieces[r.IntN(len(pieces))]...)
		}
	}
	if r.IntN(4) > 0 {
		b = append(b, '"')
	}
	return append(b, plain[:r.IntN(40)]...)
}

func TestStringsAreReadAsByteByByte(t *testing.T) {
	rounds := 3_000_000
	if testing.Short() {
		rounds = 100_000
	}
	r := rand.New(rand.NewPCG(3, 9))
	var text []byte
	good := 0
	for range rounds {
		text = randomString(r, text)
		c := Open(text)
		got, ok := c.quoted()
		c.Close()
		want, wantOK := readByByte(text)
		if got != want || ok != wantOK {
			t.Fatalf("%q: read %+v %v, want %+v %v", text, got, ok, want, wantOK)
		}
		if ok {
			good++
		}
	}
	if good < rounds/10 || good > rounds*9/10 {
		t.Errorf("%d of %d strings are good: the test proves little", good, rounds)
	}
}

// Groups are skipped exactly up to the first mark, and every byte outside ASCII that is skipped is told, no other.
func TestGroupsWithoutAMarkAreSkippedWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var skipped, told int
	for range 300_000 {
		text := randomString(r, nil)
		from := 1 + r.IntN(len(text))
		end, seen := unmarked(text, from)
		want, high := from, false
		for want+32 <= len(text) && !strings.ContainsFunc(string(text[want:want+32]), marked) {
			for _, c := range text[want : want+32] {
				high = high || c >= utf8.RuneSelf
			}
			want += 32
		}
		if end != want || (seen&highs != 0) != high {
			t.Fatalf("%q from %d: end %d, beyond ASCII %v; want %d, %v", text, from, end, seen&highs != 0, want, high)
		}
		if end > from {
			skipped++
		}
		if high {
			told++
		}
	}
	if skipped < 10_000 || told < 1000 {
		t.Errorf("%d skips, %d of them beyond ASCII: the test proves little", skipped, told)
	}
}

func marked(r rune) bool { return r == '"' || r == '\\' || r < 0x20 }

// BenchmarkQuoted reads strings as they are in requests: keys, and prose with an escape now and then.
func BenchmarkQuoted(b *testing.B) {
	const prose = "please check whether the invoice matches the purchase order and the goods receipt "
	for _, tt := range []struct{ name, text string }{
		{"key", `"role"`},
		{"40B", `"` + prose[:40] + `"`},
		{"prose", `"` + strings.Repeat(strings.Repeat(prose, 13)[:1000]+`\n`, 100) + `"`},
		{"dense", `"` + strings.Repeat(prose[:60]+`\n`, 1700) + `"`},
		{"polish", `"` + strings.Repeat("proszę sprawdzić, czy faktura zgadza się z zamówieniem ", 1700) + `"`},
	} {
		b.Run(tt.name, func(b *testing.B) {
			text := []byte(tt.text)
			b.SetBytes(int64(len(text)))
			c := Open(text)
			defer c.Close()
			for b.Loop() {
				c.pos = 0
				if _, ok := c.quoted(); !ok {
					b.Fatal("not read")
				}
			}
		})
	}
}
