package validate

import "strings"

// maxUnits is how many words may stand between a number and the operator that follows it.
const maxUnits = 5

// Words that make the number they stand with mean something else than itself.
var (
	// magnitudes multiply the number before them, or leave a remainder beside it.
	magnitudes = set("hundred", "thousand", "million", "billion", "trillion", "dozen", "k", "half", "halves", "third",
		"thirds", "quarters", "fourths", "fifths", "tenths", "hundreds", "thousands", "millions", "billions", "dozens",
		"squared", "cubed", "factorial", "remainder", "rem", "mod", "modulo", "st", "nd", "rd", "th", "power")
	// heads relate what follows them to something before; with "of", "to" and "by" that depends on the word before them.
	heads = set("than", "half", "twice", "thrice", "double", "triple", "over", "percent", "dozen", "root", "divided",
		"multiplied", "remainder", "mod")
	// factors before "by" apply what follows to something before.
	factors = set("divide", "divided", "divides", "dividing", "multiply", "multiplied", "multiplies", "multiplying")
	// shares before "of" take a part of what follows.
	shares = set("half", "third", "thirds", "quarter", "quarters", "fourth", "fourths", "fifth", "fifths", "sixth",
		"sixths", "seventh", "eighth", "eighths", "ninth", "tenth", "tenths", "percent", "percentage", "rest", "out", "square", "twice")
	// labels stand before a number that only names something.
	labels = set("step", "day", "part", "week", "month", "year", "case", "question", "option", "item", "problem", "round")
)

// leftOf finds the expression that ends right before the equals sign at k. Not ok: there is none, or it touches
// something that is not understood.
func leftOf(toks []token, k int) (expr, bool) {
	start, ok := walkBack(toks, k)
	if !ok || start >= k || k-start > maxStatement {
		return expr{}, false
	}
	e, used := clean(toks[start:k])
	if used != k-start || len(e.toks) == 0 {
		return expr{}, false
	}
	if composed(toks, start) {
		return expr{}, false
	}
	if start > 0 {
		prev := toks[start-1]
		switch {
		case prev.kind == tWord && related(toks, start-1), prev.kind == tOp && prev.word != "":
			return expr{}, false
		case prev.kind == tOdd && prev.word != "!" && prev.word != "?":
			return expr{}, false
		case prev.kind == tWord && labels[prev.word]:
			e.label = true
		}
	}
	if toks[start].lineHead {
		e.label = true
	}
	return e, true
}

// related reports whether the word at i ties the expression that follows it to something before, so that the
// expression alone is not what the equation is about.
func related(toks []token, i int) bool {
	w := toks[i].word
	if (w == "of" || w == "to") && i > 0 {
		before := toks[i-1]
		return before.kind == tNum || before.kind == tOdd || before.kind == tWord && shares[before.word]
	}
	if w == "by" && i > 0 {
		return toks[i-1].kind != tWord || factors[toks[i-1].word]
	}
	return heads[w] || magnitudes[w]
}

// walkBack finds where the expression that ends before k begins: operands and operators in turn, read backwards, with
// words allowed after operands. Not ok: an operator has no number to its left, or two operands touch.
func walkBack(toks []token, k int) (int, bool) {
	i := k - 1
	for {
		i = skipUnits(toks, i)
		if i < 0 {
			return 0, false
		}
		switch toks[i].kind {
		case tNum:
		case tClose:
			if i = opening(toks, i); i < 0 {
				return 0, false
			}
		default:
			return 0, false
		}
		start := i
		i--
		if i < 0 {
			return start, true
		}
		switch prev := toks[i]; {
		case prev.kind == tOp:
			if bullet(toks, i) {
				return start, true
			}
			if prev.op == '-' && (i == 0 || toks[i-1].kind == tBreak || toks[i-1].kind == tOpen || toks[i-1].kind == tEq) {
				return i, true // a sign, not an operator
			}
			i--
		case joins(toks, i):
			i = joint(toks, i) - 1
		case prev.kind == tNum, prev.kind == tClose && !wordsOnly(toks, i) && opening(toks, i) >= 0:
			return 0, false
		default:
			return start, true
		}
	}
}

// bullet reports whether the operator at i is a list mark: the first thing on its line with space after it.
func bullet(toks []token, i int) bool {
	return toks[i].lineHead && (toks[i].op == '-' || toks[i].op == '*') && i+1 < len(toks) && toks[i+1].spaced
}

// joins reports whether "of" or "of the" at i joins two numbers into a product ("20% of 50").
func joins(toks []token, i int) bool {
	j := joint(toks, i)
	return j > 0 && toks[j].kind == tWord && toks[j].word == "of" && (toks[j-1].kind == tNum || toks[j-1].kind == tClose ||
		toks[j-1].word == "percent")
}

func joint(toks []token, i int) int {
	if i > 0 && toks[i].kind == tWord && toks[i].word == "the" {
		return i - 1
	}
	return i
}

// skipUnits goes back over the words that may follow an operand, "per" slashes between them and bracketed words.
func skipUnits(toks []token, i int) int {
	for n := 0; i >= 0 && n <= maxUnits; n++ {
		switch {
		case toks[i].kind == tWord, spelled(toks, i):
			i--
		case toks[i].kind == tOp && toks[i].op == '/' && i+1 < len(toks) && toks[i+1].kind == tWord:
			i--
		case toks[i].kind == tClose && wordsOnly(toks, i):
			i = opening(toks, i) - 1
		default:
			return i
		}
	}
	return i
}

// aside returns the length of a parenthesis of words that toks begin with, or 0.
func aside(toks []token) int {
	for i, t := range toks {
		switch {
		case i == 0 && t.kind == tOpen, i > 0 && t.kind == tWord:
		case i > 1 && t.kind == tClose:
			return i + 1
		default:
			return 0
		}
	}
	return 0
}

// spelled reports whether the operator at i is a word that counts here ("4 times a day"): no operand follows it.
func spelled(toks []token, i int) bool {
	if toks[i].kind != tOp || toks[i].word != "times" {
		return false
	}
	return i+1 == len(toks) || toks[i+1].kind != tNum && toks[i+1].kind != tOpen
}

// opening finds the parenthesis that the one at i closes, or -1. It looks back at most maxStatement tokens.
func opening(toks []token, i int) int {
	depth := 0
	for j := i; j >= 0 && i-j <= maxStatement; j-- {
		switch toks[j].kind {
		case tClose:
			depth++
		case tOpen:
			if depth--; depth == 0 {
				return j
			}
		case tBreak, tEq, tOdd:
			return -1
		}
	}
	return -1
}

// wordsOnly reports whether the parenthesis closed at i holds words and nothing else.
func wordsOnly(toks []token, i int) bool {
	j := opening(toks, i)
	if j < 0 || j+1 == i {
		return false
	}
	for _, t := range toks[j+1 : i] {
		if t.kind != tWord {
			return false
		}
	}
	return true
}

// bounds reports whether no expression reaches over a token of this kind.
func bounds(k tokenKind) bool { return k == tBreak || k == tEq || k == tOdd }

// rightOf lists the readings of what follows the equals sign at k: each prefix that is complete, shortest first
// ("= 13 - 4" is 13, or 9). None: it does not begin with a number that is understood.
func rightOf(toks []token, k int) []expr {
	end := k + 1
	for end < len(toks) && end-k <= maxStatement && !bounds(toks[end].kind) {
		end++
	}
	e, used := clean(toks[k+1 : end])
	if len(e.toks) == 0 {
		return nil
	}
	stop := k + 1 + used
	if stop < len(toks) && stop > 0 && touches(toks, stop) {
		return nil
	}
	var out []expr
	depth := 0
	for i, t := range e.toks {
		switch t.kind {
		case tOpen:
			depth++
		case tClose:
			depth--
		}
		if depth == 0 && (t.kind == tNum || t.kind == tClose) {
			out = append(out, expr{toks: e.toks[:i+1], units: e.units})
		}
	}
	return out
}

// touches reports whether the token at stop, where reading ended, changes the number right before it.
func touches(toks []token, stop int) bool {
	prev, t := toks[stop-1], toks[stop]
	if prev.kind == tEq || prev.kind == tOp && !spelled(toks, stop-1) {
		return true
	}
	switch t.kind {
	case tOdd:
		return t.word != "!" && t.word != "?" && t.word != "≈" && t.word != "~"
	case tNum: // "= 3 and 1/2" is one number, "= 3 and 4 + 5 = 9" begins another calculation
		return prev.kind != tWord || prev.word == "and" && stop+2 < len(toks) && tightFraction(toks[stop:])
	case tOpen: // "= 7 (3 + 4)" is an aside, "= 7(3 + 4)" a product
		return !t.spaced || stop+1 < len(toks) && strings.HasPrefix(toks[stop+1].word, "mod")
	case tWord:
		return true
	}
	return false
}

// tightFraction reports whether toks begin with a fraction set without spaces.
func tightFraction(toks []token) bool {
	return len(toks) > 2 && toks[1].op == '/' && !toks[1].spaced && toks[2].kind == tNum && !toks[2].spaced
}
