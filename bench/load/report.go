package main

import (
	"slices"
	"time"
)

// Report is what a run came to. Latencies are counted from the sending of a request's first byte, in microseconds.
type Report struct {
	Calls   int64     `json:"calls"`
	Failed  int64     `json:"failed"`
	Error   string    `json:"error,omitempty"` // the first one
	Seconds float64   `json:"seconds"`
	Rate    float64   `json:"calls_per_s"`
	Events  int64     `json:"events"`
	Bytes   int64     `json:"bytes"`
	First   Quantiles `json:"first_byte_us"`
	Last    Quantiles `json:"last_byte_us"`
	Late    Quantiles `json:"late_us"` // how much later than planned calls started, in the open loop
	Refused int64     `json:"refused"`
	Refusal Quantiles `json:"refusal_us"` // to the last byte of a refusal
}

// Quantiles by nearest rank.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func (t *tally) report(o options, took time.Duration) Report {
	r := Report{
		Calls: t.calls, Failed: t.failed, Seconds: took.Seconds(), Rate: float64(t.calls) / took.Seconds(), Events: t.events,
		Bytes: t.bytes, First: quantiles(t.first), Last: quantiles(t.last), Late: quantiles(t.late),
		Refused: int64(len(t.refused)), Refusal: quantiles(t.refused),
	}
	if t.err != nil {
		r.Error = t.err.Error()
	}
	return r
}

func quantiles(ds []time.Duration) Quantiles {
	if len(ds) == 0 {
		return Quantiles{}
	}
	slices.Sort(ds)
	at := func(percent int) float64 {
		d := ds[max(0, (len(ds)*percent+99)/100-1)]
		return float64(d.Nanoseconds()) / 1e3
	}
	return Quantiles{P50: at(50), P99: at(99), Max: at(100)}
}
