package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// Query asks for usage by a grouping; By "" asks for the total only.
type Query struct {
	Since, Until time.Time // of booking, half-open; zero = open
	By           string    // one of Groupings
}

// Usage is what rows booked in a window add up to.
type Usage struct {
	Query  Query
	Total  Group
	Groups []Group // dearest first
	// Layers and Tiers share out the accepted answers, largest first.
	Layers, Tiers []Share
}

// Share is a part of the accepted answers.
type Share struct {
	Name  string
	Calls int64
	BP    int64 // basis points of all accepted answers
}

// Group is the usage of one group.
type Group struct {
	Name      string
	Calls     int64 // that made an attempt in the group
	Attempts  int64 // that were sent
	Tokens    llm.Usage
	Cost      money.Nano
	Baseline  money.Nano // what the route's dearest layer would have cost for the accepted answers
	Saved     money.Nano // Baseline - Cost
	PerMIn    money.Nano // cost of input per 1M tokens of input, cached ones included
	PerMOut   money.Nano // cost of output per 1M tokens of output, reasoning included
	PerM      money.Nano // TC/1M: all cost per 1M tokens
	TTFT      Quantiles  // provider: from sending to the first byte of content
	FirstByte Quantiles  // since the call's start, to the first byte handed to the client
	Accepted  Quantiles  // since the call's start, to the verdict
	Speed     int64      // median of output tokens a second
	// Escalated counts calls with a rejected answer in the group; EscalatedBP is their part of Calls in basis points.
	Escalated, EscalatedBP int64
	// Wasted is the cost of rejected and broken attempts; TaxBP its part of Cost in basis points: the escalation tax.
	Wasted money.Nano
	TaxBP  int64
	// How sure the cost of the attempts is; NotSent are those refused before sending.
	Settled, Estimated, Presumed, NotSent int64
}

// Quantiles are nearest-rank quantiles; zero when nothing was measured.
type Quantiles struct{ P50, P95, P99 time.Duration }

// Unnamed is the group of rows that lack the word: calls without a team, models named without a layer.
const Unnamed = "(none)"

// groupings finds a row's group.
var groupings = map[string]func(*call.Attempt) string{
	"model":      model,
	"tier":       tier,
	"layer":      func(a *call.Attempt) string { return a.Order.Target.LayerName },
	"team":       func(a *call.Attempt) string { return a.Facts.Caller.Team },
	"use-case":   func(a *call.Attempt) string { return a.Facts.Caller.UseCase },
	"key":        func(a *call.Attempt) string { return a.Facts.Caller.KeyID },
	"route":      func(a *call.Attempt) string { return a.Facts.Route },
	"deployment": func(a *call.Attempt) string { return a.Order.Target.Deployment },
	"provider":   func(a *call.Attempt) string { return a.Order.Target.Provider },
}

// Groupings are the values of Query.By.
var Groupings = []string{"model", "tier", "layer", "team", "use-case", "key", "route", "deployment", "provider"}

func model(a *call.Attempt) string {
	if m := a.Order.Target.Model; m != nil {
		return m.ID
	}
	return a.Order.Target.WireID
}

func tier(a *call.Attempt) string {
	if m := a.Order.Target.Model; m != nil {
		return string(m.Tier)
	}
	return ""
}

// ReadUsage adds up the rows of a window. A correction counts in the window in which it was booked. An unknown grouping
// is an *llm.Error that lists the known ones.
func ReadUsage(ctx context.Context, r Reader, q Query) (Usage, error) {
	by, ok := groupings[q.By]
	if !ok && q.By != "" {
		return Usage{}, &llm.Error{
			Code:    llm.CodeInvalid,
			Message: fmt.Sprintf("usage by %q is not known", q.By),
			Hint:    "use one of " + strings.Join(Groupings, ", "),
			Param:   "by",
		}
	}
	t := newTally(by)
	err := r.Scan(ctx, Window{Since: q.Since, Until: q.Until}, func(e *Entry) error {
		t.add(e)
		return nil
	})
	if err != nil {
		return Usage{}, err
	}
	return t.usage(q), nil
}

// tally adds rows up.
type tally struct {
	by            func(*call.Attempt) string // nil = total only
	total         *sums
	groups        map[string]*sums
	layers, tiers map[string]int64
	live          map[call.OpID]*trace // calls whose last attempt has not come by
}

// sums is a Group being added up.
type sums struct {
	Group
	in, out               money.Nano
	ttft, first, accepted []uint32 // us
	speed                 []uint32 // tokens/s
}

// trace is what must be known of a call so that it counts once in each group.
type trace struct{ seen, rejected []*sums }

func newTally(by func(*call.Attempt) string) *tally {
	return &tally{
		by: by, total: new(sums), groups: map[string]*sums{}, layers: map[string]int64{}, tiers: map[string]int64{},
		live: map[call.OpID]*trace{},
	}
}

func named(s string) string {
	if s == "" {
		return Unnamed
	}
	return s
}

func (t *tally) add(e *Entry) {
	a := &e.Attempt
	if a.Order.Purpose == call.Observed { // what a shadow came to: its attempts have rows of their own
		return
	}
	t.total.add(e)
	in := t.total
	if t.by != nil {
		name := named(t.by(a))
		g := t.groups[name]
		if g == nil {
			g = &sums{Group: Group{Name: name}}
			t.groups[name] = g
		}
		g.add(e)
		in = g
	}
	if e.Corrects != "" || a.Order.Purpose == call.Shadow { // a shadow costs, and answers nobody
		return
	}
	t.follow(a, in)
	if a.Verdict.Result == call.Accepted {
		t.layers[named(a.Order.Target.LayerName)]++
		t.tiers[named(tier(a))]++
	}
}

// follow counts the row's call in the total and in its group, once each.
func (t *tally) follow(a *call.Attempt, in *sums) {
	c := t.live[a.Facts.ID]
	if c == nil {
		c = &trace{}
		if !a.Verdict.Final {
			t.live[a.Facts.ID] = c
		}
	} else if a.Verdict.Final {
		delete(t.live, a.Facts.ID)
	}
	for _, s := range []*sums{t.total, in} {
		if !slices.Contains(c.seen, s) {
			c.seen = append(c.seen, s)
			s.Calls++
		}
		refused := a.Verdict.Result == call.Rejected && a.Order.Purpose != call.Compress // a summary is no answer
		if refused && !slices.Contains(c.rejected, s) {
			c.rejected = append(c.rejected, s)
			s.Escalated++
		}
	}
}

func (s *sums) add(e *Entry) {
	a := &e.Attempt
	s.Tokens = s.Tokens.Add(a.Usage)
	s.Cost += a.Cost
	s.Baseline += a.Baseline
	for _, l := range a.Lines {
		switch l.Meter {
		case money.Input, money.CacheRead, money.CacheWrite5m, money.CacheWrite1h:
			s.in += l.Amount
		case money.Output, money.Reasoning:
			s.out += l.Amount
		}
	}
	if r := a.Verdict.Result; (r == call.Rejected || r == call.Errored) && a.Order.Purpose != call.Shadow {
		s.Wasted += a.Cost
	}
	if n := s.sure(a.Settlement); n != nil {
		*n++
	}
	if e.Corrects != "" {
		if n := s.sure(e.Corrects); n != nil {
			*n--
		}
		return
	}
	if a.Settlement != call.NotSent {
		s.Attempts++
		s.measure(a)
	}
}

// sure is the counter of a settlement.
func (s *sums) sure(as call.Settlement) *int64 {
	switch as {
	case call.Settled:
		return &s.Settled
	case call.Estimated:
		return &s.Estimated
	case call.Presumed:
		return &s.Presumed
	case call.NotSent:
		return &s.NotSent
	}
	return nil
}

func (s *sums) measure(a *call.Attempt) {
	c := &a.Clocks
	took := c.End - c.Sent
	if c.ProviderTTF > c.Sent {
		s.ttft = append(s.ttft, us(c.ProviderTTF-c.Sent))
		if a.Order.Stream {
			took = c.End - c.ProviderTTF
		}
	}
	if c.FirstByte > 0 {
		s.first = append(s.first, us(c.FirstByte))
	}
	if c.Accepted > 0 { // never in a shadow
		s.accepted = append(s.accepted, us(c.Accepted))
	}
	if n := a.Usage.Completion(); n > 0 && took > time.Millisecond {
		s.speed = append(s.speed, uint32(min(n*1e6/took.Microseconds(), 1<<32-1)))
	}
}

// us is a duration in microseconds, at most 71 minutes.
func us(d time.Duration) uint32 { return uint32(min(d.Microseconds(), 1<<32-1)) }

func (t *tally) usage(q Query) Usage {
	u := Usage{Query: q, Total: t.total.group(), Layers: shares(t.layers), Tiers: shares(t.tiers)}
	for _, s := range t.groups {
		u.Groups = append(u.Groups, s.group())
	}
	slices.SortFunc(u.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.Name, b.Name))
	})
	return u
}

func (s *sums) group() Group {
	g := s.Group
	g.Saved = g.Baseline - g.Cost
	g.PerMIn = money.PerMillion(s.in, g.Tokens.Prompt())
	g.PerMOut = money.PerMillion(s.out, g.Tokens.Completion())
	g.PerM = money.PerMillion(g.Cost, g.Tokens.Total())
	g.TTFT, g.FirstByte, g.Accepted = quantiles(s.ttft), quantiles(s.first), quantiles(s.accepted)
	slices.Sort(s.speed)
	g.Speed = int64(rank(s.speed, 50))
	g.EscalatedBP = basisPoints(g.Escalated, g.Calls)
	g.TaxBP = basisPoints(int64(g.Wasted), int64(g.Cost))
	return g
}

func quantiles(us []uint32) Quantiles {
	slices.Sort(us)
	at := func(p int) time.Duration { return time.Duration(rank(us, p)) * time.Microsecond }
	return Quantiles{P50: at(50), P95: at(95), P99: at(99)}
}

// rank is the nearest-rank percentile of sorted values.
func rank(sorted []uint32, percent int) uint32 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*percent+99)/100-1]
}

func basisPoints(part, whole int64) int64 {
	if whole <= 0 {
		return 0
	}
	return int64(money.MulDiv(money.Nano(part), 10_000, whole))
}

func shares(counts map[string]int64) []Share {
	all := int64(0)
	for _, n := range counts {
		all += n
	}
	var s []Share
	for name, n := range counts {
		s = append(s, Share{Name: name, Calls: n, BP: basisPoints(n, all)})
	}
	slices.SortFunc(s, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name))
	})
	return s
}
