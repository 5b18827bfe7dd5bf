package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirhq/weir/internal/finops/money"
)

// observed are the metrics of routes in observe mode.
type observed struct {
	calls, cost, shadows, shadowCost, answers *prometheus.CounterVec
}

func newObserved(counter func(name, help string, labels ...string) *prometheus.CounterVec) observed {
	return observed{
		calls: counter("weir_observed_calls_total",
			"Answered calls of routes in observe mode; drawn = for a shadow of the cascade.", "route", "drawn"),
		cost: counter("weir_observed_cost_usd_total",
			"Of answered calls of routes in observe mode: what was spent, and the same tokens where the cascade would have begun.",
			"route", "what"),
		shadows: counter("weir_shadows_total",
			"Shadows of observed calls by how they ended, and the layer that accepted or was tried last.", "route", "outcome", "layer"),
		shadowCost: counter("weir_shadow_cost_usd_total",
			"Of shadows that tell what the caller would have got: what the cascade cost, and what their calls did.", "route", "what"),
		answers: counter("weir_shadow_answers_total",
			"Accepted answers of shadows, compared with those that the callers got.", "route", "compared", "same"),
	}
}

type observedKey struct {
	route string
	drawn bool
}

// observedSeries are the series that one kind of observed call adds to, looked up once.
type observedSeries struct{ count, spent, atStart prometheus.Counter }

// Observed counts one answered call of a route in observe mode.
func (m *Metrics) Observed(route string, drawn bool, spent, atStart money.Nano) {
	k := observedKey{route, drawn}
	m.mu.RLock()
	s, ok := m.watched[k]
	m.mu.RUnlock()
	if !ok {
		s = &observedSeries{
			count: m.observed.calls.WithLabelValues(route, strconv.FormatBool(drawn)),
			spent: m.observed.cost.WithLabelValues(route, "spent"), atStart: m.observed.cost.WithLabelValues(route, "at_start"),
		}
		m.mu.Lock()
		m.watched[k] = s
		m.mu.Unlock()
	}
	s.count.Inc()
	s.spent.Add(float64(spent) / 1e9)
	s.atStart.Add(float64(atStart) / 1e9)
}

// Shadow is the end of one shadow.
type Shadow struct {
	Route, Outcome, Layer string
	Told                  bool // what the caller would have got
	Cost, Spent           money.Nano
	Compared              string // how; "" = not
	Same                  bool
}

// Shadow counts the end of a shadow.
func (m *Metrics) Shadow(s Shadow) {
	o := &m.observed
	o.shadows.WithLabelValues(s.Route, s.Outcome, s.Layer).Inc()
	if s.Told {
		o.shadowCost.WithLabelValues(s.Route, "cascade").Add(float64(s.Cost) / 1e9)
		o.shadowCost.WithLabelValues(s.Route, "spent").Add(float64(s.Spent) / 1e9)
	}
	if s.Compared != "" {
		o.answers.WithLabelValues(s.Route, s.Compared, strconv.FormatBool(s.Same)).Inc()
	}
}
