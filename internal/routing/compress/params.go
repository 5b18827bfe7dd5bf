package compress

import (
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	mostParams = 48  // lines
	longParam  = 200 // bytes of a value
)

// parameters lists what an answer extracted, a line each, as far as the evidence has it: the fields of a JSON answer, the
// amounts, dates and ids of any other. What the evidence lacks is left out: a rejected answer is no source.
func parameters(answer string, evidence []string) []string {
	if strings.TrimSpace(answer) == "" {
		return nil
	}
	lines := fields(answer)
	if lines == nil {
		lines = stated(answer)
	}
	lack := unfounded(evidence, strings.Join(lines, "\n"))
	var out []string
	for _, line := range lines {
		founded := !strings.ContainsAny(line, "\n\r")
		facts := factsOf(spacedLine(line))
		for _, f := range facts {
			founded = founded && !lack[f.key]
		}
		_, value, _ := strings.Cut(line, ": ")
		if founded && (len(facts) > 0 || occurs(value, evidence)) && len(out) < mostParams {
			out = append(out, line)
		}
	}
	return out
}

func occurs(value string, evidence []string) bool {
	for _, e := range evidence {
		if strings.Contains(e, value) {
			return true
		}
	}
	return false
}

// fields lists the plain values of the JSON document in an answer by their path; nil = there is none.
func fields(answer string) []string {
	from := strings.IndexAny(answer, "{[")
	if from < 0 || !scanJSON(answer, from).ok {
		return nil
	}
	d := jsontext.NewDecoder(strings.NewReader(answer[from:]), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	out := []string{}
	for {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) || err != nil || d.StackDepth() == 0 {
			return out // a document that is cut off tells as far as it goes
		}
		kind, length := d.StackIndex(d.StackDepth())
		if kind == '{' && length%2 == 1 || t.Kind() != '"' && t.Kind() != '0' { // a name, or no value of its own
			continue
		}
		value := strings.TrimSpace(t.String())
		if value != "" && len(value) <= longParam {
			out = append(out, path(d.StackPointer())+": "+value)
		}
	}
}

// path writes a JSON pointer the way people do: lines.amount.
func path(p jsontext.Pointer) string {
	var names []string
	for t := range p.Tokens() {
		if !allDigits(t) { // a place in an array is no figure of the source
			names = append(names, t)
		}
	}
	if len(names) == 0 {
		return "value"
	}
	return strings.Join(names, ".")
}

// factNames are the classes as parameters show them.
var factNames = map[class]string{amount: "amount", date: "date", ident: "id"}

// stated lists the amounts, dates and ids of a text.
func stated(answer string) []string {
	var out []string
	seen := map[string]bool{}
	text := spaced(answer)
	for _, f := range factsOf(text) {
		if name, ok := factNames[f.class]; ok && !seen[f.key] {
			seen[f.key] = true
			out = append(out, name+": "+text[f.start:f.end])
		}
	}
	return out
}
