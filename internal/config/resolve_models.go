package config

import (
	"fmt"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/models/catalog"
)

// models lays the file's own models and prices over the embedded catalogue.
func (r *resolver) models() {
	var models []catalog.Model
	var prices []catalog.Price
	for _, e := range r.f.Models.list {
		m, ok := r.model(e)
		if !ok {
			continue
		}
		models = append(models, m)
		if e.v.Price.At.line > 0 {
			if p, ok := r.price(e); ok {
				prices = append(prices, p)
			}
		}
	}
	if _, ok := r.c.Models.Book(r.c.Prices); !ok {
		prices = nil // told already
	}
	all, err := r.c.Models.With(models, prices)
	if err != nil {
		r.p.add(r.f.Models.at, "", "models: %v", err)
		return
	}
	r.c.Models = all
}

// modelPrice is the price that the file gives for a model, nil if none.
func (r *resolver) modelPrice(id string) *filePrice {
	for i, e := range r.f.Models.list {
		if e.name == id && e.v.Price.At.line > 0 {
			return &r.f.Models.list[i].v.Price
		}
	}
	return nil
}

// model is the catalogue's model, if there is one, with what the file says laid over it.
func (r *resolver) model(e entry[fileModel]) (catalog.Model, bool) {
	m := catalog.Model{ID: e.name, Lifecycle: "active"}
	base, known := r.c.Models.Model(e.name)
	if known {
		m = *base
	}
	v, before := e.v, len(r.p.list)
	for _, need := range []struct {
		key   string
		given bool
	}{{"tier", v.Tier.is()}, {"window", v.Window.is()}, {"max_output", v.MaxOutput.is()}} {
		if !known && !need.given {
			r.p.add(e.at, fmt.Sprintf("add %s: %s", need.key, docs["fileModel."+need.key]),
				"model %s is not in the catalogue and has no %s", e.name, need.key)
		}
	}
	set(&m.Vendor, v.Vendor.v, v.Vendor.is())
	set(&m.Tier, catalog.Tier(v.Tier.v), v.Tier.is())
	set(&m.MaxOutput, v.MaxOutput.v, v.MaxOutput.is())
	if v.Window.is() {
		m.Window, m.EffectiveWindow = v.Window.v, catalog.Effective(v.Window.v)
		m.Windows = append([]catalog.Claim{{Tokens: m.Window, Source: "the configuration"}}, m.Windows...)
	}
	set(&m.EffectiveWindow, v.Effective.v, v.Effective.is())
	if m.EffectiveWindow > m.Window && m.Window > 0 {
		r.p.add(v.Effective.at, "lower it", "model %s: effective_window %d is larger than the window of %d",
			e.name, m.EffectiveWindow, m.Window)
	}
	if len(v.Layers) > 0 {
		m.Layers = nil
	}
	for _, l := range v.Layers {
		if l.ok() && l.v > 3 {
			r.p.add(l.at, "layers are 1, 2 and 3", "model %s: there is no layer %d", e.name, l.v)
		}
		m.Layers = append(m.Layers, l.v)
	}
	if v.Can.is() {
		can, err := catalog.Capabilities(v.Can.strings())
		m.Can = can
		if err != nil && len(r.p.list) == before { // the decoder has told of unknown words
			r.p.add(v.Can.at, "", "model %s: %v", e.name, err)
		}
	}
	return m, len(r.p.list) == before && m.Tier != "" && m.Window > 0 && m.MaxOutput > 0
}

func set[T any](to *T, v T, given bool) {
	if given {
		*to = v
	}
}

// price reads the file's price of a model: list rates, or a GPU-hour spread over tokens.
func (r *resolver) price(e entry[fileModel]) (catalog.Price, bool) {
	v := e.v.Price
	p := catalog.Price{
		Book: r.c.Prices, Model: e.name, Rates: map[money.Meter]money.Pico{}, Source: "the configuration",
		Checked: r.now.UTC().Format("2006-01-02"),
	}
	list := v.Input.is() || v.Output.is() || v.CacheRead.is() || v.CacheWrite5m.is() || v.CacheWrite1h.is()
	hour := v.GPUHour.is() || v.TokensPerHour.is()
	switch {
	case list && hour, !list && !hour:
		r.p.add(v.At, "give input and output, or gpu_hour and tokens_per_hour",
			"model %s: a price is either list rates or a GPU-hour", e.name)
		return p, false
	case hour && (!v.GPUHour.is() || !v.TokensPerHour.is()):
		r.p.add(v.At, "give both", "model %s: gpu_hour and tokens_per_hour need each other", e.name)
		return p, false
	case hour:
		rate := catalog.Allocate(v.GPUHour.v, int64(v.TokensPerHour.v))
		p.Allocated, p.GPUHour, p.TokensPerHour = true, v.GPUHour.v, int64(v.TokensPerHour.v)
		p.Rates[money.Input], p.Rates[money.Output] = rate, rate
		return p, true
	case !v.Input.is() || !v.Output.is():
		r.p.add(v.At, "give both", "model %s: a price needs input and output", e.name)
		return p, false
	}
	for _, x := range []struct {
		meter money.Meter
		rate  perMillion
	}{
		{money.Input, v.Input},
		{money.Output, v.Output},
		{money.CacheRead, v.CacheRead},
		{money.CacheWrite5m, v.CacheWrite5m},
		{money.CacheWrite1h, v.CacheWrite1h},
	} {
		if x.rate.is() {
			p.Rates[x.meter] = x.rate.v
		}
	}
	return p, true
}
