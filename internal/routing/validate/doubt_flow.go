package validate

import "strings"

// seeDeadEnd: results that were worked out and never used again.
func seeDeadEnd(k *sight) float64 {
	results, dead := 0, 0
	for i, f := range k.said {
		if !f.result {
			continue
		}
		results++
		again := i == len(k.said)-1
		for _, later := range k.said[i+1:] {
			again = again || same64(later.value, f.value)
		}
		if !again {
			dead++
		}
	}
	if results < 2 {
		return 0
	}
	return float64(dead) / float64(results)
}

// seePartStep: whole numbers were given, and a result on the way is none, without a percentage or a currency.
func seePartStep(k *sight) float64 {
	for _, g := range k.given {
		if g.decimals > 0 || g.percent || g.money {
			return 0
		}
	}
	n := 0
	for _, f := range k.said {
		if f.result && f.decimals > 0 && !f.money && !same64(f.value, float64(int64(f.value))) {
			n++
		}
	}
	return float64(n) / 2
}

// seeUnheard: words for numbers and shares in the question that no number of the answer stands for, and that it does not
// say either.
func seeUnheard(k *sight) float64 {
	unheard := 0
	for w := range strings.FieldsFuncSeq(strings.ToLower(k.task), func(r rune) bool { return r < 'a' || r > 'z' }) {
		v, ok := numerals[strings.TrimSuffix(w, "s")]
		if !ok || v == 1 {
			continue
		}
		heard := strings.Contains(k.folded, w)
		for _, f := range k.said {
			heard = heard || same64(f.value, v) || same64(f.value, 1/v) || same64(f.value, 100*v) || same64(f.value, 100/v)
		}
		if !heard {
			unheard++
		}
	}
	return float64(unheard) / 2
}

// seeFewSteps: fewer calculations than the numbers that were given call for.
func seeFewSteps(k *sight) float64 {
	need := len(k.given) - 1
	if need < 1 || k.equals == 0 {
		return 0
	}
	return float64(need-k.equals) / float64(need)
}
