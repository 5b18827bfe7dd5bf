package ledger

import (
	"fmt"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
)

// Unflushed is the reason of an adjustment that covers what a crash may have kept from the disk.
const Unflushed = "unflushed window"

// Recovery tells what opening the ledger had to mend.
type Recovery struct {
	Clean    bool // the last process had closed it
	Presumed []Entry
	Adjusted []Adjustment
}

// Open makes the journal over a store and first resolves what an unclean stop left, in one transaction: every intent
// without an end becomes one presumed row at its held amount, and what a budget's ceiling covers beyond its rows counts
// as spent by an adjustment. A kill in the middle leaves all of it to the next Open. One journal a store at a time.
func Open(s Store, opt Options) (*Journal, Recovery, error) {
	opt = opt.filled()
	st, err := s.State()
	if err != nil {
		return nil, Recovery{}, fmt.Errorf("open the ledger: %w", err)
	}
	now := opt.Now()
	if ms := now.Truncate(1e6); ms.After(st.Booked) {
		st.Booked = ms
	}
	r := Recovery{Clean: st.Clean}
	b := Batch{Mark: Running}
	for _, o := range st.Open {
		st.Last++
		b.Resolved = append(b.Resolved, o.LSN)
		b.Entries = append(b.Entries, Entry{LSN: st.Last, Booked: st.Booked, Attempt: presume(o.Intent)})
	}
	if !st.Clean {
		if err := adjust(s, &st, &b); err != nil {
			return nil, Recovery{}, err
		}
	}
	if err := s.Append(&b); err != nil {
		return nil, Recovery{}, fmt.Errorf("recover the ledger: %w", err)
	}
	r.Presumed, r.Adjusted = b.Entries, b.Adjustments
	return start(s, st, opt), r, nil
}

// presume is the row of an attempt that a crash cut off: it may have cost all that was held.
func presume(in Intent) call.Attempt {
	return call.Attempt{
		Facts: in.Facts, N: in.N, Order: call.Order{Purpose: in.Purpose, Target: in.Target, N: 1},
		Cost: in.Held, Held: in.Held, Budget: in.Budget,
		Outcome: call.Cut, Settlement: call.Presumed, Verdict: call.Verdict{Result: call.Errored}, Err: "crash",
	}
}

// adjust adds what each ceiling covers beyond the counters and the rows that b brings.
func adjust(s Store, st *State, b *Batch) error {
	for _, c := range st.Ceilings {
		spent, err := s.Spent(c.Node, c.Period)
		if err != nil {
			return fmt.Errorf("recover budget %s: %w", c.Node, err)
		}
		for i := range b.Entries {
			spent += c.counts(&b.Entries[i])
		}
		if spent >= c.To {
			continue
		}
		st.Last++
		b.Adjustments = append(b.Adjustments, Adjustment{
			LSN: st.Last, Node: c.Node, At: c.Period.Start, Amount: c.To - spent, Reason: Unflushed, Booked: st.Booked,
		})
	}
	return nil
}

// counts is the part of a row's cost that falls under the ceiling.
func (c Ceiling) counts(e *Entry) money.Nano {
	a := &e.Attempt
	slot := SlotOf(a.Facts.Start)
	if a.Budget != c.Node || slot < SlotOf(c.Period.Start) || slot >= SlotOf(c.Period.End) {
		return 0
	}
	return a.Cost
}
