package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

func table(t testing.TB) *Table {
	t.Helper()
	p, err := New("internal", []Row{
		{Class: "public"},
		{Class: "internal", Tier: []catalog.Tier{catalog.Mid, catalog.OpenWeight, catalog.Frontier}},
		{Class: "confidential", Region: []string{"eu", "de"}, Hosting: []call.Hosting{call.API, call.Own}},
		{Class: "restricted", Hosting: []call.Hosting{call.Own}},
		{Class: "secret", Nowhere: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func target(name string, h call.Hosting, region string, tier catalog.Tier) call.Target {
	return call.Target{Deployment: name, Hosting: h, Region: region, Model: &catalog.Model{ID: name, Tier: tier}}
}

var (
	flashEU  = target("flash-eu", call.API, "eu", catalog.Mid)
	flashUS  = target("flash-us", call.API, "us", catalog.Mid)
	edgeEU   = target("edge-eu", call.API, "eu", catalog.Edge)
	cloudDE  = target("cloud-de", call.Cloud, "de", catalog.Frontier)
	ownEU    = target("own-eu", call.Own, "eu", catalog.OpenWeight)
	ownBare  = target("own-bare", call.Own, "", catalog.OpenWeight)
	unknown  = call.Target{Deployment: "unknown"}
	everyone = []call.Target{flashEU, flashUS, edgeEU, cloudDE, ownEU, ownBare, unknown}
)

func facts(t testing.TB, p *Table, class string) call.Facts {
	t.Helper()
	c, ok := p.Class(class)
	if !ok {
		t.Fatalf("no class %s", class)
	}
	return call.Facts{Class: c}
}

func TestWhichClassReachesWhat(t *testing.T) {
	tests := []struct {
		class string
		reach []string
		deny  map[string]string // deployment -> rule
	}{
		{"public", []string{"flash-eu", "flash-us", "edge-eu", "cloud-de", "own-eu", "own-bare", "unknown"}, nil},
		{
			"internal",
			[]string{"flash-eu", "flash-us", "cloud-de", "own-eu", "own-bare"},
			map[string]string{"edge-eu": "data.may_reach.internal.tier", "unknown": "data.may_reach.internal.tier"},
		},
		{"confidential", []string{"flash-eu", "edge-eu", "own-eu"}, map[string]string{
			"cloud-de": "data.may_reach.confidential.hosting", "flash-us": "data.may_reach.confidential.region",
			"own-bare": "data.may_reach.confidential.region", "unknown": "data.may_reach.confidential.hosting",
		}},
		{
			"restricted",
			[]string{"own-eu", "own-bare"},
			map[string]string{"flash-eu": "data.may_reach.restricted.hosting", "cloud-de": "data.may_reach.restricted.hosting"},
		},
		{"secret", nil, map[string]string{
			"own-eu":   "data.may_reach.secret: none",
			"own-bare": "data.may_reach.secret: none",
		}},
	}
	p := table(t)
	for _, tt := range tests {
		t.Run(tt.class, func(t *testing.T) {
			f := facts(t, p, tt.class)
			var reach []string
			for _, target := range permitted(p, f, everyone) {
				reach = append(reach, target.Deployment)
			}
			if diff := cmp.Diff(tt.reach, reach); diff != "" {
				t.Errorf("reach: %s", diff)
			}
			for _, target := range everyone {
				permit, err := p.Permit(f, call.Order{Target: target})
				if rule, denied := tt.deny[target.Deployment]; denied {
					e := llm.AsError(err)
					if err == nil || e.Code != llm.CodePolicy || e.Status() != 403 || e.Param != rule || e.Hint == "" {
						t.Errorf("%s: %v, want rule %s", target.Deployment, err, rule)
					}
					continue
				}
				if err == nil && permit.Rule != "data.may_reach."+tt.class {
					t.Errorf("%s: permit names rule %q", target.Deployment, permit.Rule)
				}
			}
		})
	}
}

// permitted are the targets that a class may reach, in order.
func permitted(p *Table, f call.Facts, targets []call.Target) []call.Target {
	var kept []call.Target
	for _, target := range targets {
		if _, err := p.Permit(f, call.Order{Target: target}); err == nil {
			kept = append(kept, target)
		}
	}
	return kept
}

func TestAClassWithoutARowReachesNothing(t *testing.T) {
	p := table(t)
	for _, c := range []call.Class{{}, call.NewClass(0, "made-up"), call.NewClass(99, "")} {
		f := call.Facts{Class: c}
		if got := permitted(p, f, everyone); len(got) != 0 {
			t.Errorf("class %q reaches %v", c.Name(), got)
		}
		if _, err := p.Permit(f, call.Order{Target: ownEU}); err == nil || !strings.Contains(err.Error(), "no row") {
			t.Errorf("class %q: %v", c.Name(), err)
		}
	}
}

// A class made with a forged rank gets the row of its name, not of its rank.
func TestTheRankOfACallDoesNotChooseTheRow(t *testing.T) {
	p := table(t)
	f := call.Facts{Class: call.NewClass(0, "secret")}
	if _, err := p.Permit(f, call.Order{Target: ownEU}); err == nil {
		t.Error("a secret with the rank of public was let through")
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New("internal", []Row{{Class: "a"}, {Class: "a"}}); err == nil ||
		!strings.Contains(err.Error(), "two rows") {
		t.Errorf("two rows: %v", err)
	}
	if _, err := New("internal", []Row{{Class: "a"}}); err == nil || !strings.Contains(err.Error(), "internal") {
		t.Errorf("unlabelled without a row: %v", err)
	}
}

func TestUnlabelled(t *testing.T) {
	if c := table(t).Unlabelled(); c.Name() != "internal" || c.Rank() != 1 {
		t.Errorf("%q, %d", c.Name(), c.Rank())
	}
	if _, ok := table(t).Class("no such"); ok {
		t.Error("a class out of nothing")
	}
}

func TestEveryDecisionNamesItsRule(t *testing.T) {
	p := table(t)
	f := facts(t, p, "confidential")
	for _, tt := range []struct {
		target  call.Target
		allowed bool
		rule    string
	}{
		{flashEU, true, "data.may_reach.confidential"},
		{flashUS, false, "data.may_reach.confidential.region"},
		{ownEU, true, "data.may_reach.confidential"},
	} {
		permit, err := p.Permit(f, call.Order{Target: tt.target})
		rule := permit.Rule
		if err != nil {
			rule = llm.AsError(err).Param
		}
		if (err == nil) != tt.allowed || rule != tt.rule {
			t.Errorf("%s: rule %q, error %v", tt.target.Deployment, rule, err)
		}
	}
	_, err := p.Permit(call.Facts{Class: call.NewClass(0, "made-up")}, call.Order{Target: ownEU})
	if err == nil || llm.AsError(err).Param == "" {
		t.Errorf("a class without a row: %v", err)
	}
}

// Whatever is raised into a class, in whatever order, it never falls, and it ends at the highest.
func TestAClassOnlyRises(t *testing.T) {
	p := table(t)
	names := []string{"public", "internal", "confidential", "restricted", "secret"}
	rapid.Check(t, func(t *rapid.T) {
		c, highest := call.Class{}, -1
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 8).Draw(t, "claims") {
			next, _ := p.Class(name)
			before := c
			c = c.Raise(next)
			highest = max(highest, next.Rank())
			if before.Name() != "" && c.Rank() < before.Rank() {
				t.Fatalf("fell from %s to %s", before.Name(), c.Name())
			}
		}
		if c.Rank() != highest {
			t.Fatalf("ended at %s, want rank %d", c.Name(), highest)
		}
	})
}

func TestPermitDoesNotAllocateMuch(t *testing.T) {
	p := table(t)
	f, o := facts(t, p, "confidential"), call.Order{Target: flashEU}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := p.Permit(f, o); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a permit", n)
	}
}
