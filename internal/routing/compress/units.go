package compress

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// unit is what is kept or left out as a whole: a sentence, a row of a table or log, an element of a JSON document.
type unit struct {
	text    string
	piece   int32 // index of its piece
	passage int32 // running number of its paragraph
	head    int32 // the unit that names its columns, or the object that it is of, as an index; -1 = none
	node    int32 // the array or object of a JSON document that it stands in, as an index; -1 = none
	line    bool  // begins a line
	row     bool  // a row of data: it stands for itself, its neighbours say nothing of it
	log     bool  // a line of a log
	alarm   bool  // a line that tells of an error
	turn    bool  // of a turn of the conversation
	user    bool  // said by the user
	shard   bool  // part of a token too long for a unit: it has no meaning by itself and is left out of every brief
}

const (
	longUnit    = 480 // bytes: a sentence above is cut at a space
	passageSize = 12  // units: a paragraph is taken in stretches of this many
)

// source is the pieces cut into units, in order, and the arrays and objects of the JSON documents among them. Every unit
// is a substring of its piece.
type source struct {
	units []unit
	nodes []node
}

// cutter is one cutting of pieces.
type cutter struct {
	source
	piece     piece
	at        int32 // number of the piece
	passage   int32
	inPassage int
	head      int32
	flat      bool // leave JSON documents as lines
}

// split cuts pieces into units.
func split(pieces []piece) source { return cutAll(pieces, false) }

// splitFlat cuts pieces into units without regard to JSON documents.
func splitFlat(pieces []piece) source { return cutAll(pieces, true) }

func cutAll(pieces []piece, flat bool) source {
	room := len(pieces)
	for _, p := range pieces {
		room += max(len(p.text)/128, strings.Count(p.text, "\n"))
	}
	c := &cutter{flat: flat}
	c.units = make([]unit, 0, room)
	for i, p := range pieces {
		c.piece, c.at = p, int32(i)
		c.cutPiece()
		c.gap()
	}
	return c.source
}

// gap begins a new passage.
func (c *cutter) gap() {
	c.passage++
	c.inPassage, c.head = 0, -1
}

// add appends a unit of the piece under way.
func (c *cutter) add(u unit) {
	if c.inPassage == passageSize {
		c.passage++
		c.inPassage = 0
	}
	u.piece, u.passage, u.turn, u.user = c.at, c.passage, c.piece.turn, c.piece.user
	c.units = append(c.units, u)
	c.inPassage++
}

// cutPiece cuts the piece line by line; a JSON document of some length is cut by its elements.
func (c *cutter) cutPiece() {
	c.inPassage, c.head = 0, -1
	if !c.piece.turn && !c.flat && codeLike(c.piece.text) {
		c.cutCode()
		return
	}
	text, noJSON := c.piece.text, 0 // before noJSON a bracket opens no document
	for at := 0; at < len(text); {
		end := at + strings.IndexByte(text[at:], '\n')
		if end < at {
			end = len(text)
		}
		line := text[at:end]
		if opens(line) && !c.flat && at >= noJSON {
			from := at + strings.IndexAny(line, "{[")
			doc := scanJSON(text, from)
			if doc.ok && doc.end-from > longUnit {
				c.gap()
				c.cutJSON(text, from, doc)
				c.gap()
				at = doc.end
				continue
			}
			noJSON = doc.end
		}
		next := ""
		if end < len(text) {
			next, _, _ = strings.Cut(text[end+1:min(len(text), end+1+longUnit)], "\n")
		}
		c.takeLine(line, next)
		at = end + 1
	}
}

// opens reports whether a line could begin a JSON document.
func opens(line string) bool {
	t := strings.TrimLeft(line, " \t")
	return t != "" && (t[0] == '{' || t[0] == '[')
}

// takeLine adds the units of a line, which another follows.
func (c *cutter) takeLine(line, next string) {
	if strings.TrimSpace(line) == "" {
		c.gap()
		return
	}
	row := rowLike(line)
	switch {
	case row && headsTable(line, next):
		c.head = int32(len(c.units))
	case !row:
		c.head = -1
	}
	isLog := row && logLine(line)
	alarm := !c.piece.turn && alarming(line, isLog)
	for k, s := range cutLine(line) {
		u := unit{text: s.text, line: k == 0, row: row, log: isLog, alarm: alarm && k == 0, head: c.head, node: -1, shard: s.shard}
		if c.head == int32(len(c.units)) {
			u.head = -1
		}
		c.add(u)
	}
}

// headsTable reports whether a row names the columns of the row after it: as many separators, and no digits in it unless
// a rule of dashes follows.
func headsTable(row, next string) bool {
	if strings.ContainsAny(row, "{}[]<>") {
		return false
	}
	if strings.Contains(next, "--") && strings.Trim(next, "|+-: \t\r") == "" {
		return true
	}
	if strings.ContainsAny(row, "0123456789") {
		return false
	}
	for _, sep := range []string{"|", "\t", ";", ","} {
		if n := strings.Count(row, sep); n > 0 {
			return strings.Count(next, sep) == n
		}
	}
	return columns(row) >= 2 && columns(next) >= 2
}

// columns counts the gaps of two spaces or more within a line, as they stand between the columns of a listing.
func columns(line string) int {
	t, n := strings.TrimSpace(line), 0
	for i := 1; i+1 < len(t); i++ {
		if t[i] == ' ' && t[i+1] == ' ' && t[i-1] != ' ' && strings.IndexByte(".!?", t[i-1]) < 0 {
			n++
		}
	}
	return n
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
		out = appendCuts(out, s)
	}
	return out
}

// appendCuts adds a text, cut where it is longer than a unit may be.
func appendCuts(out []cut, s string) []cut {
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
	return tight(t, ",") >= 3 || columns(t) >= 2 || logLine(t)
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
