package cases

import (
	"fmt"
	"time"

	"github.com/weirhq/weir/bench/lab"
)

// settled is how long streams are held before memory is read: every stream has had a few chunks by then.
const settled = 6 * time.Second

// held measures how much memory a stream takes that is open and nearly idle.
func held(s *Settings) ([]Bar, error) {
	st, err := open(s, "-hold", "2s")
	if err != nil {
		return nil, err
	}
	defer st.close()
	each := map[string]float64{}
	for _, p := range st.peers {
		if each[p.name], err = perStream(s, p); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		s.Lab.Say("  %s %.1f KB a stream", p.name, each[p.name])
	}
	name := fmt.Sprintf("held stream, of %d: memory of Weir, KB", s.Streams)
	return []Bar{most(name, each[weir], 70, each)}, nil
}

// perStream holds streams open through a gateway and divides what its memory grew by.
func perStream(s *Settings, p peer) (float64, error) {
	if _, err := s.Lab.Load(p.addr, p.key, "-calls", "500"); err != nil { // pools and code are there
		return 0, err
	}
	before, err := lab.PSS(p.pid)
	if err != nil {
		return 0, err
	}
	end, err := s.Lab.Hold(p.addr, p.key, s.Streams)
	if err != nil {
		return 0, err
	}
	time.Sleep(settled)
	after, err := lab.PSS(p.pid)
	if err != nil {
		return 0, err
	}
	broken, err := end()
	if err == nil && broken > 0 {
		err = fmt.Errorf("%d of %d streams broke", broken, s.Streams)
	}
	return lab.Round(float64(after-before) / 1024 / float64(s.Streams)), err
}

// added are the latencies that a gateway adds to those of the upstream itself, round by round, in microseconds.
type added struct{ first, last []float64 }

// latencies measures the peers and the upstream itself in turns.
func latencies(s *Settings, st *stage, load ...string) (map[string]*added, map[string]lab.Report, error) {
	all := append([]peer{{name: direct, addr: st.upstream.Addr}}, st.peers...)
	sums, latest := map[string]*added{}, map[string]lab.Report{}
	for round := range s.Rounds.Want + 1 { // the first does not count
		for _, p := range all {
			r, err := s.Lab.Load(p.addr, p.key, load...)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", p.name, err)
			}
			latest[p.name] = r
		}
		if round == 0 {
			continue
		}
		for _, p := range st.peers {
			if sums[p.name] == nil {
				sums[p.name] = &added{}
			}
			a := sums[p.name]
			a.first = append(a.first, latest[p.name].First.P50-latest[direct].First.P50)
			a.last = append(a.last, latest[p.name].Last.P50-latest[direct].Last.P50)
		}
	}
	return sums, latest, nil
}

// spreads are the added latencies of each peer.
func spreads(all map[string]*added, pick func(*added) []float64) map[string]lab.Spread {
	out := map[string]lab.Spread{}
	for name, a := range all {
		out[name] = lab.SpreadOf(pick(a))
	}
	return out
}

func first(a *added) []float64 { return a.first }
func last(a *added) []float64  { return a.last }

// oneAtATime measures one stream at a time: its first byte waits for nothing, its last for the disk.
func oneAtATime(s *Settings) ([]Bar, error) {
	st, err := open(s, "-chunks", "20")
	if err != nil {
		return nil, err
	}
	defer st.close()
	streams, _, err := latencies(s, st, "-conns", "1", "-calls", "400", "-stream")
	if err != nil {
		return nil, err
	}
	bodies, _, err := latencies(s, st, "-conns", "1", "-calls", "400")
	if err != nil {
		return nil, err
	}
	f, l := spreads(streams, first), spreads(streams, last)
	return []Bar{
		most("one stream at a time: first byte p50 over the upstream's, microseconds", f[weir].Median, 500, f),
		most("one stream at a time: last byte p50 over the upstream's, microseconds", l[weir].Median, 5000, l),
		report("one call at a time: answer p50 over the upstream's, microseconds", spreads(bodies, last)[weir].Median, spreads(bodies, last)),
	}, nil
}

// openLoop measures a load that does not wait: most of its latency is processors waking up.
func openLoop(s *Settings) ([]Bar, error) {
	st, err := open(s)
	if err != nil {
		return nil, err
	}
	defer st.close()
	longer := *s
	longer.Run = max(s.Run, 6*time.Second) // at this rate, less is too little to tell
	load := []string{"-conns", "64", "-rate", "500"}
	sums, latest, err := latencies(&longer, st, append(load, "-for", longer.Run.String())...)
	if err != nil {
		return nil, err
	}
	c, err := costs(&longer, st.peers, 1, load...)
	if err != nil {
		return nil, err
	}
	p99 := map[string]float64{}
	for name, r := range latest {
		p99[name] = lab.Round(r.Last.P99)
	}
	l := spreads(sums, last)
	return []Bar{
		report("500 calls a second: answer p50 over the upstream's, microseconds", l[weir].Median, l),
		report("500 calls a second: answer p99, last round, microseconds", p99[weir], p99),
		report("500 calls a second: CPU of Weir in ReverseProxy's, times", c.Ratio(weir, baseline), c),
	}, nil
}
