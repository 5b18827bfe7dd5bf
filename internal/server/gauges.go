package server

import "github.com/prometheus/client_golang/prometheus"

// gauges are read at each scrape.
func (s *Server) gauges() {
	s.metrics.Gauge("weir_inflight_bytes", "Bytes of request bodies in flight.",
		func() float64 {
			all, _ := s.inflight.bytes.held()
			return float64(all)
		})
	s.metrics.Gauge("weir_calls_in_flight", "Calls under way.", func() float64 {
		all, _ := s.door.calls.held()
		return float64(all)
	})
	s.metrics.Gauge("weir_calls_in_flight_most_of_one_key", "Calls under way of the key that has most of them.", func() float64 {
		_, most := s.door.calls.held()
		return float64(most)
	})
	s.metrics.Gauge("weir_connections", "Open connections of clients to the API address.", func() float64 {
		all, _ := s.conns.open.held()
		return float64(all)
	})
	s.metrics.Register(s.door.refused)
	s.metrics.Gauge("weir_ledger_lag_seconds", "Age of the oldest ledger row that is not on disk.",
		func() float64 { return s.journal.Lag().Seconds() })
	s.metrics.Gauge("weir_sessions", "Conversations that are remembered.", func() float64 { return float64(s.gateway.Sessions.Len()) })
	if s.opt.DroppedLines != nil {
		s.metrics.Gauge("weir_log_dropped_lines", "Log lines dropped because nobody read the log fast enough.",
			func() float64 { return float64(s.opt.DroppedLines()) })
	}
	s.metrics.Register(budgetGauges{s})
}

// budgetGauges tells every budget node's state.
type budgetGauges struct{ s *Server }

var budgetDesc = prometheus.NewDesc("weir_budget_usd", "Budget nodes: limit, spent and held in US dollars.",
	[]string{"node", "what"}, nil)

var alertDesc = prometheus.NewDesc("weir_budget_alert_percent",
	"The highest mark of alert_at that a budget has passed in its period; 0 = none.", []string{"node"}, nil)

// Describe sends the descriptions.
func (g budgetGauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- budgetDesc
	ch <- alertDesc
}

// Collect sends the state of every node.
func (g budgetGauges) Collect(ch chan<- prometheus.Metric) {
	states := g.s.budgets.Snapshot()
	for node, percent := range highest(g.s.config.Load().Budgets, states) {
		ch <- prometheus.MustNewConstMetric(alertDesc, prometheus.GaugeValue, float64(percent), node)
	}
	for _, n := range states {
		for what, v := range map[string]int64{"limit": int64(n.Limit), "spent": int64(n.Spent), "held": int64(n.Held)} {
			ch <- prometheus.MustNewConstMetric(budgetDesc, prometheus.GaugeValue, float64(v)/1e9, n.Node, what)
		}
	}
}
