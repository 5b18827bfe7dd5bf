package validate

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Doubt is how much speaks against an answer, without a model: what of it can be held against the question and against
// itself. It is graded, so that answers can be ranked. It is no probability: nothing here is calibrated.
type Doubt struct {
	Score float64 `json:"score"` // 0 to 1
	// Signs are what was seen, each from 0 (not at all) to 1, by name; what was not seen is left out.
	Signs map[string]float64 `json:"signs,omitzero"`
}

// Share is the score in ten-thousandths, which it is rounded to.
func (d Doubt) Share() int { return int(math.Round(d.Score * 10_000)) }

// sign is one thing that can be seen of an answer.
type sign struct {
	name   string
	weight float64 // log-odds that it adds at 1
	why    string  // what it says in a reason
	see    func(*sight) float64
}

// startOdds are the log-odds of an answer of which nothing is seen.
const startOdds = -2.2

// signs are all that is looked for. Their weights are set by hand, the same for every question: a plain contradiction
// (a sum that does not hold, an answer that breaks off) weighs most, what only hints half as much, size least. They were
// not fitted, but chosen in sight of four fifths of one recording of word problems; docs/evaluation.md tells what they are
// worth on the rest and on others.
var signs = []sign{
	{"arithmetic", 2.5, "a calculation does not hold", seeArithmetic},
	{"unfinished", 2.5, "the answer breaks off", seeUnfinished},
	{"no-result", 2.0, "a quantity is asked for and the answer does not end with one", seeNoResult},
	{"odd-result", 2.0, "the result is no amount of what is asked for", seeOddResult},
	{"other-result", 1.0, "the result is none of the numbers worked out before it", seeOtherResult},
	{"unsourced", 1.5, "numbers are used that are neither given nor worked out", seeUnsourced},
	{"unused", 1.0, "numbers that are given are not used", seeUnused},
	{"unheard", 0.7, "a share or number in words is not taken up", seeUnheard},
	{"dead-end", 1.0, "results are worked out and not used", seeDeadEnd},
	{"part-step", 1.5, "things that come whole are counted in parts on the way", seePartStep},
	{"few-steps", 1.0, "there are fewer calculations than the numbers call for", seeFewSteps},
	{"hedge", 1.0, "the answer qualifies or corrects itself", seeHedge},
	{"repeats", 1.0, "the answer repeats itself", seeRepeats},
	{"no-work", 0.5, "a result is stated without its calculation", seeNoWork},
	{"steps", 0.5, "the answer takes many steps", seeSteps},
	{"length", 1.0, "the answer is long", seeLength},
	{"task", 1.0, "the question is long", seeTask},
}

// SignNames are the names of all signs, in a fixed order.
func SignNames() []string {
	names := make([]string, len(signs))
	for i, s := range signs {
		names[i] = s.name
	}
	return names
}

// DoubtOf looks at one answer.
func DoubtOf(s Subject) Doubt {
	look := sighted(s)
	d, odds := Doubt{Signs: map[string]float64{}}, startOdds
	for _, sg := range signs {
		v := grade(sg.see(look))
		if v == 0 {
			continue
		}
		d.Signs[sg.name] = v
		odds += sg.weight * v
	}
	d.Score = grade(1 / (1 + math.Exp(-odds)))
	return d
}

// Graver is the graver of two doubts; nil = none.
func Graver(a, b *Doubt) *Doubt {
	if a == nil || b != nil && b.Score > a.Score {
		return b
	}
	return a
}

// grade brings a value into 0 to 1, with the four decimals that are kept.
func grade(v float64) float64 { return math.Round(min(max(v, 0), 1)*10_000) / 10_000 }

// main are the signs that weigh most in a doubt, as a reason tells them.
func (d Doubt) main() string {
	seen := make([]sign, 0, len(d.Signs))
	for _, s := range signs {
		if d.Signs[s.name] > 0 {
			seen = append(seen, s)
		}
	}
	slices.SortStableFunc(seen, func(a, b sign) int {
		return -int(math.Copysign(1, a.weight*d.Signs[a.name]-b.weight*d.Signs[b.name]))
	})
	why := make([]string, 0, 3)
	for _, s := range seen[:min(len(seen), 3)] {
		why = append(why, s.why)
	}
	return strings.Join(why, "; ")
}

// doubtCheck refuses answers whose doubt is above a limit in percent.
func doubtCheck(name string, limit int) Check { return doubting{name, limit} }

type doubting struct {
	name  string
	limit int
}

var _ Check = doubting{}

// Name is the check's name.
func (c doubting) Name() string { return c.name }

// Judge tells the doubt in every finding, also of an answer that passes.
func (c doubting) Judge(s Subject) Finding {
	if s.choice() == nil || s.toolsOnly() {
		return Finding{OK: true}
	}
	d := DoubtOf(s)
	if d.Score*100 <= float64(c.limit) {
		return Finding{OK: true, Doubt: &d}
	}
	return Finding{
		Check: c.name, Doubt: &d, Reason: fmt.Sprintf("the doubt is %.0f %% where %d %% are allowed: %s", d.Score*100, c.limit, d.main()),
	}
}
