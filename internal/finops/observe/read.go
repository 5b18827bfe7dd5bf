package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// Query asks what the cascades of observed routes would have done.
type Query struct {
	Since, Until time.Time // of booking, half-open; zero = open
	By           string    // one of Groupings; "" = total only
}

// groupings find a row's group. All are about the caller: a call's shadow may end in any layer.
var groupings = map[string]func(*call.Attempt) string{
	"use-case": func(a *call.Attempt) string { return a.Facts.Caller.UseCase },
	"route":    func(a *call.Attempt) string { return a.Facts.Route },
	"team":     func(a *call.Attempt) string { return a.Facts.Caller.Team },
	"key":      func(a *call.Attempt) string { return a.Facts.Caller.KeyID },
}

// Groupings are the values of Query.By.
var Groupings = []string{"use-case", "route", "team", "key"}

// Report is what observed calls of a window add up to.
type Report struct {
	Query  Query
	Total  Group
	Groups []Group // dearest first
}

// Group is what one group's observed calls add up to.
type Group struct {
	Name     string
	Calls    int64      // observed
	Answered int64      // of them
	Refused  int64      // of the answered: the cascade would have refused them by policy or fit
	Spent    money.Nano // by the models that were asked for
	AtStart  money.Nano // the same tokens where the cascade would have begun

	Drawn    int64             // of the answered, for a shadow
	Ends     map[Outcome]int64 // of shadows; those of a crash have none
	Sampling money.Nano        // cost of all shadows

	Seen      int64      // shadows that tell what the caller would have got
	SpentSeen money.Nano // by their calls
	WouldSeen money.Nano // by those shadows: exact
	Would     Estimate   // by the cascade, for all the group's calls
	Saved     Estimate   // Spent - Would

	Layers   []Share // answered there, by layer, largest first
	Nowhere  Share   // no layer's answer would have passed
	Failed   Share   // providers did not answer
	Differs  Share   // of the compared: another answer than the caller got
	Compared []Compared
}

// Compared is how answers were compared, and how many said the same.
type Compared struct {
	How     string
	N, Same int64
	Overlap int64 // mean, in basis points
}

// Read adds up what rows keep of observed calls. An unknown grouping is an *llm.Error that lists the known ones.
func Read(ctx context.Context, r ledger.Reader, q Query) (Report, error) {
	by, ok := groupings[q.By]
	if !ok && q.By != "" {
		return Report{}, &llm.Error{
			Code: llm.CodeInvalid, Message: fmt.Sprintf("observed calls by %q are not known", q.By), Param: "by",
			Hint: "use one of " + strings.Join(Groupings, ", "),
		}
	}
	total, groups := newSums(""), map[string]*sums{}
	err := r.Scan(ctx, ledger.Window{Since: q.Since, Until: q.Until}, func(e *ledger.Entry) error {
		row := rowOf(e)
		if row.plan == nil && row.result == nil && !row.shadow {
			return nil
		}
		total.add(row)
		if by == nil {
			return nil
		}
		name := cmp.Or(by(&e.Attempt), ledger.Unnamed)
		if groups[name] == nil {
			groups[name] = newSums(name)
		}
		groups[name].add(row)
		return nil
	})
	if err != nil {
		return Report{}, err
	}
	out := Report{Query: q, Total: total.group()}
	for _, s := range groups {
		out.Groups = append(out.Groups, s.group())
	}
	slices.SortFunc(out.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Spent, a.Spent), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// row is what one row of the ledger says here.
type row struct {
	plan     *Plan
	result   *Result
	shadow   bool // an attempt of a shadow
	first    bool // attempt of its call
	answered bool
	cost     money.Nano
}

func rowOf(e *ledger.Entry) row {
	a := &e.Attempt
	r := row{cost: a.Cost, shadow: a.Order.Purpose == call.Shadow}
	switch {
	case r.shadow:
	case a.Order.Purpose == call.Observed:
		r.result = ResultOf(a.Verdict.Notes)
	default:
		r.plan = PlanOf(a.Verdict.Notes)
		r.first = a.N == 1 && e.Corrects == ""
		r.answered = a.Verdict.Result == call.Accepted && e.Corrects == ""
	}
	return r
}

// sums is a Group being added up.
type sums struct {
	Group
	ratio    ratio
	layers   map[string]*weights
	nowhere  weights
	failed   weights
	all      weights // shadows that tell something
	differs  weights
	compared weights
	how      map[string]*Compared
}

func newSums(name string) *sums {
	return &sums{
		Group: Group{Name: name, Ends: map[Outcome]int64{}}, layers: map[string]*weights{}, how: map[string]*Compared{},
	}
}

func (s *sums) add(r row) {
	switch {
	case r.shadow:
		s.Sampling += r.cost
	case r.result != nil:
		s.end(r.result)
	default:
		s.call(r)
	}
}

// call takes an attempt of an observed call.
func (s *sums) call(r row) {
	s.Spent += r.cost
	if r.first {
		s.Calls++
	}
	if !r.answered {
		return
	}
	s.Answered++
	s.AtStart += r.plan.Would
	if len(r.plan.Layers) == 0 {
		s.Refused++
	}
	if r.plan.Drawn {
		s.Drawn++
	}
}

// end takes the end of a shadow.
func (s *sums) end(r *Result) {
	s.Ends[r.Outcome]++
	if !r.Outcome.Told() || r.PPM <= 0 {
		return
	}
	s.Seen++
	s.WouldSeen += r.Would
	s.SpentSeen += r.Spent
	w := weightOf(r.PPM)
	s.ratio.add(w, r.Would, r.Spent)
	s.all.add(w)
	switch r.Outcome {
	case Rejected:
		s.nowhere.add(w)
	case Failed:
		s.failed.add(w)
	case Accepted:
		if s.layers[r.Layer] == nil {
			s.layers[r.Layer] = new(weights)
		}
		s.layers[r.Layer].add(w)
	}
	if r.How == "" {
		return
	}
	s.compared.add(w)
	c := s.how[r.How]
	if c == nil {
		c = &Compared{How: r.How}
		s.how[r.How] = c
	}
	c.N++
	c.Overlap += int64(r.Overlap)
	if r.Same {
		c.Same++
		return
	}
	s.differs.add(w)
}

func (s *sums) group() Group {
	g := s.Group
	g.Would = s.ratio.estimate(g.Answered, g.Spent, g.SpentSeen, g.WouldSeen)
	g.Saved = g.Would.from(g.Spent)
	for name, w := range s.layers {
		g.Layers = append(g.Layers, s.all.share(name, w))
	}
	slices.SortFunc(g.Layers, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.BP, a.BP), cmp.Compare(a.Name, b.Name))
	})
	g.Nowhere, g.Failed = s.all.share("", &s.nowhere), s.all.share("", &s.failed)
	g.Differs = s.compared.share("", &s.differs)
	for _, c := range s.how {
		c.Overlap /= c.N
		g.Compared = append(g.Compared, *c)
	}
	slices.SortFunc(g.Compared, func(a, b Compared) int { return cmp.Compare(a.How, b.How) })
	return g
}
