package cascade

import (
	"context"
	"errors"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/session"
	"github.com/weirhq/weir/internal/routing/validate"
)

// notes is what an attempt's row tells beside its figures.
type notes struct {
	Skipped []Skip     `json:"skipped,omitzero"`
	Brief   *briefNote `json:"brief,omitzero"`
	Repairs []string   `json:"repairs,omitzero"`
	Carried string     `json:"carried,omitzero"` // the failure text that this attempt was told
	// Doubt is what a check that grades made of the answer, passed or not.
	Doubt *validate.Doubt `json:"doubt,omitzero"`
	// Session is what the conversation's session had to do with the attempt.
	Session session.Note `json:"session,omitzero"`
	// Summary is why a model is asked for a summary.
	Summary  *gateNote `json:"summary,omitzero"`
	Warnings []string  `json:"warnings,omitzero"` // about the size of the prompt
}

func (r *run) notes(brief *briefNote, repairs []string, doubt *validate.Doubt) string {
	n := notes{
		Brief: brief, Repairs: repairs, Carried: r.rejected.Why, Doubt: doubt, Session: r.standing, Warnings: r.warnings,
	}
	if r.made == 1 {
		n.Skipped = r.plan.Skips
	}
	if len(n.Skipped) == 0 && n.Brief == nil && len(n.Repairs) == 0 && n.Carried == "" && n.Doubt == nil &&
		n.Session == (session.Note{}) && n.Warnings == nil {
		return ""
	}
	b, err := json.Marshal(n, json.Deterministic(true))
	if err != nil {
		return ""
	}
	return string(b)
}

// attempt makes one attempt. done = the caller has the answer. A nil error without done = the answer was rejected.
func (r *run) attempt(ctx context.Context, l *Layer, o call.Order, brief *briefNote) (done bool, err error) {
	ex, err := r.d.Open(ctx, r.facts, o)
	if err != nil {
		return false, err
	}
	if !o.Held {
		return r.live(ex, o)
	}
	h := &held{order: o}
	if err := h.collect(ex, r.early(l)); err != nil {
		return false, r.fail(ex, err)
	}
	if h.answer == nil {
		return r.release(ex, l, h)
	}
	fixed := validate.Repair(r.request(), h.answer, l.JSON)
	if h.answer.Sealed && o.Target.Dialect == r.facts.Dialect { // mended, it would lose what its model needs back
		fixed = validate.Repaired{Answer: h.answer}
	}
	h.answer, h.repaired = fixed.Answer, fixed.Changed
	v, doubt := r.judge(l, h.answer)
	v.Passed, v.Repaired = validate.Passed(v.Check, validate.Basic(), l.Checks), call.FindingOf(fixed.Changed)
	if doubt != nil {
		v.Doubt = doubt.Share()
	}
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
	d, err := ex.Recv()
	if err == nil {
		err = r.sink.Answer(o)
	}
	if err == nil {
		err = r.sink.Frame(d)
	}
	if err == nil {
		_, err = r.forward(ex)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, r.fail(ex, err)
	}
	ex.Judge(call.Verdict{Result: call.Accepted, Final: true})
	_, err = ex.Close()
	return err == nil, err
}

// forward hands the rest of an answer to the caller as it comes, and returns what was judged of it, if it was.
func (r *run) forward(ex call.Exchange) (*llm.Response, error) {
	var whole *llm.Response
	for {
		d, err := ex.Recv()
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err == nil {
			err = r.sink.Frame(d)
		}
		if err != nil {
			return nil, err
		}
		if d.Final != nil {
			whole = d.Final
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
