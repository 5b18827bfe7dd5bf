package config

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/models/catalog"
)

func (r *resolver) data() {
	f := &r.f.Data
	if f.At.line == 0 {
		return // told: required
	}
	r.c.Data.Unlabelled = f.Unlabelled.v
	for _, e := range f.MayReach.list {
		row := DataRow{Class: e.name, Nowhere: e.v.word == "none"}
		for _, h := range e.v.set.Hosting.list {
			row.Hosting = append(row.Hosting, call.Hosting(h.v))
		}
		row.Region = append(row.Region, e.v.set.Region.strings()...)
		for _, t := range e.v.set.Tier.list {
			row.Tier = append(row.Tier, catalog.Tier(t.v))
		}
		if e.v.is() && e.v.word == "" && row.Hosting == nil && row.Region == nil && row.Tier == nil {
			r.p.add(e.v.at, "write any, none or a condition such as {region: eu}", "data class %s: its row says nothing", e.name)
		}
		r.c.Data.Rows = append(r.c.Data.Rows, row)
	}
	if f.MayReach.is() && len(r.c.Data.Rows) == 0 {
		r.p.add(f.MayReach.at, "add rows, e.g. {public: any, internal: any, restricted: {hosting: own}}",
			"may_reach has no row")
	}
	r.class(f.Unlabelled, "data.unlabelled")
}

// class holds that a data class has a row.
func (r *resolver) class(t text, what string) {
	if names := r.f.Data.MayReach.names(); t.is() && !slices.Contains(names, t.v) {
		r.p.add(t.at, suggest(t.v, names, "data classes")+" (a class is a row of data.may_reach)",
			"%s: data class %q has no row", what, t.v)
	}
}

func (r *resolver) budgets() {
	seen := map[string]bool{}
	for _, v := range r.f.Budgets {
		b := Budget{Node: v.Node.v, Limit: v.Limit.v, Period: v.Limit.period, OnLimit: v.OnLimit.v}
		if v.Node.is() && !isNode(b.Node) {
			r.p.add(v.Node.at, "write use-case/NAME, team/NAME or observe/NAME", "budget node %q is of no known kind", b.Node)
		}
		if seen[b.Node] && v.Node.is() {
			r.p.add(v.Node.at, "keep one", "budget node %q is there twice", b.Node)
		}
		seen[b.Node] = true
		zone, err := time.LoadLocation(v.Zone.v)
		if err != nil {
			r.p.add(v.Zone.at, "write a name such as Europe/Berlin or UTC", "budget %s: unknown time zone %q", b.Node, v.Zone.v)
		}
		b.Zone = zone
		for i, a := range v.AlertAt {
			if i > 0 && a.ok() && a.v <= v.AlertAt[i-1].v {
				r.p.add(a.at, "write them in ascending order", "budget %s: alert_at is not ascending", b.Node)
			}
			b.AlertAt = append(b.AlertAt, a.v)
		}
		r.c.Budgets = append(r.c.Budgets, b)
	}
}

func isNode(node string) bool {
	kind, name, _ := strings.Cut(node, "/")
	return (kind == "use-case" || kind == "team" || kind == "observe") && plainName(name)
}

// forShadows reports whether a node is of the kind that only shadows count against.
func forShadows(node string) bool { return strings.HasPrefix(node, "observe/") }

// shadows holds that the shadows of observed routes have budgets of their own.
func (r *resolver) shadows() {
	var nodes []string
	for _, b := range r.c.Budgets {
		if forShadows(b.Node) {
			nodes = append(nodes, b.Node)
		}
	}
	charged := map[string]bool{}
	for _, e := range r.f.Routes.list {
		o := e.v.Observe
		charged[o.Budget.v] = true
		switch {
		case o.Budget.is() && !slices.Contains(nodes, o.Budget.v):
			r.p.add(o.Budget.at, suggest(o.Budget.v, nodes, "budgets for shadows")+" (one named observe/NAME under budgets)",
				"route %s: observe.budget %q is no budget for shadows", e.name, o.Budget.v)
		case !o.Budget.is() && o.Sample.v > 0:
			r.p.add(o.Sample.at, "add budget: observe/NAME, and a limit for it under budgets",
				"route %s: observe.sample costs money, and no budget pays for it", e.name)
		}
	}
	for _, b := range r.f.Budgets {
		if b.Node.is() && forShadows(b.Node.v) && isNode(b.Node.v) && !charged[b.Node.v] {
			r.p.add(b.Node.at, "name it under observe.budget of a route", "no route's shadows count against budget %q", b.Node.v)
		}
	}
}

func (r *resolver) useCases() {
	r.c.UseCases = make(map[string]UseCase, len(r.f.UseCases.list))
	var nodes []string
	for _, b := range r.c.Budgets {
		nodes = append(nodes, b.Node)
	}
	charged := map[string]bool{}
	for _, e := range r.f.UseCases.list {
		v := e.v
		u := UseCase{
			Name: e.name, Owner: v.Owner.v, KPI: v.KPI.v, Stakes: v.Stakes.v, Floor: v.Floor.v, Budget: v.Budget.v,
			Oversight: v.Oversight.v, Review: v.Review.v,
		}
		r.class(v.Floor, "use case "+e.name)
		switch own := "use-case/" + e.name; {
		case forShadows(u.Budget):
			r.p.add(v.Budget.at, "give it a budget of its own, use-case/NAME", "use case %s: budget %q is for shadows", e.name, u.Budget)
		case v.Budget.is() && !slices.Contains(nodes, u.Budget):
			r.p.add(v.Budget.at, suggest(u.Budget, nodes, "budgets"), "use case %s: unknown budget %q", e.name, u.Budget)
		case !v.Budget.is() && slices.Contains(nodes, own):
			u.Budget = own
		}
		charged[u.Budget] = true
		if u.Review != "" && u.Review < r.now.UTC().Format(time.DateOnly) {
			r.p.warn("use case %s: its review was due on %s", e.name, u.Review)
		}
		r.c.UseCases[e.name] = u
	}
	for _, b := range r.f.Budgets {
		if b.Node.is() && isNode(b.Node.v) && !forShadows(b.Node.v) && !charged[b.Node.v] {
			r.p.add(b.Node.at, "name it under budget of a use case; use-case/NAME needs a use case NAME or one that names it",
				"no use case counts against budget %q", b.Node.v)
		}
	}
}

// reach warns of classes that may go somewhere but find no deployment there, and of regions that no deployment has.
func (r *resolver) reach() {
	for _, row := range r.c.Data.Rows {
		reached := row.Nowhere || len(r.c.Deployments) == 0
		for _, d := range r.c.Deployments {
			reached = reached || r.admits(row, d)
		}
		if !reached {
			r.p.warn("data class %s reaches no deployment: its calls will be refused", row.Class)
		}
	}
}

// holds warns of layers where the answer of one call without a cap of its own holds more than a whole budget: such calls
// are refused, however small their answer.
func (r *resolver) holds() {
	callers := slices.DeleteFunc(slices.Clone(r.c.Budgets), func(b Budget) bool { return forShadows(b.Node) })
	if len(callers) == 0 {
		return
	}
	least := slices.MinFunc(callers, func(a, b Budget) int { return cmp.Compare(a.Limit, b.Limit) })
	for _, route := range r.c.Routes {
		for _, l := range route.Layers {
			for _, name := range l.Use {
				hold, tokens := r.answer(route, l, r.c.Deployments[name])
				if hold <= least.Limit {
					continue
				}
				r.p.warn("route %s, layer %s: a call that sends no max_tokens holds %s for up to %d tokens from %s, more than all "+
					"of budget %s (%s): set a max_output that fits, or raise the limit",
					route.Name, l.Name, hold, tokens, name, least.Node, least.Limit)
			}
		}
	}
}

// answer is the most that a layer's answer costs when the caller caps nothing, and its tokens.
func (r *resolver) answer(route Route, l Layer, d Deployment) (money.Nano, int) {
	if d.Model == nil {
		return 0, 0
	}
	tokens := d.Model.MaxOutput
	if route.Mode == Enforce && l.MaxOutput > 0 {
		tokens = l.MaxOutput
	}
	row, _ := r.c.Models.Price(r.c.Prices, d.Model.ID, r.now, 0) // unpriced is an error by itself
	rate, _ := row.Rate(money.Output)
	return money.Mul(int64(tokens), rate), tokens
}

func (r *resolver) admits(row DataRow, d Deployment) bool {
	in := func(given bool, ok bool) bool { return !given || ok }
	return in(len(row.Hosting) > 0, slices.Contains(row.Hosting, r.c.Providers[d.Provider].Hosting)) &&
		in(len(row.Region) > 0, slices.Contains(row.Region, d.Region)) &&
		in(len(row.Tier) > 0, d.Model != nil && slices.Contains(row.Tier, d.Model.Tier))
}
