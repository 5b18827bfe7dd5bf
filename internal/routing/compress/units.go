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
	shard   bool // part of a token too long for a unit: it has no meaning by itself and is left out of every brief
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
				u := unit{
					piece: i, passage: passage, text: s.text, line: k == 0, row: row, head: head, turn: p.turn,
					user: p.user, shard: s.shard,
				}
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

// cut is one stretch of a line. shard: it begins or ends inside a token.
type cut struct {
	text  string
	shard bool
}

// cutLine cuts a line into rows if it is data, else into sentences; over-long ones are cut at spaces.
func cutLine(line string) []cut {
	var out []cut
	parts := []string{line}
	switch {
	case len(line) > longUnit && rowLike(line):
		parts = cutRows(line)
	case !rowLike(line):
		parts = sentences(line)
	}
	for _, s := range parts {
		for s = strings.TrimSpace(s); len(s) > longUnit; s = strings.TrimSpace(s) {
			at := cutAt(s)
			if at > 0 {
				out = append(out, cut{text: strings.TrimSpace(s[:at])})
				s = s[at:]
				continue
			}
			end := strings.IndexFunc(s, seam)
			if end < 0 {
				end = len(s)
			}
			out = appendShards(out, s[:end])
			s = s[end:]
		}
		if s != "" {
			out = append(out, cut{text: s})
		}
	}
	return out
}

// seam reports whether a token may be cut after r, as minified data and text without spaces must be: no number, date
// or id reaches over it.
func seam(r rune) bool { return !word(r) && !joiner(r) && !unicode.Is(unicode.Sc, r) && r != '#' }

// cutAt is where to cut a long text: at the last space within longUnit, else after the word that begins there, else
// at a seam. 0 = nowhere: the text begins with a token that is longer than any unit.
func cutAt(s string) int {
	most := min(len(s), 4*longUnit)
	if i := strings.LastIndexAny(s[:longUnit], " \t"); i > longUnit/4 {
		return i
	}
	if i := strings.IndexAny(s[longUnit:most], " \t"); i >= 0 {
		return longUnit + i
	}
	if len(s) <= most {
		return len(s)
	}
	if i := strings.LastIndexAny(s[:longUnit], " \t"); i > 0 {
		return i
	}
	if i := strings.LastIndexFunc(s[:longUnit], seam); i >= 0 && utf8.FullRuneInString(s[i:longUnit]) {
		_, n := utf8.DecodeRuneInString(s[i:])
		return i + n
	}
	for i := longUnit; i < most; {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if utf8.RuneStart(s[i-n]) && seam(r) {
			return i
		}
	}
	return 0
}

// appendShards adds a token in stretches of at most 4*longUnit bytes.
func appendShards(out []cut, token string) []cut {
	for token != "" {
		at := min(len(token), 4*longUnit)
		for at < len(token) && !utf8.RuneStart(token[at]) {
			at--
		}
		if at == 0 { // bytes that are no text
			at = min(len(token), 4*longUnit)
		}
		out = append(out, cut{text: token[:at], shard: true})
		token = token[at:]
	}
	return out
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
