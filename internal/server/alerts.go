package server

import (
	"time"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/finops/budget"
	"github.com/weirhq/weir/internal/finops/money"
)

// alert is one mark of a budget's alert_at that was passed.
type alert struct {
	node         string
	percent      int
	spent, limit money.Nano
}

// alerts remembers which marks were told of, by node, until its period ends.
type alerts map[string]told

type told struct {
	resets  time.Time
	percent int
}

// passed are the marks that budgets have passed since the last look, the highest of each.
func (a alerts) passed(budgets []config.Budget, states []budget.NodeState) []alert {
	var out []alert
	high := highest(budgets, states)
	for _, s := range states {
		before := a[s.Node]
		if !before.resets.Equal(s.Resets) {
			before = told{resets: s.Resets}
		}
		if p := high[s.Node]; p > before.percent {
			before.percent = p
			out = append(out, alert{s.Node, p, s.Spent, s.Limit})
		}
		a[s.Node] = before
	}
	return out
}

// highest is the highest mark that each budget with marks has passed; 0 = none.
func highest(budgets []config.Budget, states []budget.NodeState) map[string]int {
	out := map[string]int{}
	for _, b := range budgets {
		if len(b.AlertAt) == 0 {
			continue
		}
		out[b.Node] = 0
		for _, s := range states {
			for _, percent := range b.AlertAt {
				if s.Node == b.Node && s.Spent >= money.MulDiv(s.Limit, int64(percent), 100) {
					out[b.Node] = max(out[b.Node], percent)
				}
			}
		}
	}
	return out
}
