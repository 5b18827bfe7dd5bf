package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// Close ends the exchange: it breaks an answer that still comes, settles the hold and books the row. Idempotent.
func (x *exchange) Close() (call.Attempt, error) {
	if x.closed {
		return x.a, nil
	}
	if x.grace != nil {
		x.grace.Stop()
	}
	_ = x.reply.Body.Close()
	switch {
	case x.finished:
		x.a.Outcome = call.OK
	case x.failure == nil || (x.ctx != nil && x.ctx.Err() != nil):
		x.a.Outcome, x.a.Err = call.Canceled, x.ending()
	default:
		x.a.Outcome, x.a.Err = call.Cut, string(x.failure.Code)
	}
	x.a.Output = x.output()
	x.settle(x.answered())
	return x.a, nil
}

// lost ends an attempt that brought no answer. A provider that said no bills nothing; one that went silent after it had
// the request may, so its input is booked as an estimate.
func (x *exchange) lost(ctx context.Context, err error) error {
	e := llm.AsError(err)
	x.a.Err, x.a.Verdict = string(e.Code), call.Verdict{Result: call.Errored, Reason: told(e)}
	if x.reply != nil {
		_ = x.reply.Body.Close()
	}
	x.a.Outcome = call.Failed
	silent := e.Upstream == 0 && !errors.Is(e, call.ErrNotSent)
	if ctx.Err() != nil {
		x.a.Outcome, x.a.Err, err = call.Canceled, ending(ctx), context.Cause(ctx)
	}
	u := &llm.Usage{}
	switch {
	case silent:
		u.Input = x.estimatedInput()
		x.a.Settlement = call.Estimated
	case errors.Is(e, call.ErrNotSent):
		x.a.Settlement = call.NotSent
	}
	x.settle(u)
	return err
}

// ending says who ended an attempt: Weir, whose layer's time was over, or the caller.
func ending(ctx context.Context) string {
	if ctx != nil && errors.Is(context.Cause(ctx), call.ErrGivenUp) {
		return call.GivenUp
	}
	return "canceled"
}

// ending says why an answer was not read on: for what the cascade judged of it, or since its context ended.
func (x *exchange) ending() string {
	why := ending(x.ctx)
	if v := x.a.Verdict; why == "canceled" && v.Result == call.Errored && v.Reason != "" && v.Reason != string(llm.CodeInternal) &&
		(x.ctx == nil || x.ctx.Err() == nil) {
		return v.Reason
	}
	return why
}

// estimatedInput is the likely number of tokens of the request.
func (x *exchange) estimatedInput() int64 {
	return int64(x.d.g.tokens.expected(x.a.Order.Target.Model.ID, x.size, x.media))
}

// told is what a row keeps of a failure: never the provider's words, which may repeat the caller's.
func told(e *llm.Error) string {
	if e.Upstream > 0 {
		return fmt.Sprintf("the provider answered %d", e.Upstream)
	}
	return string(e.Code)
}

// answered is the usage to book: the provider's own, or Weir's estimate of it.
func (x *exchange) answered() *llm.Usage {
	model := x.a.Order.Target.Model.ID
	if x.usage != nil {
		x.d.g.tokens.learn(model, x.size, x.usage.Prompt())
	}
	if x.usage != nil && x.finished {
		return x.usage
	}
	x.a.Settlement = call.Estimated
	seen := int64(float64(x.text) * outRatio)
	if x.usage != nil { // an answer that was cut: its input is told, its output only as far as it came
		u := *x.usage
		u.Output = max(u.Output, seen-u.Reasoning)
		return &u
	}
	return &llm.Usage{Input: x.estimatedInput(), Output: seen}
}

// settle prices the usage, settles the hold and books the row, once.
func (x *exchange) settle(u *llm.Usage) {
	if x.closed {
		return
	}
	x.closed = true
	d := x.d
	x.a.Usage = *u
	if x.a.Verdict.Notes == "" {
		x.a.Verdict.Notes = x.a.Order.Notes
	}
	if x.a.Settlement == "" {
		x.a.Settlement = call.Settled
	}
	priced, err := d.snap.Prices.Price(x.a.Order.Target, *u, x.a.Facts.Start)
	if err != nil { // a meter without a rate: what was held is the best that is known
		x.a.Settlement, x.a.Cost = call.Estimated, x.a.Held
		x.a.Lines = []money.Line{money.NewLine(money.Requests, 1, money.Pico(x.a.Held)*1000)}
	} else {
		x.a.Lines, x.a.Cost, x.a.PriceRow = priced.Lines, priced.Cost(), priced.Row
	}
	if x.whole && d.prompt == 0 && u.Prompt() > 0 && x.a.Settlement == call.Settled {
		d.prompt = u.Prompt()
	}
	if x.a.Verdict.Result == call.Accepted && x.a.Order.Purpose != call.Shadow {
		x.a.Baseline = d.wouldHaveCost(*u, x.a)
	}
	if d.watch != nil {
		d.watch.note(d.snap, &x.a)
	}
	if x.a.Clocks.End == 0 {
		x.a.Clocks.End = x.since()
	}
	d.open = nil
	d.waited += d.g.Now().Sub(x.began)
	x.hold.Settle(x.a.Cost)
	d.session.Attempted(x.a, x.heard.calls())
	d.book(x.a)
}

// wouldHaveCost prices the caller's whole request and this answer at the route's dearest target.
func (d *dispatch) wouldHaveCost(u llm.Usage, a call.Attempt) money.Nano {
	if d.baseline.Model == nil {
		return a.Cost
	}
	if d.prompt > 0 && d.prompt != u.Prompt() { // a brief, or a note about a rejected answer: the frontier would have read the request
		u = llm.Usage{Input: d.prompt, Output: u.Output, Reasoning: u.Reasoning}
	}
	p, err := d.snap.Prices.Price(d.baseline, u, a.Facts.Start)
	if err != nil {
		return a.Cost
	}
	return p.Cost()
}
