// Package budget keeps spending below its limits: it sets money aside before an attempt is sent (hold) and takes the
// real cost when the attempt has ended (settle). All decisions are O(1) in memory. What was settled and held in a
// period never exceeds the node's limit, and never its ceiling: the amount that the ledger has on disk as "may have
// been spent", raised ahead. So after a crash no more can have been spent than the ledger says, although nothing is
// written before an attempt's first byte. A call counts in the period in which it started. It knows no price and no
// policy.
package budget

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// Node is one budget.
type Node struct {
	Name   string // e.g. use-case/procurement
	Limit  money.Nano
	Period Period         // "" = day
	Zone   *time.Location // whose midnight ends a period; nil = UTC
	// Unlimited nodes refuse nothing and are not shown: they are for calls without a budget, whose attempts a ceiling
	// covers too, so that a crash leaves none without a trace.
	Unlimited bool
}

// Config is all budgets. NodeOf names the budget that a call counts against; "" = none.
type Config struct {
	Nodes  []Node
	NodeOf func(call.Facts) string
}

// NodeState is a budget at one moment, for display.
type NodeState struct {
	Node    string
	Limit   money.Nano
	Spent   money.Nano // settled in the period
	Held    money.Nano // set aside for attempts under way
	Ceiling money.Nano // on disk as "may have been spent"
	Resets  time.Time  // zero = never
}

// ceilings is the part of the ledger that budgets need.
type ceilings interface {
	Raise(node string, p ledger.Period, to money.Nano) ledger.LSN
	Durable(context.Context, ledger.LSN) error
	Spent(node string, p ledger.Period) (money.Nano, error)
}

var _ ceilings = (*ledger.Journal)(nil)

// Book is every budget's account. Safe for concurrent use.
type Book struct {
	ceil ceilings
	now  func() time.Time

	mu     sync.Mutex
	nodes  map[string]*account // also those that the config no longer has: their holds are still open
	order  []string            // of the config
	nodeOf func(call.Facts) string
}

// account is one node: the window of its current period and of the one before.
type account struct {
	Node
	current, before *window
	mean            money.Nano // of recent holds
}

// window is one node in one period.
type window struct {
	period        ledger.Period
	settled, held money.Nano
	ceiling       money.Nano    // on disk
	answered      chan struct{} // closed when the next ceiling is on disk or failed; nil = none is under way
	failed        error         // why the last raise failed
}

// New opens the books: what each node has spent in its current period comes from the ledger, and a first ceiling is
// enqueued. now is the clock; nil = time.Now.
func New(c Config, l ceilings, now func() time.Time) (*Book, error) {
	if now == nil {
		now = time.Now
	}
	b := &Book{ceil: l, now: now, nodes: map[string]*account{}}
	if err := b.Reconfigure(c); err != nil {
		return nil, err
	}
	return b, nil
}

// Hold sets an amount aside for an attempt of a call. It waits only while the ceiling is used up, until ctx ends.
// Errors are *llm.Error: budget_exceeded when the limit does not cover it, ledger_unavailable when the disk does not
// answer. A call without a budget gets a hold that counts nowhere.
func (b *Book) Hold(ctx context.Context, f call.Facts, amount money.Nano) (*Hold, error) {
	for {
		h, answered, err := b.try(f, amount)
		if err != nil || answered == nil {
			return h, err
		}
		if err := awaitCeiling(ctx, answered); err != nil {
			return nil, err
		}
	}
}

// patience is how long a hold waits for a ceiling to be on disk: a disk that takes longer has stalled.
const patience = time.Second

func awaitCeiling(ctx context.Context, answered <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return &llm.Error{
			Code:    llm.CodeLedger,
			Message: "the ledger did not confirm the budget's ceiling in time",
			Hint:    "check the disk that holds storage.dir",
			Err:     ctx.Err(),
		}
	}
}

// try grants, refuses, or gives what to wait for.
func (b *Book) try(f call.Facts, amount money.Nano) (*Hold, <-chan struct{}, error) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	name := b.nodeOf(f)
	if name == "" {
		return &Hold{}, nil, nil
	}
	a, ok := b.nodes[name]
	if !ok {
		return nil, nil, unknown(name)
	}
	if amount < 0 {
		return nil, nil, fmt.Errorf("hold of a negative amount %s", amount)
	}
	w, err := b.window(a, f.Start, now)
	if err != nil {
		return nil, nil, err
	}
	used := w.settled + w.held
	if !a.Unlimited && amount > a.Limit-used {
		return nil, nil, a.refuse(w, amount)
	}
	if money.Add(used, amount) <= w.ceiling {
		w.held += amount
		a.learn(amount)
		b.raise(a, w, 0)
		return &Hold{book: b, node: a.Name, acc: a, win: w, amount: amount}, nil, nil
	}
	if w.failed != nil {
		err := w.failed
		w.failed = nil
		return nil, nil, err
	}
	b.raise(a, w, amount)
	return nil, w.answered, nil
}

// learn follows the mean of holds.
func (a *account) learn(amount money.Nano) { a.mean += (amount - a.mean) / 16 }

// chunk is how far ahead a ceiling is raised: 1 % of the limit, or 20 mean holds; without a limit at least a dollar.
func (a *account) chunk() money.Nano {
	if a.Unlimited {
		return max(money.MulDiv(a.mean, 20, 1), money.USD)
	}
	return max(a.Limit/100, money.MulDiv(a.mean, 20, 1), 1)
}

// raise asks for a higher ceiling when less than half a chunk is left below it, or less than need. One at a time.
func (b *Book) raise(a *account, w *window, need money.Nano) {
	used := w.settled + w.held
	if w.answered != nil || (w.ceiling-used >= max(need, a.chunk()/2)) {
		return
	}
	ahead := a.chunk()
	if w != a.current {
		ahead = 0
	}
	// What was really spent may lie above the limit; the ceiling follows it.
	to := money.Add(money.Add(used, need), ahead)
	if !a.Unlimited {
		to = max(min(a.Limit, to), used)
	}
	if to <= w.ceiling {
		return
	}
	w.answered = make(chan struct{})
	go b.await(a, w, ledger.Ceiling{Node: a.Name, Period: w.period, To: to}, b.ceil.Raise(a.Name, w.period, to))
}

// await takes over a ceiling once it is on disk, unless the window has changed its period meanwhile, and asks for more
// when it does not suffice any more. A closed journal ends it.
func (b *Book) await(a *account, w *window, c ledger.Ceiling, lsn ledger.LSN) {
	err := b.ceil.Durable(context.Background(), lsn)
	b.mu.Lock()
	defer b.mu.Unlock()
	close(w.answered)
	w.answered, w.failed = nil, err
	if err != nil {
		return
	}
	if w.period == c.Period {
		w.ceiling = c.To
	}
	b.raise(a, w, 0)
}

// Hold is money set aside for one attempt. The first of Settle and Void counts, all later ones do nothing. The zero
// Hold counts nowhere.
type Hold struct {
	book   *Book
	node   string // its name: the account itself changes when the books are reconfigured
	acc    *account
	win    *window
	amount money.Nano
	ended  bool
}

// Node names the budget that the hold counts against; "" = none.
func (h *Hold) Node() string { return h.node }

// Settle ends the hold with what the attempt cost, in the period of the hold. It may be more than was held.
func (h *Hold) Settle(cost money.Nano) { h.end(cost) }

// Void ends the hold: nothing was billed.
func (h *Hold) Void() { h.end(0) }

func (h *Hold) end(cost money.Nano) {
	if h.book == nil {
		return
	}
	h.book.mu.Lock()
	defer h.book.mu.Unlock()
	if h.ended {
		return
	}
	h.ended = true
	h.win.held -= h.amount
	h.win.settled += cost
	h.book.follow(h.acc, h.win)
}

// follow keeps a window's ceiling fit after a change: ahead of the current period, down on one that is over.
func (b *Book) follow(a *account, w *window) {
	if w == a.current || w.settled+w.held > w.ceiling {
		b.raise(a, w, 0)
		return
	}
	if w.held == 0 {
		b.release(a.Name, w)
	}
}

// Adjust adds a later correction of a call's cost, which may be negative, to what its budget has spent. It takes the
// node that the attempt was booked to.
func (b *Book) Adjust(node string, f call.Facts, by money.Nano) error {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.nodes[node]
	if !ok {
		return nil // a budget of an earlier configuration
	}
	w, err := b.window(a, f.Start, now)
	if err != nil {
		return err
	}
	w.settled += by
	b.follow(a, w)
	return nil
}

// Snapshot shows every budget of the config, in its order.
func (b *Book) Snapshot() []NodeState {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	states := make([]NodeState, 0, len(b.order))
	for _, name := range b.order {
		a := b.nodes[name]
		if a.Unlimited {
			continue
		}
		w, err := b.window(a, now, now)
		if err != nil {
			w = a.current // the ledger cannot be read: the last known period
		}
		states = append(states, NodeState{
			Node: name, Limit: a.Limit, Spent: w.settled, Held: w.held, Ceiling: w.ceiling, Resets: a.resets(w),
		})
	}
	return states
}

func unknown(name string) error {
	return &llm.Error{
		Code:    llm.CodeBudget,
		Message: fmt.Sprintf("budget %s does not exist", name),
		Hint:    "define it under budgets in weir.yaml, or take it out of the use case",
		Param:   name,
	}
}

func (a *account) refuse(w *window, amount money.Nano) error {
	reset, until := "it never resets", "raise its limit under budgets in weir.yaml"
	if t := a.resets(w); !t.IsZero() {
		reset = "it resets at " + t.Format(time.RFC3339)
		until = "wait until then, or " + until
	}
	var again time.Duration
	switch {
	case amount > a.Limit:
		until = "lower the call's output cap (max_tokens, or max_output on the layer), or raise the limit: this call alone may cost more"
	case amount <= a.Limit-w.settled:
		until, again = "calls under way hold the rest: try again when they have ended", time.Second
	}
	return &llm.Error{
		RetryAfter: again,
		Code:       llm.CodeBudget,
		Message: fmt.Sprintf("budget %s does not cover this call: up to %s needed, limit %s a %s, %s spent, %s held; %s",
			a.Name, amount, a.Limit, a.Period, w.settled, w.held, reset),
		Hint:  until,
		Param: a.Name,
	}
}
