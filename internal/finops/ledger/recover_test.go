package ledger

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
)

var day = Period{Start: time.Unix(86_400, 0), End: time.Unix(2*86_400, 0)}

func heldAt(n int, at time.Time, held money.Nano) OpenIntent {
	return OpenIntent{LSN: LSN(n), Intent: Intent{
		Facts: call.Facts{ID: id(n), Start: at}, N: 2, Purpose: call.Escalate, Held: held, Budget: "team/ap", At: at,
	}}
}

func TestOpenAfterAnUncleanStop(t *testing.T) {
	inDay, before := day.Start.Add(time.Hour), day.Start.Add(-time.Second)
	tests := []struct {
		name     string
		state    State
		spent    money.Nano // by rows
		presumed []money.Nano
		adjusted []money.Nano
	}{
		{
			name:  "a clean ledger needs nothing",
			state: State{Last: 9, Clean: true, Ceilings: []Ceiling{{Node: "team/ap", Period: day, To: 100}}},
		},
		{
			name: "an intent without an end is presumed at what was held",
			state: State{
				Last: 9, Open: []OpenIntent{heldAt(8, inDay, 30)}, Ceilings: []Ceiling{{Node: "team/ap", Period: day, To: 30}},
			},
			presumed: []money.Nano{30},
		},
		{
			name:     "what the ceiling covers beyond the rows counts as spent",
			state:    State{Last: 9, Ceilings: []Ceiling{{Node: "team/ap", Period: day, To: 100}}},
			spent:    40,
			adjusted: []money.Nano{60},
		},
		{
			name: "presumed rows explain a part of the ceiling",
			state: State{
				Last: 9, Open: []OpenIntent{heldAt(8, inDay, 30)}, Ceilings: []Ceiling{{Node: "team/ap", Period: day, To: 100}},
			},
			spent:    40,
			presumed: []money.Nano{30},
			adjusted: []money.Nano{30},
		},
		{
			name: "a presumed row of another period explains nothing",
			state: State{
				Last: 9, Open: []OpenIntent{heldAt(8, before, 30)}, Ceilings: []Ceiling{{Node: "team/ap", Period: day, To: 100}},
			},
			spent:    100,
			presumed: []money.Nano{30},
		},
		{
			name:  "rows above the ceiling need no adjustment",
			state: State{Last: 9, Ceilings: []Ceiling{{Node: "team/ap", Period: day, To: 100}}},
			spent: 101,
		},
		{
			name:     "an intent left by a clean stop is presumed too",
			state:    State{Last: 9, Clean: true, Open: []OpenIntent{heldAt(8, inDay, 30)}},
			presumed: []money.Nano{30},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &disk{state: tt.state, spent: map[string]money.Nano{"team/ap": tt.spent}}
				j, r, err := Open(d, Options{})
				if err != nil {
					t.Fatal(err)
				}
				b := d.batches[0]
				if len(d.batches) != 1 || b.Mark != Running {
					t.Errorf("recovery took %d batches, first mark %d; want one transaction", len(d.batches), b.Mark)
				}
				last := tt.state.Last
				if len(r.Presumed) != len(tt.presumed) || len(r.Adjusted) != len(tt.adjusted) {
					t.Fatalf("presumed %+v, adjusted %+v; want %v, %v", r.Presumed, r.Adjusted, tt.presumed, tt.adjusted)
				}
				for i, e := range r.Presumed {
					a := e.Attempt
					if a.Cost != tt.presumed[i] || a.Settlement != call.Presumed || a.Outcome != call.Cut || a.N != 2 ||
						a.Order.Purpose != call.Escalate || e.LSN <= last {
						t.Errorf("presumed %+v", e)
					}
					if b.Resolved[i] != tt.state.Open[i].LSN {
						t.Errorf("resolved %v", b.Resolved)
					}
					last = e.LSN
				}
				for i, a := range r.Adjusted {
					if a.Amount != tt.adjusted[i] || a.Reason != Unflushed || !a.At.Equal(day.Start) || a.LSN <= last {
						t.Errorf("adjusted %+v", a)
					}
					last = a.LSN
				}
				if lsn := j.End(attempt(1)); lsn <= last {
					t.Errorf("the first new row got place %d, taken up to %d", lsn, last)
				}
				if err := j.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSlotsAreQuartersOfAnHour(t *testing.T) {
	for _, tt := range []struct {
		at   int64
		slot int64
	}{{0, 0}, {899, 0}, {900, 1}, {-1, -1}, {-900, -1}, {-901, -2}} {
		if got := SlotOf(time.Unix(tt.at, 0)); got != tt.slot {
			t.Errorf("SlotOf(%d) = %d, want %d", tt.at, got, tt.slot)
		}
	}
}
