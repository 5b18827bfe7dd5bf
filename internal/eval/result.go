package eval

import (
	"math"
	"slices"

	"github.com/weirhq/weir/internal/finops/money"
)

// Result is everything that an evaluation found.
type Result struct {
	Run     string      `json:"run"`  // offline, wire, or wire, streamed
	Part    string      `json:"part"` // all, design or held
	Seed    uint64      `json:"seed"`
	Limit   int         `json:"limit_percent"` // of doubt
	Sets    []SetResult `json:"sets"`
	NotRead []string    `json:"not_read,omitzero"` // files without recorded answers, and what was seen in them
}

// SetResult is what was found of one set.
type SetResult struct {
	Name    string         `json:"name"`
	Files   []string       `json:"files"`
	Rows    int            `json:"rows"`
	LeftOut map[string]int `json:"left_out,omitempty"` // rows, by reason
	Weak    Model          `json:"weak"`
	Strong  Model          `json:"strong"`
	Routers []Router       `json:"routers,omitzero"`
	Cascade *Cascade       `json:"cascade,omitzero"`
	Wrapper *Wrapper       `json:"wrapper,omitzero"`
	Note    string         `json:"note,omitzero"` // why something is missing
}

// Model is one of the two models.
type Model struct {
	Name   string  `json:"name"`
	Grade  float64 `json:"grade"` // mean; percent of right answers where grades are right and wrong
	Input  string  `json:"input_usd_per_1m,omitzero"`
	Output string  `json:"output_usd_per_1m,omitzero"`
}

// Router is how well one way of choosing calls for the strong model does. Shares are percent of all calls; absent = the
// gap is never recovered so far.
type Router struct {
	Name   string   `json:"name"`
	About  string   `json:"about"`
	Learnt bool     `json:"learnt"` // from the labels of other rows
	APGR   float64  `json:"apgr"`   // on RouteLLM's 11 points, as the shares are
	CPT50  *float64 `json:"cpt50_percent"`
	CPT80  *float64 `json:"cpt80_percent"`
	Points []Point  `json:"points"` // the 11
	// On the whole curve, with 95 % bootstrap intervals.
	Whole Whole `json:"whole_curve"`
	// CostAt50 is the cost at CPT50 of the whole curve, in percent of the strong model alone.
	CostAt50 *float64 `json:"cost_at_cpt50_percent_of_strong,omitzero"`
}

// Point is what a share of strong calls recovers of the gap; both in percent.
type Point struct {
	Strong float64 `json:"strong_calls_percent"`
	Gap    float64 `json:"gap_recovered_percent"`
}

// Whole are the figures of the whole curve.
type Whole struct {
	APGR          float64    `json:"apgr"`
	APGRInterval  [2]float64 `json:"apgr_95"`
	CPT50         *float64   `json:"cpt50_percent"`
	CPT50Interval [2]float64 `json:"cpt50_95"`
	CPT80         *float64   `json:"cpt80_percent"`
}

// Cascade is what the gateway itself did at the limit. Amounts are the ledger's.
type Cascade struct {
	Strong  float64        `json:"strong_calls_percent"`
	Grade   float64        `json:"grade"`
	Gap     float64        `json:"gap_recovered_percent"`
	Refused map[string]int `json:"refused"`                // answers of the weak model, by check
	Right   float64        `json:"refusals_wrong_percent"` // of them, where the weak model was not right
	// Costs are absent when a price is unknown.
	Cost       string  `json:"cost_usd,omitzero"`
	StrongCost string  `json:"strong_alone_cost_usd,omitzero"`
	OfStrong   float64 `json:"cost_percent_of_strong,omitzero"`
	PerM       string  `json:"tc_per_1m_usd,omitzero"` // per 1M tokens of all attempts
	StrongPerM string  `json:"strong_alone_tc_per_1m_usd,omitzero"`
	Tokens     int64   `json:"tokens"`
}

// Wrapper is how many decisions change, in percent, when the words around the questions do.
type Wrapper struct {
	Wrapped   bool    `json:"wrapped"` // something common was found around the questions
	Stripped  float64 `json:"stripped_percent"`
	Scrambled float64 `json:"scrambled_percent"`
}

// percent has two decimals; 0 of nothing.
func percent(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return math.Round(part*10_000/whole) / 100
}

func round3(v float64) float64 { return math.Round(v*1000) / 1000 }

// share rounds a percentage; nil = never reached.
func share(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	v = math.Round(v*100) / 100
	return &v
}

// top is the best grade that was given; 1 where grades are right and wrong.
func (p *pair) top() float64 { return max(slices.Max(p.out.weak), slices.Max(p.out.strong), 1) }

// scale is what a mean grade is multiplied with: 100 where grades run from 0 to 1.
func (p *pair) scale() float64 {
	if p.top() > 1 {
		return 1
	}
	return 100
}

func (p *pair) grade(v float64) float64 { return math.Round(v*p.scale()*100) / 100 }

// result is what is known of a pair before anything is played.
func (p *pair) result() *SetResult {
	r := &SetResult{Name: p.set.Name, Files: p.set.Files, Rows: len(p.prompts), LeftOut: p.left}
	for i, m := range []*Model{&r.Weak, &r.Strong} {
		m.Name = p.names[i]
		if grades := [][]float64{p.out.weak, p.out.strong}[i]; len(grades) > 0 {
			m.Grade = p.grade(average(grades))
		}
		if price := p.prices[i]; price != nil {
			m.Input, m.Output = price.Input, price.Output
		}
	}
	return r
}

// routers measures every ranking.
func (p *pair) routers(all []ranking, seed uint64, pl *played) []Router {
	weak, strong := average(p.out.weak), average(p.out.strong)
	out := make([]Router, 0, len(all))
	for _, r := range all {
		curve := elevenPoints(r.score, p.out)
		few := qualityOf(curve, weak, strong)
		order := byScore(r.score)
		whole := qualityOf(everyPoint(order, r.score, p.out, nil), weak, strong)
		a, c := resampled(r.score, p.out, seed)
		out = append(out, Router{
			Name: r.name, About: r.about, Learnt: r.learnt, APGR: round3(few.apgr), CPT50: share(few.cpt50), CPT80: share(few.cpt80),
			Whole: Whole{
				APGR: round3(whole.apgr), CPT50: share(whole.cpt50), CPT80: share(whole.cpt80),
				APGRInterval:  [2]float64{round3(a.low), round3(a.high)},
				CPT50Interval: [2]float64{math.Round(c.low*100) / 100, math.Round(c.high*100) / 100},
			},
			CostAt50: p.costAt(whole.cpt50, order, pl, r.name), Points: shown(curve, weak, strong),
		})
	}
	return out
}

// shown is a curve in percent of the gap.
func shown(curve []point, weak, strong float64) []Point {
	out := make([]Point, len(curve))
	for i, x := range curve {
		out[i] = Point{percent(x.share, 1), percent(x.grade-weak, strong-weak)}
	}
	return out
}

// needsAnswer are the rankings whose calls pay for the weak model's answer first.
func needsAnswer(name string) bool { return name == "doubt" || name == "doubt, learnt" }

// costAt is what it costs to send so many percent of the rows, in a ranking's order, to the strong model.
func (p *pair) costAt(cpt float64, order []int, pl *played, name string) *float64 {
	if pl == nil || p.prices[0] == nil || p.prices[1] == nil || math.IsNaN(cpt) || name == "random" {
		return nil
	}
	n := int(math.Round(cpt / 100 * float64(len(order))))
	var cost, alone money.Nano
	for i, row := range order {
		strong := pl.alone[row].cost(0)
		alone = money.Add(alone, strong)
		if i < n {
			cost = money.Add(cost, strong)
		}
		if i >= n || needsAnswer(name) {
			cost = money.Add(cost, pl.cascade[row].cost(0))
		}
	}
	v := percent(float64(cost), float64(alone))
	return &v
}

// cascade sums up what the gateway did.
func (p *pair) cascade(pl *played) *Cascade {
	c := &Cascade{Refused: map[string]int{}}
	var cost, alone money.Nano
	var aloneTokens int64
	grade, strong, wrong := 0.0, 0, 0
	for i, t := range pl.cascade {
		for a, x := range t.call.Attempts {
			cost = money.Add(cost, t.cost(a))
			c.Tokens += x.Usage.Input + x.Usage.Output
		}
		alone = money.Add(alone, pl.alone[i].cost(0))
		u := pl.alone[i].call.Attempts[0].Usage
		aloneTokens += u.Input + u.Output
		if t.model == weakName {
			grade += p.out.weak[i]
			continue
		}
		strong++
		grade += p.out.strong[i]
		c.Refused[t.call.Attempts[0].Check]++
		if p.out.weak[i] < p.top() {
			wrong++
		}
	}
	n := float64(len(pl.cascade))
	low, high := average(p.out.weak), average(p.out.strong)
	c.Strong, c.Grade = percent(float64(strong), n), p.grade(grade/n)
	c.Gap, c.Right = percent(grade/n-low, high-low), percent(float64(wrong), float64(strong))
	if p.prices[0] != nil && p.prices[1] != nil {
		c.Cost, c.StrongCost, c.OfStrong = cost.Decimal(), alone.Decimal(), percent(float64(cost), float64(alone))
		c.PerM, c.StrongPerM = money.PerMillion(cost, c.Tokens).Decimal(), money.PerMillion(alone, aloneTokens).Decimal()
	}
	return c
}
