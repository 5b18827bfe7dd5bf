package validate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// seeArithmetic: calculations that do not hold.
func seeArithmetic(k *sight) float64 {
	if k.wrong == 0 {
		return 0
	}
	return 0.75 + float64(k.wrong)/8
}

// seeUnfinished: the answer ends in the middle of something. That only a full stop is missing is weaker.
func seeUnfinished(k *sight) float64 {
	end := strings.TrimRight(k.answer, "*_`\"'”’) ")
	switch {
	case end == "":
		return 1
	case strings.Count(k.answer, "<<") > strings.Count(k.answer, ">>"), strings.Count(k.answer, "```")%2 == 1:
		return 1
	case strings.Count(k.answer, "(") > strings.Count(k.answer, ")"):
		return 1
	}
	last, _ := utf8.DecodeLastRuneInString(end)
	if strings.ContainsRune("=+-*/×÷,:;$(<[{\\", last) {
		return 1
	}
	line := strings.TrimSpace(end[strings.LastIndexByte(end, '\n')+1:])
	if strings.ContainsRune(".!?…。！？}]|>", last) || itemised(line) || len(strings.Fields(line)) <= 4 {
		return 0
	}
	if strings.Contains(line, "=") || wordLike(last) && strings.Contains(k.answer, "\n") {
		return 0.8
	}
	return 0.3
}

// itemised reports whether a line is an item of a list, a row or a heading: these end without a full stop.
func itemised(line string) bool {
	head := strings.TrimLeft(line, "0123456789")
	return strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "* ") || strings.HasPrefix(line, "#") ||
		strings.HasPrefix(line, "|") || len(head) < len(line) && (strings.HasPrefix(head, ". ") || strings.HasPrefix(head, ") "))
}

func wordLike(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// amounts ask for a number.
var amounts = []string{
	"how many", "how much", "how long", "how far", "how old", "how tall", "how often", "what percent", "what is the total",
	"what is the average", "what is the sum", "what was the total", "wie viel", "wie lange", "combien",
	"cuánto", "cuánta", //nolint:misspell // Spanish
	"quanto", "quanta", "quanti", "quante", "hoeveel",
}

// counts ask for a number of things that come whole.
var counts = []string{"how many ", "wie viele ", "combien de ", "cuántos ", "cuántas ", "quanti ", "quante ", "quantos "}

// measured are units that need not come whole, by how their word begins.
var measured = []string{
	"hour", "minute", "second", "day", "week", "month", "year", "dollar", "cent", "euro", "pound", "ounce", "gram", "kilo",
	"ton", "mile", "meter", "metre", "km", "inch", "feet", "foot", "yard", "cup", "gallon", "liter", "litre", "percent", "point",
	"calor", "degree", "square", "more", "fewer", "times", "total", "acre", "teaspoon", "tablespoon", "quart", "pint", "stunden",
	"minuten", "tage", "jahre", "heures", "horas",
}

// asks is the part of a question from the last of its words that ask for an amount on; "" = none.
func asks(question string, words []string) string {
	q, best := strings.ToLower(question), -1
	for _, w := range words {
		best = max(best, strings.LastIndex(q, w))
	}
	if best < 0 {
		return ""
	}
	return q[best:]
}

// seeNoResult: a quantity was asked for, and the last sentence has no number.
func seeNoResult(k *sight) float64 {
	if asks(k.question, amounts) == "" {
		return 0
	}
	if _, ok := k.result(); ok {
		return 0
	}
	return 1
}

// seeOddResult: things that come whole are counted in parts or below zero, money has more than two decimals.
func seeOddResult(k *sight) float64 {
	f, ok := k.result()
	if !ok || asks(k.question, amounts) == "" {
		return 0
	}
	whole := same64(f.value, float64(int64(f.value)))
	switch {
	case f.value < 0:
		return 1
	case whole:
		return 0
	case f.decimals > 2:
		return 0.8
	}
	of := asks(k.question, counts)
	if of == "" {
		return 0
	}
	if first := strings.Fields(of); len(first) > 2 {
		for _, unit := range measured {
			if strings.HasPrefix(first[2], unit) {
				return 0.2
			}
		}
	}
	return 1
}

// seeOtherResult: the last number was neither given nor stated before.
func seeOtherResult(k *sight) float64 {
	f, ok := k.result()
	if !ok || len(k.said) < 3 || f.result {
		return 0
	}
	for _, before := range k.said[:len(k.said)-1] {
		if same64(before.value, f.value) {
			return 0
		}
	}
	return 1
}

// seeUnsourced: numbers that come from nowhere.
func seeUnsourced(k *sight) float64 {
	if len(k.given) == 0 {
		return 0
	}
	return float64(k.unsourced) / 3
}

// seeUnused: numbers of the question that the answer never uses.
func seeUnused(k *sight) float64 {
	if len(k.given) < 2 || len(k.said) == 0 {
		return 0
	}
	unused := 0
	for _, g := range k.given {
		used := false
		for _, s := range k.said {
			used = used || same64(s.value, g.value) || same64(s.value, g.value/100)
		}
		if !used {
			unused++
		}
	}
	return float64(unused) / float64(max(len(k.given), 3))
}

// qualms qualify, correct or guess.
var qualms = []string{
	" however", " but since ", " but this ", " assum", " approximately", " not specified", " not given", " not provided", " unclear",
	" cannot be determined", " can't be determined", " doesn't make sense", " does not make sense", " mistake", " it seems", " wait,",
	" actually", " sorry", " apolog", " probably", " might ", " perhaps", " not enough information", " round", " not possible", " impossible",
	" vielleicht", " vermutlich", " jedoch", " nicht angegeben", " peut-être", " cependant", " quizás", " sin embargo",
}

// seeHedge: words that qualify or correct.
func seeHedge(k *sight) float64 {
	n := 0
	for _, q := range qualms {
		n += strings.Count(k.folded, q)
	}
	return float64(n) / 2
}

// minRepeat is how long, in bytes, a line must be to count when it comes again.
const minRepeat = 12

// seeRepeats: lines that come again.
func seeRepeats(k *sight) float64 {
	seen, again, all := map[string]bool{}, 0, 0
	for line := range strings.Lines(k.answer) {
		line = strings.TrimSpace(line)
		if len(line) < minRepeat {
			continue
		}
		all++
		if seen[line] {
			again++
		}
		seen[line] = true
	}
	return 2 * float64(again) / float64(max(all, 1))
}

// seeNoWork: a quantity of several numbers without a calculation, or steps that are not shown.
func seeNoWork(k *sight) float64 {
	if len(k.given) < 2 || asks(k.question, amounts) == "" {
		return 0
	}
	if k.equals == 0 {
		return 1
	}
	return float64(k.derived) / 6
}

// seeSteps: how many calculations the answer needs.
func seeSteps(k *sight) float64 { return float64(k.equals) / 10 }

// Lengths in bytes that count as long.
const (
	longAnswer = 1500
	longTask   = 800
)

func seeLength(k *sight) float64 { return float64(len(k.answer)) / longAnswer }

func seeTask(k *sight) float64 { return float64(len(k.task)) / longTask }
