package report

import (
	"strings"
	"time"

	"github.com/weirhq/weir/internal/finops/ledger"
)

// OutputTable is what models' answers were like in a window, by groupings, and slot by slot where a series was asked for.
type OutputTable struct {
	Since  *time.Time  `json:"since,omitempty"`
	By     string      `json:"by,omitempty"`
	Every  string      `json:"every,omitempty" doc:"length of the series' slots; they begin at whole multiples of it, UTC"`
	Unseen int64       `json:"unseen" doc:"answers booked before anything was kept of answers; they count nowhere else"`
	Total  OutputRow   `json:"total"`
	Groups []OutputRow `json:"groups"`
}

// OutputRow is one group of an output table.
type OutputRow struct {
	Name string `json:"name"`
	Answers
	Series []OutputSlot `json:"series,omitempty"`
}

// OutputSlot is one slot of a series. Slots without answers are left out.
type OutputSlot struct {
	At time.Time `json:"at"`
	Answers
}

// Answers are figures of complete answers. Every rate says of how many answers it is: those of which it is known.
type Answers struct {
	N         int64        `json:"answers"`
	Passed    Rate         `json:"passed" doc:"of judged answers: all checks; by check, that one"`
	Truncated Rate         `json:"truncated"`
	Filtered  Rate         `json:"content_filter"`
	Refused   Rate         `json:"refused" doc:"of answers that were read"`
	Empty     Rate         `json:"empty"`
	Repaired  Rate         `json:"repaired" doc:"of judged answers"`
	Called    Rate         `json:"called_tools"`
	Calls     int64        `json:"tool_calls"`
	Broken    Rate         `json:"broken_arguments" doc:"of tool calls whose arguments were looked at"`
	Tokens    Length       `json:"tokens" doc:"of visible output, as providers counted"`
	Bytes     Length       `json:"bytes" doc:"of text, thinking and tool calls"`
	Checks    []NamedRate  `json:"checks,omitempty"`
	Stops     []NamedCount `json:"stops,omitempty"`
	Languages []NamedCount `json:"languages,omitempty" doc:"of answers that were read"`
}

// Rate is a part of the answers of which a thing is known.
type Rate struct {
	Yes  int64  `json:"yes"`
	N    int64  `json:"of"`
	Part string `json:"rate,omitempty" doc:"percent; absent when nothing is known"`
}

// Length is how long answers were.
type Length struct {
	N    int64 `json:"of"`
	P50  int64 `json:"p50"`
	P95  int64 `json:"p95"`
	Mean int64 `json:"mean"`
}

// NamedRate is how often a check passed.
type NamedRate struct {
	Name string `json:"name"`
	Rate
}

// NamedCount is how many answers had a word.
type NamedCount struct {
	Name string `json:"name"`
	N    int64  `json:"answers"`
}

// OutputsOf shapes what answers were like. every is the series' slot as it was asked for.
func OutputsOf(o ledger.Outputs, every string) OutputTable {
	t := OutputTable{
		By: strings.Join(o.Query.By, ","), Every: every, Unseen: o.Unseen, Total: outputRow(o.Total), Groups: []OutputRow{},
	}
	t.Total.Name = "total"
	if !o.Query.Since.IsZero() {
		t.Since = &o.Query.Since
	}
	for _, g := range o.Groups {
		t.Groups = append(t.Groups, outputRow(g))
	}
	return t
}

func outputRow(g ledger.OutputGroup) OutputRow {
	r := OutputRow{Name: g.Name, Answers: answersOf(g.Answers)}
	for _, s := range g.Series {
		r.Series = append(r.Series, OutputSlot{At: s.At, Answers: answersOf(s.Answers)})
	}
	return r
}

func answersOf(a ledger.Answers) Answers {
	out := Answers{
		N: a.N, Passed: rateOf(a.Passed), Truncated: rateOf(a.Truncated), Filtered: rateOf(a.Filtered),
		Refused: rateOf(a.Refused), Empty: rateOf(a.Empty), Repaired: rateOf(a.Repaired), Called: rateOf(a.Called),
		Calls: a.Calls, Broken: rateOf(a.Broken), Tokens: Length(a.Tokens), Bytes: Length(a.Bytes),
	}
	for _, c := range a.Checks {
		out.Checks = append(out.Checks, NamedRate{c.Name, rateOf(c.Rate)})
	}
	for _, c := range a.Stops {
		out.Stops = append(out.Stops, NamedCount(c))
	}
	for _, c := range a.Languages {
		out.Languages = append(out.Languages, NamedCount(c))
	}
	return out
}

func rateOf(r ledger.Rate) Rate {
	out := Rate{Yes: r.Yes, N: r.N}
	if r.N > 0 {
		out.Part = Percent(r.BP())
	}
	return out
}
