package compress

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// class is the class of a fact.
type class uint8

const (
	number     class = iota // a bare number: never pinned, but may not be invented
	amount                  // a number with a currency or a percent sign
	date                    // 2026-11-24, 24.11.2026, Nov 24, 2026
	ident                   // INV-402, #402, UUID, IBAN, e-mail address
	obligation              // a whole sentence that says what must not be
)

// fact is one fact of a text. key is how it is compared: normal form. start and end are its place in the text.
type fact struct {
	class      class
	key        string
	start, end int
}

// atom is a run of letters, digits and the marks that join them, with at least one digit or an at sign. A comma joins
// only the digits of one number: the cells of a row are atoms of their own.
type atom struct {
	start, end int
	text       string
}

// factsOf lists the numbers, amounts, dates and ids of a text in order. Facts do not reach across line ends.
func factsOf(s string) []fact {
	var out []fact
	end := 0
	for a, ok := nextAtom(s, 0); ok; a, ok = nextAtom(s, a.end) {
		if a.start < end { // of the fact before
			continue
		}
		f := classify(s, a)
		f.key = normal(s[f.start:f.end])
		out = append(out, f)
		end = f.end
	}
	return out
}

// nextAtom finds the first atom at or after i.
func nextAtom(s string, i int) (atom, bool) {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !word(r) {
			i += n
			continue
		}
		a := atom{start: i}
		digit, plain := false, true
		for !ends(s, i) {
			r, n := utf8.DecodeRuneInString(s[i:])
			plain = plain && !unicode.IsLetter(r) && r != '_'
			if r == ',' && !(plain && numberComma(s[a.start:], i-a.start)) {
				break
			}
			digit = digit || unicode.IsDigit(r) || r == '@'
			i += n
		}
		if digit {
			a.end, a.text = i, s[a.start:i]
			return a, true
		}
	}
	return atom{}, false
}

func word(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

func wordAt(s string, i int) bool {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return word(r)
}

// ends reports whether no atom that ends at i could go on there.
func ends(s string, i int) bool {
	r, n := utf8.DecodeRuneInString(s[i:])
	return !word(r) && !(joiner(r) && wordAt(s, i+n))
}

// numberComma reports whether the comma at i of an atom that began with s stands inside a number: before a group of
// three digits, or as a decimal comma before one or two.
func numberComma(s string, i int) bool {
	from := i
	for from > 0 && i-from <= 3 && isDigit(s[from-1]) {
		from--
	}
	end := i + 1
	for end < len(s) && end-i <= 4 && isDigit(s[end]) {
		end++
	}
	before, after := i-from, end-i-1
	opens := from == 0 || s[from-1] == '-' && strings.Count(s[:min(from, 16)], "-") == 1
	if before == 0 || wordAt(s, end) {
		return false
	}
	switch after {
	case 3:
		return before <= 3 && (opens || s[from-1] == ',' && before == 3)
	case 1, 2:
		return ends(s, end) && (opens || allDigits(s[:i]) || s[from-1] == '.' && before == 3)
	}
	return false
}

// joiner reports whether r may stand inside an id, number or date.
func joiner(r rune) bool {
	return strings.ContainsRune("-.,/:@+\u2010\u2011", r)
}

// classify says what an atom is, taking in the signs and words beside it that belong to it.
func classify(s string, a atom) fact {
	f := fact{class: number, start: a.start, end: a.end}
	if strings.Trim(a.text, "0123456789.,") != "" {
		return classifyMixed(s, a, f)
	}
	if f.start > 0 && s[f.start-1] == '#' {
		f.class, f.start = ident, f.start-1
		return f
	}
	if at, ok := currencyBefore(s, a.start); ok {
		f.class, f.start = amount, at
		return f
	}
	if end, ok := currencyAfter(s, a.end); ok {
		f.class, f.end = amount, end
		return f
	}
	if strings.Count(a.text, ".") == 2 && !strings.Contains(a.text, ",") {
		f.class = date // 24.11.2026
		return f
	}
	if from, end, ok := monthBeside(s, a); ok {
		f.class, f.start, f.end = date, from, end
		return f
	}
	if numbered[wordBefore(s, a.start)] {
		f.class = ident
	}
	return f
}

// classifyMixed handles atoms that hold more than digits, points and commas.
func classifyMixed(s string, a atom, f fact) fact {
	digits, letters := 0, 0
	for _, r := range a.text {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	switch {
	case strings.Contains(a.text, "@"):
		f.class = ident
	case dateLike(a.text):
		f.class = date
	case iban(s, a, &f.end):
		f.class = ident
	case letters > 0 && digits >= 2 && unicode.IsUpper(firstRune(a.text)):
		f.class = ident
	case len(a.text) >= 32 && strings.Count(a.text, "-") == 4: // UUID
		f.class = ident
	case letters == 0 && digits >= 5 && strings.Contains(a.text, "-"):
		f.class = ident
	}
	return f
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// dateLike reports whether s begins as YYYY-MM-DD or is D/M/Y or D-M-Y in digits.
func dateLike(s string) bool {
	if len(s) >= 10 && allDigits(s[:4]) && s[4] == '-' && allDigits(s[5:7]) && s[7] == '-' && allDigits(s[8:10]) {
		return true
	}
	for _, sep := range []string{"/", "-"} {
		p := strings.Split(s, sep)
		if len(p) == 3 && len(p[0]) <= 4 && len(p[1]) <= 2 && len(p[2]) <= 4 &&
			allDigits(p[0]) && allDigits(p[1]) && allDigits(p[2]) {
			return true
		}
	}
	return false
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// ibanGroups is how many groups an IBAN has at most after its first.
const ibanGroups = 8

// iban reports whether an atom is an IBAN or begins one that is written in groups; end is moved behind its groups.
func iban(s string, a atom, end *int) bool {
	t := a.text
	if len(t) < 4 || !upper(t[0]) || !upper(t[1]) || !isDigit(t[2]) || !isDigit(t[3]) {
		return false
	}
	if len(t) >= 15 && len(t) <= 34 {
		return true
	}
	if len(t) != 4 {
		return false
	}
	at, groups := a.end, 0
	for at+1 < len(s) && s[at] == ' ' {
		j := at + 1
		for j < len(s) && (isDigit(s[j]) || upper(s[j])) {
			j++
		}
		if n := j - at - 1; n == 0 || n > 4 || groups == ibanGroups || !(ends(s, j) || s[j] == ',') {
			break
		}
		at = j
		groups++
	}
	if groups < 3 {
		return false
	}
	*end = at
	return true
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }

// currencies are codes and words that make a number beside them an amount.
var currencies = map[string]bool{
	"usd": true, "eur": true, "gbp": true, "chf": true, "jpy": true, "cny": true, "inr": true, "cad": true,
	"aud": true, "sek": true,
	"nok": true, "dkk": true, "pln": true, "euro": true, "euros": true, "dollar": true, "dollars": true, "cents": true,
	"pounds": true, "percent": true,
}

// currencyBefore finds a currency sign or code before a number at i and returns where it begins.
func currencyBefore(s string, i int) (int, bool) {
	j := i
	for j > 0 && (s[j-1] == ' ' || s[j-1] == '-') && i-j < 2 {
		j--
	}
	if r, n := utf8.DecodeLastRuneInString(s[:j]); unicode.Is(unicode.Sc, r) {
		return j - n, true
	}
	if j < i && s[j] == ' ' {
		if w := wordBefore(s, i); currencies[w] {
			return j - len(w), true
		}
	}
	return 0, false
}

// currencyAfter finds a percent or currency sign, or a currency word, after a number that ends at i.
func currencyAfter(s string, i int) (int, bool) {
	j := i
	if j < len(s) && s[j] == ' ' {
		j++
	}
	r, n := utf8.DecodeRuneInString(s[j:])
	if r == '%' || unicode.Is(unicode.Sc, r) && !wordAt(s, j+n) {
		return j + n, true
	}
	if w := wordAfter(s, i); currencies[strings.ToLower(w)] {
		return j + len(w), true
	}
	return codeCell(s, i)
}

// codeCell finds a currency code in the cell of a row that follows a number at once: 12231.50,EUR.
func codeCell(s string, i int) (int, bool) {
	if i+4 > len(s) || strings.IndexByte(",;|\t", s[i]) < 0 || !ends(s, i+4) && s[i+4] != ',' {
		return 0, false
	}
	code := s[i+1 : i+4]
	return i + 4, code == strings.ToUpper(code) && currencies[strings.ToLower(code)]
}

// months by their first three letters, English and German.
const months = "jan feb mar apr may jun jul aug sep oct nov dec mai okt dez mär"

func month(w string) bool {
	if len(w) < 3 {
		return false
	}
	r := []rune(strings.ToLower(w))
	if len(r) < 3 || len(r) > 9 || !strings.Contains(months, string(r[:3])) {
		return false
	}
	return len(r) == 3 || monthNames[string(r)]
}

var monthNames = map[string]bool{
	"january": true, "february": true, "march": true, "april": true, "june": true, "july": true, "august": true,
	"sept":      true,
	"september": true, "october": true, "november": true, "december": true, "januar": true, "februar": true, "märz": true,
	"juni": true, "juli": true, "oktober": true, "dezember": true,
}

// verbs are months that are other words when written small.
var verbs = map[string]bool{"may": true, "march": true, "mar": true}

// monthBeside joins a day or year with the month before or after it, and with the year that follows.
func monthBeside(s string, a atom) (from, end int, ok bool) {
	if w := wordAfter(s, a.end); month(w) && !verbs[w] {
		end = a.end + 1 + len(w)
		return a.start, withYear(s, end), true
	}
	w := wordBefore(s, a.start)
	from = a.start - 1 - len(w)
	if from < 0 || !month(w) || verbs[w] && !upper(s[from]) {
		return 0, 0, false
	}
	return from, withYear(s, a.end), true
}

// withYear moves end behind a year of four digits that follows after a space, or a comma and a space.
func withYear(s string, end int) int {
	j := end
	if j < len(s) && s[j] == ',' {
		j++
	}
	if j+5 <= len(s) && s[j] == ' ' && allDigits(s[j+1:j+5]) && (ends(s, j+5) || s[j+5] == ',') {
		return j + 5
	}
	return end
}

// numbered are words that make the number after them an id.
var numbered = map[string]bool{
	"invoice": true, "order": true, "po": true, "ticket": true, "case": true, "contract": true, "account": true,
	"customer": true,
	"vendor":   true, "supplier": true, "policy": true, "claim": true, "no": true, "nr": true, "number": true, "id": true,
	"rechnung": true, "bestellung": true, "auftrag": true, "article": true, "section": true, "clause": true, "item": true,
}

// wordBefore is the word that ends one space (or ". ") before i, lower case.
func wordBefore(s string, i int) string {
	j := i
	if j == 0 || s[j-1] != ' ' {
		return ""
	}
	j--
	end := j
	for j > 0 {
		r, n := utf8.DecodeLastRuneInString(s[:j])
		if !unicode.IsLetter(r) || end-j > 20 {
			break
		}
		j -= n
	}
	return strings.ToLower(s[j:end])
}

// wordAfter is the word that begins one space after i.
func wordAfter(s string, i int) string {
	if i >= len(s) || s[i] != ' ' {
		return ""
	}
	j := i + 1
	for j < len(s) {
		r, n := utf8.DecodeRuneInString(s[j:])
		if !unicode.IsLetter(r) || j-i > 20 {
			break
		}
		j += n
	}
	if wordAt(s, j) { // EUR2 is not EUR
		return ""
	}
	return s[i+1 : j]
}

// normal lowers case and writes every run of space as one.
func normal(s string) string {
	if isNormal(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for w := range strings.FieldsSeq(s) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		for _, r := range w {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// isNormal reports whether normal would change nothing of a text without other letters than English.
func isNormal(s string) bool {
	space := true // none may come first
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf || upper(c) || c < ' ' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return !space || s == ""
}

// negations mark a sentence as a negated obligation, in normal form.
var negations = []string{
	" must not ", " mustn't ", " must never ", " shall not ", " shan't ", " should not ", " shouldn't ", " may not ",
	" not allowed", " not permitted", " prohibited", " forbidden", " under no circumstances ", " never ", " unless ",
	" darf nicht ", " dürfen nicht ", " darf kein", " dürfen kein", " niemals ", " keinesfalls ", " es sei denn",
	" ne doit pas ", " ne doivent pas ", " jamais ", " no debe ", " no deben ", " nunca ",
}

// marks are blanked before negations are looked for.
var marks = strings.NewReplacer("’", "'", ".", " ", ",", " ", ";", " ", ":", " ", "!", " ", "?", " ", "*", " ",
	"\"", " ")

// forbids reports whether a sentence states what must not be, or not before something else. orders says that the
// sentence is the user's own, where "do not" is an order.
func forbids(sentence string, orders bool) bool {
	n := " " + normal(marks.Replace(sentence)) + " "
	for _, neg := range negations {
		if strings.Contains(n, neg) {
			return true
		}
	}
	if i := strings.Index(n, " not "); i >= 0 && strings.Contains(n[i:], " until ") {
		return true
	}
	return orders && (strings.Contains(n, " do not ") || strings.Contains(n, " don't "))
}
