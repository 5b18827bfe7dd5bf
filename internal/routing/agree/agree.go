// Package agree compares two answers to one request: do they say the same? Tool calls and JSON are compared by their
// canonical form, answers that end in a number by the number, all others by the words that they share. It is no judge of
// which answer is right, and asks no model. Invariants: comparing is symmetric; an answer agrees with itself.
package agree

import (
	"bytes"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/validate"
)

// How two answers were compared.
const (
	Tools  = "tools"  // the same calls of the same tools with the same arguments, in any order
	JSON   = "json"   // equal in canonical form
	Number = "number" // both end in a number, and in the same one
	Words  = "words"  // at least half of their words are shared
)

// half is the overlap in basis points from which on two texts count as saying the same.
const half = 5000

// Finding is what comparing found.
type Finding struct {
	How     string
	Same    bool
	Overlap int // of the words of both texts, in basis points
}

// Compare compares the first choices of two answers. wantJSON says that the text ought to be JSON, so that fences and
// prose around it do not count.
func Compare(req *llm.Request, a, b *llm.Response, wantJSON bool) Finding {
	a, b = validate.Repair(req, a, wantJSON).Answer, validate.Repair(req, b, wantJSON).Answer
	ta, tb := strings.TrimSpace(a.Text(0)), strings.TrimSpace(b.Text(0))
	f := Finding{How: Words, Overlap: overlap(words(ta), words(tb))}
	if ca, cb := calls(a), calls(b); len(ca)+len(cb) > 0 {
		f.How, f.Same = Tools, slices.Equal(ca, cb)
		return f
	}
	ja, jb := canonical(ta), canonical(tb)
	if ja != nil || jb != nil {
		f.How, f.Same = JSON, bytes.Equal(ja, jb)
		return f
	}
	if na, nb := lastNumber(ta), lastNumber(tb); na != "" && nb != "" {
		f.How, f.Same = Number, na == nb
		return f
	}
	f.Same = f.Overlap >= half
	return f
}

// calls are an answer's tool calls, each as one line, sorted.
func calls(r *llm.Response) []string {
	if len(r.Choices) == 0 {
		return nil
	}
	var all []string
	for _, p := range r.Choices[0].Parts {
		if p.Kind != llm.ToolUse || p.Tool == nil {
			continue
		}
		args := canonical(string(p.Tool.Args))
		if args == nil {
			args = []byte(p.Tool.Args)
		}
		all = append(all, p.Tool.Name+" "+string(args))
	}
	slices.Sort(all)
	return all
}

// canonical is the canonical form of a JSON object or array (RFC 8785); nil when the text is something else.
func canonical(text string) []byte {
	v := jsontext.Value(strings.TrimSpace(text))
	if k := v.Kind(); k != '{' && k != '[' {
		return nil
	}
	v = v.Clone()
	if v.Canonicalize() != nil {
		return nil
	}
	return v
}

// words are the runs of letters and digits of a text, in lower case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// overlap is twice the number of words that two texts share, in basis points of all their words.
func overlap(a, b []string) int {
	if len(a)+len(b) == 0 {
		return 10_000
	}
	left := map[string]int{}
	for _, w := range a {
		left[w]++
	}
	shared := 0
	for _, w := range b {
		if left[w] > 0 {
			left[w]--
			shared++
		}
	}
	return 20_000 * shared / (len(a) + len(b))
}

// lastNumber is the number that a text ends in, in one form: no grouping commas, no zeros that say nothing. "" when it
// ends in something else: in a date or an id, say.
func lastNumber(text string) string {
	text = strings.TrimRightFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(".!*_`)]}%€$£", r) })
	at := strings.LastIndexFunc(text, func(r rune) bool { return !unicode.IsDigit(r) && r != '.' && r != ',' })
	digits := strings.TrimLeft(text[at+1:], ".,")
	before := []rune(text[:len(text)-len(digits)])
	sign := ""
	if n := len(before); n > 0 && (before[n-1] == '-' || before[n-1] == '−') {
		sign, before = "-", before[:n-1]
	}
	if n := len(before); digits == "" || n > 0 && !unicode.IsSpace(before[n-1]) && !strings.ContainsRune("$€£=:*_`([{#", before[n-1]) {
		return ""
	}
	whole, part, _ := strings.Cut(strings.ReplaceAll(digits, ",", ""), ".")
	if strings.Contains(part, ".") { // 1.2.3 is a version
		return ""
	}
	whole, part = strings.TrimLeft(whole, "0"), strings.TrimRight(part, "0")
	if whole == "" {
		whole = "0"
	}
	if part != "" {
		whole += "." + part
	}
	if whole == "0" {
		return whole
	}
	return sign + whole
}
