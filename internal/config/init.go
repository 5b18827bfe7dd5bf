package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// initBook prices what real providers will bill; articleBook marks the article's models.
const (
	initBook    = "list-2026-08"
	articleBook = "article-2026-06"
)

// found is a provider whose key the environment has.
type found struct {
	preset Preset
	env    string
}

// pick is a model for a layer, at the provider that serves it.
type pick struct {
	model *catalog.Model
	at    found
}

// Init writes a weir.yaml for the providers whose keys env has: a cascade within one vendor's models or, with several,
// the article's layers. It observes only. Without any key the error names the variables that it looks for.
func Init(env func(string) (string, bool), now time.Time) ([]byte, error) {
	var have []found
	var looked, left []string
	for _, p := range presets() {
		for _, name := range p.Env {
			looked = append(looked, name)
			v, ok := env(name)
			if !ok {
				continue
			}
			if why := unfitSecret(strings.TrimSpace(v)); why != "" {
				left = append(left, name+" "+why)
				continue
			}
			have = append(have, found{p, name})
			break
		}
	}
	if len(have) == 0 {
		message := "the environment has no provider key (looked for " + strings.Join(looked, ", ") + ")"
		if len(left) > 0 {
			message += "; left out: " + strings.Join(left, ", ")
		}
		return nil, &llm.Error{
			Code: llm.CodeInvalid, Message: message,
			Hint: "export one of them and run weir init again, or try weir demo, which needs none",
		}
	}
	var layers [][]pick
	for l := 1; l <= 3; l++ {
		if picks := picksFor(l, have, now); len(picks) > 0 {
			layers = append(layers, picks)
		}
	}
	return draft(have, left, layers, now), nil
}

// picksFor chooses up to three models of the available providers for a layer, the cheapest input first: the article's
// own where there is one, else others that the catalogue puts there, else by tier.
func picksFor(layer int, have []found, now time.Time) []pick {
	byTier := map[catalog.Tier]int{catalog.Edge: 1, catalog.Mid: 2, catalog.OpenWeight: 2, catalog.Frontier: 3}
	c := catalog.Embedded()
	for _, suits := range []func(*catalog.Model) bool{
		func(m *catalog.Model) bool {
			_, inArticle := c.Price(articleBook, m.ID, now, 0)
			return inArticle && slices.Contains(m.Layers, layer)
		},
		func(m *catalog.Model) bool { return slices.Contains(m.Layers, layer) },
		func(m *catalog.Model) bool { return len(m.Layers) == 0 && byTier[m.Tier] == layer },
	} {
		var picks []pick
		for _, m := range c.Models() {
			if _, priced := c.Price(initBook, m.ID, now, 0); !priced || !suits(m) {
				continue
			}
			if i := slices.IndexFunc(have, func(f found) bool { _, ok := m.WireID(f.preset.Name, false); return ok }); i >= 0 {
				picks = append(picks, pick{m, have[i]})
			}
		}
		if len(picks) > 0 {
			slices.SortStableFunc(picks, func(a, b pick) int {
				return cmp.Compare(inputRate(c, a.model.ID, now), inputRate(c, b.model.ID, now))
			})
			return picks[:min(3, len(picks))]
		}
	}
	return nil
}

func inputRate(c *catalog.Catalog, model string, now time.Time) money.Pico {
	p, _ := c.Price(initBook, model, now, 0)
	return p.Rates[money.Input]
}

// draft writes the file.
func draft(have []found, left []string, layers [][]pick, now time.Time) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by weir init from the keys in the environment. Check it with: weir check")
	line("# Every key that may stand here: weir check --schema")
	for _, l := range left {
		line("# Left out: %s", l)
	}
	line("version: 1")
	line("prices: %s   # list prices; article-2026-06 holds the article's", initBook)
	line("")
	line("providers:        # an endpoint with one credential each; keys come from the environment or a file")
	names, used := []string{}, map[string]bool{}
	for _, picks := range layers {
		for _, p := range picks {
			used[p.at.preset.Name] = true
		}
	}
	for _, f := range have {
		if !used[f.preset.Name] {
			continue
		}
		line("  %s: {preset: %s, key: env:%s}", f.preset.Name, f.preset.Name, f.env)
		for _, n := range f.preset.Names {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	line("")
	line("deployments:      # a model at a provider; a client may also ask for one by its name here")
	for _, picks := range layers {
		for _, p := range picks {
			price, _ := catalog.Embedded().Price(initBook, p.model.ID, now, 0)
			line("  %s: {model: %s, provider: %s}   # %s in, %s out per 1M tokens", p.model.ID, p.model.ID, p.at.preset.Name,
				price.Rates[money.Input].PerMillionUnits(), price.Rates[money.Output].PerMillionUnits())
		}
	}
	draftRoute(line, names, layers)
	line("")
	line("data:             # which data class may reach what; a class without a row reaches nothing")
	line("  unlabelled: internal")
	line("  may_reach: {public: any, internal: any, secret: none}   # also: confidential: {region: eu}")
	line("")
	line("use_cases:        # the registry: everything that spends has an owner")
	line("  default: {owner: platform-team, kpi: calls answered, stakes: low, floor: internal}   # name your own")
	line("")
	line("budgets:")
	line("  - {node: use-case/default, limit: $25/day, zone: UTC, alert_at: [50%%, 80%%, 95%%]}")
	return []byte(b.String())
}

func draftRoute(line func(string, ...any), names []string, layers [][]pick) {
	title := []string{"edge", "mid", "top"}
	if len(layers) == 1 {
		title = []string{"top"}
	}
	if len(layers) == 2 {
		title = []string{"edge", "top"}
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	line("")
	line("routes:           # the name that clients ask for, and the names that they use already")
	line("  default:")
	line("    match: [%s]", strings.Join(quoted, ", "))
	line("    mode: observe   # the asked-for model answers, or the top one where it is not deployed here; the")
	line("                    # cascade is only recorded: weir usage --observe. enforce: the cheapest layer that passes answers")
	line("    layers:")
	for i, picks := range layers {
		ids := make([]string, len(picks))
		for j, p := range picks {
			ids[j] = p.model.ID
		}
		line("      - {name: %s, use: [%s]}", title[i], strings.Join(ids, ", "))
	}
	if len(layers) == 3 {
		line("    targets: {edge: 75%%, mid: 20%%, top: 5%%}   # gauges, never quotas")
	}
}
