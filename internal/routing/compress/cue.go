package compress

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cue is the kind of thing that a question asks for. A sentence that holds one is more likely to answer it.
type cue uint8

const (
	noCue     cue = iota
	cueTime       // when, what year
	cueNumber     // how many, how much
	cueName       // who, where, which
)

// cueWords open the kinds, as they stand in a lower-case question, English and German.
var cueWords = []struct {
	word string
	kind cue
}{
	{" when ", cueTime},
	{" what year ", cueTime},
	{" which year ", cueTime},
	{" what date ", cueTime},
	{
		" due date ",
		cueTime,
	},
	{" deadline ", cueTime},
	{" wann ", cueTime},
	{" how many ", cueNumber},
	{" how much ", cueNumber},
	{
		" how old ",
		cueNumber,
	},
	{" how long ", cueNumber},
	{" amount ", cueNumber},
	{" total ", cueNumber},
	{" price ", cueNumber},
	{
		" wie viel ",
		cueNumber,
	},
	{" wie viele ", cueNumber},
	{" who ", cueName},
	{" who's ", cueName},
	{" whom ", cueName},
	{" where ", cueName},
	{" wer ", cueName},
	{" wo ", cueName},
	{" wen ", cueName},
}

// cueOf reads the kind off a question: its first cue word decides.
func cueOf(question string) cue {
	q := " " + strings.Map(func(r rune) rune {
		if strings.ContainsRune("?.,!:;\"()", r) {
			return ' '
		}
		return unicode.ToLower(r)
	}, question) + " "
	q = " " + strings.Join(strings.Fields(q), " ") + " "
	best, at := noCue, len(q)
	for _, c := range cueWords {
		if i := strings.Index(q, c.word); i >= 0 && i < at {
			best, at = c.kind, i
		}
	}
	return best
}

// answers reports whether a unit holds a thing of the kind.
func (c cue) answers(s string) bool {
	switch c {
	case cueTime:
		return hasYear(s)
	case cueNumber:
		return strings.ContainsAny(s, "0123456789") || numberWord(s)
	case cueName:
		return hasName(s)
	}
	return false
}

// hasYear finds four digits in a row that no digit touches, or the name of a month.
func hasYear(s string) bool {
	run := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && isDigit(s[i]) {
			run++
			continue
		}
		if run == 4 {
			return true
		}
		run = 0
	}
	for _, w := range strings.Fields(s) {
		if upper(w[0]) && month(strings.Trim(w, ".,;:()")) {
			return true
		}
	}
	return false
}

// numberWord finds a number in letters.
func numberWord(s string) bool {
	for _, w := range strings.Fields(s) {
		switch strings.ToLower(strings.Trim(w, ".,;:()")) {
		case "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "hundred",
			"thousand",
			"million", "billion", "dozen":
			return true
		}
	}
	return false
}

// hasName finds two capitalised words in a row that do not open the sentence, or one after the middle of a sentence.
func hasName(s string) bool {
	before := true // the word before is capitalised or there is none
	for i, w := range strings.Fields(s) {
		r, _ := utf8.DecodeRuneInString(strings.TrimLeft(w, `("'[`))
		now := unicode.IsUpper(r)
		if now && before && i > 1 {
			return true
		}
		before = now
	}
	return false
}
