// Package storetest is the one conformance suite of ledger stores: every engine runs it, so that all keep the same
// promises. It holds tests only; nothing but tests may import it.
package storetest

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// Backend is what an engine must be: a store and a reader of it.
type Backend interface {
	ledger.Store
	ledger.Reader
	Close() error
}

// Open opens an engine's ledger at a place that the suite made; opening it again finds what was appended.
type Open func(tb testing.TB, dir string) Backend

// Run checks an engine. Each part opens a ledger of its own.
func Run(t *testing.T, open Open) {
	for _, p := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"ANewLedgerIsEmptyAndClean", newLedger},
		{"ARowComesBackAsItWasBooked", roundTrip},
		{"ABatchAppendedTwiceIsThereOnce", appendTwice},
		{"AnIntentIsOpenUntilItIsResolved", intents},
		{"ACeilingReplacesTheOneBeforeAndRunningVoidsAll", ceilings},
		{"SpentCountsTheSlotsOfAPeriod", spent},
		{"AnAdjustmentCountsAsSpent", adjustments},
		{"AWindowTakesTheRowsBookedInIt", windows},
		{"AReadBesideTheWriterBalances", concurrent},
		{"AnUncleanStopIsMendedOnce", recovery},
	} {
		t.Run(p.name, func(t *testing.T) { p.test(t, open) })
	}
}

// opened opens a ledger that is closed with the test.
func opened(tb testing.TB, open Open, dir string) Backend {
	tb.Helper()
	b := open(tb, dir)
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

// must gives a result, or fails the test that it is called with.
func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		check(tb, err)
		return v
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Noon is a moment that samples may start at.
var Noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

var flash = &catalog.Model{ID: "gemini-flash-lite", Tier: catalog.Edge}

// ID is a UUIDv7 shaped id of a moment and a number.
func ID(at time.Time, n uint64) (id call.OpID) {
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], n*0x9E3779B97F4A7C15)
	return id
}

// Sample is an attempt as a call through the cascade's first layer leaves it, with every field set.
func Sample(n uint64, at time.Time) call.Attempt {
	u := llm.Usage{Input: 1800, CacheRead: 333, CacheWrite5m: 10, CacheWrite1h: 20, Output: 300, Reasoning: 7}
	lines := []money.Line{
		money.NewLine(money.Input, u.Input, 100_000), money.NewLine(money.CacheRead, u.CacheRead, 10_000),
		money.NewLine(money.Output, u.Output, 400_000),
	}
	return call.Attempt{
		Facts: call.Facts{
			ID: ID(at, n),
			Caller: call.Caller{
				KeyID: "k7d2f0a91b3c", Team: "ap-team", UseCase: "invoice-status", Workflow: "dispute", Agent: "clerk",
				Session: "s-4711", RawContext: true,
			},
			Class: call.NewClass(1, "internal"), Route: "procurement", Dialect: llm.OpenAI,
			Needs: llm.Needs{Vision: true, Schema: true}, Start: at,
		},
		N: 1,
		Order: call.Order{
			Purpose: call.Answer, Prompt: 2500, MaxOut: 300, Stream: true, Judge: true, N: 3,
			Target: call.Target{
				Deployment: "flash", Provider: "google", Dialect: llm.Gemini, WireID: "gemini-2.5-flash-lite", Model: flash,
				Hosting: call.API, Region: "eu", Layer: 1, LayerName: "edge",
			},
		},
		Rule: "data.may_reach.internal", Served: "gemini-2.5-flash-lite-001", Fingerprint: "fp_1", Usage: u, Lines: lines,
		Cost: money.Sum(lines), Held: 400_000, Budget: "use-case/procurement", Baseline: 50_000_000,
		PriceRow: "article-2026-06/gemini-flash-lite/2026-06-01",
		Clocks: call.Clocks{
			Sent: 210 * time.Microsecond, ProviderTTF: 190 * time.Millisecond, FirstByte: time.Second,
			Accepted: time.Second, End: 998 * time.Millisecond,
		},
		Outcome: call.OK, Settlement: call.Settled,
		Verdict: call.Verdict{
			Result: call.Accepted, Check: "invoice-shape", Reason: "ok", Notes: `{"repaired":1}`, Final: true,
			Passed: "empty,invoice-shape", Repaired: call.Yes,
		},
		Output: call.Output{
			Seen: true, Stop: llm.StopToolUse, Bytes: 1187, Tools: 2, Broken: 1, Args: call.Yes, Empty: call.No,
			Refusal: call.NotRefused, Language: "en",
		},
		Err: "none",
	}
}

// entries are rows at places from first on, booked one a second.
func entries(first ledger.LSN, as ...call.Attempt) []ledger.Entry {
	es := make([]ledger.Entry, len(as))
	for i, a := range as {
		lsn := first + ledger.LSN(i)
		es[i] = ledger.Entry{LSN: lsn, Booked: Noon.Add(time.Duration(lsn) * time.Second), Attempt: a}
	}
	return es
}

// same compares what was written and read.
func same(tb testing.TB, what string, want, got any) {
	tb.Helper()
	opts := []cmp.Option{
		cmp.AllowUnexported(call.Class{}), cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0),
	}
	if d := cmp.Diff(want, got, opts...); d != "" {
		tb.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// Balanced fails unless the ledger's trial balance is zero, and returns it.
func Balanced(tb testing.TB, r ledger.Reader) ledger.Trial {
	tb.Helper()
	tr, err := ledger.ReadTrial(tb.Context(), r)
	check(tb, err)
	if !tr.Balances() {
		tb.Errorf("the ledger does not balance: %+v", tr.Off)
	}
	return tr
}
