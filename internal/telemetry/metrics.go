// Package telemetry turns what happened into numbers and lines: Prometheus metrics and the access log. It never sees
// content, bills nothing and blocks nobody; the ledger is the authority on money.
package telemetry

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// Buckets in seconds. The standard ones do not resolve 200 ms, the line between an edge tier that feels instant and one
// that does not.
var (
	firstByteBuckets = []float64{.02, .05, .1, .15, .2, .25, .3, .4, .5, .75, 1, 1.5, 2, 3, 5, 10, 20, 40, 80}
	overheadBuckets  = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}
)

// Metrics are the counters of one process. Safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	calls     *prometheus.CounterVec
	attempts  *prometheus.CounterVec
	tokens    *prometheus.CounterVec
	cost      *prometheus.CounterVec
	sessions  *prometheus.CounterVec
	firstByte *prometheus.HistogramVec
	accepted  *prometheus.HistogramVec
	overhead  prometheus.Histogram
	observed  observed
	held      *heldSeries
	outputs   *outputs
	briefs    *briefSeries

	mu       sync.RWMutex
	attempt  map[attemptKey]*attemptSeries
	finished map[callKey]*callSeries
	watched  map[observedKey]*observedSeries
}

type attemptKey struct {
	deployment, layer, useCase string
	model                      string
	tier                       catalog.Tier

	purpose call.Purpose
	outcome call.Outcome
	verdict call.VerdictResult
}

// attemptSeries are the series that one kind of attempt adds to, looked up once.
type attemptSeries struct {
	count, cost                                  prometheus.Counter
	input, cacheRead, cacheWrite, output, reason prometheus.Counter
	firstByte                                    prometheus.Observer
}

type callKey struct {
	route, layer string
	dialect      llm.Dialect
	code         llm.Code
}

type callSeries struct {
	count      prometheus.Counter
	keepAlives prometheus.Counter
	accepted   prometheus.Observer
}

// NewMetrics registers the metrics.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		attempt:  map[attemptKey]*attemptSeries{}, finished: map[callKey]*callSeries{},
		watched: map[observedKey]*observedSeries{},
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.calls = counter("weir_calls_total", "Calls by route, dialect, accepting layer and error code (ok = answered).",
		"route", "dialect", "layer", "code")
	m.attempts = counter("weir_attempts_total", "Attempts sent to providers or refused before.",
		"deployment", "model", "tier", "layer", "purpose", "outcome", "verdict")
	m.tokens = counter("weir_tokens_total", "Tokens by meter, as booked.", "deployment", "model", "meter")
	m.cost = counter("weir_cost_usd_total", "Cost in US dollars as booked; the ledger holds the exact amounts.",
		"deployment", "model", "tier", "use_case")
	m.sessions = counter("weir_session_events_total", "What conversations' sessions did to calls.", "route", "event")
	m.firstByte = histogram("weir_provider_ttft_seconds", "From sending an attempt to the provider's first content.",
		firstByteBuckets, "deployment", "model")
	m.accepted = histogram("weir_call_duration_seconds", "From a call's start to its end, refused calls included.",
		firstByteBuckets, "route", "layer")
	m.overhead = histogram("weir_overhead_seconds", "Time of a call that was not spent waiting for providers.",
		overheadBuckets).WithLabelValues().(prometheus.Histogram)
	m.observed = newObserved(counter)
	m.held = newHeldSeries(counter, histogram)
	m.outputs = newOutputs(counter, histogram)
	m.briefs = newBriefSeries(counter, histogram)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gauge adds a value that is read at each scrape.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Register adds a collector of the caller's own.
func (m *Metrics) Register(c prometheus.Collector) { m.registry.MustRegister(c) }

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Attempt counts one attempt.
func (m *Metrics) Attempt(a call.Attempt) {
	s := m.attemptSeries(a)
	s.count.Inc()
	m.held.attempt(a)
	m.outputs.attempt(&a)
	if a.Settlement == call.NotSent {
		return
	}
	s.cost.Add(float64(a.Cost) / 1e9)
	for _, t := range []struct {
		c prometheus.Counter
		n int64
	}{
		{s.input, a.Usage.Input},
		{s.cacheRead, a.Usage.CacheRead},
		{s.cacheWrite, a.Usage.CacheWrite5m + a.Usage.CacheWrite1h},
		{s.output, a.Usage.Output},
		{s.reason, a.Usage.Reasoning},
	} {
		if t.n > 0 {
			t.c.Add(float64(t.n))
		}
	}
	if a.Clocks.ProviderTTF > 0 {
		s.firstByte.Observe((a.Clocks.ProviderTTF - a.Clocks.Sent).Seconds())
	}
}

func (m *Metrics) attemptSeries(a call.Attempt) *attemptSeries {
	t := a.Order.Target
	k := attemptKey{
		deployment: t.Deployment, layer: t.LayerName, useCase: a.Facts.Caller.UseCase,
		purpose: a.Order.Purpose, outcome: a.Outcome, verdict: a.Verdict.Result,
	}
	if t.Model != nil {
		k.model, k.tier = t.Model.ID, t.Model.Tier
	}
	m.mu.RLock()
	s, ok := m.attempt[k]
	m.mu.RUnlock()
	if ok {
		return s
	}
	tokens := func(meter string) prometheus.Counter { return m.tokens.WithLabelValues(k.deployment, k.model, meter) }
	s = &attemptSeries{
		count: m.attempts.WithLabelValues(k.deployment, k.model, string(k.tier), k.layer, string(k.purpose),
			string(k.outcome), string(k.verdict)),
		cost:  m.cost.WithLabelValues(k.deployment, k.model, string(k.tier), k.useCase),
		input: tokens("input"), cacheRead: tokens("cache_read"), cacheWrite: tokens("cache_write"),
		output: tokens("output"), reason: tokens("reasoning"),
		firstByte: m.firstByte.WithLabelValues(k.deployment, k.model),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempt[k] = s
	return s
}

// Session counts what a conversation's session did to a call of a route.
func (m *Metrics) Session(route, event string) { m.sessions.WithLabelValues(route, event).Inc() }

// Call counts one finished call. code is "ok" or the error's; keepAlives is how many its client was sent.
func (m *Metrics) Call(f call.Facts, layer string, code llm.Code, took, overhead time.Duration, keepAlives int) {
	k := callKey{f.Route, layer, f.Dialect, code}
	m.mu.RLock()
	s, ok := m.finished[k]
	m.mu.RUnlock()
	if !ok {
		s = &callSeries{
			count:    m.calls.WithLabelValues(k.route, string(k.dialect), k.layer, string(k.code)),
			accepted: m.accepted.WithLabelValues(k.route, k.layer), keepAlives: m.held.keepAlives.WithLabelValues(k.route),
		}
		m.mu.Lock()
		m.finished[k] = s
		m.mu.Unlock()
	}
	s.count.Inc()
	s.keepAlives.Add(float64(keepAlives))
	s.accepted.Observe(took.Seconds())
	m.overhead.Observe(overhead.Seconds())
}
