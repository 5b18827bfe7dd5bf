package cases

import (
	"fmt"
	"slices"

	"github.com/weirhq/weir/bench/lab"
)

// Names of the subjects.
const (
	weir     = "weir"
	baseline = "reverseproxy"
	nginx    = "nginx"
	direct   = "direct" // the upstream itself
)

// peer is one gateway before the null upstream.
type peer struct {
	name, addr, key string
	pid             int
	stop            func()
}

// stage is the upstream and the gateways before it.
type stage struct {
	upstream *lab.Service
	peers    []peer
}

func (st *stage) close() {
	for _, p := range st.peers {
		p.stop()
	}
	st.upstream.Stop()
}

// open starts the upstream with flags and the gateways: Weir, the baseline, and nginx where there is one.
func open(s *Settings, upstream ...string) (*stage, error) {
	up, err := s.Lab.Upstream(upstream...)
	if err != nil {
		return nil, err
	}
	st := &stage{upstream: up}
	w, err := s.Lab.Fresh(up.Addr)
	if err != nil {
		st.close()
		return nil, err
	}
	st.peers = append(st.peers, peer{weir, w.Addr, w.Key, w.PID(), w.Stop})
	b, err := s.Lab.Baseline(up.Addr)
	if err != nil {
		st.close()
		return nil, err
	}
	st.peers = append(st.peers, peer{baseline, b.Addr, "", b.PID(), b.Stop})
	if s.Nginx == "" {
		return st, nil
	}
	n, err := s.Lab.Nginx(s.Nginx, up.Addr)
	if err != nil {
		st.close()
		return nil, err
	}
	st.peers = append(st.peers, peer{nginx, n.Addr, "", n.PID(), n.Stop})
	return st, nil
}

// costs measures what the peers spend on a unit of a load: per is how many units one call has.
func costs(s *Settings, peers []peer, per int64, load ...string) (lab.Costs, error) {
	load = append(slices.Clone(load), "-for", s.Run.String())
	var subjects []lab.Subject
	for _, p := range peers {
		subjects = append(subjects, lab.Subject{Name: p.name, PID: p.pid, Run: func() (int64, error) {
			r, err := s.Lab.Load(p.addr, p.key, load...)
			return r.Calls * per, err
		}})
	}
	return s.Lab.Interleave(s.Rounds, subjects...)
}

// against measures the cost of a unit against the baseline's.
func against(s *Settings, name string, limit float64, per int64, upstream, load []string) ([]Bar, error) {
	st, err := open(s, upstream...)
	if err != nil {
		return nil, err
	}
	defer st.close()
	c, err := costs(s, st.peers, per, load...)
	if err != nil {
		return nil, err
	}
	bars := []Bar{
		most(name+": CPU of Weir in ReverseProxy's, times", c.Ratio(weir, baseline), limit, c),
		report(name+": CPU of Weir, microseconds", c.Of[weir].Median, nil),
	}
	if s.Nginx != "" {
		bars = append(bars, report(name+": CPU of Weir in nginx's, times", c.Ratio(weir, nginx), nil))
	}
	return bars, nil
}

func smallCall(s *Settings) ([]Bar, error) {
	return against(s, "1 KB call", 1.5, 1, nil, []string{"-conns", "64"})
}

// largeCall asks 100 KB of prose, with a newline now and then.
func largeCall(s *Settings) ([]Bar, error) {
	return against(s, "100 KB call", 1.6, 1, nil, []string{"-conns", "16", "-size", "102400", "-escape", "1000"})
}

func chunk(s *Settings) ([]Bar, error) {
	const chunks = 100
	return against(s, "burst-streamed chunk", 1.5, chunks, []string{"-chunks", fmt.Sprint(chunks)},
		[]string{"-conns", "100", "-stream"})
}

// grown measures a call on a ledger with many rows beside one on a ledger without.
func grown(s *Settings) ([]Bar, error) {
	up, err := s.Lab.Upstream()
	if err != nil {
		return nil, err
	}
	defer up.Stop()
	dir, err := s.Lab.Filled(s.Rows)
	if err != nil {
		return nil, err
	}
	var peers []peer
	for _, at := range []struct{ name, dir string }{{"grown", dir}, {"empty", ""}} {
		w, err := s.Lab.Prepare(up.Addr, at.dir)
		if err == nil {
			err = w.Serve()
		}
		if err != nil {
			return nil, err
		}
		defer w.Stop()
		peers = append(peers, peer{at.name, w.Addr, w.Key, w.PID(), w.Stop})
	}
	c, err := costs(s, peers, 1, "-conns", "64")
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("ledger of %d rows: CPU of a call in that on an empty one, times", s.Rows)
	return []Bar{most(name, c.Ratio("grown", "empty"), 1.05, c)}, nil
}
