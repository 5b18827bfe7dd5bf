package gateway

import (
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/cascade"
)

// plan finds the route that a name asks for and cuts its layers down to what the key may use, policy permits and the
// request fits (capability, window). Nothing left = an error that names why.
func (g *Gateway) plan(snap *Snapshot, d *dispatch, in Inbound, f *call.Facts, env llm.Envelope) (cascade.Plan, error) {
	r, err := snap.route(env.Model, in.Key, f.Caller)
	if err != nil {
		return cascade.Plan{}, err
	}
	f.Route = r.Name
	if len(in.Key.Routes) > 0 && !slices.Contains(in.Key.Routes, r.Name) {
		return cascade.Plan{}, &llm.Error{
			Code: llm.CodeUnauthorized, Message: "this key may not ask for " + r.Name, Param: "model",
			Hint: "it may ask for: " + strings.Join(in.Key.Routes, ", "),
		}
	}
	d.baseline, d.keepAlive = r.Baseline, r.KeepAlive
	p := cascade.Plan{
		Attempts: snap.Attempts, BestEffort: r.BestEffort, Stream: env.Stream, MaxOut: env.MaxOutput, N: env.N,
		Hold: r.Hold, Costs: g.costs(snap, &env),
	}
	if denied := g.cut(snap, f, &env, r.Layers, &p); len(p.Layers) == 0 {
		return p, nothingLeft(r.Name, denied, p.Skips)
	}
	if r.Watched == nil {
		g.remember(r, d, *f, &env, in.Body, &p)
	} else {
		d.watch = g.observe(snap, f, &env, r.Watched)
	}
	return p, nil
}

// cut puts into a plan what policy permits of a route's layers and what fits, and why the rest was left out. The error is
// the last denial. Layers of which nothing is left out are the route's own: they are not changed.
func (g *Gateway) cut(snap *Snapshot, f *call.Facts, env *llm.Envelope, layers []cascade.Layer, p *cascade.Plan) (denied error) {
	p.Layers = layers
	for i := range layers {
		l, skips := &layers[i], len(p.Skips)
		targets := l.Targets
		for k := range l.Targets {
			t := &l.Targets[k]
			var why string
			if _, err := snap.Policy.Permit(*f, call.Order{Target: *t}); err != nil {
				denied, why = err, llm.AsError(err).Param
			} else {
				why = g.unfit(t, l.Brief, i == len(layers)-1, env)
			}
			switch first := len(p.Skips) == skips; {
			case why != "":
				if first {
					targets = slices.Clone(l.Targets[:k])
				}
				p.Skips = append(p.Skips, cascade.Skip{Layer: l.Name, Deployment: t.Deployment, Why: why})
			case !first:
				targets = append(targets, *t)
			}
		}
		var writers []call.Target
		if len(targets) > 0 {
			writers = permitted(snap, f, l, p)
		}
		if skips == 0 && len(p.Skips) > 0 {
			p.Layers = slices.Clone(layers[:i])
		}
		if len(p.Skips) > 0 && len(targets) > 0 {
			kept := *l
			kept.Targets, kept.Writers = targets, writers
			p.Layers = append(p.Layers, kept)
		}
	}
	return denied
}

// permitted is those of a layer's compressors that may read the call's context.
func permitted(snap *Snapshot, f *call.Facts, l *cascade.Layer, p *cascade.Plan) (kept []call.Target) {
	for _, t := range l.Writers {
		if _, err := snap.Policy.Permit(*f, call.Order{Purpose: call.Compress, Target: t}); err != nil {
			p.Skips = append(p.Skips, cascade.Skip{Layer: l.Name, Deployment: t.Deployment, Why: "compressor: " + llm.AsError(err).Param})
			continue
		}
		kept = append(kept, t)
	}
	return kept
}

// unfit says why a model cannot take the request; "" = it can. A brief layer gets a brief, whatever the request's size;
// the last layer is not held to the effective window, since nothing comes after it.
func (g *Gateway) unfit(t *call.Target, brief, last bool, env *llm.Envelope) string {
	can, need := t.Model.Can, env.Needs
	for _, c := range []struct {
		need, can bool
		name      string
	}{
		{need.Vision, can.Vision, "vision"},
		{need.Audio, can.Audio, "audio"},
		{need.Documents, can.Documents, "documents"},
		{need.Tools, can.Tools, "tools"},
		{need.Schema, can.Schema, "schema"},
	} {
		if c.need && !c.can {
			return "the model lacks " + c.name
		}
	}
	if brief {
		return ""
	}
	prompt := g.tokens.expected(t.Model.ID, env.BodyBytes-env.MediaBytes, env.MediaBytes)
	switch {
	case t.Model.Window > 0 && prompt+env.MaxOutput > t.Model.Window:
		return overWindow
	case !last && t.Model.EffectiveWindow > 0 && prompt > t.Model.EffectiveWindow:
		return "the request is larger than the window up to which the model is trusted"
	}
	return ""
}

// overWindow is the reason that agents answer to by shortening their context.
const overWindow = "the request is larger than the model's window"

func nothingLeft(route string, denied error, skips []cascade.Skip) error {
	if denied != nil {
		return denied
	}
	why := make([]string, 0, len(skips))
	for _, s := range skips {
		if line := s.Deployment + ": " + s.Why; !slices.Contains(why, line) {
			why = append(why, line)
		}
	}
	code := llm.CodeUnfit
	if !slices.ContainsFunc(skips, func(s cascade.Skip) bool { return s.Why != overWindow }) {
		code = llm.CodeWindow
	}
	return &llm.Error{
		Code: code, Message: "no model of route " + route + " fits this request (" + strings.Join(why, "; ") + ")",
		Hint: "add a deployment with the capability or window to one of the route's layers",
	}
}

// route resolves the name that a client asks for: a route's name or pattern first, then a deployment's name.
func (s *Snapshot) route(name string, k *identity.Key, c call.Caller) (*Route, error) {
	for i := range s.Routes {
		r := &s.Routes[i]
		if r.matches(name) {
			if r.Observe {
				return r.asked(name, c)
			}
			return r, nil
		}
	}
	if l, ok := s.Direct[name]; ok {
		if s.BriefOnly[name] && !c.RawContext {
			return nil, briefOnly(name)
		}
		return &Route{Name: name, Layers: []cascade.Layer{l}, Baseline: l.Targets[0], KeepAlive: directKeepAlive}, nil
	}
	return nil, &llm.Error{
		Code: llm.CodeModel, Message: "unknown model " + quoteShort(name), Param: "model",
		Hint: "this key may ask for: " + strings.Join(s.Names(k), ", "),
	}
}

// directKeepAlive is the pause after which a client that named a deployment hears of a tool call that is kept back.
const directKeepAlive = 3 * time.Second

func briefOnly(deployment string) error {
	return &llm.Error{
		Code: llm.CodeUnauthorized, Message: "deployment " + deployment + " takes only compressed briefs through a route",
		Hint: "ask for a route that enforces its cascade, or create a key with --raw-context", Param: "model",
	}
}

// observed is the route in observe mode: the model that was asked for answers, untouched; the first deployment of the
// highest layer that may see raw history where the name does not tell which.
func (s *Snapshot) observed(r *Route, name string, c call.Caller) (*Route, error) {
	var asked call.Target
	named := false
	for _, l := range r.Layers {
		for i, t := range l.Targets {
			exact := t.Deployment == name || t.Model.ID == name || t.WireID == name
			if s.BriefOnly[t.Deployment] && !c.RawContext {
				if exact {
					return nil, briefOnly(t.Deployment)
				}
				continue
			}
			if exact || !named && i == 0 {
				asked, named = t, named || exact
			}
		}
	}
	if asked.Model == nil {
		return nil, briefOnly(r.Layers[len(r.Layers)-1].Targets[0].Deployment)
	}
	only := cascade.Layer{Name: asked.LayerName, Number: asked.Layer, Targets: []call.Target{asked}}
	return &Route{
		Name: r.Name, Layers: []cascade.Layer{only}, Baseline: r.Baseline, KeepAlive: r.KeepAlive, Watched: r,
	}, nil
}

// Names lists what a key may ask for: routes, then deployments.
func (s *Snapshot) Names(k *identity.Key) []string {
	var names []string
	for _, r := range s.Routes {
		names = append(names, r.Name)
	}
	direct := make([]string, 0, len(s.Direct))
	for d := range s.Direct {
		direct = append(direct, d)
	}
	slices.Sort(direct)
	names = append(names, direct...)
	if len(k.Routes) > 0 {
		names = slices.DeleteFunc(names, func(n string) bool { return !slices.Contains(k.Routes, n) })
	}
	return names
}

func (r *Route) matches(name string) bool {
	return slices.ContainsFunc(r.Match, func(pattern string) bool { return glob(pattern, name) })
}

// glob matches a name against a pattern in which * stands for any run of characters.
func glob(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], more
	}
}

func quoteShort(s string) string {
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "") + "…"
	}
	return `"` + s + `"`
}
