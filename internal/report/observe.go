package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/observe"
)

// ObserveTable is what the cascades of observed routes would have done in a window, by one grouping.
type ObserveTable struct {
	Since  *time.Time   `json:"since,omitempty"`
	By     string       `json:"by,omitempty"`
	Note   string       `json:"note"` // what the figures rest on
	Total  ObserveRow   `json:"total"`
	Groups []ObserveRow `json:"groups"`
}

// ObserveRow is one group of observed calls. Amounts in US dollars.
type ObserveRow struct {
	Name     string `json:"name"`
	Calls    int64  `json:"calls"`
	Answered int64  `json:"answered"`
	Refused  int64  `json:"would_be_refused" doc:"no layer is left after policy and fit"`
	Spent    string `json:"spent_usd"`
	AtStart  string `json:"at_start_usd" doc:"the same tokens where the cascade would have begun: its cost if nothing escalated"`

	Would    Estimate `json:"cascade_would_have_cost_usd"`
	Saved    Estimate `json:"saved_usd"`
	SavedBP  string   `json:"saved_share,omitempty" doc:"of what was spent"`
	Seen     Seen     `json:"seen" doc:"the calls whose shadow tells what the caller would have got: exact"`
	Layers   []Part   `json:"answered_by" doc:"shares of the shadows, by layer"`
	Nowhere  Part     `json:"no_layer_passes"`
	Failed   Part     `json:"providers_fail"`
	Differs  Part     `json:"answer_differs" doc:"from the one that the caller got, of those compared"`
	Compared []How    `json:"compared"`
	Drawn    Drawn    `json:"shadows"`
}

// Estimate is an extrapolated amount with its 95 % interval.
type Estimate struct {
	At    string `json:"estimate,omitempty" doc:"absent without shadows"`
	Low   string `json:"low,omitempty" doc:"95 % interval; absent with fewer than two shadows"`
	High  string `json:"high,omitempty"`
	N     int64  `json:"n" doc:"shadows that it rests on"`
	Exact bool   `json:"exact" doc:"every call has a shadow: nothing is extrapolated"`
}

// Seen is what is known without extrapolating.
type Seen struct {
	Calls int64  `json:"calls"`
	Spent string `json:"spent_usd"`
	Would string `json:"cascade_cost_usd"`
}

// Part is a share of shadows with its 95 % interval.
type Part struct {
	Name string `json:"name,omitempty"`
	N    int64  `json:"n"`
	Of   int64  `json:"of"`
	Part string `json:"part"`
	Low  string `json:"low"`
	High string `json:"high"`
}

// How is one way in which answers were compared.
type How struct {
	How     string `json:"by"`
	N       int64  `json:"n"`
	Same    int64  `json:"same"`
	Overlap string `json:"word_overlap" doc:"mean"`
}

// Drawn counts shadows by how they ended.
type Drawn struct {
	Drawn   int64  `json:"drawn"`
	Told    int64  `json:"told" doc:"accepted, rejected or failed: they tell what the caller would have got"`
	Budget  int64  `json:"budget" doc:"not covered by their budget"`
	Dropped int64  `json:"dropped"`
	Cut     int64  `json:"cut"`
	Open    int64  `json:"open" doc:"under way, or lost in a crash"`
	Cost    string `json:"cost_usd" doc:"of all shadows: what observing cost"`
}

// ObserveOf shapes a report.
func ObserveOf(r observe.Report) ObserveTable {
	t := ObserveTable{
		By: r.Query.By, Total: observeRow(r.Total), Groups: []ObserveRow{},
		Note: "costs by the price rows in force at each call; extrapolated by what shadows cost beside their calls; intervals: 95 %",
	}
	t.Total.Name = "total"
	if !r.Query.Since.IsZero() {
		t.Since = &r.Query.Since
	}
	for _, g := range r.Groups {
		t.Groups = append(t.Groups, observeRow(g))
	}
	return t
}

func observeRow(g observe.Group) ObserveRow {
	row := ObserveRow{
		Name: g.Name, Calls: g.Calls, Answered: g.Answered, Refused: g.Refused, Spent: g.Spent.Decimal(),
		AtStart: g.AtStart.Decimal(), Would: estimateOf(g.Would), Saved: estimateOf(g.Saved),
		Seen:   Seen{g.Seen, g.SpentSeen.Decimal(), g.WouldSeen.Decimal()},
		Layers: []Part{}, Nowhere: partOf(g.Nowhere), Failed: partOf(g.Failed), Differs: partOf(g.Differs), Compared: []How{},
	}
	if g.Saved.Known && g.Spent > 0 {
		row.SavedBP = Percent(int64(money.MulDiv(g.Saved.At, 10_000, int64(g.Spent))))
	}
	for _, l := range g.Layers {
		row.Layers = append(row.Layers, partOf(l))
	}
	for _, c := range g.Compared {
		row.Compared = append(row.Compared, How{c.How, c.N, c.Same, Percent(c.Overlap)})
	}
	row.Drawn = Drawn{
		Drawn: g.Drawn, Told: g.Seen, Budget: g.Ends[observe.Budget], Dropped: g.Ends[observe.Dropped], Cut: g.Ends[observe.Cut],
		Cost: g.Sampling.Decimal(),
	}
	row.Drawn.Open = max(0, g.Drawn-g.Seen-row.Drawn.Budget-row.Drawn.Dropped-row.Drawn.Cut)
	return row
}

func estimateOf(e observe.Estimate) Estimate {
	out := Estimate{N: e.N, Exact: e.Exact}
	if e.Known {
		out.At = e.At.Decimal()
	}
	if e.Bounded {
		out.Low, out.High = e.Low.Decimal(), e.High.Decimal()
	}
	return out
}

func partOf(s observe.Share) Part {
	return Part{s.Name, s.N, s.Of, Percent(s.BP), Percent(s.Low), Percent(s.High)}
}

// Rows are the groups, the total last.
func (t ObserveTable) Rows() []ObserveRow { return append(slices.Clone(t.Groups), t.Total) }

// String is a part for people: "75.00% (65.69-82.45%)"; "-" of nothing.
func (p Part) String() string {
	if p.Of == 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%s-%s)", p.Part, p.Low[:len(p.Low)-1], p.High)
}
