package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
)

// outcomes are the grades of the weak and the strong model, row by row.
type outcomes struct{ weak, strong []float64 }

func average(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// point is what comes of sending a share of the calls to the strong model.
type point struct {
	share float64 // 0 to 1
	grade float64 // mean over all rows
}

// steps is in how many parts RouteLLM's harness cuts the calls: 11 points.
const steps = 10

// elevenPoints is the curve as RouteLLM's harness (routellm/evals/benchmarks.py) makes it: thresholds at the deciles of
// the scores; what scores at or above one goes to the strong model, and nothing at the last. By share, rising.
func elevenPoints(score []float64, o outcomes) []point {
	sorted := slices.Sorted(slices.Values(score))
	var curve []point
	for i := steps; i >= 0; i-- {
		t := quantile(sorted, float64(i)/steps)
		n, sum := 0, 0.0
		for r, s := range score {
			if s > t || s == t && i < steps {
				n++
				sum += o.strong[r]
			} else {
				sum += o.weak[r]
			}
		}
		curve = append(curve, point{float64(n) / float64(len(score)), sum / float64(len(score))})
	}
	return curve
}

// quantile interpolates between neighbours, as numpy and pandas do by default.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// everyPoint is the whole curve: the rows go to the strong model one score after the other, the highest first. times is
// how often each row counts; nil = once.
func everyPoint(order []int, score []float64, o outcomes, times []int) []point {
	count := func(r int) float64 {
		if times == nil {
			return 1
		}
		return float64(times[r])
	}
	total, grade := 0.0, 0.0
	for r := range score {
		total += count(r)
		grade += count(r) * o.weak[r]
	}
	curve := []point{{0, grade / total}}
	sent := 0.0
	for i := 0; i < len(order); {
		same := score[order[i]]
		for ; i < len(order) && score[order[i]] == same; i++ {
			r := order[i]
			sent += count(r)
			grade += count(r) * (o.strong[r] - o.weak[r])
		}
		curve = append(curve, point{sent / total, grade / total})
	}
	return curve
}

// byScore orders rows by score, the highest first.
func byScore(score []float64) []int {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return score[order[a]] > score[order[b]] })
	return order
}

// quality is what RouteLLM's paper tells of a router (arXiv 2406.18665): the performance gap recovered, averaged over all
// shares of strong calls, and the percent of strong calls at which half, or four fifths, of the gap is recovered.
type quality struct{ apgr, cpt50, cpt80 float64 }

// qualityOf reads a curve between the grades of the two models.
func qualityOf(curve []point, weak, strong float64) quality {
	return quality{apgr(curve, weak, strong), cpt(curve, weak+0.5*(strong-weak)), cpt(curve, weak+0.8*(strong-weak))}
}

// apgr is the mean recovered gap over the shares that the curve covers, by trapezoids.
func apgr(curve []point, weak, strong float64) float64 {
	area, span := 0.0, 0.0
	for i := range curve[1:] {
		a, b := curve[i], curve[i+1]
		area += (b.share - a.share) * ((a.grade+b.grade)/2 - weak)
		span += b.share - a.share
	}
	return area / (span * (strong - weak))
}

// cpt is the least percent of strong calls at which the curve reaches a grade; NaN = it never does.
func cpt(curve []point, grade float64) float64 {
	if curve[0].grade >= grade {
		return 100 * curve[0].share
	}
	for i := range curve[1:] {
		a, b := curve[i], curve[i+1]
		if a.grade < grade && b.grade >= grade {
			return 100 * (a.share + (b.share-a.share)*(grade-a.grade)/(b.grade-a.grade))
		}
	}
	return math.NaN()
}

// interval is where 95 % of the resampled values lie.
type interval struct{ low, high float64 }

// bootstraps is how often rows are drawn anew.
const bootstraps = 1000

// resampled draws the rows with replacement, again and again, and tells how far the figures of the whole curve move.
func resampled(score []float64, o outcomes, seed uint64) (apgrs, cpts interval) {
	rng := rand.New(rand.NewPCG(seed, uint64(len(score))))
	order, times := byScore(score), make([]int, len(score))
	var as, cs []float64
	for range bootstraps {
		clear(times)
		for range score {
			times[rng.IntN(len(score))]++
		}
		weak, strong := 0.0, 0.0
		for r, n := range times {
			weak += float64(n) * o.weak[r]
			strong += float64(n) * o.strong[r]
		}
		weak, strong = weak/float64(len(score)), strong/float64(len(score))
		if strong <= weak {
			continue
		}
		q := qualityOf(everyPoint(order, score, o, times), weak, strong)
		as = append(as, q.apgr)
		if math.IsNaN(q.cpt50) {
			q.cpt50 = 100
		}
		cs = append(cs, q.cpt50)
	}
	return middle(as), middle(cs)
}

// middle is the interval from the 2.5th to the 97.5th percentile.
func middle(v []float64) interval {
	if len(v) == 0 {
		return interval{math.NaN(), math.NaN()}
	}
	slices.Sort(v)
	return interval{quantile(v, 0.025), quantile(v, 0.975)}
}
