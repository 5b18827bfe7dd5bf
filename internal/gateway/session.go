package gateway

import (
	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/routing/session"
)

// remember asks the conversation's session where the call begins and in which order, and puts that into the plan. Where
// there is nothing to choose, no session is kept.
func (g *Gateway) remember(r *Route, d *dispatch, f call.Facts, env *llm.Envelope, body []byte, p *cascade.Plan) {
	if g.Sessions == nil || r.Session.Memory <= 0 || len(p.Layers) == 1 && len(p.Layers[0].Targets) == 1 {
		return
	}
	layers := make([]session.Layer, len(p.Layers))
	for i, l := range p.Layers {
		layers[i] = session.Layer{Number: l.Number, Held: p.Held(i), Brief: l.Brief, Targets: l.Targets}
	}
	d.session = g.Sessions.Begin(session.LookAt(f, env, body, r.Session), r.Session, layers)
	p.Session = &d.session.Decision
	p.Layers = seated(p.Layers, p.Session)
}

// seated are the layers as a session wants them.
func seated(layers []cascade.Layer, s *session.Decision) []cascade.Layer {
	out := make([]cascade.Layer, 0, len(s.Steps))
	for i, step := range s.Steps {
		l := layers[step.Layer]
		l.Pinned, l.Again = s.Pinned && i == 0, step.Again
		l.Targets = make([]call.Target, len(step.Targets))
		for j, at := range step.Targets {
			l.Targets[j] = layers[step.Layer].Targets[at]
		}
		out = append(out, l)
	}
	return out
}
