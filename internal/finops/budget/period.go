package budget

import (
	"time"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/llm"
)

// Period says how long a budget counts before it starts anew.
type Period string

// Periods.
const (
	Day   Period = "day"
	Month Period = "month"
	Total Period = "total"
)

// always is the period of a total: from 1970 to the last year that every format can write.
var always = ledger.Period{Start: time.Unix(0, 0).UTC(), End: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}

// at gives the period that holds t, in the node's zone.
func (n Node) at(t time.Time) ledger.Period {
	if n.Period == Total {
		return always
	}
	y, m, d := t.In(n.Zone).Date()
	if n.Period == Month {
		return ledger.Period{Start: midnight(y, m, 1, n.Zone), End: midnight(y, m+1, 1, n.Zone)}
	}
	return ledger.Period{Start: midnight(y, m, d, n.Zone), End: midnight(y, m, d+1, n.Zone)}
}

// midnight is the first moment of a local date. Where a clock change leaves that date without a 00:00, it is the moment
// of the change; where 00:00 comes twice, it is the first.
func midnight(y int, m time.Month, d int, zone *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	noon := time.Date(y, m, d, 12, 0, 0, 0, zone) // normalises d past the month's end; no zone changes at noon
	for dateBefore(t, noon) {
		t = t.Add(ledger.Slot)
	}
	for prev := t.Add(-ledger.Slot); !dateBefore(prev, noon); prev = t.Add(-ledger.Slot) {
		t = prev
	}
	return t.UTC()
}

// dateBefore reports whether a's local date is before b's.
func dateBefore(a, b time.Time) bool {
	ay, am, ad := a.Date()
	by, bm, bd := b.Date()
	switch {
	case ay != by:
		return ay < by
	case am != bm:
		return am < bm
	}
	return ad < bd
}

// resets is when a window's period ends, in the node's zone; zero = never.
func (a *account) resets(w *window) time.Time {
	if a.Period == Total {
		return time.Time{}
	}
	return w.period.End.In(a.Zone)
}

// window gives the node's window for a call that started at start; a zero start is now. It rolls the account over when
// a new period has begun. A call from before the last period but one counts in the oldest window there is.
func (b *Book) window(a *account, start, now time.Time) (*window, error) {
	if start.IsZero() || start.After(now) {
		start = now
	}
	if !now.Before(a.current.period.End) {
		if err := b.roll(a, now); err != nil {
			return nil, err
		}
	}
	if a.before != nil && start.Before(a.current.period.Start) {
		return a.before, nil
	}
	return a.current, nil
}

// roll begins the period that holds now. The ceiling of the period before stays: its holds may still settle.
func (b *Book) roll(a *account, now time.Time) error {
	w := &window{period: a.at(now)}
	spent, err := b.ceil.Spent(a.Name, w.period)
	if err != nil {
		return &llm.Error{
			Code:    llm.CodeLedger,
			Message: "the ledger does not tell what budget " + a.Name + " has spent",
			Hint:    "check the disk that holds storage.dir",
			Err:     err,
		}
	}
	w.settled = spent
	a.before, a.current = a.current, w
	b.release(a.Name, a.before)
	return nil
}

// release lowers the ceiling of a period that is over to what it may still come to, so that a crash in the new period
// does not count the old one's reserve as spent.
func (b *Book) release(node string, w *window) {
	if w.answered == nil && w.settled+w.held < w.ceiling {
		w.ceiling = w.settled + w.held
		b.ceil.Raise(node, w.period, w.ceiling)
	}
}
