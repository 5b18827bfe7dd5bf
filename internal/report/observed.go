package report

import (
	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/observe"
)

// Observed is what the cascade of a route in observe mode would have done with a call.
type Observed struct {
	Layers []string `json:"layers"`                  // left after policy and fit; none = it would have refused the call
	Start  string   `json:"start,omitzero"`          // where it would have begun
	Would  string   `json:"would_cost_usd,omitzero"` // the answer's tokens at the start
	Drawn  bool     `json:"drawn"`                   // for a shadow
	Shadow *Shadow  `json:"shadow,omitzero"`         // once it has ended
}

// Shadow is what the cascade did do on a copy of the request.
type Shadow struct {
	Outcome  string `json:"outcome"`
	Layer    string `json:"layer,omitzero"` // that accepted, or the last that was tried
	Check    string `json:"check,omitzero"` // that rejected there
	Attempts int    `json:"attempts"`
	Cost     string `json:"cost_usd"` // of its attempts, not part of the call's
	How      string `json:"compared_by,omitzero"`
	Same     bool   `json:"same,omitzero"` // as the answer that the caller got
	Overlap  string `json:"word_overlap,omitzero"`
}

// observedOf is what a call's rows tell of its observation; nil = it was not observed.
func observedOf(attempts []call.Attempt) *Observed {
	var o *Observed
	var cost money.Nano
	for _, a := range attempts {
		if a.Order.Purpose == call.Shadow {
			cost += a.Cost
		}
		if r := observe.ResultOf(a.Verdict.Notes); o != nil && a.Order.Purpose == call.Observed && r != nil {
			o.Shadow = &Shadow{
				Outcome: string(r.Outcome), Layer: r.Layer, Check: r.Check, Attempts: r.Attempts, Cost: cost.Decimal(), How: r.How,
				Same: r.Same,
			}
			if r.How != "" {
				o.Shadow.Overlap = Percent(int64(r.Overlap))
			}
			continue
		}
		if p := observe.PlanOf(a.Verdict.Notes); p != nil {
			o = &Observed{Layers: p.Layers, Start: p.Start, Drawn: p.Drawn}
			if p.Would > 0 {
				o.Would = p.Would.Decimal()
			}
		}
	}
	return o
}
