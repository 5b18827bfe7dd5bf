package cases

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/weirhq/weir/bench/lab"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/server"
)

// What is overloaded: a gateway that lets in so many calls, of which one key may hold part, and streams that take a fifth
// of a second each. That is far below what a processor carries, so that it is the limit that is measured; a load of five
// times what the processor carries cannot be made on the one that is left for it.
const (
	places   = 128
	part     = places * 7 / 8 // of one key
	doors    = 2048           // limits.connections
	callers  = 1024           // connections of the load
	times    = 5
	inflight = 32 << 20
	guests   = 20 // calls a second of the key that does not flood
)

// overload measures what is answered at most, then offers five times that much in the open loop while another key calls
// now and then, then large bodies. The gateway has a processor of its own; load and upstream share the other.
func overload(all *Settings) ([]Bar, error) {
	own := *all
	s := &own
	s.Rounds.Want, s.Run = min(s.Rounds.Want, 3), min(s.Run, 2*time.Second) // a minute in all
	up, err := s.Lab.Upstream("-chunks", "10", "-pace", "20ms")
	if err != nil {
		return nil, err
	}
	defer up.Stop()
	w, err := s.Lab.Prepare(up.Addr, "")
	if err != nil {
		return nil, err
	}
	err = w.Limit(fmt.Sprintf("{attempts: 1, calls: %d, connections: %d, body: 8 MiB, inflight: %d MiB}", places, doors, inflight>>20))
	if err != nil {
		return nil, err
	}
	guest, err := w.NewKey("guest")
	if err == nil {
		err = w.Serve()
	}
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	rounds, err := floods(s, w, guest)
	if err != nil {
		return nil, err
	}
	large, err := s.Lab.Load(w.Addr, w.Key, "-conns", "64", "-size", strconv.Itoa(mb), "-stream", "-refusals", "-for", s.Run.String())
	if err != nil {
		return nil, err
	}
	peak, err := lab.PeakRSS(w.PID())
	if err != nil {
		return nil, err
	}
	cost, err := refusing(s)
	if err != nil {
		return nil, err
	}
	hasty, err := storm(s)
	return append(judged(rounds, large, float64(peak)/mb), cost, hasty), err
}

// refusing measures what a refusal costs a gateway whose only place is taken.
func refusing(s *Settings) (Bar, error) {
	w, stop, err := limited(s, "{attempts: 1, calls: 1}", "-hold", "2s")
	if err != nil {
		return Bar{}, err
	}
	defer stop()
	end, err := s.Lab.Hold(w.Addr, w.Key, 1)
	if err != nil {
		return Bar{}, err
	}
	c, err := s.Lab.Interleave(s.Rounds, lab.Subject{Name: weir, PID: w.PID(), Run: func() (int64, error) {
		r, err := s.Lab.Load(w.Addr, w.Key, "-conns", "64", "-refusals", "-for", s.Run.String())
		return r.Refused, err
	}})
	if _, ended := end(); err == nil {
		err = ended
	}
	return report("overload: CPU of turning a call away, microseconds", c.Of[weir].Median, c), err
}

// storm measures what is answered while clients that were turned away ask again at once, on a saturated processor.
func storm(s *Settings) (Bar, error) {
	w, stop, err := limited(s, fmt.Sprintf("{attempts: 1, calls: %d}", places))
	if err != nil {
		return Bar{}, err
	}
	defer stop()
	var share []float64
	for range s.Rounds.Want {
		length := s.Run.String()
		calm, err := s.Lab.Load(w.Addr, w.Key, "-conns", strconv.Itoa(part), "-for", length)
		if err != nil {
			return Bar{}, err
		}
		r, err := s.Lab.Load(w.Addr, w.Key, "-conns", strconv.Itoa(callers), "-refusals", "-for", length)
		if err != nil {
			return Bar{}, err
		}
		share = append(share, 100*r.Rate/calm.Rate)
	}
	v := lab.SpreadOf(share)
	name := fmt.Sprintf("saturated processor, %d clients for %d places ask again at once: answered, percent of the peak", callers, part)
	return report(name, v.Median, v), nil
}

// limited is a gateway with limits before an upstream of its own.
func limited(s *Settings, limits string, upstream ...string) (w *lab.Weir, stop func(), err error) {
	up, err := s.Lab.Upstream(upstream...)
	if err != nil {
		return nil, nil, err
	}
	w, err = s.Lab.Prepare(up.Addr, "")
	if err == nil {
		err = w.Limit(limits)
	}
	if err == nil {
		err = w.Serve()
	}
	if err != nil {
		up.Stop()
		return nil, nil, err
	}
	return w, func() { w.Stop(); up.Stop() }, nil
}

// flooded is one round: the most that is answered, the flood, and the other key beside it.
type flooded struct{ peak, flood, guest lab.Report }

// A round in which the load itself was late tells of the machine rather than of the gateway: more are made, so many times
// over, and those count in which it was least late.
const (
	punctual = 5 * time.Millisecond
	again    = 2
)

func (f flooded) late() time.Duration { return time.Duration(f.flood.Late.P99) * time.Microsecond }

// floods makes rounds, after one that does not count.
func floods(s *Settings, w *lab.Weir, guest string) (rounds []flooded, err error) {
	punctuals, most := 0, again*s.Rounds.Want
	if s.Rounds.Accept {
		most = s.Rounds.Want
	}
	for tried := 0; tried <= most && punctuals < s.Rounds.Want; tried++ {
		f, err := flood(s, w, guest)
		if err != nil {
			return nil, err
		}
		s.Lab.Say("  %.0f of %.0f calls/s answered, %d refused, p99 %.1f ms, load late by %.1f ms; guest: %d answered, %d refused",
			f.flood.Rate, f.peak.Rate, f.flood.Refused, f.flood.Refusal.P99/1000, f.flood.Late.P99/1000, f.guest.Calls, f.guest.Refused)
		if tried == 0 {
			continue
		}
		rounds = append(rounds, f)
		if f.late() <= punctual {
			punctuals++
		}
	}
	slices.SortStableFunc(rounds, func(a, b flooded) int { return cmp.Compare(a.late(), b.late()) })
	return rounds[:s.Rounds.Want], nil
}

func flood(s *Settings, w *lab.Weir, guest string) (f flooded, err error) {
	length := s.Run.String()
	if f.peak, err = s.Lab.Load(w.Addr, w.Key, "-conns", strconv.Itoa(part), "-stream", "-for", length); err != nil {
		return f, err
	}
	var wg sync.WaitGroup
	var beside error
	wg.Go(func() {
		f.guest, beside = s.Lab.Load(w.Addr, guest, "-conns", "32", "-rate", strconv.Itoa(guests), "-stream", "-refusals", "-for", length)
	})
	f.flood, err = s.Lab.Load(w.Addr, w.Key, "-conns", strconv.Itoa(callers), "-rate", fmt.Sprint(times*f.peak.Rate), "-stream",
		"-refusals", "-for", length)
	wg.Wait()
	if err == nil {
		err = beside
	}
	return f, err
}

func judged(rounds []flooded, large lab.Report, peakMB float64) []Bar {
	var share, refusal, first []float64
	var turned, offered, guestRefused, guestCalls int64
	for _, r := range rounds {
		share = append(share, 100*r.flood.Rate/r.peak.Rate)
		refusal = append(refusal, r.flood.Refusal.P99/1000)
		first = append(first, r.flood.First.P50/max(1, r.peak.First.P50))
		turned += r.flood.Refused
		offered += r.flood.Refused + r.flood.Calls
		guestRefused += r.guest.Refused
		guestCalls += r.guest.Calls
	}
	last := rounds[len(rounds)-1] // in which the load was most late
	allowed := float64(server.Memory(config.Limits{Calls: places, Connections: doors, InflightBytes: inflight})) / mb
	sh, re := lab.SpreadOf(share), lab.SpreadOf(refusal)
	return []Bar{
		least("overload, 5 times capacity: answered, percent of the peak", sh.Median, 90, sh),
		most("overload, 5 times capacity: refusal p99, milliseconds", re.Median, 10, re),
		report("overload, 5 times capacity: first byte p50 of answered calls in that without, times", lab.SpreadOf(first).Median, nil),
		report("overload, 5 times capacity: turned away, percent", 100*float64(turned)/float64(offered), map[string]any{
			"offered": offered, "peak_calls_per_s": lab.Round(last.peak.Rate), "late_p99_us": lab.Round(last.flood.Late.P99),
		}),
		most("overload, 5 times capacity: calls of another key turned away, percent",
			100*float64(guestRefused)/float64(max(1, guestCalls+guestRefused)), 0, map[string]int64{"answered": guestCalls}),
		most("overload, and 64 clients with 1 MB bodies: peak memory, MB of what limits allow", peakMB, allowed, map[string]int64{
			"large_answered": large.Calls, "large_refused": large.Refused,
		}),
	}
}

// aborts runs the test that kills clients at every frame.
func aborts(s *Settings) ([]Bar, error) {
	streams := "50"
	if s.Short {
		streams = "8"
	}
	r, err := run(s, []string{"WEIR_ABORTS=" + streams}, "go", "test", "-count=1", "-v", "-run", "TestClientsLeaveAtEveryFrame",
		"./internal/server")
	if err != nil {
		return nil, err
	}
	bars := outcome("abort: "+streams+" streams", r)
	for i := range bars {
		bars[i].Command = "WEIR_ABORTS=" + streams + " go test -count=1 -v -run TestClientsLeaveAtEveryFrame ./internal/server"
	}
	return bars, nil
}
