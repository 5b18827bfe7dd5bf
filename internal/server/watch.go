package server

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/observe"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/telemetry"
)

// watch tells metrics and the access log what happened. The log holds no content.
type watch struct {
	metrics *telemetry.Metrics
	access  *slog.Logger // nil = off
	log     *slog.Logger
}

var (
	_ gateway.Watcher  = (*watch)(nil)
	_ gateway.Observer = (*watch)(nil)
)

// Attempt counts one attempt.
func (w *watch) Attempt(a call.Attempt) { w.metrics.Attempt(a) }

// Call counts and logs one call.
func (w *watch) Call(d gateway.Done) {
	code := llm.Code("ok")
	if d.Err != nil {
		code = d.Err.Code
	}
	w.metrics.Call(d.Facts, d.Layer, code, d.Took, d.Overhead, d.KeepAlives)
	for _, e := range d.Session {
		w.metrics.Session(d.Facts.Route, string(e))
	}
	if w.access != nil {
		w.access.LogAttrs(context.Background(), slog.LevelInfo, "call",
			slog.String("id", d.Facts.ID.String()), slog.String("key", d.Facts.Caller.KeyID),
			slog.String("team", d.Facts.Caller.Team), slog.String("use_case", d.Facts.Caller.UseCase),
			slog.String("route", d.Facts.Route), slog.String("class", d.Facts.Class.Name()),
			slog.String("model", d.Model), slog.String("layer", d.Layer), slog.Int("attempts", d.Attempts),
			slog.Bool("stream", d.Stream), slog.String("code", string(code)),
			slog.Int64("took_us", d.Took.Microseconds()), slog.Int64("overhead_us", d.Overhead.Microseconds()))
	}
	if d.Err == nil || d.Err.Err == nil {
		return
	}
	cause := d.Err.Err.Error()
	if d.Err.Upstream > 0 { // the provider's words may repeat the caller's: they are not for the log
		cause = "the provider answered " + strconv.Itoa(d.Err.Upstream)
	}
	w.log.LogAttrs(context.Background(), slog.LevelWarn, "call ended with an error", slog.String("id", d.Facts.ID.String()),
		slog.String("code", string(code)), slog.String("cause", cause))
}

// Observed counts one call of a route in observe mode.
func (w *watch) Observed(f call.Facts, drawn bool, spent, would money.Nano) {
	w.metrics.Observed(f.Route, drawn, spent, would)
}

// Shadow counts the end of a shadow.
func (w *watch) Shadow(f call.Facts, r observe.Result, fault error) {
	w.metrics.Shadow(telemetry.Shadow{
		Route: f.Route, Outcome: string(r.Outcome), Layer: r.Layer, Told: r.Outcome.Told(), Cost: r.Would, Spent: r.Spent,
		Compared: r.How, Same: r.Same,
	})
	if fault != nil {
		w.log.LogAttrs(context.Background(), slog.LevelWarn, "a shadow ended with an error", slog.String("id", f.ID.String()),
			slog.String("cause", llm.AsError(fault).Error()))
	}
}
