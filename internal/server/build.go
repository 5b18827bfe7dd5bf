package server

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/finops/budget"
	"github.com/weirhq/weir/internal/finops/price"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/governance/policy"
	"github.com/weirhq/weir/internal/models/upstream"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/routing/session"
	"github.com/weirhq/weir/internal/routing/validate"
)

// Snapshot turns a configuration into what the gateway answers calls by.
func Snapshot(c *config.Config, now time.Time) (*gateway.Snapshot, error) {
	table, err := policyTable(c.Data)
	if err != nil {
		return nil, err
	}
	s := &gateway.Snapshot{
		Policy: table, Prices: price.Prices{Catalog: c.Models, Book: c.Prices}, Attempts: c.Limits.Attempts,
		Deadline: c.Limits.Deadline, Direct: map[string]cascade.Layer{}, BriefOnly: map[string]bool{},
		UseCases: map[string]gateway.UseCase{},
	}
	for name, u := range c.UseCases {
		floor, _ := table.Class(u.Floor)
		s.UseCases[name] = gateway.UseCase{Floor: floor, Budget: u.Budget}
	}
	checks, err := compile(c.Checks)
	if err != nil {
		return nil, err
	}
	plain := map[string]bool{} // deployments that stand in a layer without context: brief, or in none
	for name := range c.Deployments {
		s.Direct[name] = cascade.Layer{Targets: []call.Target{target(c, name)}}
	}
	for _, r := range c.Routes {
		route := gateway.Route{
			Name: r.Name, Match: r.Match, Observe: r.Mode == config.Observe, BestEffort: r.OnBudget == "best_effort",
			Sample: r.Sample, Shadows: r.Shadows,
			KeepAlive: r.Stream.KeepaliveAfter, Hold: cascade.Hold{GiveUp: r.Stream.GiveUpAfter, Prefix: r.Stream.Prefix},
			Session: session.Rules(r.Session),
		}
		for i, l := range r.Layers {
			layer := cascade.Layer{Name: l.Name, Number: i + 1, MaxOut: l.MaxOutput, Brief: l.Brief, BriefTokens: l.BriefTokens}
			for _, use := range l.Use {
				t := target(c, use)
				t.Layer, t.LayerName = i+1, l.Name
				layer.Targets = append(layer.Targets, t)
				s.BriefOnly[use] = s.BriefOnly[use] || l.Brief
				plain[use] = plain[use] || !l.Brief
			}
			for _, name := range l.Compress {
				if name != config.Extractive {
					layer.Writers = append(layer.Writers, target(c, name))
				}
			}
			for _, name := range l.Checks {
				layer.Checks = append(layer.Checks, checks[name])
				layer.JSON = layer.JSON || len(c.Checks[name].Schema) > 0
			}
			route.Layers = append(route.Layers, layer)
		}
		route.Baseline = dearest(s.Prices, route.Layers, now)
		s.Routes = append(s.Routes, route)
	}
	for name := range plain {
		if plain[name] {
			delete(s.BriefOnly, name)
		}
	}
	return s, nil
}

func policyTable(d config.Data) (*policy.Table, error) {
	rows := make([]policy.Row, 0, len(d.Rows))
	for _, r := range d.Rows {
		rows = append(rows, policy.Row(r))
	}
	return policy.New(d.Unlabelled, rows)
}

func compile(specs map[string]config.Check) (map[string]validate.Check, error) {
	checks := make(map[string]validate.Check, len(specs))
	for name, c := range specs {
		check, err := validate.Compile(validate.Spec{
			Name: name, Schema: c.Schema, Regex: c.Regex, Early: c.Early, References: c.References, Arithmetic: c.Arithmetic,
			Doubt: c.Doubt,
		})
		if err != nil {
			return nil, fmt.Errorf("check %s: %w", name, err)
		}
		checks[name] = check
	}
	return checks, nil
}

func target(c *config.Config, deployment string) call.Target {
	d := c.Deployments[deployment]
	p := c.Providers[d.Provider]
	return call.Target{
		Deployment: deployment, Provider: d.Provider, Dialect: p.Dialect, WireID: d.WireID, Model: d.Model,
		Hosting: p.Hosting, Region: d.Region, OutputKey: p.OutputKey, Endpoint: endpointName(p),
	}
}

// dearest is the route's target that a call of usual shape costs most on: what the frontier would have cost.
func dearest(p price.Prices, layers []cascade.Layer, now time.Time) call.Target {
	var most call.Target
	var top int64 = -1
	for _, l := range layers {
		for _, t := range l.Targets {
			cost, err := p.Worst(call.Order{Target: t, Prompt: 2000, MaxOut: 300, N: 1}, now)
			if err == nil && int64(cost) > top {
				most, top = t, int64(cost)
			}
		}
	}
	return most
}

// endpointName tells providers of the same name in two configurations apart by where a call to them would go, so that a
// call under way is never sent to an address that its own configuration did not name.
func endpointName(p config.Provider) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s", p.URL, p.Hosting, p.AuthHeader, p.AuthPrefix))
	return p.Name + "#" + hex.EncodeToString(sum[:8])
}

// endpoints are the providers that deployments use.
func endpoints(c *config.Config) map[string]upstream.Endpoint {
	eps := make(map[string]upstream.Endpoint, len(c.Providers))
	for _, p := range c.Providers {
		eps[endpointName(p)] = upstream.Endpoint{
			BaseURL: p.URL, Auth: upstream.Auth{Header: p.AuthHeader, Prefix: p.AuthPrefix, Secret: p.Key.Reveal},
			Connect: p.Timeout.Connect, TTFT: p.Timeout.TTFT, Idle: p.Timeout.Idle,
		}
	}
	return eps
}

// unbudgeted is the node of calls without a budget: it refuses nothing, but its ceiling covers what a crash may lose.
const unbudgeted = "unbudgeted"

// budgets are the budget nodes, and which node a call counts against: its use case's when it came in.
func budgets(c *config.Config) budget.Config {
	b := budget.Config{
		Nodes:  []budget.Node{{Name: unbudgeted, Unlimited: true}},
		NodeOf: func(f call.Facts) string { return cmp.Or(f.Budget, unbudgeted) },
	}
	for _, n := range c.Budgets {
		b.Nodes = append(b.Nodes, budget.Node{Name: n.Node, Limit: n.Limit, Period: budget.Period(n.Period), Zone: n.Zone})
	}
	return b
}
