package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/models/catalog"
)

// process resolves what concerns the process: version, addresses, folder, limits, price book.
func (r *resolver) process() {
	f, c := r.f, r.c
	if f.Version.ok() && f.Version.v != 1 {
		r.p.add(f.Version.at, "write version: 1", "version %d of the file's shape is not known", f.Version.v)
	}
	c.Listen = Listen{API: f.Listen.API.v, Admin: f.Listen.Admin.v}
	r.address(&f.Listen.API, "listen.api")
	r.address(&f.Listen.Admin, "listen.admin")
	if c.Listen.API == c.Listen.Admin && !strings.HasSuffix(c.Listen.API, ":0") {
		r.p.add(f.Listen.Admin.at, "give each a port of its own", "listen.api and listen.admin are the same address")
	}
	c.Storage.Dir = r.path(f.Storage.Dir.v)
	c.Limits = Limits{
		BodyBytes: f.Limits.Body.v, InflightBytes: f.Limits.Inflight.v, Calls: f.Limits.Calls.v,
		Connections: f.Limits.Connections.v, Attempts: f.Limits.Attempts.v,
		Deadline: f.Limits.Deadline.v, Drain: f.Limits.Drain.v,
		Sessions: f.Limits.Sessions.v,
	}
	if c.Limits.BodyBytes > c.Limits.InflightBytes {
		r.p.add(f.Limits.Body.at, "raise inflight or lower body",
			"limits.body is larger than limits.inflight: no such body fits")
	}
	c.Prices = f.Prices.v
	if _, ok := c.Models.Book(c.Prices); !ok {
		var known []string
		for _, b := range c.Models.Books() {
			known = append(known, b.ID)
		}
		r.p.add(f.Prices.at, suggest(c.Prices, known, "price books"), "unknown price book %q", c.Prices)
	}
}

func (r *resolver) address(t *text, what string) {
	_, port, err := net.SplitHostPort(t.v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		r.p.add(t.at, "write host:port, e.g. 127.0.0.1:8080", "%s: %q is no address", what, t.v)
	}
}

func (r *resolver) providers() {
	r.c.Providers = make(map[string]Provider, len(r.f.Providers.list))
	for _, e := range r.f.Providers.list {
		v := e.v
		p := Provider{
			Name: e.name, Preset: v.Preset.v, URL: strings.TrimRight(v.URL.v, "/"), Hosting: call.Hosting(v.Hosting.v),
			Timeout: Timeouts{Connect: v.Timeout.Connect.v, TTFT: v.Timeout.TTFT.v, Idle: v.Timeout.Idle.v},
		}
		preset, known := presetNamed(p.Preset)
		if !known && v.Preset.is() {
			r.p.add(v.Preset.at, suggest(p.Preset, presetNames(), "presets"), "unknown preset %q", p.Preset)
		}
		p.Dialect, p.AuthHeader, p.AuthPrefix, p.OutputKey = preset.Dialect, preset.AuthHeader, preset.AuthPrefix,
			preset.OutputKey
		if p.URL == "" {
			p.URL = preset.URL
		}
		if p.Hosting == "" {
			p.Hosting = preset.Hosting
		}
		if known {
			r.baseURL(e, &p)
			r.credential(e, &p, preset)
		}
		r.c.Providers[e.name] = p
	}
}

func (r *resolver) baseURL(e entry[provider], p *Provider) {
	at := e.v.URL.at
	if p.URL == "" {
		r.p.add(e.at, "add url: https://host/v1", "provider %s: preset %s has no address of its own", e.name, p.Preset)
		return
	}
	u, err := url.Parse(p.URL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		r.p.add(at, "write http://host:port/v1 or https://host/v1", "provider %s: the url is not one", e.name)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		r.p.add(at, "write only scheme, host and path; credentials go under key",
			"provider %s: the url holds a user, query or fragment", e.name)
	case u.Scheme == "http" && e.v.Key.is() && !private(u.Hostname()):
		r.p.warn("provider %s: its key travels unencrypted to %s; use https", e.name, u.Hostname())
	}
}

// private reports whether a host is this machine, a private address or a name without dots.
func private(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
	}
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")
}

func (r *resolver) deployments() {
	r.c.Deployments = make(map[string]Deployment, len(r.f.Deployments.list))
	for _, e := range r.f.Deployments.list {
		d := Deployment{Name: e.name, Provider: e.v.Provider.v, Region: e.v.Region.v, Pin: e.v.Pin.v == "required"}
		p, known := r.c.Providers[d.Provider]
		if !known && e.v.Provider.is() {
			r.p.add(e.v.Provider.at, suggest(d.Provider, r.f.Providers.names(), "providers"),
				"deployment %s: unknown provider %q", e.name, d.Provider)
		}
		m, ok := r.c.Models.Model(e.v.Model.v)
		if !ok && e.v.Model.is() {
			r.p.add(e.v.Model.at, suggest(e.v.Model.v, r.modelIDs(), "models")+" (models of your own go under models)",
				"deployment %s: unknown model %q", e.name, e.v.Model.v)
		}
		if ok {
			d.Model, d.Step = m, r.step(m)
			r.deployable(e, m, p)
		}
		if preset, found := presetNamed(p.Preset); ok && found {
			d.WireID = r.wireID(e, m, preset)
		}
		r.c.Deployments[e.name] = d
	}
}

func (r *resolver) modelIDs() []string {
	var ids []string
	for _, m := range r.c.Models.Models() {
		ids = append(ids, m.ID)
	}
	return ids
}

// deployable holds that a deployed model lives and has a price.
func (r *resolver) deployable(e entry[deployment], m *catalog.Model, p Provider) {
	today := r.now.UTC().Format("2006-01-02")
	switch {
	case m.Lifecycle == "retired":
		r.p.add(e.v.Model.at, "choose another model", "deployment %s: model %s is retired", e.name, m.ID)
	case m.Sunset != "" && m.Sunset <= today:
		r.p.warn("deployment %s: the provider ended model %s on %s", e.name, m.ID, m.Sunset)
	case m.Lifecycle == "deprecated":
		r.p.warn("deployment %s: model %s is deprecated", e.name, m.ID)
	}
	if _, known := r.c.Models.Book(r.c.Prices); !known {
		return
	}
	price, ok := r.c.Models.Price(r.c.Prices, m.ID, r.now, 0)
	if !ok {
		r.p.add(e.v.Model.at, "choose another book under prices, or give it one: models: {"+m.ID+
			": {price: {input: \"0.10\", output: \"0.40\"}}}",
			"deployment %s: model %s has no price in book %s", e.name, m.ID, r.c.Prices)
	}
	if price.Allocated && price.GPUHour > 0 && p.Hosting == call.API && r.modelPrice(m.ID) == nil {
		r.p.warn("deployment %s: model %s is priced by the GPU-hour, but provider %s is a third party's API; "+
			"give its price under models.%s.price", e.name, m.ID, p.Name, m.ID)
	}
}

// wireID finds what the provider calls the model.
func (r *resolver) wireID(e entry[deployment], m *catalog.Model, preset Preset) string {
	pinned := e.v.Pin.v == "required"
	if id := e.v.WireID.v; id != "" {
		if pinned && moves(m, id) {
			r.p.add(e.v.WireID.at, "name a dated version, or remove pin", "deployment %s: %s is an alias that moves", e.name, id)
		}
		return id
	}
	if w, ok := m.WireID(preset.Name, pinned); ok {
		return w.ID
	}
	if w, ok := m.WireID(preset.Name, false); ok {
		r.p.add(e.v.Pin.at, "add wire_id with a dated version, or remove pin",
			"deployment %s: preset %s knows model %s only as %s, which moves", e.name, preset.Name, m.ID, w.ID)
		return w.ID
	}
	if _, embedded := catalog.Embedded().Model(m.ID); !embedded || preset.AnyName {
		return m.ID
	}
	r.p.add(e.v.Model.at, "add wire_id: what the provider calls it",
		"deployment %s: what preset %s calls model %s is not known",
		e.name, preset.Name, m.ID)
	return ""
}

// moves reports whether a wire id is an alias that the provider may point elsewhere.
func moves(m *catalog.Model, id string) bool {
	for _, w := range m.Wire {
		if w.ID == id {
			return w.Moving
		}
	}
	return strings.HasSuffix(id, "-latest") || strings.HasSuffix(id, ":latest") || id == "latest"
}
