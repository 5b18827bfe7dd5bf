package telemetry

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// scrape is what a Prometheus server would read: the lines of our own metrics, without comments and buckets, sorted.
func scrape(t *testing.T, m *Metrics) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var out []string
	for line := range strings.Lines(w.Body.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "weir_") && !strings.Contains(line, "_bucket{") {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

func wantLines(t *testing.T, m *Metrics, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, scrape(t, m)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// zeroOverhead are the lines that are there before any call.
var zeroOverhead = []string{"weir_overhead_seconds_count 0", "weir_overhead_seconds_sum 0"}

func attempt() call.Attempt {
	return call.Attempt{
		Facts: call.Facts{
			ID: call.OpID{1}, Route: "support", Dialect: llm.OpenAI,
			Caller: call.Caller{KeyID: "k1", Team: "ops", UseCase: "invoices", Session: "s-1", Workflow: "w", Agent: "a"},
		},
		Order: call.Order{Purpose: call.Answer, Target: call.Target{
			Deployment: "flash", LayerName: "first", Model: &catalog.Model{ID: "gemini-flash", Tier: catalog.Edge},
		}},
		Served: "gemini-flash-001", Fingerprint: "fp", Rule: "r", PriceRow: "row",
		Usage:   llm.Usage{Input: 100, CacheRead: 40, CacheWrite5m: 3, CacheWrite1h: 4, Output: 20, Reasoning: 5},
		Cost:    1_500_000_000,
		Outcome: call.OK, Settlement: call.Settled, Verdict: call.Verdict{Result: call.Accepted, Reason: "fine", Final: true},
		Clocks: call.Clocks{
			Sent: 10 * time.Millisecond, ProviderTTF: 260 * time.Millisecond, FirstByte: 500 * time.Millisecond, Accepted: time.Second,
		},
	}
}

func TestAttemptCountsEveryMeter(t *testing.T) {
	m := NewMetrics()
	m.Attempt(attempt())
	m.Attempt(attempt())
	tokens := func(meter, n string) string {
		return `weir_tokens_total{deployment="flash",meter="` + meter + `",model="gemini-flash"} ` + n
	}
	wantLines(t, m, append(zeroOverhead[:2:2],
		`weir_attempts_total{deployment="flash",layer="first",model="gemini-flash",outcome="ok",purpose="answer",tier="edge",verdict="accepted"} 2`,
		`weir_cost_usd_total{deployment="flash",model="gemini-flash",tier="edge",use_case="invoices"} 3`,
		tokens("input", "200"), tokens("cache_read", "80"), tokens("cache_write", "14"), tokens("output", "40"),
		tokens("reasoning", "10"),
		`weir_provider_ttft_seconds_count{deployment="flash",model="gemini-flash"} 2`,
		`weir_provider_ttft_seconds_sum{deployment="flash",model="gemini-flash"} 0.5`,
		`weir_first_byte_seconds_count{route="support"} 2`, `weir_first_byte_seconds_sum{route="support"} 1`,
		`weir_accepted_seconds_count{layer="first",route="support"} 2`,
		`weir_accepted_seconds_sum{layer="first",route="support"} 2`,
		`weir_given_up_total{layer="first",route="support"} 0`,
	)...)
}

func TestAnAttemptThatWasGivenUpHasNoFirstByte(t *testing.T) {
	m, a := NewMetrics(), attempt()
	a.Err, a.Verdict.Result, a.Verdict.Final = call.GivenUp, call.Errored, false
	m.Attempt(a)
	got := scrape(t, m)
	for _, want := range []string{
		`weir_given_up_total{layer="first",route="support"} 1`, `weir_accepted_seconds_count{layer="first",route="support"} 0`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q misses %s", got, want)
		}
	}
}

func TestAttemptThatWasNotSentCostsNothing(t *testing.T) {
	m := NewMetrics()
	a := attempt()
	a.Settlement, a.Outcome, a.Verdict.Result = call.NotSent, call.Refused, call.Errored
	m.Attempt(a)
	for _, line := range scrape(t, m) {
		counted := strings.HasPrefix(line, "weir_attempts_total")
		if counted != strings.HasSuffix(line, " 1") || !counted && !strings.HasSuffix(line, " 0") {
			t.Errorf("an attempt that was not sent tells %s", line)
		}
	}
}

// TestAttemptsAreToldApart changes one label's cause at a time: each change must be a series of its own, and no two
// attempts that differ in a label may be counted as one.
func TestAttemptsAreToldApart(t *testing.T) {
	changes := map[string]func(*call.Attempt){
		`layer="second"`:     func(a *call.Attempt) { a.Order.Target.LayerName = "second" },
		`layer=""`:           func(a *call.Attempt) { a.Order.Target.LayerName = "" },
		`deployment="other"`: func(a *call.Attempt) { a.Order.Target.Deployment = "other" },
		`model="newer"`:      func(a *call.Attempt) { a.Order.Target.Model = &catalog.Model{ID: "newer", Tier: catalog.Edge} },
		`tier="mid"`: func(a *call.Attempt) {
			a.Order.Target.Model = &catalog.Model{ID: "gemini-flash", Tier: catalog.Mid}
		},
		`purpose="retry"`:       func(a *call.Attempt) { a.Order.Purpose = call.Retry },
		`outcome="cut"`:         func(a *call.Attempt) { a.Outcome = call.Cut },
		`verdict="rejected"`:    func(a *call.Attempt) { a.Verdict.Result = call.Rejected },
		`model="",outcome="ok"`: func(a *call.Attempt) { a.Order.Target.Model = nil },
	}
	m := NewMetrics()
	m.Attempt(attempt())
	for _, change := range changes {
		a := attempt()
		change(&a)
		m.Attempt(a)
		m.Attempt(a)
	}
	series := slices.DeleteFunc(scrape(t, m), func(line string) bool { return !strings.HasPrefix(line, "weir_attempts_total") })
	if len(series) != 1+len(changes) {
		t.Errorf("%d series of attempts, want %d", len(series), 1+len(changes))
	}
	for label := range changes {
		n := 0
		for _, line := range series {
			if strings.Contains(line, label) && strings.HasSuffix(line, " 2") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d series have %s and the value 2, want 1:\n%s", n, label, strings.Join(series, "\n"))
		}
	}
}

// TestLabelsAreBounded makes many calls that differ in everything that callers and providers choose freely. None of it
// may make a series: a metric with a label per session takes the process down.
func TestLabelsAreBounded(t *testing.T) {
	m := NewMetrics()
	one := func(i int) {
		a := attempt()
		id := strings.Repeat("x", i)
		a.Facts.ID[3], a.Facts.Caller.Session, a.Facts.Caller.Workflow, a.Facts.Caller.Agent = byte(i), id, id, id
		a.Facts.Caller.KeyID, a.Served, a.Fingerprint, a.Rule, a.PriceRow, a.Err = id, id, id, id, id, id
		a.Verdict.Reason, a.Verdict.Check, a.Verdict.Notes, a.Budget, a.Order.Target.WireID = id, id, id, id, id
		m.Attempt(a)
		m.Call(a.Facts, "first", "ok", time.Duration(i)*time.Millisecond, 0, 0)
	}
	one(0)
	before := scrape(t, m)
	for i := range 100 {
		one(i)
	}
	if after := scrape(t, m); len(after) != len(before) {
		t.Errorf("%d series grew to %d", len(before), len(after))
	}
	if len(m.attempt) != 1 || len(m.finished) != 1 {
		t.Errorf("%d and %d sets of series are remembered, want one of each", len(m.attempt), len(m.finished))
	}
}

func TestCalls(t *testing.T) {
	m := NewMetrics()
	f := attempt().Facts
	m.Call(f, "first", "ok", 2*time.Second, 250*time.Microsecond, 2)
	m.Call(f, "first", "ok", time.Second, 250*time.Microsecond, 2)
	f.Dialect = llm.Anthropic
	m.Call(f, "", llm.CodeBudget, 500*time.Millisecond, 500*time.Millisecond, 0)
	wantLines(t, m,
		`weir_calls_total{code="ok",dialect="openai",layer="first",route="support"} 2`,
		`weir_calls_total{code="budget_exceeded",dialect="anthropic",layer="",route="support"} 1`,
		`weir_call_duration_seconds_count{layer="first",route="support"} 2`,
		`weir_call_duration_seconds_sum{layer="first",route="support"} 3`,
		`weir_call_duration_seconds_count{layer="",route="support"} 1`,
		`weir_call_duration_seconds_sum{layer="",route="support"} 0.5`,
		`weir_keepalives_total{route="support"} 4`,
		`weir_overhead_seconds_count 3`,
		`weir_overhead_seconds_sum 0.5005`)
}

func TestObservedCallsAndShadows(t *testing.T) {
	m := NewMetrics()
	m.Observed("support", false, 2_000_000_000, 500_000_000)
	m.Observed("support", true, 1_000_000_000, 250_000_000)
	m.Observed("support", true, 0, 0)
	m.Shadow(Shadow{
		Route: "support", Outcome: "accepted", Layer: "edge", Told: true, Cost: 250_000_000, Spent: 1_000_000_000,
		Compared: "json", Same: true,
	})
	m.Shadow(Shadow{Route: "support", Outcome: "budget", Layer: "edge", Cost: 7, Spent: 9})
	wantLines(t, m, append(zeroOverhead[:2:2],
		`weir_observed_calls_total{drawn="false",route="support"} 1`,
		`weir_observed_calls_total{drawn="true",route="support"} 2`,
		`weir_observed_cost_usd_total{route="support",what="at_start"} 0.75`,
		`weir_observed_cost_usd_total{route="support",what="spent"} 3`,
		`weir_shadow_answers_total{compared="json",route="support",same="true"} 1`,
		`weir_shadow_cost_usd_total{route="support",what="cascade"} 0.25`,
		`weir_shadow_cost_usd_total{route="support",what="spent"} 1`,
		`weir_shadows_total{layer="edge",outcome="accepted",route="support"} 1`,
		`weir_shadows_total{layer="edge",outcome="budget",route="support"} 1`)...)
}

func TestGaugeIsReadAtEachScrape(t *testing.T) {
	m := NewMetrics()
	n := 0.0
	m.Gauge("weir_things", "Things.", func() float64 { n++; return n })
	for _, want := range []string{"weir_things 1", "weir_things 2"} {
		if got := scrape(t, m); !slices.Contains(got, want) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
}

func TestMetricsFromManyCallsAtOnce(t *testing.T) {
	m := NewMetrics()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				a := attempt()
				m.Attempt(a)
				m.Call(a.Facts, "first", "ok", time.Second, 0, 0)
			}
		})
	}
	wg.Wait()
	got := strings.Join(scrape(t, m), "\n")
	for _, want := range []string{`verdict="accepted"} 400`, `route="support"} 400`, "weir_overhead_seconds_count 400"} {
		if !strings.Contains(got, want) {
			t.Errorf("no line has %s:\n%s", want, got)
		}
	}
}

func TestBriefsAndWarningsAreCounted(t *testing.T) {
	m := NewMetrics()
	m.Brief("top", "extractive", 4000, 1000)
	m.Brief("top", "extractive", 1000, 1000)
	m.Brief("top", "whole", 0, 0)
	m.Brief("top", "refused", 0, 0)
	m.Warning("gpt", "past_step")
	wantLines(t, m, append([]string{
		`weir_briefs_total{kind="extractive",layer="top"} 2`, `weir_briefs_total{kind="whole",layer="top"} 1`,
		`weir_briefs_total{kind="refused",layer="top"} 1`,
		`weir_brief_ratio_sum{kind="extractive",layer="top"} 5`, `weir_brief_ratio_count{kind="extractive",layer="top"} 2`,
		`weir_brief_ratio_sum{kind="whole",layer="top"} 1`, `weir_brief_ratio_count{kind="whole",layer="top"} 1`,
		`weir_context_warnings_total{deployment="gpt",kind="past_step"} 1`,
	}, zeroOverhead...)...)
}
