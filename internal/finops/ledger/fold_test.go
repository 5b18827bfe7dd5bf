package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// shelf is a reader over rows in memory.
type shelf struct {
	rows        []Entry
	adjustments []Adjustment
	counters    map[string]money.Nano
}

func (s shelf) Entries(_ context.Context, id call.OpID) (es []Entry, err error) {
	for _, e := range s.rows {
		if e.Attempt.Facts.ID == id {
			es = append(es, e)
		}
	}
	return es, nil
}

func (s shelf) Scan(_ context.Context, w Window, each func(*Entry) error) error {
	for i := range s.rows {
		e := s.rows[i]
		if e.Booked.Before(w.Since) || (!w.Until.IsZero() && !e.Booked.Before(w.Until)) || (w.Last != 0 && e.LSN > w.Last) {
			continue
		}
		if err := each(&e); err != nil {
			return err
		}
	}
	return nil
}

func (s shelf) Adjustments(context.Context) ([]Adjustment, error) { return s.adjustments, nil }

func (s shelf) Counters(context.Context) (map[string]money.Nano, LSN, error) {
	last := LSN(0)
	for _, e := range s.rows {
		last = max(last, e.LSN)
	}
	return s.counters, max(last, LSN(len(s.adjustments))), nil
}

var (
	flash    = &catalog.Model{ID: "flash-lite", Tier: catalog.Edge}
	frontier = &catalog.Model{ID: "gpt-5.5", Tier: catalog.Frontier}
)

// row is a settled attempt of call n at a model and layer: 1000 tokens in at $1 a million, 100 out at $4.
func row(n, at int, m *catalog.Model, layer string, v call.VerdictResult, final bool) Entry {
	u := llm.Usage{Input: 800, CacheRead: 200, Output: 90, Reasoning: 10}
	lines := []money.Line{
		money.NewLine(money.Input, 800, 1_000_000), money.NewLine(money.CacheRead, 200, 100_000),
		money.NewLine(money.Output, 90, 4_000_000), money.NewLine(money.Reasoning, 10, 4_000_000),
	}
	a := call.Attempt{
		Facts: call.Facts{
			ID: id(n), Route: "procurement", Caller: call.Caller{Team: "ap", UseCase: "invoice-status", KeyID: "k1"},
		},
		N: at,
		Order: call.Order{Stream: true, Target: call.Target{
			Deployment: m.ID + "-eu", Provider: "google", Model: m, LayerName: layer,
		}},
		Usage: u, Lines: lines, Cost: money.Sum(lines), Held: 5_000_000, Budget: "team/ap",
		Outcome: call.OK, Settlement: call.Settled, Verdict: call.Verdict{Result: v, Final: final},
		Clocks: call.Clocks{
			Sent: 10 * time.Millisecond, ProviderTTF: 210 * time.Millisecond, End: 1210 * time.Millisecond,
			FirstByte: 1300 * time.Millisecond, Accepted: 1300 * time.Millisecond,
		},
	}
	if v == call.Accepted {
		a.Baseline = 20 * a.Cost
	} else {
		a.Clocks.FirstByte, a.Clocks.Accepted = 0, 0
	}
	return Entry{LSN: LSN(n*10 + at), Booked: time.Unix(int64(n), 0), Attempt: a}
}

const rowCost = 800_000 + 20_000 + 400_000

// cascade is three calls: two end at the edge, one is escalated to the frontier.
func cascade() shelf {
	return shelf{
		rows: []Entry{
			row(1, 1, flash, "edge", call.Accepted, true),
			row(2, 1, flash, "edge", call.Rejected, false),
			row(3, 1, flash, "edge", call.Accepted, true),
			row(2, 2, frontier, "top", call.Accepted, true),
		},
		counters: map[string]money.Nano{"team/ap": 4 * rowCost},
	}
}

func TestUsageByLayer(t *testing.T) {
	u, err := ReadUsage(t.Context(), cascade(), Query{By: "layer"})
	if err != nil {
		t.Fatal(err)
	}
	same := func(d time.Duration) Quantiles { return Quantiles{d, d, d} }
	want := Usage{
		Query: Query{By: "layer"},
		Total: Group{
			Calls: 3, Attempts: 4, Tokens: llm.Usage{Input: 3200, CacheRead: 800, Output: 360, Reasoning: 40},
			Cost: 4 * rowCost, Baseline: 60 * rowCost, Saved: 56 * rowCost,
			PerMIn: 820_000_000, PerMOut: 4 * money.USD, PerM: 1_109_090_909,
			TTFT: same(200 * time.Millisecond), FirstByte: same(1300 * time.Millisecond),
			Accepted: same(1300 * time.Millisecond),
			Speed:    100, Escalated: 1, EscalatedBP: 3333, Wasted: rowCost, TaxBP: 2500, Settled: 4,
		},
		Groups: []Group{
			{
				Name: "edge", Calls: 3, Attempts: 3, Tokens: llm.Usage{Input: 2400, CacheRead: 600, Output: 270, Reasoning: 30},
				Cost: 3 * rowCost, Baseline: 40 * rowCost, Saved: 37 * rowCost,
				PerMIn: 820_000_000, PerMOut: 4 * money.USD, PerM: 1_109_090_909,
				TTFT: same(200 * time.Millisecond), FirstByte: same(1300 * time.Millisecond),
				Accepted: same(1300 * time.Millisecond), Speed: 100,
				Escalated: 1, EscalatedBP: 3333, Wasted: rowCost, TaxBP: 3333, Settled: 3,
			},
			{
				Name: "top", Calls: 1, Attempts: 1, Tokens: llm.Usage{Input: 800, CacheRead: 200, Output: 90, Reasoning: 10},
				Cost: rowCost, Baseline: 20 * rowCost, Saved: 19 * rowCost,
				PerMIn: 820_000_000, PerMOut: 4 * money.USD, PerM: 1_109_090_909,
				TTFT: same(200 * time.Millisecond), FirstByte: same(1300 * time.Millisecond),
				Accepted: same(1300 * time.Millisecond), Speed: 100, Settled: 1,
			},
		},
		Layers: []Share{{"edge", 2, 6667}, {"top", 1, 3333}},
		Tiers:  []Share{{"edge", 2, 6667}, {"frontier", 1, 3333}},
	}
	if d := cmp.Diff(want, u); d != "" {
		t.Errorf("usage (-want +got):\n%s", d)
	}
}

// TestASummaryThatIsThrownAwayIsNoEscalation holds that what a compressor wrote for a first layer is waste, and no answer of it.
func TestASummaryThatIsThrownAwayIsNoEscalation(t *testing.T) {
	summary := row(1, 1, flash, "top", call.Rejected, false)
	summary.Attempt.Order.Purpose = call.Compress
	u, err := ReadUsage(t.Context(), shelf{rows: []Entry{summary, row(1, 2, frontier, "top", call.Accepted, true)}}, Query{By: "layer"})
	if err != nil {
		t.Fatal(err)
	}
	if g := u.Total; g.Calls != 1 || g.Escalated != 0 || g.Wasted != rowCost || g.Cost != 2*rowCost {
		t.Errorf("calls %d, escalated %d, wasted %s of %s", g.Calls, g.Escalated, g.Wasted, g.Cost)
	}
}

func TestUsageByEveryGroupingAddsUpToTheTotal(t *testing.T) {
	for _, by := range Groupings {
		u, err := ReadUsage(t.Context(), cascade(), Query{By: by})
		if err != nil {
			t.Fatal(err)
		}
		var cost money.Nano
		for _, g := range u.Groups {
			if g.Name == Unnamed {
				t.Errorf("by %s: an unnamed group", by)
			}
			cost += g.Cost
		}
		if cost != u.Total.Cost || cost != 4*rowCost {
			t.Errorf("by %s: groups cost %d, total %d, want %d", by, cost, u.Total.Cost, 4*rowCost)
		}
	}
}

func TestUsageOfAWindowAndOfAnUnknownGrouping(t *testing.T) {
	u, err := ReadUsage(t.Context(), cascade(), Query{Since: time.Unix(2, 0), Until: time.Unix(3, 0)})
	if err != nil || u.Total.Attempts != 2 || u.Groups != nil {
		t.Errorf("got %+v, %v; want the two attempts of call 2", u.Total, err)
	}
	var e *llm.Error
	if _, err := ReadUsage(t.Context(), cascade(), Query{By: "colour"}); !errors.As(err, &e) || e.Code != llm.CodeInvalid {
		t.Errorf("by colour: %v", err)
	}
}

func TestACorrectionReplacesAnEstimate(t *testing.T) {
	was := row(1, 1, flash, "edge", call.Accepted, true)
	was.Attempt.Settlement = call.Estimated
	is := was.Attempt
	is.Settlement = call.Settled
	is.Usage = llm.Usage{Input: 1000, Output: 50}
	is.Lines = []money.Line{money.NewLine(money.Input, 1000, 1_000_000), money.NewLine(money.Output, 50, 4_000_000)}
	is.Cost = money.Sum(is.Lines)
	fix := correction(was.Attempt, is)
	fix.LSN, fix.Booked = was.LSN+1, was.Booked
	s := shelf{rows: []Entry{was, fix}, counters: map[string]money.Nano{"team/ap": is.Cost}}

	as, err := Call(t.Context(), s, id(1))
	if err != nil || len(as) != 1 {
		t.Fatalf("%d attempts, %v", len(as), err)
	}
	a := as[0]
	if a.Usage != is.Usage || a.Cost != is.Cost || money.Sum(a.Lines) != is.Cost || a.Settlement != call.Settled {
		t.Errorf("the call shows %+v", a)
	}
	u, err := ReadUsage(t.Context(), s, Query{})
	if err != nil {
		t.Fatal(err)
	}
	g := u.Total
	if g.Calls != 1 || g.Attempts != 1 || g.Cost != is.Cost || g.Tokens != is.Usage || g.Settled != 1 || g.Estimated != 0 {
		t.Errorf("usage shows %+v", g)
	}
	balanced(t, s)
}

func TestACorrectionOfAPresumedRowTakesThePresumedAmountBack(t *testing.T) {
	was := Entry{LSN: 1, Attempt: presume(heldAt(1, time.Unix(0, 0), 5000).Intent)}
	is := was.Attempt
	is.Settlement = call.Settled
	is.Lines = []money.Line{money.NewLine(money.Input, 1000, 1_000_000)}
	is.Cost = money.Sum(is.Lines)
	fix := correction(was.Attempt, is)
	fix.LSN = 2
	s := shelf{rows: []Entry{was, fix}, counters: map[string]money.Nano{"team/ap": is.Cost}}
	tr := balanced(t, s)
	for _, a := range tr.Accounts {
		if a.Name == "presumed" && a.Credit != 0 {
			t.Errorf("presumed keeps %s", a.Credit)
		}
	}
}

func balanced(t *testing.T, r Reader) Trial {
	t.Helper()
	tr, err := ReadTrial(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if !tr.Balances() {
		t.Errorf("the ledger does not balance: %+v", tr.Off)
	}
	var debit, credit money.Nano
	for _, a := range tr.Accounts {
		debit += a.Debit
		credit += a.Credit
	}
	if debit != credit {
		t.Errorf("debit %s, credit %s", debit, credit)
	}
	return tr
}

func TestTheTrialBalanceFindsEveryKindOfCorruption(t *testing.T) {
	balanced(t, cascade())
	s := cascade()
	s.adjustments = []Adjustment{{LSN: 1, Node: "team/ap", Amount: 99}}
	s.counters["team/ap"] += 99
	balanced(t, s)

	for _, tt := range []struct {
		name    string
		corrupt func(*shelf)
		account string
		amount  money.Nano
	}{
		{"a row's cost", func(s *shelf) { s.rows[1].Attempt.Cost += 5; s.counters["team/ap"] += 5 }, "clearing", 5},
		{"a line's amount", func(s *shelf) {
			s.rows[0].Attempt.Lines[2].Amount -= 3
			s.rows[0].Attempt.Cost -= 3
			s.counters["team/ap"] -= 3
		}, "provider:google:output", -3},
		{"a lost line", func(s *shelf) { s.rows[0].Attempt.Lines = s.rows[0].Attempt.Lines[1:] }, "clearing", 800_000},
		{"a lost row", func(s *shelf) { s.rows = s.rows[:3] }, "budget:team/ap", rowCost},
		{"a row counted twice", func(s *shelf) { s.rows = append(s.rows, s.rows[0]) }, "budget:team/ap", -rowCost},
		{"a counter", func(s *shelf) { s.counters["team/ap"]++ }, "budget:team/ap", 1},
		{"a counter without rows", func(s *shelf) { s.counters["team/hr"] = 4 }, "budget:team/hr", 4},
		{"a row in another budget", func(s *shelf) { s.rows[0].Attempt.Budget = "team/hr" }, "budget:team/hr", -rowCost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := cascade()
			tt.corrupt(&s)
			tr, err := ReadTrial(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range tr.Off {
				if o.Account == tt.account && o.Amount == tt.amount {
					return
				}
			}
			t.Errorf("found %+v, want %s off by %d", tr.Off, tt.account, tt.amount)
		})
	}
}
