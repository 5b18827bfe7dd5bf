package config

import (
	"maps"
	"math"
	"slices"

	"github.com/weirhq/weir/internal/models/catalog"
)

// brief resolves what a layer says of its briefs.
func (r *resolver) brief(route string, v *fileLayer, l *Layer) {
	l.BriefTokens = v.BriefTokens.v
	switch {
	case v.CompressWith.is() && !l.Brief:
		r.p.add(v.CompressWith.at, "add context: brief, or remove it",
			"layer %s of route %s: compress_with does nothing without context: brief", l.Name, route)
		return
	case v.BriefTokens.is() && !l.Brief:
		r.p.add(v.BriefTokens.at, "add context: brief, or remove it",
			"layer %s of route %s: brief_tokens does nothing without context: brief", l.Name, route)
		return
	case !l.Brief:
		return
	}
	for i, t := range v.CompressWith.list {
		_, known := r.c.Deployments[t.v]
		switch {
		case !t.is():
		case t.v != Extractive && !known:
			r.p.add(t.at, suggest(t.v, append(r.f.Deployments.names(), Extractive), "compressors"),
				"layer %s of route %s: unknown compressor %q", l.Name, route, t.v)
		case slices.Contains(v.CompressWith.strings()[:i], t.v):
			r.p.add(t.at, "remove one", "layer %s of route %s: compressor %q is there twice", l.Name, route, t.v)
		}
	}
	switch {
	case len(l.Compress) == 0:
		l.Compress = []string{Extractive}
	case !slices.Contains(l.Compress, Extractive):
		r.p.add(v.CompressWith.at, "write [extractive, "+l.Compress[0]+"]: what a summary falls back to must be there",
			"layer %s of route %s: compress_with lacks extractive", l.Name, route)
	}
}

// briefs holds that no compressor reads what its own layers may not, and warns of briefs that are allowed to be longer
// than their models are trusted with, or than their base price reaches.
func (r *resolver) briefs() {
	only := r.briefOnly()
	for i, e := range r.f.Routes.list {
		for k := range e.v.Layers {
			for _, t := range e.v.Layers[k].CompressWith.list {
				if _, known := r.c.Deployments[t.v]; known && only[t.v] {
					r.p.add(t.at, "name a deployment that may read the history it shortens",
						"layer %s of route %s: compressor %s takes only briefs itself", e.v.Layers[k].Name.v, e.name, t.v)
				}
			}
			if i < len(r.c.Routes) && k < len(r.c.Routes[i].Layers) {
				r.sizes(e.name, r.c.Routes[i].Layers[k])
			}
		}
	}
}

// briefOnly are the deployments that stand in layers with context: brief and in no other.
func (r *resolver) briefOnly() map[string]bool {
	only, raw := map[string]bool{}, map[string]bool{}
	for _, route := range r.c.Routes {
		for _, l := range route.Layers {
			for _, d := range l.Use {
				only[d] = only[d] || l.Brief
				raw[d] = raw[d] || !l.Brief
			}
		}
	}
	maps.DeleteFunc(only, func(d string, brief bool) bool { return !brief || raw[d] })
	return only
}

// sizes warns of a layer whose briefs may be too long for one of its models.
func (r *resolver) sizes(route string, l Layer) {
	for _, name := range l.Use {
		m, step := r.c.Deployments[name].Model, r.c.Deployments[name].Step
		if m == nil || l.BriefTokens == 0 {
			continue
		}
		if l.BriefTokens > m.EffectiveWindow && m.EffectiveWindow > 0 {
			r.p.warn("route %s, layer %s: brief_tokens %d is more than %s (model %s) is trusted with: %d", route, l.Name, l.BriefTokens,
				name, m.ID, m.EffectiveWindow)
		}
		if step > 0 && l.BriefTokens > step {
			r.p.warn("route %s, layer %s: brief_tokens %d passes the %d tokens above which %s (model %s) charges the whole request at "+
				"other rates", route, l.Name, l.BriefTokens, step, name, m.ID)
		}
	}
}

// step is the tokens of prompt above which a model's whole request takes other rates of the price book in force; 0 = there
// is no such size.
func (r *resolver) step(m *catalog.Model) int {
	step := int64(0)
	for prompt := int64(math.MaxInt64); ; prompt = step {
		row, ok := r.c.Models.Price(r.c.Prices, m.ID, r.now, prompt)
		if !ok || row.Above == 0 {
			return int(step)
		}
		step = row.Above
	}
}
