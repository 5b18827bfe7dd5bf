package wholeword

import (
	"strconv"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestIn(t *testing.T) {
	for _, tt := range []struct {
		text, word string
		want       bool
	}{
		{"pay INV-402 now", "INV-402", true},
		{"INV-402", "INV-402", true},
		{"pay INV-4020 now", "INV-402", false},
		{"pay XINV-402 now", "INV-402", false},
		{"INV-4020, INV-402.", "INV-402", true}, // the first place does not count, the second does
		{"(INV-402)", "INV-402", true},
		{"über 12 €", "12 €", true},
		{"12 €5", "12 €", true}, // the end is no letter: anything may touch it
		{"é402", "402", false},
		{"402é", "402", false},
		{"\xff402\xff", "402", true}, // bytes that are no text are no letters
		{"aaa", "aa", false},
		{"aaa aa", "aa", true},
		{"", "a", false},
		{"a", "", false},
	} {
		if got := In(tt.text, tt.word); got != tt.want {
			t.Errorf("%q in %q = %t, want %t", tt.word, tt.text, got, tt.want)
		}
	}
}

// TestInFindsTheWordsOfAText compares with a text that is cut into words.
func TestInFindsTheWordsOfAText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ab1é ,-]{0,30}`).Draw(t, "text")
		word := rapid.StringMatching(`[ab1é]{1,3}`).Draw(t, "word")
		want := false
		for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			want = want || w == word
		}
		if got := In(text, word); got != want {
			t.Fatalf("%q in %q = %t, want %t", word, text, got, want)
		}
	})
}

// TestAtAgreesWithIn: a word stands in a text when it stands at one of its places.
func TestAtAgreesWithIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a1é#,-]{0,30}`).Draw(t, "text")
		word := rapid.StringMatching(`[a1é#-]{1,4}`).Draw(t, "word")
		want := false
		for i := range text {
			want = want || strings.HasPrefix(text[i:], word) && At(text, i, i+len(word))
		}
		if got := In(text, word); got != want {
			t.Fatalf("%q in %q = %t, want %t", word, text, got, want)
		}
	})
	if At("a", 1, 1) {
		t.Error("nothing stands alone")
	}
}

func BenchmarkInOneLongRun(b *testing.B) {
	for _, n := range []int{1 << 16, 1 << 18} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			text, word := strings.Repeat("1", n), strings.Repeat("1", n/2)
			for b.Loop() {
				if In(text, word) {
					b.Fatal("found")
				}
			}
		})
	}
}
