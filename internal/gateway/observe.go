package gateway

import (
	"bytes"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/observe"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/sse"
)

// Observer is told of the calls of routes in observe mode; a Watcher may be one. Implementations must not block.
type Observer interface {
	// Observed comes once a call that was answered: its cost, and what its tokens would have cost where the cascade
	// would have begun; nothing when it would have refused the call.
	Observed(f call.Facts, p observe.Plan, spent money.Nano)
	// Shadow comes once a call that was drawn for a shadow.
	Shadow(call.Facts, observe.Result)
}

// watched is what is kept of a call of a route in observe mode while its answer goes by.
type watched struct {
	plan  cascade.Plan // the cascade's, as if it were enforced
	told  observe.Plan // what the call's rows keep
	start call.Target  // where the cascade would have begun
	node  string       // budget of a shadow
	asked call.Target  // that answered
	seen  seen
}

// observe makes the plan of a route that is not enforced, by the code of one that is, and draws whether the call gets a
// shadow.
func (g *Gateway) observe(snap *Snapshot, f call.Facts, env llm.Envelope, r *Route) *watched {
	w := &watched{
		plan: cascade.Plan{
			Attempts: snap.Attempts, Stream: env.Stream, MaxOut: env.MaxOutput, N: env.N,
			Hold: cascade.Hold{GiveUp: r.Hold.GiveUp},
		},
		node: r.Shadows,
	}
	_ = g.cut(snap, f, env, r.Layers, &w.plan) // why nothing is left is the cascade's to say, which was not asked
	if len(w.plan.Layers) == 0 {
		return w
	}
	w.told.Layers = make([]string, len(w.plan.Layers))
	for i := range w.plan.Layers {
		w.told.Layers[i] = w.plan.Layers[i].Name
	}
	w.told.Start, w.start = w.told.Layers[0], w.plan.Layers[0].Targets[0]
	if w.told.PPM = r.Sample; r.Sample > 0 {
		w.told.Drawn = g.Draw(observe.Whole) < r.Sample
	}
	return w
}

// note puts into a row what the cascade would have done and cost.
func (w *watched) note(snap *Snapshot, a *call.Attempt) {
	if a.Verdict.Result == call.Accepted && w.start.Model != nil {
		w.asked, w.told.Would = a.Order.Target, a.Cost
		if p, err := snap.Prices.Price(w.start, a.Usage, a.Facts.Start); err == nil { // a meter without a rate: as it was
			w.told.Would = p.Cost()
		}
	}
	a.Verdict.Notes = w.told.Onto(a.Verdict.Notes)
}

// maxSeen bounds what is kept of an answer to compare another with.
const maxSeen = 4 << 20

// seen is a copy of what the caller got. It is taken beside the way of the answer, which it does not touch, and read only
// after it.
type seen struct {
	attempt int
	dialect llm.Dialect
	framed  bool
	raw     []byte
	final   *llm.Response // where it was decoded anyway
	over    bool          // it was larger than is kept
}

// see keeps a copy of an answer that goes by, if the call was drawn.
func (w *watched) see(x *exchange, d llm.Delta) {
	if !w.told.Drawn {
		return
	}
	s := &w.seen
	if s.attempt != x.a.N {
		*s = seen{attempt: x.a.N, dialect: x.a.Order.Target.Dialect, framed: x.reader != nil}
	}
	switch {
	case d.Final != nil:
		s.final, s.raw = d.Final, nil
	case s.over || len(s.raw)+len(d.Raw) > maxSeen:
		s.over, s.raw = true, nil
	case !s.framed:
		s.raw = d.Raw // the body is nobody's but this call's
	default:
		s.raw = append(s.raw, d.Raw...)
	}
}

// answer decodes what the caller got; nil = it is not there, or cannot be read.
func (s *seen) answer(backs map[llm.Dialect]Back) *llm.Response {
	if s.final != nil || len(s.raw) == 0 {
		return s.final
	}
	back := backs[s.dialect]
	if !s.framed {
		whole, err := back.Response(s.raw)
		if err != nil {
			return nil
		}
		return whole
	}
	reader, frames := back.Stream(wire.StreamOptions{Full: true}), sse.NewFramer(bytes.NewReader(s.raw))
	for {
		f, err := frames.Next()
		if err != nil || f.Cut {
			break
		}
		if _, err := reader.Read(bytes.Clone(f.Raw)); err != nil {
			return nil
		}
	}
	whole, _ := reader.Finish()
	return whole
}

// follow tells of an answered call of a route in observe mode, and leaves a shadow of it behind if it was drawn.
func (g *Gateway) follow(d *dispatch, f call.Facts, raw *call.Raw, err error) {
	w := d.watch
	if w == nil || err != nil {
		return
	}
	if o, ok := g.Watch.(Observer); ok {
		o.Observed(f, w.told, d.cost)
	}
	if !w.told.Drawn {
		return
	}
	j := &shadow{call: d, facts: f, forward: raw.Forward}
	if g.shadows.room(len(raw.Body)) {
		j.body = bytes.Clone(raw.Body) // the call's own buffer goes to the next one
		if g.shadows.add(j, g.runShadow) {
			return
		}
	}
	g.end(j, observe.Result{Outcome: observe.Dropped})
}
