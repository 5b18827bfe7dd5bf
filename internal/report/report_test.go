package report

import (
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares v as indented JSON with a file of testdata.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.Marshal(v, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func facts() call.Facts {
	return call.Facts{
		ID: call.OpID{0xab, 1}, Route: "support", Dialect: llm.OpenAI, Class: call.NewClass(2, "confidential"),
		Start: time.Date(2026, 8, 30, 14, 0, 0, 250_000_000, time.FixedZone("CEST", 7200)),
		Caller: call.Caller{
			KeyID: "k1", Team: "ops", UseCase: "invoices", Workflow: "payments", Agent: "checker", Session: "s-7",
		},
	}
}

// rejected is a first layer's answer that failed a check.
func rejected() call.Attempt {
	usage := llm.Usage{Input: 1000, Output: 20}
	lines := []money.Line{money.NewLine(money.Input, 1000, 100_000), money.NewLine(money.Output, 20, 400_000)}
	return call.Attempt{
		Facts: facts(), N: 1, Rule: "may_reach.confidential",
		Order: call.Order{Purpose: call.Answer, Target: call.Target{
			Deployment: "flash", Layer: 1, LayerName: "first", Model: &catalog.Model{ID: "gemini-flash", Tier: catalog.Edge},
		}},
		Served: "gemini-flash-001", Usage: usage, Lines: lines, Cost: money.Sum(lines), Held: 5_000_000,
		Budget: "use-case/invoices", Baseline: 3_100_000, PriceRow: "list/gemini-flash/first",
		Clocks:  call.Clocks{Sent: 1500 * time.Microsecond, ProviderTTF: 180 * time.Millisecond, End: 220 * time.Millisecond},
		Outcome: call.OK, Settlement: call.Settled,
		Verdict: call.Verdict{
			Result: call.Rejected, Check: "schema", Reason: "amount is missing",
			Notes: `{"skipped":[{"layer":"first","deployment":"edge-1","why":"no tools"}],"repairs":["code fence removed"]}`,
		},
	}
}

// accepted is the second layer's answer, with caches and thinking.
func accepted() call.Attempt {
	a := rejected()
	a.N, a.Order.Purpose = 2, call.Escalate
	a.Order.Target = call.Target{
		Deployment: "opus", Layer: 2, LayerName: "second", Model: &catalog.Model{ID: "claude-opus", Tier: catalog.Frontier},
	}
	a.Served, a.Fingerprint, a.PriceRow = "claude-opus-4", "fp_1", "list/claude-opus/first"
	a.Usage = llm.Usage{Input: 10, CacheRead: 900, CacheWrite5m: 60, CacheWrite1h: 40, Output: 30, Reasoning: 7}
	a.Lines = []money.Line{money.NewLine(money.CacheRead, 900, 500_000), money.NewLine(money.Reasoning, 7, 25_000_001)}
	a.Cost, a.Held, a.Baseline = money.Sum(a.Lines), 2*money.USD, 1_234_567*money.USD
	a.Clocks = call.Clocks{
		Sent: 222 * time.Millisecond, ProviderTTF: 900 * time.Millisecond, FirstByte: 1300 * time.Millisecond,
		Accepted: 1301 * time.Millisecond, End: 1299 * time.Millisecond,
	}
	a.Verdict = call.Verdict{
		Result: call.Accepted, Notes: `{"carried":"amount is missing","brief":{"source_sha256":"aa","brief_sha256":"bb",` +
			`"source_tokens":9000,"brief_tokens":700,"pinned":4,"kept":4,"kind":"summary","ratio":12.86,"recall":1,"appended":2,` +
			`"summaries":[{"deployment":"flash","need":"the question is about the whole","source_tokens":9000,` +
			`"read_source_usd":"0.09","read_summary_usd":"0.007","write_summary_usd":"0.001","pays":true}]},"warnings":["past_step"]}`,
	}
	return a
}

func TestCallThatEscalated(t *testing.T) {
	golden(t, "escalated.json", CallOf([]call.Attempt{rejected(), accepted()}))
}

func TestCallThatWasRefused(t *testing.T) {
	a := call.Attempt{
		Facts: facts(), N: 1, Rule: "may_reach.confidential", Order: call.Order{Purpose: call.Answer},
		Outcome: call.Refused, Settlement: call.NotSent, Err: string(llm.CodePolicy), Verdict: call.Verdict{Result: call.Errored},
	}
	a.Facts.Caller = call.Caller{KeyID: "k1"}
	golden(t, "refused.json", CallOf([]call.Attempt{a}))
}

func TestCallWithoutAnAcceptedAnswer(t *testing.T) {
	c := CallOf([]call.Attempt{rejected(), rejected()})
	if c.Answered || c.Clocks != nil || c.Frontier != "" {
		t.Errorf("answered %t, clocks %v, frontier %q of a call that was not answered", c.Answered, c.Clocks, c.Frontier)
	}
	if want := (2 * rejected().Cost).Decimal(); c.Cost != want {
		t.Errorf("cost %s, want %s: rejected answers are paid for", c.Cost, want)
	}
}

func TestNotes(t *testing.T) {
	for _, none := range []string{"", "{", "[]", `{"skipped":1}`, `{"carried":"a","carried":"b"}`} {
		if n := NotesOf(none); n != nil {
			t.Errorf("NotesOf(%q) = %+v, want none", none, n)
		}
	}
	if n := NotesOf(`{"carried":"too long","of a later version":true}`); n == nil || n.Carried != "too long" {
		t.Errorf("notes = %+v", n)
	}
}

func FuzzNotes(f *testing.F) {
	f.Add(rejected().Verdict.Notes)
	f.Add(accepted().Verdict.Notes)
	f.Add(`{"skipped":[null],"brief":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		n := NotesOf(text)
		if n == nil {
			return
		}
		b, err := json.Marshal(n)
		if err != nil {
			t.Fatalf("notes that were read cannot be written: %v", err)
		}
		if diff := cmp.Diff(n, NotesOf(string(b))); diff != "" && string(b) != "{}" {
			t.Fatalf("notes changed on their way (-want +got):\n%s", diff)
		}
	})
}

func TestUsageTable(t *testing.T) {
	q := ledger.Quantiles{P50: 180 * time.Millisecond, P95: 900 * time.Millisecond, P99: 1_234_567 * time.Microsecond}
	flash := ledger.Group{
		Name: "gemini-flash", Calls: 400, Attempts: 410,
		Tokens: llm.Usage{Input: 9000, CacheRead: 800, CacheWrite5m: 60, CacheWrite1h: 5, Output: 700, Reasoning: 40},
		Cost:   1_234_567_890_123, Baseline: 9_000 * money.USD, Saved: 9_000*money.USD - 1_234_567_890_123,
		PerM: 413_300_000_000, PerMIn: 100_000_000, PerMOut: 400_000_000,
		TTFT: q, FirstByte: q, Accepted: q, Speed: 87, Escalated: 100, EscalatedBP: 2500, Wasted: 3, TaxBP: 1,
		Settled: 400, Estimated: 7, Presumed: 3, NotSent: 12,
	}
	dearer := ledger.Group{Name: ledger.Unnamed, Cost: 5, Baseline: 2, Saved: -3, EscalatedBP: 10_000}
	u := ledger.Usage{
		Query: ledger.Query{By: "model", Since: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)},
		Total: flash, Groups: []ledger.Group{flash, dearer},
		Layers: []ledger.Share{{Name: "first", Calls: 300, BP: 7512}, {Name: "second", Calls: 100, BP: 2488}},
		Tiers:  []ledger.Share{{Name: "edge", Calls: 400, BP: 10_000}},
	}
	golden(t, "usage.json", UsageOf(u, map[string]int{"first": 80, "second": 20}))
	if got := UsageOf(u, nil).Groups[0].CostNano(); got != flash.Cost {
		t.Errorf("exact cost = %s, want %s", got, flash.Cost)
	}
}

func TestEmptyUsageTable(t *testing.T) {
	golden(t, "usage-empty.json", UsageOf(ledger.Usage{}, nil))
}

func TestPercent(t *testing.T) {
	for bp, want := range map[int64]string{
		0: "0.00%", 7: "0.07%", 7512: "75.12%", 10_000: "100.00%", -5: "-0.05%", -250: "-2.50%",
		math.MaxInt64: "92233720368547758.07%",
	} {
		if got := Percent(bp); got != want {
			t.Errorf("%d basis points = %s, want %s", bp, got, want)
		}
	}
}

func TestProbe(t *testing.T) {
	a := accepted()
	a.Clocks.Sent, a.Clocks.End = 10*time.Millisecond, 190*time.Millisecond+123*time.Microsecond
	want := Probe{Deployment: "opus", OK: true, Served: "claude-opus-4", Answered: 180.12, Cost: a.Cost.Decimal()}
	if diff := cmp.Diff(want, ProbeOf("opus", a, nil)); diff != "" {
		t.Errorf("probe (-want +got):\n%s", diff)
	}
	failed := ProbeOf("opus", call.Attempt{}, &llm.Error{
		Code: llm.CodeUpstream, Message: "the provider refused the credential", Err: errors.New("x-api-key: s3cret"),
	})
	want = Probe{Deployment: "opus", Cost: "0.00", Error: "the provider refused the credential"}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Errorf("failed probe (-want +got):\n%s", diff)
	}
}
