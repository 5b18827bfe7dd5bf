package ledger

import (
	"maps"
	"math/bits"
	"slices"
)

// fine is how many steps a sketch takes from a power of two to the next.
const fine = 64

// sketch counts values so that quantiles can be told without keeping them: values below 2*fine exactly, larger ones to
// one part in 2*fine. However many values come, it has at most 3,776 counters.
type sketch struct {
	counts map[uint16]int64
	n, sum int64
}

func (s *sketch) add(v int64) {
	v = max(v, 0)
	if s.counts == nil {
		s.counts = map[uint16]int64{}
	}
	s.counts[stepOf(uint64(v))]++
	s.n++
	s.sum += v
}

// stepOf is the step that a value falls into.
func stepOf(v uint64) uint16 {
	e := max(bits.Len64(v)-bits.Len(2*fine-1), 0)
	return uint16(uint64(e)*fine + v>>e)
}

// middle is the value that stands for a step.
func middle(step uint16) int64 {
	if step < 2*fine {
		return int64(step)
	}
	e := step/fine - 1
	return int64(step-e*fine)<<e + 1<<(e-1)
}

// length tells the nearest-rank quantiles and the mean.
func (s *sketch) length() Length {
	l := Length{N: s.n}
	if s.n == 0 {
		return l
	}
	l.Mean = s.sum / s.n
	seen := int64(0)
	at := func(percent int64) int64 { return (s.n*percent + 99) / 100 }
	for _, step := range slices.Sorted(maps.Keys(s.counts)) {
		before := seen
		seen += s.counts[step]
		for _, q := range []struct {
			percent int64
			to      *int64
		}{{50, &l.P50}, {95, &l.P95}} {
			if r := at(q.percent); before < r && r <= seen {
				*q.to = middle(step)
			}
		}
	}
	return l
}
