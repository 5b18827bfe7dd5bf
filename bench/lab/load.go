package lab

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// Report is what one run of the load generator came to; latencies in microseconds.
type Report struct {
	Calls   int64     `json:"calls"`
	Failed  int64     `json:"failed"`
	Error   string    `json:"error"`
	Seconds float64   `json:"seconds"`
	Rate    float64   `json:"calls_per_s"`
	Events  int64     `json:"events"`
	First   Quantiles `json:"first_byte_us"`
	Last    Quantiles `json:"last_byte_us"`
	Late    Quantiles `json:"late_us"`    // how much later than planned calls started
	Refused int64     `json:"refused"`    // with -refusals
	Refusal Quantiles `json:"refusal_us"` // to the last byte of a refusal
}

// Quantiles of latencies.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Load runs the load generator against an address with flags of its own. Failed calls are an error.
func (l *Lab) Load(addr, key string, flags ...string) (r Report, err error) {
	p, err := l.load(addr, key, flags...)
	if err != nil {
		return r, err
	}
	defer p.close()
	out, err := p.Rest()
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("load said %.200q: %w", out, err)
	}
	if r.Failed > 0 {
		return r, fmt.Errorf("%d of %d calls failed: %s", r.Failed, r.Calls+r.Failed, r.Error)
	}
	return r, nil
}

func (l *Lab) load(addr, key string, flags ...string) (*Process, error) {
	if err := l.Build(); err != nil {
		return nil, err
	}
	args := append([]string{l.Bin("load"), "-addr", addr, "-key", key}, flags...)
	return Start(Command{Args: args, Side: LoadSide})
}

// Hold opens streams and returns once all have begun, with what ends them: it tells how many broke.
func (l *Lab) Hold(addr, key string, streams int) (end func() (broken int64, err error), err error) {
	p, err := l.load(addr, key, "-hold", "-conns", fmt.Sprint(streams))
	if err != nil {
		return nil, err
	}
	if _, err := p.Line(); err != nil {
		p.Kill()
		return nil, err
	}
	return func() (int64, error) {
		defer p.close()
		p.Release()
		out, err := p.Rest()
		if err != nil {
			return 0, err
		}
		var said struct {
			Broken int64 `json:"broken"`
		}
		if err := json.Unmarshal(out, &said); err != nil {
			return 0, fmt.Errorf("load said %.200q: %w", out, err)
		}
		return said.Broken, nil
	}, nil
}

// Spread is the middle and the ends of several rounds.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"rounds"`
}

// SpreadOf sorts values and takes the middle; of an even number, the mean of the two in the middle.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return Spread{Median: Round((v[n/2] + v[(n-1)/2]) / 2), Min: Round(v[0]), Max: Round(v[n-1]), Rounds: n}
}

// used is what happened during a run.
type used struct {
	process time.Duration // processor time of the process
	steal   float64       // processors that the hypervisor took
}

// during runs f and tells what a process used meanwhile.
func during(pid int, f func() error) (u used, err error) {
	m0, err := Now()
	if err != nil {
		return u, err
	}
	p0, err := CPU(pid)
	if err != nil {
		return u, err
	}
	start := time.Now()
	if err := f(); err != nil {
		return u, err
	}
	wall := time.Since(start)
	p1, err := CPU(pid)
	if err != nil {
		return u, err
	}
	m1, err := Now()
	if err != nil {
		return u, err
	}
	u.process = p1 - p0
	u.steal = (m1.Steal - m0.Steal).Seconds() / wall.Seconds()
	return u, nil
}
