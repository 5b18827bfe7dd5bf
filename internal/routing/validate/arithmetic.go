package validate

import (
	"fmt"
	"math/big"
	"strings"
)

// arithmeticCheck recomputes every calculation that an answer states: "a op b [op c ...] = d", chained equations
// and calculator annotations included, exactly, with precedence and parentheses. A result may be rounded to the
// decimals it shows. What cannot be read with confidence (variables, powers, mixed units, labels that look like
// operands) is not held against the answer.
func arithmeticCheck(name string) Check {
	return rule{name, func(s Subject) string {
		if s.toolsOnly() {
			return ""
		}
		return judgeArithmetic(s.text())
	}}
}

// judgeArithmetic returns which calculations of a text do not hold, or "".
func judgeArithmetic(text string) string {
	n, wrong := calculations(text)
	if len(wrong) == 0 {
		return ""
	}
	if len(wrong) == 1 {
		return fmt.Sprintf("calculation %d of the %d that the answer states does not hold", wrong[0], n)
	}
	return fmt.Sprintf("%d of the %d calculations that the answer states do not hold, the first is number %d",
		len(wrong), n, wrong[0])
}

// maxCalculations bounds how many calculations of one answer are judged.
const maxCalculations = 2000

// calculations counts what could be judged in a text and lists the ordinal numbers, from 1, of what does not hold.
func calculations(text string) (n int, wrong []int) {
	rest, notes := sheets(text)
	for i, t := range append([]string{rest}, notes...) {
		if strings.IndexByte(t, '=') < 0 {
			continue
		}
		toks := scanTokens(plainMath(t))
		for k, tok := range toks {
			if tok.kind != tEq || n == maxCalculations {
				continue
			}
			judged, holds := judgeEquation(toks, k, i > 0)
			if !judged {
				continue
			}
			n++
			if !holds {
				wrong = append(wrong, n)
			}
		}
	}
	return n, wrong
}

// judgeEquation judges the equation around the equals sign at k. note says that it stands in a calculator annotation,
// where a dash is always a minus.
func judgeEquation(toks []token, k int, note bool) (judged, holds bool) {
	left, ok := leftOf(toks, k)
	if !ok || !left.computes() || !note && left.ranged() {
		return false, false
	}
	right := rightOf(toks, k)
	if len(right) == 0 {
		return false, false
	}
	for _, l := range left.readings() {
		for _, r := range right {
			if agree(l, r) {
				return true, true
			}
		}
	}
	longest := right[len(right)-1]
	if left.unsure() || longest.unsure() || mixed(left, right[0]) || daysBetween(left, right[0]) {
		return false, false
	}
	if _, ok := left.value(mode{}); !ok {
		return false, false
	}
	return true, false
}

// agree reports whether two expressions are equal under some reading of their percent signs and close-set fractions.
func agree(l, r expr) bool {
	for _, lm := range l.modes() {
		lv, ok := l.value(lm)
		if !ok {
			continue
		}
		for _, rm := range r.modes() {
			rv, ok := r.value(rm)
			if ok && (lv.Cmp(rv) == 0 || rounds(lv, rv, r, rm)) {
				return true
			}
		}
	}
	return false
}

// floatDigits is how many decimals a number must show to be taken for the output of floating-point hardware, whose
// last digits are noise (46.666666666666664).
const floatDigits = 12

// rounds reports whether r is a single number that v rounds to, or is cut to, at the decimals that r shows.
func rounds(v, rv *big.Rat, r expr, m mode) bool {
	num, ok := r.single()
	if !ok {
		return false
	}
	places := min(num.decimals, floatDigits)
	if num.percent && !m.raw {
		places += 2
	}
	unit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
	diff := new(big.Rat).Sub(v, rv)
	diff.Abs(diff)
	if num.decimals > 0 && diff.Cmp(unit) < 0 && new(big.Rat).Abs(v).Cmp(new(big.Rat).Abs(rv)) >= 0 {
		return true // cut, not rounded: 6.66 for 20/3
	}
	return diff.Cmp(unit.Mul(unit, big.NewRat(1, 2))) <= 0
}
