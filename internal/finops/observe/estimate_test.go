package observe

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/weirhq/weir/internal/finops/money"
)

func counted(n, ppm int) *weights {
	w := new(weights)
	for range n {
		w.add(weightOf(ppm))
	}
	return w
}

// The expected bounds are those of R's prop.test(x, n, correct = FALSE), in basis points.
func TestSharesHaveWilsonsInterval(t *testing.T) {
	for _, tt := range []struct {
		x, n          int
		bp, low, high int64
	}{
		{0, 10, 0, 0, 2775},
		{10, 10, 10_000, 7225, 10_000},
		{5, 10, 5000, 2366, 7634},
		{1, 1, 10_000, 2065, 10_000},
		{75, 100, 7500, 6569, 8245},
		{750, 1000, 7500, 7222, 7759},
		{3, 4000, 8, 3, 22},
	} {
		for _, ppm := range []int{Whole, 50_000, 30_000} {
			s := counted(tt.n, ppm).share("x", counted(tt.x, ppm))
			if s.N != int64(tt.x) || s.Of != int64(tt.n) || abs(s.BP-tt.bp) > 1 || abs(s.Low-tt.low) > 1 || abs(s.High-tt.high) > 1 {
				t.Errorf("%d of %d at %d ppm: %+v, want %d [%d, %d]", tt.x, tt.n, ppm, s, tt.bp, tt.low, tt.high)
			}
		}
	}
	if s := new(weights).share("x", new(weights)); s.Of != 0 || s.High != 0 {
		t.Errorf("of nothing: %+v", s)
	}
}

func abs(n int64) int64 { return max(n, -n) }

// TestSharesAreWeighted draws a tenth of one kind of calls and all of another, as after a change of the sample.
func TestSharesAreWeighted(t *testing.T) {
	all, part := counted(100, 100_000), counted(0, Whole)
	for range 1000 {
		all.add(weightOf(Whole))
		part.add(weightOf(Whole))
	}
	if s := all.share("x", part); s.BP != 5000 || s.Low > 4650 || s.High < 5350 {
		t.Errorf("half of the calls, of which a tenth was drawn, is %+v", s)
	}
	if n := all.effective() / Whole; n < 350 || n > 400 {
		t.Errorf("1,100 draws of unequal weight tell as much as %d, want about 364", n)
	}
}

func TestWhatWasSeenWholeIsExact(t *testing.T) {
	var r ratio
	spent, would := money.Nano(0), money.Nano(0)
	for i := range money.Nano(7) {
		r.add(weightOf(Whole), 3+i*i, 100+i)
		would, spent = would+3+i*i, spent+100+i
	}
	e := r.estimate(7, spent, spent, would)
	if !e.Exact || e.At != would || e.Low != would || e.High != would || e.N != 7 {
		t.Errorf("%+v, want exactly %d", e, would)
	}
	if s := e.from(spent); s.At != spent-would || s.Low != s.High {
		t.Errorf("saved %+v", s)
	}
	if e := r.estimate(8, spent+100, spent, would); e.Exact || e.At <= would || e.High <= e.At || e.Low < would {
		t.Errorf("one of eight was not seen: %+v", e)
	}
	var none ratio
	if e := none.estimate(7, spent, 0, 0); e.Known || e.At != 0 {
		t.Errorf("of nothing: %+v", e)
	}
	if e := none.estimate(0, 0, 0, 0).from(5); e.At != 0 {
		t.Errorf("saved of nothing: %+v", e)
	}
	var one ratio
	one.add(weightOf(50_000), 10, 100)
	if e := one.estimate(20, 2000, 100, 10); e.Bounded || e.At != 200 {
		t.Errorf("of one: %+v", e)
	}
}

// TestIntervalsHold draws samples again and again from calls whose true cost is known: the interval must hold it in about
// 95 of 100 cases. Costs are as in a cascade: most calls cheap, some dear, all in proportion to the size of the request.
func TestIntervalsHold(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	type one struct{ would, spent money.Nano }
	var calls []one
	var spent, would money.Nano
	for range 4000 {
		c := one{spent: money.Nano(1_000_000 + rnd.IntN(9_000_000))}
		c.would = c.spent / 20
		if rnd.IntN(4) == 0 { // escalated
			c.would += c.spent
		}
		calls, spent, would = append(calls, c), spent+c.spent, would+c.would
	}
	for _, ppm := range []int{20_000, 50_000, 300_000} {
		held, wide := 0, 0.0
		const times = 1000
		for range times {
			var r ratio
			var seenSpent, seenWould money.Nano
			for _, c := range calls {
				if rnd.IntN(Whole) < ppm {
					r.add(weightOf(ppm), c.would, c.spent)
					seenSpent, seenWould = seenSpent+c.spent, seenWould+c.would
				}
			}
			e := r.estimate(int64(len(calls)), spent, seenSpent, seenWould)
			if e.Low <= would && would <= e.High {
				held++
			}
			wide += float64(e.High-e.Low) / float64(would) / times
		}
		if math.Abs(float64(held)/times-0.95) > 0.03 {
			t.Errorf("at %d ppm the interval held the truth in %d of %d cases", ppm, held, times)
		}
		t.Logf("%d ppm: held %d of %d, width %.1f%%", ppm, held, times, 100*wide)
	}
}

func TestStudentFallsToTheNormal(t *testing.T) {
	for n, want := range map[int64]int64{0: 12_706, 1: 12_706, 2: 12_706, 3: 4303, 31: 2042, 32: 1960, 1000: 1960} {
		if got := student(n); got != want {
			t.Errorf("%d draws: %d, want %d", n, got, want)
		}
	}
}
