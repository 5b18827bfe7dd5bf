package ledger

import (
	"context"
	"slices"
	"strings"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
)

// Trial is a trial balance: the double-entry fold over every row. Each row debits the budget it counts against with its
// cost, and credits a provider's meters with its lines, or "presumed" with an amount that no provider metered; each
// adjustment debits its budget and credits "writeoff".
type Trial struct {
	Rows     int64
	Accounts []Account // sorted by name
	Off      []Off     // what does not add up; empty = the ledger balances
}

// Account is one account's sums.
type Account struct {
	Name          string // budget:<node>, provider:<name>:<meter>, presumed, writeoff, clearing
	Debit, Credit money.Nano
}

// Off is one account that does not add up.
type Off struct {
	Account string
	Why     string
	Amount  money.Nano // sum of the differences, which may cancel out
	Count   int64      // how many there are
	First   LSN        // where the first one is; 0 = in a counter
}

// Balances reports whether everything adds up.
func (t Trial) Balances() bool { return len(t.Off) == 0 }

// ReadTrial folds the whole ledger and compares: each line with its units and rate, each row's cost with its lines, and
// each budget's counter with its rows and adjustments. It reads beside a writing server: all as of one place.
func ReadTrial(ctx context.Context, r Reader) (Trial, error) {
	counters, last, err := r.Counters(ctx)
	if err != nil {
		return Trial{}, err
	}
	f := fold{accounts: map[string]*Account{}, off: map[[2]string]*Off{}}
	adjustments, err := r.Adjustments(ctx)
	if err != nil {
		return Trial{}, err
	}
	for _, a := range adjustments {
		if a.LSN <= last {
			f.account(budgetAccount(a.Node)).Debit += a.Amount
			f.account("writeoff").Credit += a.Amount
		}
	}
	if last > 0 {
		err := r.Scan(ctx, Window{Last: last}, func(e *Entry) error {
			f.row(e)
			return nil
		})
		if err != nil {
			return Trial{}, err
		}
	}
	f.compare(counters)
	return f.trial(), nil
}

type fold struct {
	rows     int64
	accounts map[string]*Account
	off      map[[2]string]*Off
}

// unbudgeted is the account of rows that no budget counts. It has no counter.
const unbudgeted = "budget:" + Unnamed

func budgetAccount(node string) string {
	if node == "" {
		return unbudgeted
	}
	return "budget:" + node
}

func (f *fold) account(name string) *Account {
	a := f.accounts[name]
	if a == nil {
		a = &Account{Name: name}
		f.accounts[name] = a
	}
	return a
}

func (f *fold) amiss(account, why string, by money.Nano, at LSN) {
	k := [2]string{account, why}
	o := f.off[k]
	if o == nil {
		o = &Off{Account: account, Why: why, First: at}
		f.off[k] = o
	}
	o.Amount += by
	o.Count++
}

func (f *fold) row(e *Entry) {
	f.rows++
	a := &e.Attempt
	f.account(budgetAccount(a.Budget)).Debit += a.Cost
	var credited money.Nano
	for _, l := range a.Lines {
		name := "provider:" + a.Order.Target.Provider + ":" + string(l.Meter)
		if l.Meter == PresumedMeter {
			name = "presumed"
		}
		f.account(name).Credit += l.Amount
		credited += l.Amount
		// A line without a rate is a flat amount.
		if l.Rate != 0 && l.Amount != money.Mul(l.Units, l.Rate) {
			f.amiss(name, "a line is not its units times its rate", l.Amount-money.Mul(l.Units, l.Rate), e.LSN)
		}
	}
	if a.Settlement == call.Presumed && len(a.Lines) == 0 {
		f.account("presumed").Credit += a.Cost
		credited += a.Cost
	}
	if by := a.Cost - credited; by != 0 {
		f.account("clearing").Credit += by
		f.amiss("clearing", "a row's cost is not the sum of its lines", by, e.LSN)
	}
}

// compare holds the budgets' counters against their rows.
func (f *fold) compare(counters map[string]money.Nano) {
	for node := range counters {
		f.account(budgetAccount(node))
	}
	const prefix = "budget:"
	for name, a := range f.accounts {
		node, ok := strings.CutPrefix(name, prefix)
		if !ok || name == unbudgeted {
			continue
		}
		if by := counters[node] - a.Debit; by != 0 {
			f.amiss(name, "the budget's counter is not the sum of its rows and adjustments", by, 0)
		}
	}
}

func (f *fold) trial() Trial {
	t := Trial{Rows: f.rows}
	for _, a := range f.accounts {
		t.Accounts = append(t.Accounts, *a)
	}
	for _, o := range f.off {
		t.Off = append(t.Off, *o)
	}
	slices.SortFunc(t.Accounts, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Off, func(a, b Off) int { return strings.Compare(a.Account+a.Why, b.Account+b.Why) })
	return t
}
