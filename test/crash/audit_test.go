package crash

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/price"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/sim"
	"github.com/weirhq/weir/internal/store/sqlite"
)

// figures are what all audits found. Those under "must be 0" are the bars; amounts are nano-dollars.
type figures struct {
	Kills    int `json:"kills"`
	Calls    int `json:"calls"`
	Released int `json:"released"`
	Attempts int `json:"attempts"` // that reached a provider

	// Must be 0.
	Missing    int        `json:"missing"`    // attempts of released answers whose row did not survive
	Duplicates int        `json:"duplicates"` // rows of one attempt beyond the first
	Unbalanced int        `json:"unbalanced"` // accounts of the trial fold that do not add up
	Strange    int        `json:"strange"`    // rows that are none of settled, estimated, presumed, or of another model
	Garbled    int        `json:"garbled"`    // released answers that are not what a provider said
	Misbilled  int        `json:"misbilled"`  // settled rows that do not cost what the provider counted
	Uncovered  money.Nano `json:"uncovered"`  // cost of attempts without a row beyond what recovery wrote off
	Lost       money.Nano `json:"lost"`       // real cost by which no budget's counter grew
	Over       money.Nano `json:"over_limit"` // real cost beyond a limit, other than by beaten estimates

	Settled    int        `json:"settled"`
	Estimated  int        `json:"estimated"`
	Presumed   int        `json:"presumed"`
	Unrecorded int        `json:"unrecorded"`  // attempts that reached a provider and have no row: the unflushed window
	Real       money.Nano `json:"real"`        // cost of all attempts by their providers' count
	Written    money.Nano `json:"written_off"` // by recovery
	Refused    int        `json:"refused"`     // calls that the tight budget did not cover
	Beaten     money.Nano `json:"beaten"`      // what providers counted beyond what was booked by estimate
}

// worst says what must be 0 and is not.
func (f figures) worst() string {
	bad := ""
	for _, x := range []struct {
		name string
		n    int64
	}{
		{"missing", int64(f.Missing)},
		{"duplicates", int64(f.Duplicates)},
		{"unbalanced", int64(f.Unbalanced)},
		{"strange", int64(f.Strange)},
		{"garbled", int64(f.Garbled)},
		{"misbilled", int64(f.Misbilled)},
		{"uncovered", int64(f.Uncovered)},
		{"lost", int64(f.Lost)},
		{"over_limit", int64(f.Over)},
	} {
		if x.n != 0 {
			bad += fmt.Sprintf(" %s=%d", x.name, x.n)
		}
	}
	return bad
}

// String is the line that is looked for in the test's log.
func (f figures) String() string {
	return fmt.Sprintf("crash: kills=%d calls=%d released=%d attempts=%d missing=%d duplicates=%d unbalanced=%d strange=%d "+
		"garbled=%d misbilled=%d uncovered=%d lost=%d over_limit=%d settled=%d estimated=%d presumed=%d unrecorded=%d "+
		"real=%d written_off=%d refused=%d beaten=%d",
		f.Kills, f.Calls, f.Released, f.Attempts, f.Missing, f.Duplicates, f.Unbalanced, f.Strange,
		f.Garbled, f.Misbilled, f.Uncovered, f.Lost, f.Over, f.Settled, f.Estimated, f.Presumed, f.Unrecorded,
		f.Real, f.Written, f.Refused, f.Beaten)
}

// auditor holds one ledger against what clients and providers saw, over all kills of it.
type auditor struct {
	*figures
	prices price.Prices
	models *config.Config
	last   ledger.LSN // of the latest adjustment seen
	told   []string   // the first findings of the round, in words

	// By budget node. real and beaten are of the round under audit, spent is the counter when it began.
	real, beaten, spent map[string]money.Nano
}

// mostTold bounds the findings that are told in words.
const mostTold = 10

func (a *auditor) tell(format string, args ...any) {
	if len(a.told) < mostTold {
		a.told = append(a.told, fmt.Sprintf(format, args...))
	}
}

// row is what is kept of a ledger's entry.
type row struct {
	id         call.OpID
	n          int
	model      string
	settlement call.Settlement
	verdict    call.VerdictResult
	cost       money.Nano
}

// round audits one kill, after the restart: the calls of that round, and the whole ledger's balance.
func (a *auditor) round(ctx context.Context, dir string, calls []asked, p *providers, limits map[string]money.Nano) error {
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	rows, err := a.rows(ctx, r)
	if err != nil {
		return err
	}
	written, err := a.adjustments(ctx, r)
	if err != nil {
		return err
	}
	a.real, a.beaten, a.told = map[string]money.Nano{}, map[string]money.Nano{}, nil
	billed, unrecorded := p.billed(), map[string]money.Nano{}
	for _, c := range calls {
		a.call(c, rows[c.name], p.arrivals(c.name), billed, unrecorded)
	}
	for node, cost := range unrecorded {
		if by := cost - written[node]; by > 0 {
			a.Uncovered += by
			a.tell("%s: attempts without a row cost %s, recovery wrote off %s", node, cost, written[node])
		}
	}
	trial, err := ledger.ReadTrial(ctx, r)
	if err != nil {
		return err
	}
	for _, off := range trial.Off {
		a.Unbalanced++
		a.tell("trial: %+v", off)
	}
	return a.limits(ctx, r, limits)
}

// rows reads every attempt's row by the name of its call, in order, and counts those that are there twice.
func (a *auditor) rows(ctx context.Context, r ledger.Reader) (map[string][]row, error) {
	type key struct {
		id call.OpID
		n  int
	}
	seen, rows, twice := map[key]bool{}, map[string][]row{}, 0
	err := r.Scan(ctx, ledger.Window{}, func(e *ledger.Entry) error {
		x := &e.Attempt
		if e.Corrects != "" {
			return nil
		}
		k := key{x.Facts.ID, x.N}
		if seen[k] {
			twice++
			a.tell("call %s attempt %d has two rows", k.id, k.n)
		}
		seen[k] = true
		if x.Settlement != call.NotSent {
			name := x.Facts.Caller.Session
			rows[name] = append(rows[name], row{
				x.Facts.ID, x.N, x.Order.Target.WireID, x.Settlement, x.Verdict.Result, x.Cost,
			})
		}
		return nil
	})
	a.Duplicates = max(a.Duplicates, twice)
	for _, all := range rows {
		slices.SortFunc(all, func(x, y row) int { return cmp.Compare(x.n, y.n) })
	}
	return rows, err
}

// adjustments are what this restart wrote off, by node.
func (a *auditor) adjustments(ctx context.Context, r ledger.Reader) (map[string]money.Nano, error) {
	all, err := r.Adjustments(ctx)
	written, last := map[string]money.Nano{}, a.last
	for _, x := range all {
		if x.LSN > a.last {
			written[x.Node] += x.Amount
			a.Written += x.Amount
			last = max(last, x.LSN)
		}
	}
	a.last = last
	return written, err
}

// call audits one call: its attempts as the providers saw them, one after the other, against its rows.
func (a *auditor) call(c asked, rows []row, seen []arrival, billed map[string]sim.Request, unrecorded map[string]money.Nano) {
	node := "use-case/" + c.useCase
	a.Calls++
	a.Attempts += len(seen)
	if c.refused {
		a.Refused++
	}
	for i, at := range seen {
		cost := a.cost(at.model, billed[at.id])
		a.real[node] += cost
		a.Real += cost
		if i < len(rows) {
			a.attempt(c, rows[i], at, cost)
		} else {
			a.Unrecorded++
			unrecorded[node] += cost
		}
		// What recovery presumed is not the row that was promised.
		if c.released && (i >= len(rows) || rows[i].settlement == call.Presumed) {
			a.Missing++
			a.tell("%s (%s, %s) was released; the row of its attempt %d did not survive; arrivals %+v, rows %+v",
				c.name, c.id, c.how, i+1, seen, rows)
		}
	}
	for _, r := range rows {
		a.settlement(r)
	}
	if c.released {
		a.Released++
		a.answered(c, rows)
	}
}

// attempt holds one row against what its provider counted.
func (a *auditor) attempt(c asked, r row, at arrival, cost money.Nano) {
	switch {
	case r.model != at.model:
		a.Strange++
		a.tell("%s attempt %d: the row says %s, %s saw it", c.name, r.n, r.model, at.model)
	case r.settlement == call.Settled && r.cost != cost:
		a.Misbilled++
		a.tell("%s attempt %d at %s is settled at %s, its provider counted %s", c.name, r.n, r.model, r.cost, cost)
	case r.cost < cost:
		a.Beaten += cost - r.cost
		a.beaten["use-case/"+c.useCase] += cost - r.cost
	}
}

func (a *auditor) settlement(r row) {
	switch r.settlement {
	case call.Settled:
		a.Settled++
	case call.Estimated:
		a.Estimated++
	case call.Presumed:
		a.Presumed++
	default:
		a.Strange++
		a.tell("call %s attempt %d is %q", r.id, r.n, r.settlement)
	}
}

// answered demands that a released answer has one row that was accepted, under the id that its client was told.
func (a *auditor) answered(c asked, rows []row) {
	if c.whole && !sound.MatchString(c.text) {
		a.Garbled++
		a.tell("%s (%s, %s) was answered with %q", c.name, c.id, c.how, c.text)
	}
	accepted := 0
	for _, r := range rows {
		if r.id.String() != c.id {
			a.Strange++
			a.tell("%s was told %s, its row has call %s", c.name, c.id, r.id)
		}
		if r.verdict == call.Accepted {
			accepted++
		}
	}
	if len(rows) == 0 {
		a.Missing++
		a.tell("%s (%s) was released and has no row", c.name, c.id)
	} else if accepted > 1 {
		a.Strange++
		a.tell("%s (%s) has %d accepted attempts", c.name, c.id, accepted)
	}
}

// cost is what an attempt cost by its provider's own count and the price book.
func (a *auditor) cost(model string, r sim.Request) money.Nano {
	m, _ := a.models.Models.Model(model)
	p, err := a.prices.Price(call.Target{Model: m}, llm.Usage{Input: int64(r.Input), Output: int64(r.Output)}, time.Now())
	if err != nil {
		a.Strange++
		a.tell("model %q: %v", model, err)
	}
	return p.Cost()
}

// limits holds every budget against what was really spent on it in the round: the counter must have grown by all of it,
// and what was left below the limit must have covered it.
func (a *auditor) limits(ctx context.Context, r ledger.Reader, limits map[string]money.Nano) error {
	spent, _, err := r.Counters(ctx)
	if err != nil {
		return err
	}
	for node, limit := range limits {
		counted := a.real[node] - a.beaten[node]
		if by := counted - (spent[node] - a.spent[node]); by > 0 {
			a.Lost += by
			a.tell("%s: providers counted %s, the counter grew from %s to %s", node, counted, a.spent[node], spent[node])
		}
		if by := counted - (limit - a.spent[node]); by > 0 {
			a.Over += by
			a.tell("%s: providers counted %s, %s of %s was spent before", node, counted, a.spent[node], limit)
		}
	}
	a.spent = spent
	return nil
}
