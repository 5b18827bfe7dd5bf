// Package wholeword finds whole words in a text. Ids and amounts count only when they stand alone: INV-40 is not in
// INV-402. It neither folds case nor normalizes: its callers do, each in its own way.
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
		if alone(text, i, i+len(word), first, last) {
			return true
		}
		from = i + 1
		if alnum(first) { // the next place cannot be inside this run of letters and digits
			from = i + run(text[i:])
		}
	}
}

// At reports whether text[start:end] stands in text as In wants it. An empty stretch does not.
func At(text string, start, end int) bool {
	if start >= end {
		return false
	}
	first, _ := utf8.DecodeRuneInString(text[start:end])
	last, _ := utf8.DecodeLastRuneInString(text[start:end])
	return alone(text, start, end, first, last)
}

func alone(text string, start, end int, first, last rune) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return !(alnum(first) && alnum(before)) && !(alnum(last) && alnum(after))
}

// run is the size of the letters and digits that text begins with.
func run(text string) int {
	for i, r := range text {
		if !alnum(r) {
			return i
		}
	}
	return len(text)
}

func alnum(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
