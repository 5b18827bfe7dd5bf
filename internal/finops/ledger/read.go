package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
)

// Window is the half-open stretch [Since, Until) of booking times, up to and with a place. Zero values are open.
type Window struct {
	Since, Until time.Time
	Last         LSN
}

// Reader reads a ledger, also while a server writes it. Rows come as they were at the first read, in the order of the
// log, by short reads that do not keep the writer from tidying up. Models carry ID and Tier only; clocks are whole
// microseconds. Safe for concurrent use.
type Reader interface {
	// Entries gives every row of a call, corrections too.
	Entries(context.Context, call.OpID) ([]Entry, error)
	// Scan gives every row booked in a window. The entry is reused: keep nothing of it but strings.
	Scan(context.Context, Window, func(*Entry) error) error
	// Adjustments gives every adjustment.
	Adjustments(context.Context) ([]Adjustment, error)
	// Counters gives what each node has spent in all, by the counters that are kept beside the rows, and the last place
	// that they count.
	Counters(context.Context) (map[string]money.Nano, LSN, error)
}

// Call gives a call's attempts in order, each with the corrections of it folded in; none when the call is unknown.
func Call(ctx context.Context, r Reader, id call.OpID) ([]call.Attempt, error) {
	rows, err := r.Entries(ctx, id)
	if err != nil {
		return nil, err
	}
	var as []call.Attempt
	for i := range rows {
		if rows[i].Corrects == "" {
			as = append(as, rows[i].Attempt)
		}
	}
	for i := range rows {
		if rows[i].Corrects == "" {
			continue
		}
		for k := range as {
			if as[k].N == rows[i].Attempt.N {
				rows[i].apply(&as[k])
				break
			}
		}
	}
	slices.SortStableFunc(as, func(a, b call.Attempt) int { return a.N - b.N })
	return as, nil
}
