package gateway

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/session"
)

// maxErrorBody bounds what is read of a provider's error answer.
const maxErrorBody = 64 << 10

// dispatch makes the attempts of one call: permit, encode, hold, journal, send; the exchange settles.
type dispatch struct {
	g        *Gateway
	snap     *Snapshot
	baseline call.Target // what the frontier would have been
	media    int         // bytes of inline media in the request
	// usageAsked: the caller asked for usage on the stream, so what Weir's own flag brings need not be stripped.
	usageAsked bool
	capped     bool          // the caller gave an output cap
	open       *exchange     // under way; nil = none
	session    *session.Turn // nil = the call belongs to none
	watch      *watched      // the call is of a route in observe mode; nil = not

	n         int                // attempts so far
	last      ledger.LSN         // of the latest row
	cost      money.Nano         // of all attempts
	estimated bool               // one of them was not told by its provider
	prompt    int64              // tokens of the caller's own request, as the last provider that got it whole counted them
	rule      string             // that permitted the latest attempt
	waited    time.Duration      // for providers
	booked    func(call.Attempt) // told of every row; nil = nobody
	keepAlive time.Duration      // of the route
	began     atomic.Int64       // when the first byte left for the client, since the call's start; 0 = none has
	key       string             // whose call it is; "" = nobody's
	room      int64              // bytes of memory reserved for answers that are kept back
	kept      int64              // of them in use
}

var _ call.Dispatcher = (*dispatch)(nil)

// Open makes one attempt, up to the head of the provider's answer.
func (d *dispatch) Open(ctx context.Context, f call.Facts, o call.Order) (call.Exchange, error) {
	d.n++
	a := call.Attempt{Facts: f, N: d.n, Order: o}
	permit, err := d.snap.Policy.Permit(f, o)
	if err != nil {
		return nil, d.refused(a, llm.AsError(err))
	}
	a.Rule, d.rule = permit.Rule, permit.Rule
	back := d.g.Backs[o.Target.Dialect]
	wire, err := encode(back, o)
	if err != nil {
		return nil, d.refused(a, llm.AsError(err))
	}
	raw, whole := o.Payload.(*call.Raw)
	media := 0 // a brief's media, if any, count as text: from above
	if whole {
		media = min(d.media, wire.Size())
		whole = !raw.HasNote()
	}
	size := wire.Size() - media
	o.Prompt = d.g.tokens.upper(o.Target.Model.ID, size, media)
	a.Order.Prompt, a.Order.Payload = o.Prompt, nil // the queue of rows keeps no bodies
	worst, err := d.snap.Prices.Worst(o, f.Start)
	if err != nil {
		return nil, d.refused(a, llm.AsError(err))
	}
	hold, err := d.g.Holder.Hold(ctx, f, worst)
	if err != nil {
		return nil, d.refused(a, d.uncapped(llm.AsError(err), o))
	}
	a.Held, a.Budget = worst, hold.Node()
	now := d.g.Now()
	intent := ledger.Intent{
		Facts: f, N: a.N, Purpose: o.Purpose, Target: o.Target, Held: worst, Budget: a.Budget, At: now,
	}
	if err := d.g.Journal.Begin(intent); err != nil {
		hold.Void()
		return nil, err
	}
	x := &exchange{d: d, back: back, hold: hold, a: a, size: size, media: media, whole: whole, began: now}
	d.open = x
	x.a.Clocks.Sent = now.Sub(f.Start)
	return x.send(ctx, wire)
}

// uncapped adds to a budget's refusal that a call without a cap of its own holds the model's longest answer.
func (d *dispatch) uncapped(e *llm.Error, o call.Order) *llm.Error {
	if e.Code != llm.CodeBudget || d.capped || o.MaxOut < o.Target.Model.MaxOutput {
		return e
	}
	told := *e
	told.Hint += fmt.Sprintf("; the call has no output cap, so %d tokens were held: send max_tokens, or set max_output on the layer", o.MaxOut)
	return &told
}

// encode writes an order in its provider's dialect: the caller's own bytes, spliced, where the dialects are one.
func encode(back Back, o call.Order) (call.Wire, error) {
	switch p := o.Payload.(type) {
	case *call.Raw:
		if p.Envelope.Dialect == o.Target.Dialect {
			return back.Forward(p, o)
		}
		q, err := p.Request()
		if err != nil {
			return call.Wire{}, err
		}
		return back.Encode(q, o)
	case call.Brief:
		return back.Encode(p.Request(), o)
	case call.Written:
		return back.Encode(p.Request, o)
	}
	return call.Wire{}, &llm.Error{Code: llm.CodeInternal, Message: "an order without a payload"}
}

// send sends the wire and reads the head of the answer.
func (x *exchange) send(ctx context.Context, w call.Wire) (call.Exchange, error) {
	reply, err := x.d.g.Sender.Send(ctx, x.a.Order.Target, w)
	if err != nil {
		return nil, x.lost(ctx, err)
	}
	x.reply = reply
	if reply.Status/100 == 2 {
		x.open(ctx)
		return x, nil
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxErrorBody))
	if err != nil {
		return nil, x.lost(ctx, err)
	}
	return nil, x.lost(ctx, x.back.Error(reply.Status, reply.Header, body))
}

// Deliver books that a closed attempt's answer goes to the caller although it was rejected.
func (d *dispatch) Deliver(a call.Attempt, why string) {
	d.n++
	a.N = d.n
	a.Baseline = d.wouldHaveCost(a.Usage, a)
	a.Order.Purpose, a.Order.Notes, a.Usage, a.Lines, a.Cost, a.Held = call.Delivery, "", llm.Usage{}, nil, 0, 0
	a.Outcome, a.Settlement, a.Err = call.OK, call.NotSent, ""
	a.Clocks.Accepted = d.g.Now().Sub(a.Facts.Start)
	a.Clocks.FirstByte, a.Clocks.End = a.Clocks.Accepted, a.Clocks.Accepted
	a.Verdict = call.Verdict{Result: call.Accepted, Reason: why, Final: true}
	a.Output = call.Output{} // told by the attempt that was answered
	d.session.Attempted(a, nil)
	d.book(a)
}

// abandon settles an attempt that a panic left under way.
func (d *dispatch) abandon() {
	if d.open == nil {
		return
	}
	if d.open.reply == nil {
		d.open.a.Settlement = call.Estimated
		d.open.a.Outcome, d.open.a.Err = call.Failed, string(llm.CodeInternal)
		d.open.settle(&llm.Usage{Input: d.open.estimatedInput()})
		return
	}
	_, _ = d.open.Close() // it settles, and cannot fail
}

// refused books an attempt that was not sent and returns its error. While the ledger cannot write, none is booked: it is
// no money, and refusals must not fill the memory.
func (d *dispatch) refused(a call.Attempt, e *llm.Error) error {
	if d.g.Journal.Health() != nil {
		return e
	}
	a.Order.Payload = nil
	a.Outcome, a.Settlement, a.Err = call.Refused, call.NotSent, string(e.Code)
	a.Verdict = call.Verdict{Result: call.Errored, Reason: e.Message, Notes: a.Order.Notes}
	if a.Rule == "" {
		a.Rule = e.Param
	}
	a.Clocks.End = d.g.Now().Sub(a.Facts.Start)
	d.book(a)
	return e
}

// book writes an attempt's row.
func (d *dispatch) book(a call.Attempt) {
	d.last = d.g.Journal.End(a)
	d.cost += a.Cost
	d.estimated = d.estimated || a.Settlement == call.Estimated
	d.g.Watch.Attempt(a)
	if d.booked != nil {
		d.booked(a)
	}
}
