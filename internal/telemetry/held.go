package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirhq/weir/internal/call"
)

// heldSeries tell what callers of held layers wait for: the first byte of any kind, the first of an accepted answer, and
// the layers that were left for want of one.
type heldSeries struct {
	firstByte, accepted *prometheus.HistogramVec
	keepAlives, givenUp *prometheus.CounterVec
	layers              sync.Map // [route, layer] -> *layerSeries
}

func newHeldSeries(
	counter func(name, help string, labels ...string) *prometheus.CounterVec,
	histogram func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec,
) *heldSeries {
	return &heldSeries{
		firstByte: histogram("weir_first_byte_seconds", "From a call's start to the first byte that left for its client, a "+
			"keep-alive included.", firstByteBuckets, "route"),
		accepted: histogram("weir_accepted_seconds", "From a call's start to the acceptance of its answer.", firstByteBuckets,
			"route", "layer"),
		keepAlives: counter("weir_keepalives_total", "Keep-alives sent to clients that waited for held answers.", "route"),
		givenUp:    counter("weir_given_up_total", "Attempts ended because their layer's time was over.", "route", "layer"),
	}
}

// layerSeries are those of one layer of a route, looked up once.
type layerSeries struct {
	firstByte, accepted prometheus.Observer
	givenUp             prometheus.Counter
}

func (h *heldSeries) attempt(a call.Attempt) {
	key := [2]string{a.Facts.Route, a.Order.Target.LayerName}
	found, ok := h.layers.Load(key)
	if !ok {
		found, _ = h.layers.LoadOrStore(key, &layerSeries{
			firstByte: h.firstByte.WithLabelValues(key[0]), accepted: h.accepted.WithLabelValues(key[0], key[1]),
			givenUp: h.givenUp.WithLabelValues(key[0], key[1]),
		})
	}
	s, ok := found.(*layerSeries)
	if !ok {
		return
	}
	if a.Err == call.GivenUp {
		s.givenUp.Inc()
	}
	if a.Verdict.Result == call.Accepted && a.Verdict.Final && a.Order.Purpose != call.Shadow {
		s.firstByte.Observe(a.Clocks.FirstByte.Seconds())
		s.accepted.Observe(a.Clocks.Accepted.Seconds())
	}
}
