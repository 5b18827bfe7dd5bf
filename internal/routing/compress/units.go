package compress

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// unit is what is kept or left out as a whole: a sentence, or a row of a table, log or JSON document.
type unit struct {
	piece   int // index of its piece
	passage int // running number of its paragraph
	text    string
	line    bool // begins a line
	row     bool // a row of data: it stands for itself, its neighbours say nothing of it
	head    int  // rows of a table: the unit that names its columns, as an index; -1 = none
	turn    bool // of a turn of the conversation
	user    bool // said by the user
}

const (
	longUnit    = 480 // bytes: a sentence above is cut at a space
	passageSize = 12  // units: a paragraph is taken in stretches of this many
)

// split cuts pieces into units, in order. Every unit is a substring of its piece.
func split(pieces []piece) []unit {
	var out []unit
	passage := 0
	for i, p := range pieces {
		inPassage, head := 0, -1
		lines := strings.Split(p.text, "\n")
		for n, line := range lines {
			if strings.TrimSpace(line) == "" {
				passage++
				inPassage, head = 0, -1
				continue
			}
			row := rowLike(line)
			if row && n+1 < len(lines) && headsTable(line, lines[n+1]) {
				head = len(out)
			} else if !row {
				head = -1
			}
			for k, s := range cutLine(line) {
				if inPassage == passageSize {
					passage++
					inPassage = 0
				}
				u := unit{piece: i, passage: passage, text: s, line: k == 0, row: row, head: head, turn: p.turn, user: p.user}
				if head == len(out) {
					u.head = -1
				}
				out = append(out, u)
				inPassage++
			}
		}
		passage++
	}
	return out
}

// headsTable reports whether a row names the columns of the row after it: no digits, as many separators.
func headsTable(row, next string) bool {
	if strings.ContainsAny(row, "0123456789{}[]<>") || !strings.ContainsAny(row, "|;,\t") {
		return false
	}
	for _, sep := range []string{"|", "\t", ";", ","} {
		if n := strings.Count(row, sep); n > 0 {
			return strings.Count(next, sep) == n
		}
	}
	return false
}

// cutLine cuts a line into rows if it is data, else into sentences; over-long ones are cut at spaces.
func cutLine(line string) []string {
	var out []string
	parts := []string{line}
	switch {
	case len(line) > longUnit && rowLike(line):
		parts = cutRows(line)
	case !rowLike(line):
		parts = sentences(line)
	}
	for _, s := range parts {
		for len(s) > longUnit {
			at := cutAt(s)
			out = appendTrimmed(out, s[:at])
			s = s[at:]
		}
		out = appendTrimmed(out, s)
	}
	return out
}

func appendTrimmed(out []string, s string) []string {
	if s = strings.TrimSpace(s); s != "" {
		out = append(out, s)
	}
	return out
}

// cutAt is where to cut a long text: at the last space within longUnit, else after the word that begins there.
func cutAt(s string) int {
	if i := strings.LastIndexAny(s[:longUnit], " \t"); i > longUnit/4 {
		return i
	}
	if i := strings.IndexAny(s[longUnit:min(len(s), 4*longUnit)], " \t"); i >= 0 {
		return longUnit + i
	}
	at := min(len(s), 4*longUnit)
	for at < len(s) && !utf8.RuneStart(s[at]) {
		at++
	}
	return at
}

// rowLike reports whether a line is data rather than prose: JSON, a table row, a log line.
func rowLike(line string) bool {
	t := strings.TrimSpace(line)
	switch t[0] {
	case '{', '[', '|', '}', ']', '"', '<':
		return true
	}
	if strings.Count(t, "|") >= 2 || strings.Count(t, "\t") >= 2 || tight(t, ";") >= 2 {
		return true
	}
	if isDigit(t[0]) && len(t) > 19 && (t[4] == '-' || t[2] == ':') { // begins with a time stamp
		return true
	}
	return tight(t, ",") >= 3
}

// tight counts how often sep stands without a space after it.
func tight(s, sep string) int { return strings.Count(s, sep) - strings.Count(s, sep+" ") }

// cutRows cuts one long line of data after the closing brackets of its elements.
func cutRows(line string) []string {
	var out []string
	from := 0
	for i := 0; i+1 < len(line); i++ {
		if (line[i] == '}' || line[i] == ']') && line[i+1] == ',' && i+2-from >= 40 {
			out = append(out, line[from:i+2])
			from = i + 2
		}
	}
	return append(out, line[from:])
}

// abbreviations end with a point that ends no sentence.
var abbreviations = map[string]bool{
	"mr": true, "mrs": true, "ms": true, "dr": true, "prof": true, "st": true, "inc": true, "ltd": true,
	"co": true, "corp": true, "vs": true, "jr": true, "sr": true, "e.g": true, "i.e": true, "approx": true,
	"u.s": true, "u.k": true, "jan": true, "feb": true, "mar": true, "apr": true, "jun": true,
	"jul": true, "aug": true, "sep": true, "sept": true, "oct": true, "nov": true, "dec": true, "z.b": true, "bzw": true,
}

// sentences cuts prose after . ! ? that a space and no small letter follow.
func sentences(line string) []string {
	var out []string
	from := 0
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c != '.' && c != '!' && c != '?' {
			continue
		}
		end := i + 1
		for end < len(line) && strings.IndexByte(`"')]`, line[end]) >= 0 {
			end++
		}
		if end >= len(line) || line[end] != ' ' {
			continue
		}
		next, _ := utf8.DecodeRuneInString(strings.TrimLeft(line[end:], " "))
		if unicode.IsLower(next) || c == '.' && abbreviated(line[from:i], unicode.IsDigit(next)) {
			continue
		}
		out = append(out, line[from:end])
		from = end
	}
	return append(out, line[from:])
}

// beforeNumber are abbreviations only when a number follows: "no. 5".
var beforeNumber = map[string]bool{"no": true, "nr": true, "fig": true, "art": true, "sec": true}

// abbreviated reports whether a text that a point follows ends in an abbreviation, an initial or a list number.
func abbreviated(s string, number bool) bool {
	at := strings.LastIndexByte(s, ' ') + 1
	word := strings.TrimLeft(s[at:], `("'[`)
	if len(word) == 1 && unicode.IsUpper(rune(word[0])) {
		return true
	}
	if len(word) == len(strings.TrimSpace(s)) && len(word) <= 3 && strings.Trim(word, "0123456789") == "" {
		return true
	}
	if allDigits(word) && len(word) <= 3 && numbered[wordBefore(s, at)] { // "Section 3. The buyer ..."
		return true
	}
	word = strings.ToLower(word)
	return abbreviations[word] || number && beforeNumber[word]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
