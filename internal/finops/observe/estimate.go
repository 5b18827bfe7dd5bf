package observe

import (
	"math/big"

	"github.com/weirhq/weir/internal/finops/money"
)

// Estimate is an amount known for some calls and extrapolated to all, with the interval that holds the true one in 95 of
// 100 cases.
type Estimate struct {
	At, Low, High money.Nano
	N             int64 // calls that it rests on
	Known         bool  // at least one
	Bounded       bool  // at least two: Low and High say something
	Exact         bool  // all of them: nothing is extrapolated
}

// from is the estimate of what is left of an amount.
func (e Estimate) from(whole money.Nano) Estimate {
	if !e.Known {
		return e
	}
	e.At, e.Low, e.High = whole-e.At, whole-e.High, whole-e.Low
	return e
}

// Share is a part of the shadows, with its 95 % interval (Wilson), in basis points.
type Share struct {
	Name          string
	N, Of         int64
	BP, Low, High int64
}

// weightOf is how many calls a drawn one speaks for, in millionths of a thousand: the inverse of its probability.
func weightOf(ppm int) int64 { return Whole * 1000 / int64(ppm) }

// weights count what was drawn, by how much each speaks for.
type weights struct {
	n       int64
	sum, sq big.Int
}

func (w *weights) add(v int64) {
	w.n++
	x := big.NewInt(v)
	w.sum.Add(&w.sum, x)
	w.sq.Add(&w.sq, x.Mul(x, x))
}

// effective is the number of equally weighted draws that would tell as much (Kish), in millionths.
func (w *weights) effective() int64 {
	if w.n == 0 {
		return 0
	}
	v := new(big.Int).Mul(&w.sum, &w.sum)
	return v.Mul(v, big.NewInt(Whole)).Quo(v, &w.sq).Int64()
}

// share is a part of what was drawn. Wilson's interval holds its level also for few draws and for parts near 0 and 1:
// (pn + z²/2 ± z√(p(1-p)n + z²/4)) / (n + z²). All values are in millionths.
func (w *weights) share(name string, part *weights) Share {
	const z, zz = 1_959_964, 3_841_459
	s := Share{Name: name, N: part.n, Of: w.n}
	if w.n == 0 {
		return s
	}
	v := new(big.Int).Mul(&part.sum, big.NewInt(Whole))
	p, n := v.Quo(v, &w.sum).Int64(), w.effective()
	under := big.NewInt(times(p*(Whole-p)/Whole, n) + zz/4)
	wide := times(z, under.Mul(under, big.NewInt(Whole)).Sqrt(under).Int64())
	middle := times(p, n) + zz/2
	bp := func(v int64) int64 { return max(0, min(10_000, int64(money.MulDiv(money.Nano(v), 10_000, n+zz)))) }
	s.BP, s.Low, s.High = int64(money.MulDiv(money.Nano(p), 1, 100)), bp(middle-wide), bp(middle+wide)
	return s
}

// times is a product of millionths.
func times(a, b int64) int64 { return int64(money.MulDiv(money.Nano(a), b, Whole)) }

// ratio estimates what the cascade would have cost by what it cost beside what the calls cost: y = R·s.
type ratio struct {
	w          weights
	y, s       big.Int // weighted sums
	yy, ys, ss big.Int
}

func (r *ratio) add(weight int64, would, spent money.Nano) {
	r.w.add(weight)
	w, y, s := big.NewInt(weight), big.NewInt(int64(would)), big.NewInt(int64(spent))
	sum := func(to *big.Int, of ...*big.Int) {
		v := new(big.Int).Set(w)
		for _, x := range of {
			v.Mul(v, x)
		}
		to.Add(to, v)
	}
	sum(&r.y, y)
	sum(&r.s, s)
	sum(&r.yy, y, y)
	sum(&r.ys, y, s)
	sum(&r.ss, s, s)
}

// estimate is what the cascade would have cost for all of N calls: exact for those that were seen, and the ratio for the
// rest. The interval is that of a ratio estimate from a sample without replacement.
func (r *ratio) estimate(calls int64, spent, spentSeen, wouldSeen money.Nano) Estimate {
	n := r.w.n
	e := Estimate{N: n, Known: n > 0, Exact: n > 0 && n >= calls}
	if n == 0 {
		return e
	}
	e.At = wouldSeen
	if rest := spent - spentSeen; rest > 0 && !e.Exact && r.s.Sign() > 0 {
		v := new(big.Int).Mul(big.NewInt(int64(rest)), &r.y)
		e.At = money.Add(e.At, money.Nano(v.Quo(v, &r.s).Int64()))
	}
	e.Low, e.High = e.At, e.At
	if e.Exact {
		e.Bounded = true
		return e
	}
	if n < 2 || r.s.Sign() <= 0 {
		return e
	}
	wide := r.wide(calls)
	e.Bounded, e.Low, e.High = true, max(e.At-wide, wouldSeen), money.Add(e.At, wide)
	return e
}

// wide is half the interval: t·√(N(N-n)/n' · s²), where n' is the effective n and s² the variance of y - R·s.
func (r *ratio) wide(calls int64) money.Nano {
	n := r.w.n
	mul := func(of ...*big.Int) *big.Int {
		v := big.NewInt(1)
		for _, x := range of {
			v.Mul(v, x)
		}
		return v
	}
	d := mul(&r.yy, &r.s, &r.s)
	d.Sub(d, mul(big.NewInt(2), &r.y, &r.s, &r.ys)).Add(d, mul(&r.y, &r.y, &r.ss)) // Σw(y-Rs)² · s²
	if d.Sign() <= 0 {
		return 0
	}
	t := big.NewInt(student(r.w.effective() / Whole))
	over := mul(big.NewInt(calls), big.NewInt(calls-n), &r.w.sq, d, big.NewInt(n), t, t)
	under := mul(&r.w.sum, &r.w.sum, &r.w.sum, &r.s, &r.s, big.NewInt(n-1), big.NewInt(1000*1000))
	return money.Nano(over.Quo(over, under).Sqrt(over).Int64())
}

// students are the 97.5 % points of Student's t by degrees of freedom, from 1, in thousandths.
var students = [...]int64{
	12_706, 4303, 3182, 2776, 2571, 2447, 2365, 2306, 2262, 2228, 2201, 2179, 2160, 2145, 2131, 2120, 2110, 2101, 2093,
	2086, 2080, 2074, 2069, 2064, 2060, 2056, 2052, 2048, 2045, 2042,
}

// student is the factor of an interval from n draws.
func student(n int64) int64 {
	if n-1 > int64(len(students)) {
		return 1960
	}
	return students[max(n-2, 0)]
}
