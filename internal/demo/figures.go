package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/price"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/sim/scenario"
)

// Sampled is what one profile's sample came to, by one price book. Costs are exact sums over the ledger's rows, in US
// dollars; days and years are the sample scaled to 100,000 interactions a day. Shares are in basis points.
type Sampled struct {
	Profile       string           `json:"profile"`
	Book          string           `json:"prices"`
	Interactions  int              `json:"interactions"`
	Before        Side             `json:"all_frontier"`
	After         Side             `json:"cascade"`
	SavedBP       int64            `json:"saved_bp"`
	LayerBP       map[string]int64 `json:"layer_bp"` // of accepted answers
	TierBP        map[string]int64 `json:"tier_bp"`
	TaxBP         int64            `json:"escalation_tax_bp"`
	SourceTokens  int64            `json:"brief_source_tokens"`
	BriefTokens   int64            `json:"brief_tokens"`
	Pinned        int64            `json:"facts_pinned"`
	Kept          int64            `json:"facts_kept"`
	CompressionBP int64            `json:"compression_bp"` // brief tokens of source tokens
}

// Side is one architecture's figures.
type Side struct {
	Cost        string `json:"sample_usd"` // exact
	Interaction string `json:"interaction_usd"`
	Day         string `json:"day_usd"`
	Year        string `json:"year_usd"`
	Attempts    int64  `json:"attempts"`
	Accepted    int64  `json:"accepted"`
	Wrong       int64  `json:"accepted_wrong"`
	WrongBP     int64  `json:"accepted_wrong_bp"`
	Refused     int64  `json:"refused"`
	cost        money.Nano
}

// Measured are the clocks of one run's accepted answers, in milliseconds of the scenario's own time.
type Measured struct {
	Run       string           `json:"run"`
	Provider  report.Quantiles `json:"provider_ttft_ms"`
	FirstByte report.Quantiles `json:"client_first_byte_ms"`
	Accepted  report.Quantiles `json:"accepted_ms"`
}

// sums is one run added up from the ledger.
type sums struct {
	cost     [2]money.Nano // by books
	wasted   [2]money.Nano
	attempts int64
	layers   map[string]int64
	tiers    map[string]int64
	accepted int64
	source   int64
	brief    int64
	pinned   int64
	kept     int64
	clocks   [3][]time.Duration
	prices   [2]price.Prices
}

// figures reads what the runs came to from the ledger.
func (st *stage) figures(ctx context.Context, r *Result) error {
	all := map[string]*sums{}
	for _, run := range runs {
		s := &sums{layers: map[string]int64{}, tiers: map[string]int64{}}
		for i, book := range books {
			s.prices[i] = price.Prices{Catalog: st.catalog, Book: book}
		}
		all[run.useCase] = s
	}
	err := st.server.Ledger().Scan(ctx, ledger.Window{}, func(e *ledger.Entry) error {
		if s, ok := all[strings.Clone(e.Attempt.Facts.Caller.UseCase)]; ok {
			return s.add(&e.Attempt, st)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	for _, profile := range profiles {
		for b, book := range books {
			r.Sampled = append(r.Sampled, st.sampled(profile, book, b, all[profile+"-before"], all[profile+"-after"]))
		}
	}
	for _, run := range runs {
		c := all[run.useCase].clocks
		r.Measured = append(r.Measured, Measured{run.useCase, quantiles(c[0]), quantiles(c[1]), quantiles(c[2])})
	}
	return nil
}

// add takes one attempt in. The first book's cost is the ledger's; the other is the same usage priced again.
func (s *sums) add(a *call.Attempt, st *stage) error {
	if a.Settlement == call.NotSent {
		return nil
	}
	costs := [2]money.Nano{a.Cost}
	t := a.Order.Target
	model, ok := st.catalog.Model(t.Model.ID)
	if !ok {
		return fmt.Errorf("the ledger names model %s, which the catalogue lacks", t.Model.ID)
	}
	t.Model = model
	again, err := s.prices[1].Price(t, a.Usage, a.Facts.Start)
	if err != nil {
		return err
	}
	costs[1] = again.Cost()
	s.attempts++
	for b := range costs {
		s.cost[b] += costs[b]
		if a.Verdict.Result != call.Accepted {
			s.wasted[b] += costs[b]
		}
	}
	if n := report.NotesOf(a.Verdict.Notes); n != nil && n.Brief != nil {
		s.source += int64(n.Brief.SourceTokens)
		s.brief += int64(n.Brief.BriefTokens)
		s.pinned += int64(n.Brief.Pinned)
		s.kept += int64(n.Brief.Kept)
	}
	if a.Verdict.Result == call.Accepted {
		s.accepted++
		s.layers[strings.Clone(t.LayerName)]++
		s.tiers[string(model.Tier)]++
		c := a.Clocks
		for i, d := range []time.Duration{c.ProviderTTF - c.Sent, c.FirstByte, c.Accepted} {
			s.clocks[i] = append(s.clocks[i], d*speed)
		}
	}
	return nil
}

func (st *stage) sampled(profile, book string, b int, before, after *sums) Sampled {
	out := Sampled{
		Profile: profile, Book: book, Interactions: st.o.Sample,
		Before: st.side(profile+"-before", before, b), After: st.side(profile+"-after", after, b),
		LayerBP: parts(after.layers, after.accepted), TierBP: parts(after.tiers, after.accepted),
		TaxBP:        part(int64(after.wasted[b]), int64(after.cost[b])),
		SourceTokens: after.source, BriefTokens: after.brief, Pinned: after.pinned, Kept: after.kept,
		CompressionBP: part(after.brief, after.source),
	}
	out.SavedBP = part(int64(out.Before.cost-out.After.cost), int64(out.Before.cost))
	return out
}

func (st *stage) side(useCase string, s *sums, b int) Side {
	n := int64(st.o.Sample)
	perDay := money.MulDiv(s.cost[b], scenario.PerDay, n)
	out := Side{
		Cost: s.cost[b].Decimal(), Interaction: money.MulDiv(s.cost[b], 1, n).Round(6), Day: perDay.Round(2),
		Year: (perDay * 365).Round(0), Attempts: s.attempts, Accepted: s.accepted, cost: s.cost[b],
	}
	for _, p := range st.played[useCase] {
		switch {
		case p.failed != "":
			out.Refused++
		case !p.right:
			out.Wrong++
		}
	}
	out.WrongBP = part(out.Wrong, s.accepted)
	return out
}

// part is a share of a whole in basis points; 0 of 0 is 0.
func part(a, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return int64(money.MulDiv(money.Nano(a), 10_000, whole))
}

func parts(counts map[string]int64, whole int64) map[string]int64 {
	out := map[string]int64{}
	for name, n := range counts {
		out[name] = part(n, whole)
	}
	return out
}

// quantiles are nearest-rank, in milliseconds.
func quantiles(ds []time.Duration) report.Quantiles {
	if len(ds) == 0 {
		return report.Quantiles{}
	}
	slices.Sort(ds)
	at := func(percent int) float64 {
		i := max(0, (len(ds)*percent+99)/100-1)
		return float64(ds[i].Milliseconds())
	}
	return report.Quantiles{P50: at(50), P95: at(95), P99: at(99)}
}
