// Package observe tells what a cascade would have done that did not answer: what rows keep of it (Plan on the rows of an
// observed call, Result on the row that ends a shadow), and what they add up to over a window (Read): what was spent,
// what the cascade would have cost, which layer would have answered, and how often otherwise than the model that did.
//
// A shadow is the cascade run beside a call on a copy of its request; calls are drawn for one with a known probability,
// so what was seen of some is weighted to speak for all, with intervals. All arithmetic is in integers. It knows no
// gateway and no SQL.
package observe

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/finops/money"
)

// Whole is a probability of one, in parts per million.
const Whole = 1_000_000

// Plan is what the rows of an observed call keep of the cascade that did not answer.
type Plan struct {
	Layers []string `json:"layers"`         // left after policy and fit; none = it would have refused the call
	Start  string   `json:"start,omitzero"` // where it would have begun
	PPM    int      `json:"ppm,omitzero"`   // probability with which the call was to be drawn for a shadow
	Drawn  bool     `json:"drawn,omitzero"` // it was
	// Would is what the answer's tokens would have cost at Start's first deployment; of an answered call.
	Would money.Nano `json:"would_nano,omitzero"`
}

// Outcome says how a shadow ended.
type Outcome string

// Outcomes. The first three tell what the caller would have got, the rest tell nothing of it.
const (
	Accepted Outcome = "accepted" // a layer's answer passed its checks
	Rejected Outcome = "rejected" // no layer's answer did
	Failed   Outcome = "failed"   // providers did not answer
	Budget   Outcome = "budget"   // the shadow's own budget did not cover it
	Dropped  Outcome = "dropped"  // too many shadows waited, or the server stopped before it began
	Cut      Outcome = "cut"      // the server stopped while it ran, or a fault of Weir's own ended it
)

// Told reports whether the outcome tells what the caller would have got.
func (o Outcome) Told() bool { return o == Accepted || o == Rejected || o == Failed }

// Result is what the row that ends a shadow keeps. The row's cost is nothing: the shadow's attempts have rows of their
// own. The row's target is the one that answered the caller.
type Result struct {
	Outcome  Outcome    `json:"outcome"`
	Layer    string     `json:"layer,omitzero"` // that accepted, or the last that was tried
	Check    string     `json:"check,omitzero"` // that rejected at that layer
	Attempts int        `json:"attempts,omitzero"`
	PPM      int        `json:"ppm"`
	Would    money.Nano `json:"would_nano"` // what the attempts cost
	Spent    money.Nano `json:"spent_nano"` // what the call itself cost
	How      string     `json:"how,omitzero"`
	Same     bool       `json:"same,omitzero"`       // the two answers say the same, by How
	Overlap  int        `json:"overlap_bp,omitzero"` // of their words, in basis points
}

// wrapped is a note as rows keep it, beside what else they keep.
type wrapped[T any] struct {
	Observe *T `json:"observe"`
}

const mark = `{"observe":`

// Onto puts the plan in front of a row's notes, which are a JSON object or "". It is on the way of every observed call.
func (p *Plan) Onto(notes string) string {
	b := make([]byte, 0, 160+len(notes))
	b = append(append(b, mark...), `{"layers":[`...)
	for i, l := range p.Layers {
		if i > 0 {
			b = append(b, ',')
		}
		b = quoted(b, l)
	}
	b = append(b, ']')
	if p.Start != "" {
		b = quoted(append(b, `,"start":`...), p.Start)
	}
	if p.PPM > 0 {
		b = strconv.AppendInt(append(b, `,"ppm":`...), int64(p.PPM), 10)
	}
	if p.Drawn {
		b = append(b, `,"drawn":true`...)
	}
	if p.Would != 0 {
		b = strconv.AppendInt(append(b, `,"would_nano":`...), int64(p.Would), 10)
	}
	b = append(b, '}')
	if rest, ok := strings.CutPrefix(notes, "{"); ok && !strings.HasPrefix(rest, "}") {
		return string(append(append(b, ','), rest...))
	}
	return string(append(b, '}'))
}

// quoted appends a name as a JSON string. Bytes that are no UTF-8 become the replacement character.
func quoted(b []byte, name string) []byte {
	b, _ = jsontext.AppendQuote(b, name) // its one error tells of what it has replaced
	return b
}

// Notes are the result as a row keeps it.
func (r Result) Notes() string {
	b, err := json.Marshal(wrapped[Result]{&r})
	if err != nil {
		return ""
	}
	return string(b)
}

// PlanOf reads the plan from a row's notes; nil when the call was not observed.
func PlanOf(notes string) *Plan { return read[Plan](notes) }

// ResultOf reads the result from the notes of the row that ends a shadow; nil when there is none.
func ResultOf(notes string) *Result { return read[Result](notes) }

func read[T any](notes string) *T {
	var w wrapped[T]
	if !strings.HasPrefix(notes, mark) || json.Unmarshal([]byte(notes), &w) != nil {
		return nil
	}
	return w.Observe
}
