package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// drawn are outcomes like those of two models: a weak one that is right in 60 %, a strong one in 80 %.
func drawn(n int) outcomes {
	rng := rand.New(rand.NewPCG(7, 7))
	var o outcomes
	for range n {
		o.weak = append(o.weak, float64(b2i(rng.Float64() < 0.6)))
		o.strong = append(o.strong, float64(b2i(rng.Float64() < 0.8)))
	}
	return o
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// By hand: ten rows with different scores; the strong model is right where the weak one is wrong, in the first four.
func TestElevenPointsByHand(t *testing.T) {
	o := outcomes{weak: []float64{0, 0, 0, 0, 1, 1, 1, 1, 1, 1}, strong: []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}
	score := []float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}
	curve := elevenPoints(score, o)
	// The thresholds are 1, 1.9, ... 9.1, 10: between them lie 10, 9, ... 1 rows, and at the last none is above.
	for i, p := range curve {
		near(t, "share", p.share, float64(i)/10, 1e-9)
		near(t, "grade", p.grade, 0.6+0.1*math.Min(float64(i), 4), 1e-9)
	}
	q := qualityOf(curve, 0.6, 1)
	near(t, "CPT50", q.cpt50, 20, 1e-9)
	near(t, "CPT80", q.cpt80, 32, 1e-9)
	near(t, "APGR", q.apgr, 0.8, 1e-9) // 1 - the triangle below 40 %
	whole := qualityOf(everyPoint(byScore(score), score, o, nil), 0.6, 1)
	near(t, "CPT50 of the whole curve", whole.cpt50, 20, 1e-9)
	near(t, "APGR of the whole curve", whole.apgr, 0.8, 1e-9)
}

func TestChanceRecoversItsShare(t *testing.T) {
	o := drawn(500)
	weak, strong := average(o.weak), average(o.strong)
	same := make([]float64, 500)
	for _, curve := range [][]point{elevenPoints(same, o), everyPoint(byScore(same), same, o, nil)} {
		q := qualityOf(curve, weak, strong)
		near(t, "CPT50", q.cpt50, 50, 1e-9)
		near(t, "CPT80", q.cpt80, 80, 1e-9)
		near(t, "APGR", q.apgr, 0.5, 1e-9)
	}
}

func TestAnOracleIsBestAndItsOppositeWorst(t *testing.T) {
	o := drawn(500)
	weak, strong := average(o.weak), average(o.strong)
	gain, loss := make([]float64, 500), make([]float64, 500)
	for i := range gain {
		gain[i] = o.strong[i] - o.weak[i]
		loss[i] = -gain[i]
	}
	best := qualityOf(elevenPoints(gain, o), weak, strong)
	worst := qualityOf(elevenPoints(loss, o), weak, strong)
	if best.apgr < 0.9 || best.cpt50 > 20 || worst.apgr > 0.1 || worst.cpt50 < 80 {
		t.Errorf("oracle %+v, its opposite %+v", best, worst)
	}
	if never := cpt([]point{{0, 0.2}, {1, 0.4}}, 0.5); !math.IsNaN(never) {
		t.Errorf("a grade that is never reached costs %v", never)
	}
	if first := cpt([]point{{0, 0.6}, {1, 0.4}}, 0.5); first != 0 {
		t.Errorf("a grade that is there from the start costs %v", first)
	}
}

func TestIntervalsHoldTheFigureAndAreTheSameAgain(t *testing.T) {
	o := drawn(400)
	score := make([]float64, 400)
	for i := range score {
		score[i] = float64(i%7) + 10*(1-o.weak[i])
	}
	q := qualityOf(everyPoint(byScore(score), score, o, nil), average(o.weak), average(o.strong))
	a, c := resampled(score, o, 3)
	if !(a.low < q.apgr && q.apgr < a.high && c.low < q.cpt50 && q.cpt50 < c.high) {
		t.Errorf("%+v outside of %+v, %+v", q, a, c)
	}
	if a2, c2 := resampled(score, o, 3); a2 != a || c2 != c {
		t.Error("the same seed gives other intervals")
	}
	if a2, _ := resampled(score, o, 4); a2 == a {
		t.Error("another seed gives the same intervals")
	}
}

// Weights are found again from labels that they made, and a row's own label never helps to rank it.
func TestLogisticRegression(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var x [][]float64
	var y []float64
	for range 5000 {
		row := []float64{rng.Float64(), rng.Float64(), 0}
		x = append(x, row)
		y = append(y, float64(b2i(rng.Float64() < chance([]float64{-1, 3, -2, 0}, row))))
	}
	w := logistic(x, y)
	for i, want := range []float64{-1, 3, -2, 0} {
		near(t, "weight", w[i], want, 0.3)
	}
	var prompts []string
	var noise [][]float64
	o := drawn(600)
	for i := range o.weak {
		prompts = append(prompts, string(rune('a'+i%26))+string(rune('0'+i/26)))
		noise = append(noise, []float64{rng.Float64()})
	}
	score := learnt(prompts, noise, o)
	if q := qualityOf(elevenPoints(score, o), average(o.weak), average(o.strong)); q.apgr > 0.65 {
		t.Errorf("noise is ranked with an APGR of %v", q.apgr)
	}
	flipped := outcomes{weak: slices.Clone(o.weak), strong: o.strong}
	flipped.weak[0] = 1 - flipped.weak[0]
	if again := learnt(prompts, noise, flipped); again[0] != score[0] {
		t.Error("a row's own label changes its rank")
	}
}
