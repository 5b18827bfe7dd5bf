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
	// Observed comes once a call that was answered: whether it was drawn for a shadow, its cost, and what its tokens would
	// have cost where the cascade would have begun; nothing when it would have refused the call.
	Observed(f call.Facts, drawn bool, spent, would money.Nano)
	// Shadow comes once a call that was drawn for a shadow, with the fault of Weir's own that ended it, if one did.
	Shadow(f call.Facts, r observe.Result, fault error)
}

// ask is what decides which deployment of a route in observe mode answers. name "" stands for all that tell of none.
type ask struct {
	name string
	raw  bool // the caller may send raw history to deployments that take briefs
}

type asked struct {
	route *Route
	err   error
}

// prepare works out ahead of calls by which route each name of a route in observe mode is answered.
func (s *Snapshot) prepare() {
	for i := range s.Routes {
		r := &s.Routes[i]
		if !r.Observe {
			continue
		}
		r.asks = map[ask]asked{}
		for _, raw := range []bool{false, true} {
			names := []string{""}
			for _, l := range r.Layers {
				for _, t := range l.Targets {
					names = append(names, t.Deployment, t.Model.ID, t.WireID)
				}
			}
			for _, name := range names {
				to, err := s.observed(r, name, call.Caller{RawContext: raw})
				r.asks[ask{name, raw}] = asked{to, err}
			}
		}
	}
}

// asked is the route by which a name is answered.
func (r *Route) asked(name string, c call.Caller) (*Route, error) {
	a, ok := r.asks[ask{name, c.RawContext}]
	if !ok {
		a = r.asks[ask{"", c.RawContext}]
	}
	return a.route, a.err
}

// watched is what is kept of a call of a route in observe mode while its answer goes by.
type watched struct {
	route  *Route
	left   cascade.Plan // what policy and fit leave of its layers, as if it were enforced
	would  money.Nano   // the answer's tokens, at the first deployment of the first of these layers
	shadow *seen        // the call was drawn for one
}

// observe makes the plan of a route that is not enforced, by the code of one that is, and draws whether the call gets a
// shadow.
func (g *Gateway) observe(snap *Snapshot, f *call.Facts, env *llm.Envelope, r *Route) *watched {
	w := &watched{route: r}
	_ = g.cut(snap, f, env, r.Layers, &w.left) // why nothing is left is the cascade's to say, which was not asked
	if r.Sample > 0 && len(w.left.Layers) > 0 && g.Draw(observe.Whole) < r.Sample {
		w.shadow = new(seen)
		w.left.Attempts, w.left.Stream, w.left.MaxOut, w.left.N = snap.Attempts, env.Stream, env.MaxOutput, env.N
		w.left.Hold, w.left.Costs = cascade.Hold{GiveUp: r.Hold.GiveUp}, g.costs(snap, env)
	}
	return w
}

// note puts into a row what the cascade would have done and cost.
func (w *watched) note(snap *Snapshot, a *call.Attempt) {
	p := observe.Plan{Layers: make([]string, 0, 4), Drawn: w.shadow != nil}
	for i := range w.left.Layers {
		p.Layers = append(p.Layers, w.left.Layers[i].Name)
	}
	if len(p.Layers) > 0 {
		p.Start, p.PPM = p.Layers[0], w.route.Sample
		if a.Verdict.Result == call.Accepted {
			w.would = startCost(snap, &w.left.Layers[0].Targets[0], a)
		}
	}
	if p.Would = w.would; w.shadow != nil {
		w.shadow.target = a.Order.Target
	}
	a.Verdict.Notes = p.Onto(a.Verdict.Notes)
}

// startCost is what an answer's tokens would have cost at another deployment; what they did where it has no rate for a
// meter.
func startCost(snap *Snapshot, t *call.Target, a *call.Attempt) money.Nano {
	if t.Deployment == a.Order.Target.Deployment {
		return a.Cost
	}
	p, err := snap.Prices.Price(*t, a.Usage, a.Facts.Start)
	if err != nil {
		return a.Cost
	}
	return p.Cost()
}

// maxSeen bounds what is kept of an answer to compare another with.
const maxSeen = 4 << 20

// seen is a copy of what the caller got. It is taken beside the way of the answer, which it does not touch, and read only
// after it.
type seen struct {
	target  call.Target // that answered
	attempt int
	dialect llm.Dialect
	framed  bool
	raw     []byte
	final   *llm.Response // where it was decoded anyway
	over    bool          // it was larger than is kept
	size    int           // bytes that the copy keeps in memory
}

// see keeps a copy of an answer that goes by, if the call was drawn.
func (w *watched) see(x *exchange, d llm.Delta) {
	s := w.shadow
	if s == nil {
		return
	}
	if s.attempt != x.a.N {
		*s = seen{attempt: x.a.N, dialect: x.a.Order.Target.Dialect, framed: x.reader != nil}
	}
	n := max(len(d.Raw), d.Bytes)
	s.size += n
	switch {
	case s.over:
	case s.size > maxSeen, s.framed && x.d.keep(n) != nil: // the copy goes, the answer goes on
		s.over, s.raw, s.final, s.size = true, nil, nil, 0
	case d.Final != nil:
		s.final, s.raw = d.Final, nil
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
		o.Observed(f, w.shadow != nil, d.cost, w.would)
	}
	if w.shadow == nil {
		return
	}
	j := &shadow{call: d, facts: f, forward: raw.Forward}
	if g.shadows.room(j, len(raw.Body)+w.shadow.size) {
		j.body = bytes.Clone(raw.Body) // the call's own buffer goes to the next one
		if g.shadows.add(j, g.runShadow) {
			return
		}
	}
	g.end(j, observe.Result{Outcome: observe.Dropped}, nil)
}
