package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/finops/budget"
	"github.com/weirhq/weir/internal/finops/money"
)

func TestABudgetTellsOfEachMarkOnceAPeriod(t *testing.T) {
	monday := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	budgets := []config.Budget{{Node: "use-case/a", AlertAt: []int{50, 80, 95}}, {Node: "use-case/quiet"}}
	at := func(resets time.Time, spent money.Nano) []budget.NodeState {
		return []budget.NodeState{
			{Node: "use-case/a", Limit: 100 * money.USD, Spent: spent, Resets: resets},
			{Node: "use-case/quiet", Limit: money.USD, Spent: money.USD, Resets: resets},
		}
	}
	a := alerts{}
	for _, step := range []struct {
		day   int
		spent money.Nano
		want  int // 0 = nothing is told
	}{{1, 49 * money.USD, 0}, {1, 50 * money.USD, 50}, {1, 60 * money.USD, 0}, {1, 99 * money.USD, 95}, {1, 99 * money.USD, 0}, {2, 81 * money.USD, 80}} {
		var got []int
		for _, x := range a.passed(budgets, at(monday.AddDate(0, 0, step.day), step.spent)) {
			got = append(got, x.percent)
		}
		var want []int
		if step.want > 0 {
			want = []int{step.want}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("day %d, %s spent (-want +got):\n%s", step.day, step.spent, diff)
		}
	}
}
