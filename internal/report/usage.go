package report

import (
	"fmt"
	"time"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
)

// UsageTable is what was spent in a window, by one grouping.
type UsageTable struct {
	Since  *time.Time `json:"since,omitempty"`
	By     string     `json:"by,omitempty"`
	Prices string     `json:"note"` // what the figures rest on
	Total  UsageRow   `json:"total"`
	Groups []UsageRow `json:"groups"`
	Layers []Share    `json:"layers"` // shares of the accepted answers
	Tiers  []Share    `json:"tiers"`
}

// UsageRow is one group of a usage table. Amounts in US dollars, clocks in milliseconds.
type UsageRow struct {
	Name       string `json:"name"`
	Calls      int64  `json:"calls"`
	Attempts   int64  `json:"attempts"`
	Input      int64  `json:"input_tokens"`
	CacheRead  int64  `json:"cache_read_tokens"`
	CacheWrite int64  `json:"cache_write_tokens"`
	Output     int64  `json:"output_tokens"`
	Reasoning  int64  `json:"reasoning_tokens"`

	Cost     string `json:"cost_usd"`
	Frontier string `json:"frontier_would_have_cost_usd"`
	Saved    string `json:"saved_usd"`
	PerM     string `json:"tc_per_1m_usd"`
	PerMIn   string `json:"input_per_1m_usd"`
	PerMOut  string `json:"output_per_1m_usd"`

	TTFT      Quantiles `json:"provider_ttft_ms"`
	FirstByte Quantiles `json:"client_first_byte_ms"`
	Accepted  Quantiles `json:"accepted_ms"`
	Speed     int64     `json:"output_tokens_per_second_p50"`

	Escalated string `json:"escalation_rate"`
	Tax       string `json:"escalation_tax"` // cost of rejected and broken attempts, of all cost
	Wasted    string `json:"wasted_usd"`
	Settled   int64  `json:"settled"`
	Estimated int64  `json:"estimated"`
	Presumed  int64  `json:"presumed"`
	NotSent   int64  `json:"not_sent"`
	nano      money.Nano
}

// CostNano is the exact cost.
func (r UsageRow) CostNano() money.Nano { return r.nano }

// Quantiles in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// Share is a part of the accepted answers, beside its target where one is set.
type Share struct {
	Name   string `json:"name"`
	Calls  int64  `json:"calls"`
	Part   string `json:"part"`
	Target string `json:"target,omitempty"`
}

// UsageOf shapes a usage. targets are percents by layer or tier name; nil = none are set.
func UsageOf(u ledger.Usage, targets map[string]int) UsageTable {
	t := UsageTable{
		By: u.Query.By, Total: rowOf(u.Total), Groups: []UsageRow{}, Layers: sharesOf(u.Layers, targets), Tiers: sharesOf(u.Tiers, targets),
		Prices: "costs by the price rows in force at each call; frontier = the same tokens at the route's dearest deployment",
	}
	t.Total.Name = "total"
	if !u.Query.Since.IsZero() {
		t.Since = &u.Query.Since
	}
	for _, g := range u.Groups {
		t.Groups = append(t.Groups, rowOf(g))
	}
	return t
}

func rowOf(g ledger.Group) UsageRow {
	return UsageRow{
		Name: g.Name, Calls: g.Calls, Attempts: g.Attempts, Input: g.Tokens.Input, CacheRead: g.Tokens.CacheRead,
		CacheWrite: g.Tokens.CacheWrite5m + g.Tokens.CacheWrite1h, Output: g.Tokens.Output, Reasoning: g.Tokens.Reasoning,
		Cost: g.Cost.Decimal(), Frontier: g.Baseline.Decimal(), Saved: g.Saved.Decimal(), PerM: g.PerM.Decimal(),
		PerMIn: g.PerMIn.Decimal(), PerMOut: g.PerMOut.Decimal(), TTFT: quantilesOf(g.TTFT), FirstByte: quantilesOf(g.FirstByte),
		Accepted: quantilesOf(g.Accepted), Speed: g.Speed, Escalated: Percent(g.EscalatedBP), Tax: Percent(g.TaxBP),
		Wasted: g.Wasted.Decimal(), Settled: g.Settled, Estimated: g.Estimated, Presumed: g.Presumed, NotSent: g.NotSent,
		nano: g.Cost,
	}
}

func quantilesOf(q ledger.Quantiles) Quantiles {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Quantiles{P50: ms(q.P50), P95: ms(q.P95), P99: ms(q.P99)}
}

func sharesOf(all []ledger.Share, targets map[string]int) []Share {
	out := []Share{}
	for _, s := range all {
		row := Share{Name: s.Name, Calls: s.Calls, Part: Percent(s.BP)}
		if p, ok := targets[s.Name]; ok {
			row.Target = fmt.Sprintf("%d%%", p)
		}
		out = append(out, row)
	}
	return out
}

// Percent writes basis points as a percentage with two decimals: 7512 = "75.12%".
func Percent(bp int64) string {
	sign := ""
	if bp < 0 {
		sign, bp = "-", -bp
	}
	return fmt.Sprintf("%s%d.%02d%%", sign, bp/100, bp%100)
}
