package cascade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/validate"
)

// Hold says how a route holds answers back until they are judged. The zero value holds each to its end, without a bound
// of its own.
type Hold struct {
	GiveUp time.Duration // the most that one held layer may take before the next is asked; 0 = the call's deadline
	// Prefix lets a streamed answer go as soon as the layer's checks are decided by what has come of it. From then on
	// the call can no longer escalate.
	Prefix bool
}

// maxHeldBytes bounds what one held answer may keep in memory.
const maxHeldBytes = 32 << 20

// Held reports whether the answer of the i-th layer waits for a verdict.
func (p *Plan) Held(i int) bool { return p.held(&p.Layers[i]) }

// held is Held of one of the plan's own layers.
func (p *Plan) held(l *Layer) bool { return l != &p.Layers[len(p.Layers)-1] || len(l.Checks) > 0 }

// Holds reports whether a caller of this plan may wait for a verdict.
func (p *Plan) Holds() bool { return len(p.Layers) > 0 && p.Held(0) }

// held is an answer that waits for its verdict, or was refused by it.
type held struct {
	order    call.Order
	deltas   []llm.Delta
	answer   *llm.Response // nil = it was let go before its end
	repaired bool
	row      call.Attempt // as booked
}

// collect reads an answer whole, or until early says that what has come of its text is enough; nil = never.
func (h *held) collect(ex call.Exchange, early func(string) bool) error {
	var text strings.Builder
	size := 0
	for {
		d, err := ex.Recv()
		if errors.Is(err, io.EOF) {
			if h.answer == nil {
				return &llm.Error{Code: llm.CodeUpstream, Message: "the provider's answer ended without content"}
			}
			return nil
		}
		if err != nil {
			return err
		}
		if size += len(d.Raw); size > maxHeldBytes {
			return &llm.Error{Code: llm.CodeUpstream, Message: "the provider's answer is larger than Weir may hold"}
		}
		if d.Final != nil {
			h.answer = d.Final
		}
		if len(d.Raw) > 0 || len(d.Events) > 0 {
			h.deltas = append(h.deltas, d)
		}
		if early == nil {
			continue
		}
		if !speech(d.Events, &text) {
			early = nil
			continue
		}
		if h.answer == nil && !d.Terminal && early(text.String()) {
			return nil
		}
	}
}

// speech adds what events say to text. false = there is more in the answer than text: only its end decides.
func speech(events []llm.Event, text *strings.Builder) bool {
	for _, ev := range events {
		switch ev.Kind {
		case llm.EvText:
			text.WriteString(ev.Text)
		case llm.EvRefusal, llm.EvToolStart, llm.EvToolArgs, llm.EvStop:
			return false
		}
	}
	return true
}

// early is the rule by which an answer of the layer may be let go before its end; nil = it may not. A caller that asked
// for JSON, offers tools or wants several answers gets judged ones.
func (r *run) early(l *Layer) func(string) bool {
	if !r.plan.Hold.Prefix || !r.plan.Stream || r.plan.N > 1 {
		return nil
	}
	if q := r.request(); q.Format != nil || len(q.Tools) > 0 {
		return nil
	}
	next := 0 // bytes: a beginning is looked at again when a share more has come, so that the cost stays linear
	return func(text string) bool {
		if len(text) < next {
			return false
		}
		next = len(text) + max(24, len(text)/16)
		return validate.Decided(l.Checks, text)
	}
}

// release lets an answer go whose beginning has decided its checks, and hands the rest to the caller as it comes. How the
// whole would have been judged is told in the attempt's row.
func (r *run) release(ex call.Exchange, l *Layer, h *held) (bool, error) {
	if r.clock != nil && !r.stay() {
		return false, r.fail(ex, call.ErrGivenUp)
	}
	v := call.Verdict{Result: call.Accepted, Reason: "let go by its beginning", Final: true}
	ex.Judge(v)
	if err := r.deliver(h); err != nil {
		return false, r.fail(ex, err)
	}
	whole, err := r.forward(ex)
	if err != nil {
		return false, r.fail(ex, err)
	}
	if whole != nil {
		late, _ := r.judge(l, whole)
		v.Passed = validate.Passed(late.Check, validate.Basic(), l.Checks)
		if late.Result != call.Accepted {
			v.Check = late.Check // what the answer fails, though it is the caller's
			v.Reason += "; the whole fails " + late.Check + ": " + late.Reason
		}
	}
	ex.Judge(v)
	_, err = ex.Close()
	return err == nil, err
}

// bound gives the attempts of a held layer the time that its route allows.
func (r *run) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	layer, over := context.WithCancelCause(ctx)
	clock, end := context.WithTimeout(ctx, r.plan.Hold.GiveUp)
	r.clock, r.stay = clock, context.AfterFunc(clock, func() { over(call.ErrGivenUp) })
	return layer, func() {
		r.stay()
		end()
		over(nil)
	}
}

// over is why the layer's time ended an attempt; nil = it did not. An answer that has begun is no longer bound by it.
func (r *run) over(ctx context.Context, failed error) error {
	switch {
	case r.sink.Committed():
		return nil
	case errors.Is(failed, call.ErrGivenUp): // the clock struck, and has not ended the context yet
		return call.ErrGivenUp
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return nil
}

// givenUp ends a layer that used up its time; the next one is asked. Any other end is the call's.
func (r *run) givenUp(l *Layer, err error) (bool, error) {
	if r.ctx.Err() != nil {
		return false, context.Cause(r.ctx)
	}
	if !errors.Is(err, call.ErrGivenUp) {
		return false, err
	}
	r.lastErr = &llm.Error{
		Code: llm.CodeTimeout, Message: fmt.Sprintf("layer %s had no accepted answer after %s", l.Name, r.plan.Hold.GiveUp),
		Hint: "stream.give_up_after of the route in weir.yaml bounds a held layer", Err: call.ErrGivenUp,
	}
	return false, nil
}

// deliver hands a held answer to the caller.
func (r *run) deliver(h *held) error {
	if err := r.sink.Answer(h.order); err != nil {
		return err
	}
	if h.answer != nil && h.answer.Usage != nil { // known ahead, for dialects whose streams begin with it
		if err := r.sink.Frame(llm.Delta{Events: []llm.Event{{Kind: llm.EvMeter, Usage: h.answer.Usage}}}); err != nil {
			return err
		}
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
