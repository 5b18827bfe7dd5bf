package telemetry

import "github.com/prometheus/client_golang/prometheus"

// ratioBuckets are times that a brief's source was longer.
var ratioBuckets = []float64{1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 50, 100}

// briefSeries are the metrics of briefs and of the size of prompts.
type briefSeries struct {
	briefs, warnings *prometheus.CounterVec
	ratio            *prometheus.HistogramVec
}

func newBriefSeries(
	counter func(name, help string, labels ...string) *prometheus.CounterVec,
	histogram func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec,
) *briefSeries {
	return &briefSeries{
		briefs: counter("weir_briefs_total",
			"Briefs by layer and kind: whole, extractive, summary; refused = none could be made.", "layer", "kind"),
		ratio: histogram("weir_brief_ratio", "How many times longer a brief's source was.", ratioBuckets, "layer", "kind"),
		warnings: counter("weir_context_warnings_total",
			"Prompts sent near a model's window, past its trusted window, or past a step of its prices.", "deployment", "kind"),
	}
}

// Brief counts a brief that was made of a source of so many tokens, or, with kind "refused", one that could not be made.
func (m *Metrics) Brief(layer, kind string, source, brief int) {
	m.briefs.briefs.WithLabelValues(layer, kind).Inc()
	switch {
	case brief > 0:
		m.briefs.ratio.WithLabelValues(layer, kind).Observe(float64(source) / float64(brief))
	case source == 0 && kind != "refused": // the question alone
		m.briefs.ratio.WithLabelValues(layer, kind).Observe(1)
	}
}

// Warning counts a prompt whose size is to be warned of.
func (m *Metrics) Warning(deployment, kind string) {
	m.briefs.warnings.WithLabelValues(deployment, kind).Inc()
}
