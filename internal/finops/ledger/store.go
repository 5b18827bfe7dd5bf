package ledger

import (
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
)

// Entry is one row of the ledger: an attempt, or a correction of one. Rows are never changed.
type Entry struct {
	LSN LSN
	// Booked is when the journal took the row, in whole milliseconds, never before the row before it.
	Booked time.Time
	// Corrects is "" for an attempt. A correction carries the settlement that it replaces (estimated, presumed), and in
	// Attempt the facts of the attempt it corrects with usage, lines and cost as differences, which may be negative.
	Corrects call.Settlement
	// Attempt has no payload: bodies never come here.
	Attempt call.Attempt
}

// OpenIntent is an intent that has no end yet.
type OpenIntent struct {
	LSN    LSN
	Intent Intent
}

// Period is the half-open stretch of time [Start, End) that a budget counts over. Both ends lie on a slot's border.
type Period struct{ Start, End time.Time }

// Slot is the grain of the counters of what was spent: 15 minutes, numbered from 1970 UTC. Every border of a day in
// every time zone of today lies on one, so the counters outlive any change of a budget's period or zone.
const Slot = 15 * time.Minute

// SlotOf is the number of the slot that holds t.
func SlotOf(t time.Time) int64 {
	const secs = int64(Slot / time.Second)
	s := t.Unix()
	if s < 0 {
		return (s - secs + 1) / secs
	}
	return s / secs
}

// Ceiling says that a node may have spent up to To in a period. It is durable before the money is held.
type Ceiling struct {
	Node   string
	Period Period
	To     money.Nano
}

// Adjustment is money that counts as spent without a row: what an unclean stop left unexplained below a ceiling.
type Adjustment struct {
	LSN    LSN
	Node   string
	At     time.Time // lies in the period it counts for
	Amount money.Nano
	Reason string
	Booked time.Time
}

// Mark is what a batch says about the state of the ledger.
type Mark uint8

// Marks.
const (
	Keep    Mark = iota // says nothing
	Running             // a process has opened the ledger; ceilings of before are void
	Clean               // it has closed it, nothing was left in memory
)

// Batch is one transaction, in the order of the log.
type Batch struct {
	Intents     []OpenIntent
	Resolved    []LSN // intents that end with this batch
	Entries     []Entry
	Ceilings    []Ceiling // each replaces the one of its node and period
	Adjustments []Adjustment
	Mark        Mark
}

// State is what a store holds when it is opened.
type State struct {
	Last     LSN       // highest in use; 0 = empty
	Booked   time.Time // of the last row
	Clean    bool      // the last process closed the ledger; true when it is new
	Open     []OpenIntent
	Ceilings []Ceiling
}

// Store keeps the ledger. Append is called by one goroutine; the rest is safe beside it. A store keeps with every
// batch, in the same transaction, the sum that each node has spent in each slot of its calls' starts.
type Store interface {
	State() (State, error)
	// Append writes a batch as one transaction, and has it on disk when it returns nil. After an error the same batch
	// is given again: appending what was written before changes nothing.
	Append(*Batch) error
	// Spent is what a node has spent in a period: rows and adjustments, by counters and not by a scan.
	Spent(node string, p Period) (money.Nano, error)
}
