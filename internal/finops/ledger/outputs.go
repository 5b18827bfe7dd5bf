package ledger

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// OutputQuery asks what models' answers were like.
type OutputQuery struct {
	Since, Until time.Time     // of booking, half-open; zero = open
	By           []string      // of OutputGroupings; none = the total only
	Every        time.Duration // length of the slots of a series, whole multiples of it since year 1, UTC; 0 = no series
}

// byCheck groups answers by each check that judged them.
const byCheck = "check"

// OutputGroupings are the values of OutputQuery.By.
var OutputGroupings = append(slices.Clone(Groupings), byCheck)

// mostSlots bounds the slots of all groups' series, and with them the memory that a query takes.
const mostSlots = 20_000

// leastEvery is the shortest slot.
const leastEvery = time.Minute

// ParseEvery reads the length of a slot: 15m, 1h, 1d, 7d; "" = no series. The error is an *llm.Error.
func ParseEvery(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	days, inDays := strings.CutSuffix(s, "d")
	if inDays {
		s = days + "h"
	}
	d, err := time.ParseDuration(s)
	if err != nil || inDays && d > math.MaxInt64/24 {
		return 0, tooShort
	}
	if inDays {
		d *= 24
	}
	if d < leastEvery {
		return 0, tooShort
	}
	return d, nil
}

var tooShort = &llm.Error{
	Code: llm.CodeInvalid, Message: "a slot of the series is at least a minute long", Param: "every", Hint: "use 1h or 1d",
}

// Outputs is what the complete answers booked in a window were like: each attempt for a caller that its provider answered
// to the end, whether or not the answer was accepted. Probes and attempts that were refused, failed or cut are none.
type Outputs struct {
	Query  OutputQuery
	Total  OutputGroup
	Groups []OutputGroup // most answers first
	Unseen int64         // answers booked before outputs were kept; they count nowhere else
}

// OutputGroup is one group, over the window and slot by slot.
type OutputGroup struct {
	Name string
	Answers
	Series []OutputSlot // slots with answers, oldest first
}

// OutputSlot is one slot of a series.
type OutputSlot struct {
	At time.Time
	Answers
}

// ReadOutputs sums up the answers of a window. It keeps no row: its memory grows with groups and slots, and too many of
// them are an *llm.Error, as is an unknown grouping or a slot of less than a minute.
func ReadOutputs(ctx context.Context, r Reader, q OutputQuery) (Outputs, error) {
	if q.Every != 0 && q.Every < leastEvery {
		return Outputs{}, tooShort
	}
	f := outputFold{query: q, total: &outputGroup{}, groups: map[string]*outputGroup{}}
	for _, by := range q.By {
		find, ok := groupings[by]
		if !ok && by != byCheck {
			return Outputs{}, &llm.Error{
				Code: llm.CodeInvalid, Message: fmt.Sprintf("outputs by %q are not known", by), Param: "by",
				Hint: "use " + strings.Join(OutputGroupings, ", "),
			}
		}
		f.by = append(f.by, find)
	}
	if err := r.Scan(ctx, Window{Since: q.Since, Until: q.Until}, f.row); err != nil {
		return Outputs{}, err
	}
	f.close()
	return f.outputs(), nil
}

// outputFold sums up rows as they come, which is in the order of booking: only one slot is open at a time.
type outputFold struct {
	query  OutputQuery
	by     []func(*call.Attempt) string // nil = by check
	words  []string
	at     time.Time // the open slot
	total  *outputGroup
	groups map[string]*outputGroup
	slots  int
	unseen int64
}

// outputGroup is a group being summed up.
type outputGroup struct {
	name      string
	all, slot answerSums
	series    []OutputSlot
}

func (f *outputFold) group(name string) *outputGroup {
	g := f.groups[name]
	if g == nil {
		g = &outputGroup{name: name}
		f.groups[name] = g
	}
	return g
}

func (f *outputFold) row(e *Entry) error {
	a := &e.Attempt
	if e.Corrects != "" || !a.Answered() {
		return nil
	}
	if !a.Output.Seen {
		f.unseen++
		return nil
	}
	if f.query.Every > 0 {
		if at := e.Booked.UTC().Truncate(f.query.Every); at.After(f.at) {
			f.close()
			f.at = at
		}
	}
	f.add(f.total, a, "")
	if len(f.by) > 0 {
		f.place(a)
	}
	if f.slots > mostSlots {
		return &llm.Error{
			Code: llm.CodeInvalid, Message: fmt.Sprintf("the series would have more than %d slots", mostSlots), Param: "every",
			Hint: "ask for longer slots, a later begin or fewer groups",
		}
	}
	return nil
}

// place adds an answer to its group, or by check to one for each check that judged it.
func (f *outputFold) place(a *call.Attempt) {
	if !slices.Contains(f.query.By, byCheck) {
		f.add(f.group(f.name(a, "")), a, "")
		return
	}
	for check := range a.Verdict.Judged() {
		f.add(f.group(f.name(a, check)), a, check)
	}
}

// name joins the words that a row is grouped by.
func (f *outputFold) name(a *call.Attempt, check string) string {
	if len(f.by) == 1 && f.by[0] != nil {
		return named(f.by[0](a))
	}
	f.words = f.words[:0]
	for _, find := range f.by {
		word := check
		if find != nil {
			word = named(find(a))
		}
		f.words = append(f.words, word)
	}
	return strings.Join(f.words, " / ")
}

func (f *outputFold) add(g *outputGroup, a *call.Attempt, check string) {
	g.all.add(a, check)
	if f.query.Every == 0 {
		return
	}
	if g.slot.N == 0 {
		f.slots++
	}
	g.slot.add(a, check)
}

// close ends the open slot.
func (f *outputFold) close() {
	f.total.close(f.at)
	for _, g := range f.groups {
		g.close(f.at)
	}
}

func (g *outputGroup) close(at time.Time) {
	if g.slot.N > 0 {
		g.series = append(g.series, OutputSlot{At: at, Answers: g.slot.answers()})
		g.slot = answerSums{}
	}
}

func (f *outputFold) outputs() Outputs {
	o := Outputs{Query: f.query, Total: f.total.group(), Unseen: f.unseen}
	for _, g := range f.groups {
		o.Groups = append(o.Groups, g.group())
	}
	slices.SortFunc(o.Groups, func(a, b OutputGroup) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name))
	})
	return o
}

func (g *outputGroup) group() OutputGroup {
	return OutputGroup{Name: g.name, Answers: g.all.answers(), Series: g.series}
}
