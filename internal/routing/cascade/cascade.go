// Package cascade answers a call with the cheapest layer whose answer passes its checks: dispatch, repair, validate, then
// accept or escalate, layer by layer, within one budget of attempts. Retries and fallbacks happen here too, and only
// before the first forwarded byte. It asks a call.Dispatcher for every attempt, so each one is permitted, held and booked
// on its own. It knows no provider, no HTTP, no price and no policy.
//
// Invariants: a layer that can still be followed by another, or that has checks, is held: nothing of its answer reaches
// the caller before the verdict. A brief layer takes a call.Brief or nothing. After the first forwarded byte an error
// ends the call.
package cascade

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/session"
	"github.com/weirhq/weir/internal/routing/validate"
)

// Layer is one step: deployments to try in order, and what their answers must pass.
type Layer struct {
	Name    string
	Number  int // place in the route, from 1; 0 = a deployment named directly
	Targets []call.Target
	Checks  []validate.Check
	JSON    bool // a check reads the answer as JSON, so repair may look for it
	MaxOut  int  // tokens; 0 = no cap of the layer's own
	Brief   bool // takes only a call.Brief
	Pinned  bool // the first target is tried twice before the others
	Again   bool // one more try of what the layer before pinned, only after its answer was rejected
	// BriefTokens is how many tokens of history and documents a brief may have; 0 = a share of the source.
	BriefTokens int
	Writers     []call.Target // models that may summarise for a brief, in order; none = extractive only
}

// Skip is a deployment that was left out before any attempt, and why.
type Skip struct {
	Layer      string `json:"layer"`
	Deployment string `json:"deployment"`
	Why        string `json:"why"`
}

// Plan is what one call may do. Its layers hold only targets that are permitted and fit.
type Plan struct {
	Layers     []Layer
	Skips      []Skip
	Attempts   int  // in all, over layers, retries and fallbacks; >= 1
	BestEffort bool // an escalation that the budget refuses delivers the best answer so far
	Stream     bool
	MaxOut     int // the caller's cap in tokens; 0 = none given
	N          int // answers asked for; >= 1
	Hold       Hold
	Session    *session.Decision // what the layers follow from; nil = the call belongs to none
	Costs      Costs             // nil = not known: no model summarises, no size is warned of
}

// Sink receives the one answer that reaches the caller. An error from it means that the caller is gone.
type Sink interface {
	// Answer comes once, before the first frame: the order whose answer follows.
	Answer(call.Order) error
	// Frame comes for every frame. Raw holds the provider's own bytes, or nothing when the answer was repaired: then
	// Events (streams) or Final tell it.
	Frame(llm.Delta) error
	// Committed reports whether bytes have reached the caller.
	Committed() bool
}

// unknownMaxOut caps the output in tokens where neither caller, layer nor model says a cap: money is held for a bounded
// answer only.
const unknownMaxOut = 4096

// Cascade holds what the runs share. The zero value works.
type Cascade struct {
	// Jitter spreads a wait by at most a given time; nil = no jitter.
	Jitter func(most time.Duration) time.Duration
	// Meter is told of briefs and sizes; nil = nobody is.
	Meter Meter
}

// Rejected is what a lower layer said and why that was refused. The zero value: nothing was.
type Rejected struct {
	Answer string // its text
	Why    string // check and reason
}

// Run answers one call. The error is an *llm.Error, or the context's.
func (c *Cascade) Run(ctx context.Context, d call.Dispatcher, f call.Facts, p Plan, raw *call.Raw, s Sink) error {
	r := &run{Cascade: c, ctx: ctx, d: d, facts: f, plan: p, raw: raw, sink: s, left: max(p.Attempts, 1)}
	for i := range p.Layers {
		if r.past(&p.Layers[i]) {
			continue
		}
		done, err := r.layer(ctx, i)
		if done || err != nil {
			return err
		}
	}
	return r.exhausted()
}

// run is one call under way.
type run struct {
	*Cascade
	ctx   context.Context
	d     call.Dispatcher
	facts call.Facts
	plan  Plan
	raw   *call.Raw
	sink  Sink

	clock context.Context // ends when the layer under way is given up; nil = never
	stay  func() bool     // ends that clock without effect; false = too late

	left     int // attempts
	made     int
	rejected Rejected
	standing session.Note // of the attempt under way
	warnings []string     // about the size of its prompt
	best     *held        // the latest complete answer that failed its checks
	lastErr  *llm.Error
}

// layer tries the targets of one layer. done = the caller has its answer; neither = go on to the next layer.
func (r *run) layer(ctx context.Context, i int) (done bool, err error) {
	l := &r.plan.Layers[i]
	r.clock = nil
	if r.plan.Hold.GiveUp > 0 && r.plan.held(l) {
		var end context.CancelFunc
		ctx, end = r.bound(ctx)
		defer end()
	}
	payload, brief, err := r.payload(ctx, l)
	if err != nil {
		r.lastErr = llm.AsError(err)
		r.plan.Skips = append(slices.Clip(r.plan.Skips), Skip{Layer: l.Name, Why: r.lastErr.Message})
		return false, nil
	}
	t := turns{targets: l.Targets, pinned: l.Pinned, first: r.first(l)}
	for {
		target, purpose, wait, more := t.next(r.lastErr)
		if !more {
			return false, nil
		}
		if r.left == 0 {
			return false, r.outOfAttempts()
		}
		if err := r.pause(ctx, wait); err != nil {
			return r.givenUp(l, err)
		}
		r.left--
		r.made++
		o := r.order(l, target, purpose, r.seat(payload, target))
		r.warn(o, brief)
		o.Notes = r.notes(brief, nil, nil)
		done, failed := r.attempt(ctx, l, o, brief)
		switch {
		case done: // unless the caller could not be given it
			return true, failed
		case failed == nil: // judged and rejected: the next layer's turn
			r.lastErr = nil
			return false, nil
		}
		if over := r.over(ctx, failed); over != nil {
			return r.givenUp(l, over)
		}
		if stop, err := r.stop(failed); stop {
			return err == nil, err
		}
		r.lastErr = llm.AsError(failed)
	}
}

func (r *run) first(l *Layer) call.Purpose {
	switch {
	case r.made == 0:
		return call.Answer
	case l.Again:
		return call.Retry
	}
	return call.Escalate
}

func (r *run) order(l *Layer, t call.Target, why call.Purpose, p call.Payload) call.Order {
	out := r.plan.MaxOut
	for _, limit := range []int{l.MaxOut, t.Model.MaxOutput} {
		if limit > 0 && (out == 0 || limit < out) {
			out = limit
		}
	}
	if out == 0 {
		out = unknownMaxOut
	}
	held := r.plan.held(l)
	return call.Order{
		Purpose: why, Target: t, Payload: p, MaxOut: out, Stream: r.plan.Stream, N: max(r.plan.N, 1),
		Held: held, Judge: held || t.Dialect != r.facts.Dialect,
	}
}

// stop says whether a failure ends the call, and how: with an error, or (nil) with the best answer so far.
func (r *run) stop(failed error) (bool, error) {
	if r.ctx.Err() != nil {
		return true, context.Cause(r.ctx)
	}
	if r.sink.Committed() || errors.Is(failed, call.ErrNoRoom) {
		return true, failed
	}
	e := llm.AsError(failed)
	if e.Upstream > 0 { // a provider's own words: another model may take what this one refuses
		return false, nil
	}
	switch e.Code {
	case llm.CodeRate, llm.CodeUpstream, llm.CodeTimeout, llm.CodePolicy, llm.CodeOverload, llm.CodeUnfit:
		return false, nil
	case llm.CodeBudget:
		if r.plan.BestEffort && r.best != nil {
			r.d.Deliver(r.best.row, "on_budget: best_effort: "+e.Message)
			return true, r.deliver(r.best)
		}
	}
	return true, failed
}

// pause waits before another attempt. Within a layer's time it gives the layer up at once when the wait would not fit.
func (r *run) pause(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	if r.Jitter != nil {
		wait += r.Jitter(wait / 2)
	}
	if deadline, ok := r.ctx.Deadline(); ok && time.Until(deadline) < wait {
		return r.lastErr
	}
	if r.clock != nil {
		if until, ok := r.clock.Deadline(); ok && time.Until(until) < wait {
			return call.ErrGivenUp
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// outOfAttempts ends a call that has used up its attempts: with what the last one failed by.
func (r *run) outOfAttempts() error {
	e := llm.Error{Code: llm.CodeUnaccepted, Message: "the last answer failed " + r.rejected.Why}
	if r.lastErr != nil {
		e = *r.lastErr
	}
	e.Message += "; no attempt is left for this call"
	e.Hint = "limits.attempts in weir.yaml bounds the attempts of a call"
	return &e
}

// exhausted is the end of a call that no layer answered.
func (r *run) exhausted() error {
	if r.lastErr != nil {
		return r.lastErr
	}
	if r.rejected.Why == "" {
		return errors.New("cascade without layers")
	}
	return &llm.Error{
		Code: llm.CodeUnaccepted, Message: "no layer's answer passed its checks; the last one failed " + r.rejected.Why,
		Hint: "see the attempts with: weir call " + r.facts.ID.String(),
	}
}
