// Package wholeword finds whole words in a text. Ids and amounts count only when they stand alone: INV-40 is not in INV-402.
// It neither folds case nor normalizes: its callers do, each in its own way.
package wholeword

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// In reports whether word stands in text with no letter or digit touching an end of it that is one. The empty word
// stands nowhere.
func In(text, word string) bool {
	if word == "" {
		return false
	}
	first, _ := utf8.DecodeRuneInString(word)
	last, _ := utf8.DecodeLastRuneInString(word)
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(word):])
		if !(alnum(first) && alnum(before)) && !(alnum(last) && alnum(after)) {
			return true
		}
		from = i + 1
	}
}

func alnum(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
