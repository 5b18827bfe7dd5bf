// Package ledger is the append-only usage ledger: one wide row an attempt, written by one goroutine in group commits,
// so that no answer ends before its cost is on disk. An intent goes into the same ordered batch before an attempt is
// sent; an intent without an end becomes a presumed row after a crash, and what was not yet flushed is covered by a
// budget's durable ceiling. Double-entry postings are a fold over the rows. It knows no wire format, no policy and no
// SQL.
package ledger

import (
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
)

// LSN is a place in the ordered log; what has an LSN at or below a durable one survives kill -9 and power loss.
type LSN uint64

// Intent says that an attempt is about to be sent. It is journaled before the send and never awaited.
type Intent struct {
	Facts   call.Facts
	N       int // 1-based number of the attempt within the call
	Purpose call.Purpose
	Target  call.Target
	Held    money.Nano
	Budget  string // node of the hold; "" = none
	At      time.Time
}
