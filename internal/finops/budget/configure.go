package budget

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
)

// Reconfigure takes over a new config and keeps what was spent and held. A node that changes its period or zone takes
// what the ledger knows of the new period, and all of the old one that the ledger does not have yet. On an error
// nothing has changed.
func (b *Book) Reconfigure(c Config) error {
	if c.NodeOf == nil && len(c.Nodes) > 0 {
		return errors.New("budgets: no rule says which calls they count")
	}
	nodes := slices.Clone(c.Nodes)
	for i := range nodes {
		if err := nodes[i].check(nodes[:i]); err != nil {
			return err
		}
	}
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	plans := make([]plan, len(nodes))
	for i, n := range nodes {
		p, err := b.plan(n, now)
		if err != nil {
			return fmt.Errorf("budget %s: %w", n.Name, err)
		}
		plans[i] = p
	}
	b.order = b.order[:0]
	for i, n := range nodes {
		b.apply(n, plans[i])
		b.order = append(b.order, n.Name)
	}
	b.nodeOf = c.NodeOf
	if b.nodeOf == nil {
		b.nodeOf = unbudgeted
	}
	return nil
}

func (n *Node) check(before []Node) error {
	if n.Period == "" {
		n.Period = Day
	}
	if n.Zone == nil {
		n.Zone = time.UTC
	}
	switch {
	case n.Name == "":
		return errors.New("budgets: a node without a name")
	case n.Limit < 0:
		return fmt.Errorf("budget %s: limit %s is negative", n.Name, n.Limit)
	case n.Period != Day && n.Period != Month && n.Period != Total:
		return fmt.Errorf("budget %s: period %q is none of day, month, total", n.Name, n.Period)
	case slices.ContainsFunc(before, func(o Node) bool { return o.Name == n.Name }):
		return fmt.Errorf("budget %s is defined twice", n.Name)
	}
	return nil
}

// plan is what a node's current window becomes.
type plan struct {
	period  ledger.Period
	settled money.Nano
	keep    bool // the window stays as it is
}

// plan reads what a new definition needs to know; it changes nothing.
func (b *Book) plan(n Node, now time.Time) (plan, error) {
	a, known := b.nodes[n.Name]
	if known && a.Period == n.Period && a.Zone.String() == n.Zone.String() {
		return plan{keep: true}, nil
	}
	p := plan{period: n.at(now)}
	var err error
	if p.settled, err = b.ceil.Spent(n.Name, p.period); err != nil || !known {
		return p, err
	}
	written, err := b.ceil.Spent(n.Name, a.current.period)
	if err != nil {
		return p, err
	}
	p.settled += max(0, a.current.settled-written)
	return p, nil
}

func (b *Book) apply(n Node, p plan) {
	a, known := b.nodes[n.Name]
	if !known {
		a = &account{Node: n, current: &window{}}
		b.nodes[n.Name] = a
	}
	a.Node = n
	w := a.current
	if p.keep {
		b.raise(a, w, 0)
		return
	}
	old, free := w.period, w.answered == nil
	w.period, w.settled, w.ceiling = p.period, p.settled, 0 // the same window: its open holds go on counting
	b.raise(a, w, 0)
	if known && free && !old.Start.Equal(p.period.Start) {
		b.ceil.Raise(n.Name, old, 0) // the new period's ceiling, before it in the log, stands for it
	}
}

// unbudgeted is the rule of a config without budgets.
func unbudgeted(call.Facts) string { return "" }
