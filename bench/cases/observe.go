package cases

import "github.com/weirhq/weir/bench/lab"

// observing measures a call of a route in observe mode beside the same call of a route of one layer: the same deployment
// answers both.
func observing(s *Settings) ([]Bar, error) {
	up, err := s.Lab.Upstream()
	if err != nil {
		return nil, err
	}
	defer up.Stop()
	var peers []peer
	for _, at := range []struct{ name, sample string }{{"plain", ""}, {"observed", "0%"}, {"sampled", "5%"}} {
		w, err := observer(s, up.Addr, at.sample)
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
	return []Bar{
		most("observe mode without a sample: CPU of a call in that of a plain route, times", c.Ratio("observed", "plain"), 1.05, c),
		report("observe mode, 5 % sampled through three layers: CPU of a call and its shadows, times", c.Ratio("sampled", "plain"), nil),
	}, nil
}

// observer starts a gateway; sample "" = its route is not observed.
func observer(s *Settings, upstream, sample string) (*lab.Weir, error) {
	w, err := s.Lab.Prepare(upstream, "")
	if err == nil && sample != "" {
		err = w.Observe(sample)
	}
	if err != nil {
		return nil, err
	}
	return w, w.Serve()
}
