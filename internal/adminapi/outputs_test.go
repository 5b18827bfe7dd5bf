package adminapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/report"
)

func TestOutputs(t *testing.T) {
	h := open(t)
	a := call.Attempt{
		Facts: call.Facts{ID: call.OpID{9}, Route: "support", Start: noon}, N: 1,
		Order:   call.Order{Purpose: call.Answer, Target: call.Target{Deployment: "flash", LayerName: "first", Layer: 1}},
		Usage:   llm.Usage{Input: 10, Output: 30},
		Outcome: call.OK, Settlement: call.Settled, Output: call.Output{Seen: true, Stop: llm.StopLength, Bytes: 120},
		Verdict: call.Verdict{Result: call.Rejected, Passed: "empty", Check: "truncated", Repaired: call.No},
	}
	h.rows.entries = []ledger.Entry{{LSN: 1, Booked: noon, Attempt: a}, {LSN: 2, Booked: noon.Add(24 * time.Hour), Attempt: a}}
	var got report.OutputTable
	h.get("/api/v1/usage/outputs?by=layer,check&every=1d", &got)
	if got.By != "layer,check" || got.Every != "1d" || len(got.Groups) != 2 {
		t.Fatalf("%+v", got)
	}
	g := got.Groups[1]
	if g.Name != "first / truncated" || g.N != 2 || len(g.Series) != 2 || !g.Series[0].At.Equal(noon.Truncate(24*time.Hour)) {
		t.Errorf("group %+v", g)
	}
	want := report.Answers{
		N: 1, Passed: report.Rate{Yes: 0, N: 1, Part: "0.00%"}, Truncated: report.Rate{Yes: 1, N: 1, Part: "100.00%"},
		Filtered: report.Rate{N: 1, Part: "0.00%"}, Repaired: report.Rate{N: 1, Part: "0.00%"},
		Called: report.Rate{N: 1, Part: "0.00%"}, Tokens: report.Length{N: 1, P50: 30, P95: 30, Mean: 30},
		Bytes: report.Length{N: 1, P50: 120, P95: 120, Mean: 120}, Stops: []report.NamedCount{{Name: "length", N: 1}},
		Checks: []report.NamedRate{
			{Name: "empty", Rate: report.Rate{Yes: 1, N: 1, Part: "100.00%"}},
			{Name: "truncated", Rate: report.Rate{N: 1, Part: "0.00%"}},
		},
	}
	if d := cmp.Diff(want, g.Series[1].Answers); d != "" {
		t.Errorf("a slot (-want +got):\n%s", d)
	}
}

// TestEveryGroupingOfOutputsIsOffered keeps the query's enum and the ledger's list the same.
func TestEveryGroupingOfOutputsIsOffered(t *testing.T) {
	h := open(t)
	for _, query := range append(ledger.OutputGroupings, strings.Join(ledger.OutputGroupings, ",")) {
		if status, body := h.ask(http.MethodGet, "/api/v1/usage/outputs?by="+query, ""); status != http.StatusOK {
			t.Errorf("outputs by %s: status %d: %s", query, status, body)
		}
	}
	for _, query := range []string{"by=colour", "every=5s", "every=soon", "since=2026-08-01"} {
		if status, body := h.ask(http.MethodGet, "/api/v1/usage/outputs?"+query, ""); status/100 != 4 {
			t.Errorf("%s: status %d: %s", query, status, body)
		}
	}
}
