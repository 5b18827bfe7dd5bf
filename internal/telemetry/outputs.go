package telemetry

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirhq/weir/internal/call"
)

// Buckets of how long answers are.
var (
	tokenBuckets = prometheus.ExponentialBuckets(8, 2, 14)  // to 65,536
	byteBuckets  = prometheus.ExponentialBuckets(32, 2, 14) // to 262,144
	doubtBuckets = prometheus.LinearBuckets(0.1, 0.1, 10)   // to 1
)

// What is asked of every answer, and what may be found.
var (
	questions = []string{"empty", "refusal", "repaired", "called_tools"}
	findings  = []call.Finding{call.No, call.Yes}
)

// outputs are the metrics of complete answers, by route, layer and model: names that the configuration bounds.
type outputs struct {
	answers, findings, checks, calls, languages *prometheus.CounterVec
	tokens, bytes, doubt                        *prometheus.HistogramVec

	mu     sync.RWMutex
	series map[outputKey]*outputSeries
}

type outputKey struct{ route, layer, model string }

// outputSeries are those of one model in one layer of a route, looked up once.
type outputSeries struct {
	stops         []prometheus.Counter // as call.StopReasons; the last = not told
	findings      [][]prometheus.Counter
	calls         []prometheus.Counter // by what is known of their arguments
	tokens, bytes prometheus.Observer

	mu        sync.RWMutex
	checks    map[judgement][]prometheus.Counter
	languages map[string]prometheus.Counter
}

// judgement is what checks made of an answer. A layer has few of them.
type judgement struct{ passed, failed string }

func newOutputs(
	counter func(name, help string, labels ...string) *prometheus.CounterVec,
	histogram func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec,
) *outputs {
	return &outputs{
		answers: counter("weir_answers_total", "Complete answers of models, accepted or not, by stop reason.",
			"route", "layer", "model", "stop"),
		findings: counter("weir_answer_findings_total", "What complete answers were found to be, or not.",
			"route", "layer", "model", "what", "found"),
		checks: counter("weir_answer_checks_total", "Complete answers by the checks that judged them.",
			"route", "layer", "model", "check", "passed"),
		calls: counter("weir_answer_tool_calls_total", "Tool calls of complete answers by what their arguments are.",
			"route", "layer", "model", "arguments"),
		languages: counter("weir_answer_languages_total", "Complete answers that were read, by language.",
			"route", "layer", "model", "language"),
		tokens: histogram("weir_answer_tokens", "Visible output of complete answers, in tokens as providers counted.",
			tokenBuckets, "route", "layer", "model"),
		bytes: histogram("weir_answer_bytes", "Text, thinking and tool calls of complete answers, in bytes.",
			byteBuckets, "route", "layer", "model"),
		doubt: histogram("weir_answer_doubt", "Grades of doubt about complete answers, from 0 to 1.",
			doubtBuckets, "route", "layer", "model"),
		series: map[outputKey]*outputSeries{},
	}
}

// attempt counts an attempt that brought a complete answer.
func (o *outputs) attempt(a *call.Attempt) {
	if !a.Answered() || !a.Output.Seen {
		return
	}
	k := outputKey{route: a.Facts.Route, layer: a.Order.Target.LayerName}
	if m := a.Order.Target.Model; m != nil {
		k.model = m.ID
	}
	s := o.of(k)
	stop := slices.Index(call.StopReasons, a.Output.Stop)
	if stop < 0 {
		stop = len(call.StopReasons)
	}
	s.stops[stop].Inc()
	s.found(0, a.Output.Empty)
	if a.Output.Refusal != "" {
		s.found(1, call.FindingOf(a.Output.Refusal != call.NotRefused))
	}
	s.found(2, a.Verdict.Repaired)
	s.found(3, call.FindingOf(a.Output.Tools > 0))
	if n := a.Output.Tools; n > 0 {
		if a.Output.Args == call.Unknown {
			s.calls[2].Add(float64(n))
		} else {
			s.calls[0].Add(float64(n - a.Output.Broken))
			s.calls[1].Add(float64(a.Output.Broken))
		}
	}
	s.bytes.Observe(float64(a.Output.Bytes))
	if a.Settlement == call.Settled {
		s.tokens.Observe(float64(a.Usage.Output))
	}
	for _, c := range o.judged(s, k, judgement{a.Verdict.Passed, a.Verdict.Check}) {
		c.Inc()
	}
	if d := a.Verdict.Doubt; d > 0 { // a layer without such a check has no series
		o.doubt.WithLabelValues(k.route, k.layer, k.model).Observe(float64(d) / 10_000)
	}
	if a.Output.Language != "" {
		o.language(s, k, a.Output.Language).Inc()
	}
}

// found counts what was found of a question; what is unknown counts nowhere.
func (s *outputSeries) found(question int, f call.Finding) {
	switch f {
	case call.No:
		s.findings[question][0].Inc()
	case call.Yes:
		s.findings[question][1].Inc()
	}
}

// of finds the series of a model in a layer of a route, or makes them.
func (o *outputs) of(k outputKey) *outputSeries {
	o.mu.RLock()
	s := o.series[k]
	o.mu.RUnlock()
	if s != nil {
		return s
	}
	s = &outputSeries{
		tokens: o.tokens.WithLabelValues(k.route, k.layer, k.model), bytes: o.bytes.WithLabelValues(k.route, k.layer, k.model),
		checks: map[judgement][]prometheus.Counter{}, languages: map[string]prometheus.Counter{},
	}
	for _, stop := range call.StopReasons {
		s.stops = append(s.stops, o.answers.WithLabelValues(k.route, k.layer, k.model, string(stop)))
	}
	s.stops = append(s.stops, o.answers.WithLabelValues(k.route, k.layer, k.model, "unknown"))
	for _, what := range questions {
		var found []prometheus.Counter
		for _, f := range findings {
			found = append(found, o.findings.WithLabelValues(k.route, k.layer, k.model, what, string(f)))
		}
		s.findings = append(s.findings, found)
	}
	for _, arguments := range []string{"json", "broken", "unknown"} {
		s.calls = append(s.calls, o.calls.WithLabelValues(k.route, k.layer, k.model, arguments))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if first := o.series[k]; first != nil {
		return first
	}
	o.series[k] = s
	return s
}

// judged are the counters of the checks that judged an answer.
func (o *outputs) judged(s *outputSeries, k outputKey, j judgement) []prometheus.Counter {
	s.mu.RLock()
	all, ok := s.checks[j]
	s.mu.RUnlock()
	if ok {
		return all
	}
	v := call.Verdict{Passed: j.passed, Check: j.failed}
	for check, passed := range v.Judged() {
		word := string(call.FindingOf(passed))
		all = append(all, o.checks.WithLabelValues(k.route, k.layer, k.model, check, word))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks[j] = all
	return all
}

func (o *outputs) language(s *outputSeries, k outputKey, name string) prometheus.Counter {
	s.mu.RLock()
	c := s.languages[name]
	s.mu.RUnlock()
	if c != nil {
		return c
	}
	c = o.languages.WithLabelValues(k.route, k.layer, k.model, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.languages[name] = c
	return c
}
