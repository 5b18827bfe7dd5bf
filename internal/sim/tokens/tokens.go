// Package tokens is the simulated providers' own token counter: what they bill. It is on purpose not the counter that a
// gateway estimates with, so that estimates meet a bill they did not write.
//
// It cuts text into the pieces that the o200k pattern cuts (words with their leading space, groups of up to three
// digits, runs of punctuation, line breaks) and prices each piece by its kind and length, calibrated against o200k; the
// tests hold the difference. It keeps no vocabulary: a rule of thumb that is deterministic and some hundred times
// faster than byte-pair merging. It is not a tokenizer and gives no token ids.
package tokens

import (
	"unicode"
	"unicode/utf8"
)

// Count is the number of tokens of a text.
func Count(text string) int {
	n := 0
	for len(text) > 0 {
		size, cost := piece(text)
		n += cost
		text = text[size:]
	}
	return n
}

// Cut is the longest prefix of whole pieces that counts at most n tokens, and whether anything was left out.
func Cut(text string, n int) (prefix string, cut bool) {
	at, used := 0, 0
	for at < len(text) {
		size, cost := piece(text[at:])
		if used+cost > n {
			return text[:at], true
		}
		at, used = at+size, used+cost
	}
	return text, false
}

// Chunks cuts a text into consecutive chunks of at least n tokens each (the last may have fewer): what a provider
// streams. Joined, the chunks are the text. n < 1 counts as 1.
func Chunks(text string, n int) []string {
	var out []string
	from, at, used := 0, 0, 0
	for at < len(text) {
		size, cost := piece(text[at:])
		at, used = at+size, used+cost
		if used >= max(n, 1) {
			out = append(out, text[from:at])
			from, used = at, 0
		}
	}
	if from < len(text) {
		out = append(out, text[from:])
	}
	return out
}

// piece finds the size in bytes and the cost in tokens of the first piece of a text that is not empty.
func piece(s string) (size, cost int) {
	c := s[0]
	switch {
	case c == '\n' || c == '\r':
		return breaks(s), 1
	case c == ' ' || c == '\t':
		return space(s)
	case c >= '0' && c <= '9':
		return digits(s), 1
	case asciiLetter(c):
		return word(s, 0)
	case c < utf8.RuneSelf:
		if len(s) > 1 && asciiLetter(s[1]) {
			return markedWord(s)
		}
		return punct(s, 0)
	}
	return foreign(s)
}

func asciiLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

func asciiPunct(c byte) bool {
	return c > ' ' && c < 0x7f && !asciiLetter(c) && (c < '0' || c > '9')
}

func breaks(s string) int {
	n := 0
	for n < len(s) && (s[n] == '\n' || s[n] == '\r') {
		n++
	}
	return n
}

func digits(s string) int {
	n := 0
	for n < len(s) && n < 3 && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// space is a run of blanks; a single blank joins the word or punctuation after it, as in the o200k pattern.
func space(s string) (size, cost int) {
	n := 0
	for n < len(s) && (s[n] == ' ' || s[n] == '\t') {
		n++
	}
	if n == len(s) || s[n] == '\n' || s[n] == '\r' || s[n] >= utf8.RuneSelf {
		return n, 1
	}
	if n > 1 { // the last blank belongs to what follows
		return n - 1, 1
	}
	switch {
	case asciiLetter(s[1]):
		return word(s, 1)
	case asciiPunct(s[1]) && s[0] == ' ':
		return punct(s, 1)
	}
	return 1, 1
}

// word prices a run of ASCII letters from s[from:]. Upper case after lower case starts a new piece.
func word(s string, from int) (size, cost int) {
	n, caps := from, 0
	for n < len(s) && upper(s[n]) {
		n++
		caps++
	}
	for n < len(s) && s[n] >= 'a' && s[n] <= 'z' {
		n++
	}
	letters := n - from
	if n < len(s) && s[n] >= utf8.RuneSelf {
		if more := alphabetic(s[n:]); more > 0 {
			return n + more, wordCost(letters+more) + (letters+more)/10
		}
	}
	if caps == letters { // an all-capitals word or a code
		return n, capsCost(letters)
	}
	if n+1 < len(s) && s[n] == '\'' && asciiLetter(s[n+1]) && s[n+1] >= 'a' && contraction(s[n+1:]) > 0 {
		n += 1 + contraction(s[n+1:])
		return n, wordCost(letters) + 1
	}
	if from == 0 {
		return n, bareCost(letters)
	}
	return n, wordCost(letters)
}

// alphabetic is the length of the run of letters at the start of s, 0 when it starts with an ideograph.
func alphabetic(s string) int {
	n := 0
	for n < len(s) {
		r, w := utf8.DecodeRuneInString(s[n:])
		if wide(r) || !unicode.IsLetter(r) && !unicode.IsMark(r) {
			break
		}
		n += w
	}
	return n
}

// contraction is the length of 's, 't, 're, 've, 'm, 'll or 'd at the start of s, 0 when there is none.
func contraction(s string) int {
	n := 0
	for n < len(s) && s[n] >= 'a' && s[n] <= 'z' {
		n++
	}
	switch s[:n] {
	case "s", "t", "m", "d", "re", "ve", "ll":
		return n
	}
	return 0
}

// wordCost prices a word with its leading blank: nearly all English words up to nine letters are one token.
func wordCost(letters int) int {
	if letters <= 12 {
		return 1
	}
	return 1 + (letters-6)/6
}

// bareCost prices a word without a leading blank: fewer of those stand in a vocabulary.
func bareCost(letters int) int {
	if letters <= 8 {
		return 1
	}
	return 1 + (letters-3)/6
}

// capsCost prices capitals: short codes are one token, longer ones break up.
func capsCost(letters int) int {
	if letters <= 3 {
		return 1
	}
	return (letters + 2) / 3
}

// markedWord is one mark followed by letters ("-net", "(see"): the mark joins the word when the pair is common.
func markedWord(s string) (size, cost int) {
	n, c := word(s, 1)
	switch s[0] {
	case '-', '_', '.', '/', '(', '"', '\'', '<', '$', '#', '@':
		if n-1 <= 3 {
			return n, c
		}
	}
	return n, c + 1
}

// punct is a run of punctuation from s[from:], with line breaks and slashes after it.
func punct(s string, from int) (size, cost int) {
	n := from
	for n < len(s) && asciiPunct(s[n]) {
		n++
	}
	if n == from { // a control character
		return from + 1, 1
	}
	run := n - from
	for n < len(s) && (s[n] == '\n' || s[n] == '\r') {
		n++
	}
	if same(s[from : from+run]) { // rulers: ---- and ====
		return n, 1 + run/16
	}
	return n, (run + 2) / 3
}

func same(s string) bool {
	for i := range len(s) {
		if s[i] != s[0] {
			return false
		}
	}
	return true
}

// foreign is a run of letters beyond ASCII: about a token a rune for ideographs, three runes a token for alphabets.
func foreign(s string) (size, cost int) {
	n, runes, ideographs := 0, 0, 0
	for n < len(s) {
		r, w := utf8.DecodeRuneInString(s[n:])
		if r < utf8.RuneSelf && !asciiLetter(s[n]) {
			break
		}
		if runes > 0 && !unicode.IsLetter(r) && !unicode.IsMark(r) {
			break
		}
		if wide(r) {
			ideographs++
		}
		n += w
		runes++
		if runes == 1 && !unicode.IsLetter(r) { // a symbol stands alone
			return n, 1
		}
	}
	return n, max(1, (ideographs*4+(runes-ideographs)*2+4)/5)
}

func wide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}
