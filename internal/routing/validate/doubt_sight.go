package validate

import (
	"slices"
	"strings"

	"github.com/weirhq/weir/internal/llm"
)

// sight is an answer beside its question, read once for all signs.
type sight struct {
	question, answer string
	task             string // the question without instructions and labels around it
	folded           string // the answer in lower case, plain apostrophes, one space between words
	given            []figure
	said             []figure // numbers of the answer in order, annotations left out
	equals           int      // equals signs outside annotations
	judged, wrong    int      // calculations that could be recomputed, and those that do not hold
	unsourced        int      // numbers that neither were given nor follow from what was
	derived          int      // numbers that follow in one step that is not shown
}

// figure is one number of a text.
type figure struct {
	value  float64
	result bool // right after an equals sign
	token
}

// maxFigures bounds the numbers that are compared.
const maxFigures = 200

// sighted reads a subject.
func sighted(s Subject) *sight {
	k := &sight{question: lastUser(s.Request), answer: strings.TrimSpace(s.text())}
	k.folded = " " + strings.Join(strings.Fields(strings.ReplaceAll(strings.ToLower(k.answer), "’", "'")), " ") + " "
	n, wrong := calculations(k.answer)
	k.judged, k.wrong = n, len(wrong)
	k.task = task(k.question)
	k.given, _ = figures64(k.task)
	rest, _ := sheets(k.answer)
	k.said, k.equals = figures64(rest)
	k.trace()
	return k
}

// lastUser is the text of the last user turn.
func lastUser(q *llm.Request) string {
	if q == nil {
		return ""
	}
	for _, m := range slices.Backward(q.Messages) {
		if m.Role == llm.User {
			return joinText(m.Parts)
		}
	}
	return ""
}

// leastWords is how many words a paragraph has that says something.
const leastWords = 8

// task is the paragraphs of a question that ask or give something: those with a question mark, and those with a number
// in more than a few words. Instructions, titles and labels ("Item 3 of 20") around them are no part of the task.
func task(question string) string {
	var kept []string
	for para := range strings.SplitSeq(question, "\n\n") {
		given := strings.ContainsAny(para, "0123456789") && len(strings.Fields(para)) >= leastWords
		if given || strings.Contains(para, "?") {
			kept = append(kept, para)
		}
	}
	if kept == nil {
		return question
	}
	return strings.Join(kept, "\n\n")
}

// figures64 lists the numbers of a text and counts its equals signs.
func figures64(text string) (all []figure, equals int) {
	toks := scanTokens(plainMath(text))
	for i, t := range toks {
		if t.kind == tEq {
			equals++
		}
		if t.kind != tNum || len(all) == maxFigures {
			continue
		}
		f := figure{token: t}
		f.value, _ = t.num.Float64()
		back := i - 1
		if back >= 0 && toks[back].kind == tOp && toks[back].op == '-' && back > 0 && toks[back-1].kind == tEq {
			f.value, back = -f.value, back-1
		}
		f.result = back >= 0 && toks[back].kind == tEq
		all = append(all, f)
	}
	return all, equals
}

// numerals are numbers that are written as words.
var numerals = map[string]float64{
	"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
	"twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100,
	"thousand": 1000, "million": 1e6, "dozen": 12, "half": 0.5, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5,
	"twice": 2, "double": 2, "triple": 3, "thrice": 3, "pair": 2, "couple": 2, "tenth": 10, "sixth": 6, "eighth": 8,
}

// constants are numbers that everybody may use unasked: counts of small things, and of time and measure.
var constants = []float64{0, 0.5, 1, 2, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000}

// trace follows every number of the answer back to what was given or worked out before it.
func (k *sight) trace() {
	known := slices.Clone(constants)
	learn := func(v float64) {
		if !near(known, v) {
			known = append(known, v)
		}
	}
	for w := range strings.FieldsFuncSeq(strings.ToLower(k.question), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if v, ok := numerals[strings.TrimSuffix(w, "s")]; ok {
			learn(v)
		}
	}
	for _, f := range k.given {
		learn(f.value)
		learn(f.value / 100)
	}
	for _, f := range k.said {
		switch {
		case f.result, near(known, f.value), near(known, f.value/100):
		case reachable(known, f.value):
			k.derived++
		default:
			k.unsourced++
		}
		if len(known) < maxKnown {
			learn(f.value)
		}
	}
}

// maxKnown bounds what a number is held against: every pair of them is.
const maxKnown = 60

// near reports whether a value is among others.
func near(all []float64, v float64) bool {
	return slices.ContainsFunc(all, func(x float64) bool { return same64(x, v) })
}

func same64(a, b float64) bool {
	d := a - b
	return d < 0.005 && d > -0.005
}

// reachable reports whether two known numbers, not both constants, make a value in one step.
func reachable(known []float64, v float64) bool {
	for i, a := range known {
		for _, b := range known[max(i, len(constants)):] {
			if same64(a+b, v) || same64(a-b, v) || same64(b-a, v) || same64(a*b, v) || b != 0 && same64(a/b, v) ||
				a != 0 && same64(b/a, v) {
				return true
			}
		}
	}
	return false
}

// closing is the answer's last sentence.
func (k *sight) closing() string {
	line := k.answer[strings.LastIndexByte(k.answer, '\n')+1:]
	body := strings.TrimRight(line, ".!?*_ ")
	if i := strings.LastIndex(body, ". "); i >= 0 {
		return line[i+2:]
	}
	return line
}

// result is the last number of the answer, if its last sentence has one.
func (k *sight) result() (figure, bool) {
	if len(k.said) == 0 || !strings.ContainsAny(k.closing(), "0123456789") {
		return figure{}, false
	}
	return k.said[len(k.said)-1], true
}
