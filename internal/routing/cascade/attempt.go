package cascade

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/validate"
)

// maxHeldBytes bounds what one held answer may keep in memory.
const maxHeldBytes = 32 << 20

// held is a complete answer that waits for its verdict, or was refused by it.
type held struct {
	order    call.Order
	deltas   []llm.Delta
	answer   *llm.Response
	repaired bool
	row      call.Attempt // as booked
}

// notes is what an attempt's row tells beside its figures.
type notes struct {
	Skipped []Skip     `json:"skipped,omitzero"`
	Brief   *briefNote `json:"brief,omitzero"`
	Repairs []string   `json:"repairs,omitzero"`
	Carried string     `json:"carried,omitzero"` // the failure text that this attempt was told
	// Doubt is what a check that grades made of the answer, passed or not.
	Doubt *validate.Doubt `json:"doubt,omitzero"`
}

func (r *run) notes(brief *briefNote, repairs []string, doubt *validate.Doubt) string {
	n := notes{Brief: brief, Repairs: repairs, Carried: r.rejected.Why, Doubt: doubt}
	if r.made == 1 {
		n.Skipped = r.plan.Skips
	}
	if len(n.Skipped) == 0 && n.Brief == nil && len(n.Repairs) == 0 && n.Carried == "" && n.Doubt == nil {
		return ""
	}
	b, err := json.Marshal(n, json.Deterministic(true))
	if err != nil {
		return ""
	}
	return string(b)
}

// attempt makes one attempt. done = the caller has the answer. A nil error without done = the answer was rejected.
func (r *run) attempt(l *Layer, last bool, o call.Order, brief *briefNote) (done bool, err error) {
	ex, err := r.d.Open(r.ctx, r.facts, o)
	if err != nil {
		return false, err
	}
	if !r.isHeld(l, last) {
		return r.live(ex, o)
	}
	h, err := collect(ex, o)
	if err != nil {
		return false, r.fail(ex, err)
	}
	fixed := validate.Repair(r.request(), h.answer, l.JSON)
	h.answer, h.repaired = fixed.Answer, fixed.Changed
	v, doubt := r.judge(l, h.answer)
	v.Passed, v.Repaired = validate.Passed(v.Check, validate.Basic(), l.Checks), call.FindingOf(fixed.Changed)
	if fixed.Changed || doubt != nil {
		v.Notes = r.notes(brief, fixed.Notes, doubt)
	}
	ex.Judge(v)
	if h.row, err = ex.Close(); err != nil {
		return false, err
	}
	if v.Result == call.Accepted {
		return true, r.deliver(h)
	}
	r.best = h
	r.rejected = Rejected{Answer: h.answer.Text(0), Why: v.Check + ": " + v.Reason}
	return false, nil
}

// live forwards frames as they come.
func (r *run) live(ex call.Exchange, o call.Order) (bool, error) {
	started := false
	for {
		d, err := ex.Recv()
		if err == nil && !started {
			started, err = true, r.sink.Answer(o)
		}
		if err == nil {
			err = r.sink.Frame(d)
		}
		if errors.Is(err, io.EOF) {
			ex.Judge(call.Verdict{Result: call.Accepted, Final: true})
			_, err = ex.Close()
			return err == nil, err
		}
		if err != nil {
			return false, r.fail(ex, err)
		}
	}
}

// fail closes an exchange that gave no whole answer and passes its error on.
func (r *run) fail(ex call.Exchange, err error) error {
	ex.Judge(call.Verdict{Result: call.Errored, Reason: string(llm.AsError(err).Code)})
	if _, closeErr := ex.Close(); closeErr != nil {
		return closeErr
	}
	return err
}

// collect reads an answer whole.
func collect(ex call.Exchange, o call.Order) (*held, error) {
	h, size := &held{order: o}, 0
	for {
		d, err := ex.Recv()
		if errors.Is(err, io.EOF) {
			if h.answer == nil {
				return nil, &llm.Error{Code: llm.CodeUpstream, Message: "the provider's answer ended without content"}
			}
			return h, nil
		}
		if err != nil {
			return nil, err
		}
		if size += len(d.Raw); size > maxHeldBytes {
			return nil, &llm.Error{Code: llm.CodeUpstream, Message: "the provider's answer is larger than Weir may hold"}
		}
		if d.Final != nil {
			h.answer = d.Final
		}
		if len(d.Raw) > 0 || len(d.Events) > 0 {
			h.deltas = append(h.deltas, d)
		}
	}
}

// judge runs the always-on checks and the layer's own over every choice, and tells the gravest doubt of them.
func (r *run) judge(l *Layer, a *llm.Response) (v call.Verdict, doubt *validate.Doubt) {
	if len(a.Choices) < max(r.plan.N, 1) {
		return call.Verdict{Result: call.Rejected, Check: "empty", Reason: "fewer answers than asked for"}, nil
	}
	for i := range a.Choices {
		s := validate.Subject{Request: r.request(), Answer: a, Choice: i}
		for _, checks := range [][]validate.Check{validate.Basic(), l.Checks} {
			f := validate.All(checks, s)
			if doubt = validate.Graver(doubt, f.Doubt); !f.OK {
				return call.Verdict{Result: call.Rejected, Check: f.Check, Reason: f.Reason}, doubt
			}
		}
	}
	return call.Verdict{Result: call.Accepted, Final: true}, doubt
}

// request is the caller's request, decoded. It was decoded before the first attempt of a held layer.
func (r *run) request() *llm.Request {
	q, err := r.raw.Request()
	if err != nil {
		return &llm.Request{}
	}
	return q
}

// deliver hands a held answer to the caller.
func (r *run) deliver(h *held) error {
	if err := r.sink.Answer(h.order); err != nil {
		return err
	}
	if h.repaired {
		return r.sink.Frame(llm.Delta{Final: h.answer, Terminal: true})
	}
	for _, d := range h.deltas {
		if err := r.sink.Frame(d); err != nil {
			return err
		}
	}
	return nil
}
