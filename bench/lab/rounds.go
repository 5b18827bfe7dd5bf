package lab

import (
	"fmt"
	"math"
	"strings"
)

// Subject is what is measured beside others: a process, and one run against it that says how many units it served.
type Subject struct {
	Name string
	PID  int
	Run  func() (units int64, err error)
}

// maxSteal is the share of a processor that the hypervisor may take before a round is refused.
const maxSteal = 0.02

// refusals is how many times over the rounds wanted may be tried.
const refusals = 3

// Rounds says how many rounds to make.
type Rounds struct {
	Want int
	// Accept keeps rounds whose processor time was stolen.
	Accept bool
}

// Costs are what a unit costs each subject, in microseconds of processor time, and what disturbed.
type Costs struct {
	Of      map[string]Spread `json:"cpu_us"`
	Refused int               `json:"rounds_refused"`
	Stolen  float64           `json:"stolen_cores_max"` // in the rounds that count

	rounds map[string][]float64
}

// Ratio is the cost of one subject in that of another: the median of the rounds' own ratios, since what a machine does
// besides drifts from round to round.
func (c Costs) Ratio(of, to string) float64 {
	var ratios []float64
	for i, v := range c.rounds[of] {
		ratios = append(ratios, v/c.rounds[to][i])
	}
	return SpreadOf(ratios).Median
}

// Interleave measures subjects in turns, after one turn that does not count. A round in which the processor was stolen
// is refused and made again, up to a bound; too few good rounds are an error, since their figures would mean nothing.
func (l *Lab) Interleave(r Rounds, subjects ...Subject) (Costs, error) {
	for _, s := range subjects {
		if _, err := s.Run(); err != nil {
			return Costs{}, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	c := Costs{Of: map[string]Spread{}, rounds: map[string][]float64{}}
	for good, tried := 0, 0; good < r.Want; tried++ {
		costs, stolen, err := turn(subjects, tried%2 == 1)
		if err != nil {
			return c, err
		}
		if stolen > maxSteal && !r.Accept {
			if c.Refused++; c.Refused+good >= refusals*r.Want {
				return c, fmt.Errorf("%d rounds refused for stolen processor time, only %d good: measure on a quiet machine", c.Refused, good)
			}
			l.Say("  round refused: %.2f cores were stolen", stolen)
			continue
		}
		good++
		c.Stolen = max(c.Stolen, Round(stolen))
		var line strings.Builder
		for i, s := range subjects {
			c.rounds[s.Name] = append(c.rounds[s.Name], costs[i])
			fmt.Fprintf(&line, "  %s %.1f us", s.Name, costs[i])
		}
		l.Say("  round %d:%s", good, line.String())
	}
	for name, v := range c.rounds {
		c.Of[name] = SpreadOf(v)
	}
	return c, nil
}

// turn runs every subject once, backwards in every other turn: the first of a turn has no advantage over all.
func turn(subjects []Subject, backwards bool) (costs []float64, stolen float64, err error) {
	costs = make([]float64, len(subjects))
	for i := range subjects {
		if backwards {
			i = len(subjects) - 1 - i
		}
		s := subjects[i]
		var units int64
		u, err := during(s.PID, func() (err error) {
			units, err = s.Run()
			return err
		})
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", s.Name, err)
		}
		if units == 0 || u.process < 5*tick {
			return nil, 0, fmt.Errorf("%s used %s for %d units: too little to tell; measure for longer", s.Name, u.process, units)
		}
		costs[i] = float64(u.process.Nanoseconds()) / 1e3 / float64(units)
		stolen = max(stolen, u.steal)
	}
	return costs, stolen, nil
}

// Round keeps four digits.
func Round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}
