package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/observe"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/agree"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/routing/session"
)

// Bounds of the shadows of a process. What is over them is dropped and counted: a caller never waits for a shadow.
const (
	shadowsAtOnce  = 4
	shadowsWaiting = 256
	shadowBytes    = 32 << 20 // of the requests and answers of those that wait and run
)

// shadows are the cascades that run beside calls, after their answers.
type shadows struct {
	mu      sync.Mutex
	waiting []*shadow
	bytes   int
	running int
	closed  bool
	ctx     context.Context // of all that run; nil = none ever did
	cancel  context.CancelFunc
	workers sync.WaitGroup
}

// shadow is one of them: what is left of the call.
type shadow struct {
	call    *dispatch
	facts   call.Facts
	body    []byte // a copy
	bytes   int    // that it keeps in memory: the copy, and that of the answer
	forward []call.Field
}

// room reserves a place for a shadow that keeps n bytes; add must follow. False = there is none.
func (s *shadows) room(j *shadow, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.waiting) >= shadowsWaiting || s.bytes+n > shadowBytes {
		return false
	}
	j.bytes = n
	s.bytes += n
	return true
}

// add queues a shadow and sees that somebody works. False = they have closed meanwhile.
func (s *shadows) add(j *shadow, work func(context.Context, *shadow)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.waiting = append(s.waiting, j)
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancel(context.Background())
	}
	if s.running < shadowsAtOnce {
		s.running++
		s.workers.Go(func() {
			for j := s.next(nil); j != nil; j = s.next(j) {
				work(s.ctx, j)
			}
		})
	}
	return true
}

// next gives the longest waiting shadow, after the one that has ended; nil = there is none, and the worker goes.
func (s *shadows) next(ended *shadow) *shadow {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended != nil {
		s.bytes -= ended.bytes
	}
	if len(s.waiting) == 0 || s.closed {
		s.running--
		return nil
	}
	j := s.waiting[0]
	s.waiting = append(s.waiting[:0], s.waiting[1:]...)
	return j
}

// close takes no more shadows and gives those that have not begun, and what cuts those that run.
func (s *shadows) close() (left []*shadow, cut context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, cut = s.waiting, s.cancel
	s.closed, s.waiting = true, nil
	if cut == nil {
		cut = func() {}
	}
	return left, cut
}

// Drain ends the shadows of observed calls: those that wait are dropped, those that run may end until ctx does, then they
// are cut. When it returns, all their rows are in the journal.
func (g *Gateway) Drain(ctx context.Context) {
	left, cut := g.shadows.close()
	for _, j := range left {
		g.end(j, observe.Result{Outcome: observe.Dropped}, nil)
	}
	stop := context.AfterFunc(ctx, cut)
	g.shadows.workers.Wait()
	stop()
	cut()
}

// runShadow runs the cascade on the copy of a request and books what came of it. Its attempts are permitted, held and booked
// as any other, on a budget of their own.
func (g *Gateway) runShadow(ctx context.Context, j *shadow) {
	w := j.call.watch
	ctx, stop := context.WithTimeout(ctx, j.call.snap.Deadline)
	defer stop()
	front := g.Fronts[j.facts.Dialect]
	env, err := front.Scan(j.body) // again: what the call's own scan found points into its buffer
	if err != nil {
		g.end(j, observe.Result{Outcome: observe.Dropped}, nil)
		return
	}
	env.BodyBytes = len(j.body)
	raw := call.NewRaw(j.body, env, front.Decode)
	raw.Forward, raw.Scan = j.forward, front.Scan
	f := j.facts
	f.Budget = w.route.Shadows
	d := &dispatch{
		g: g, snap: j.call.snap, media: j.call.media, usageAsked: j.call.usageAsked, capped: j.call.capped, n: j.call.n,
	}
	defer d.release()
	s := &shade{dispatch: d}
	// What is signed in the history was signed by the model that answers: another one cannot read it.
	w.left.Session = &session.Decision{Home: session.WriterOf(w.shadow.target)}
	err = g.cast(ctx, s, f, w.left, raw)
	r := observe.Result{
		Outcome: outcomeOf(ctx, err), Layer: s.order.Target.LayerName, Attempts: d.n - j.call.n, Would: d.cost,
	}
	if r.Check = s.verdict.Check; r.Outcome == observe.Accepted {
		if asked := w.shadow.answer(g.Backs); asked != nil && s.answer != nil {
			req, _ := raw.Request() // an answer was judged by it, so it can be read
			found := agree.Compare(req, asked, s.answer, w.wantsJSON(s.order.Target.Layer))
			r.How, r.Same, r.Overlap = found.How, found.Same, found.Overlap
		}
	}
	j.call.n = d.n
	if err != nil && llm.AsError(err).Code != llm.CodeInternal {
		err = nil // the shadow's attempts tell
	}
	g.end(j, r, err)
}

// wantsJSON reports whether a layer's checks read its answer as JSON.
func (w *watched) wantsJSON(layer int) bool {
	for i := range w.left.Layers {
		if w.left.Layers[i].Number == layer {
			return w.left.Layers[i].JSON
		}
	}
	return false
}

// cast runs the cascade. A panic costs the shadow, never the hold, the row or the server.
func (g *Gateway) cast(ctx context.Context, s *shade, f call.Facts, p cascade.Plan, raw *call.Raw) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.abandon()
			err = &llm.Error{Code: llm.CodeInternal, Message: "internal error", Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return g.Cascade.Run(ctx, s, f, p, raw, s)
}

// outcomeOf says how a shadow ended.
func outcomeOf(ctx context.Context, err error) observe.Outcome {
	if err == nil {
		return observe.Accepted
	}
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return observe.Cut
	}
	e := llm.AsError(err)
	switch {
	case e.Code == llm.CodeUnaccepted:
		return observe.Rejected
	case e.Code == llm.CodeBudget && e.Upstream == 0:
		return observe.Budget
	case e.Code == llm.CodeInternal:
		return observe.Cut
	case e.Code == llm.CodeLedger, e.Code == llm.CodeOverload && e.Upstream == 0: // Weir's own disk and memory
		return observe.Dropped
	}
	return observe.Failed
}

// end books what a shadow came to, as a row that costs nothing. While the ledger cannot write, none is booked.
func (g *Gateway) end(j *shadow, r observe.Result, fault error) {
	d := j.call
	r.PPM, r.Spent = d.watch.route.Sample, d.cost
	if o, ok := g.Watch.(Observer); ok {
		o.Shadow(j.facts, r, fault)
	}
	if g.Journal.Health() != nil {
		return
	}
	g.Journal.End(call.Attempt{
		Facts: j.facts, N: d.n + 1, Order: call.Order{Purpose: call.Observed, Target: d.watch.shadow.target, N: 1},
		Outcome: call.OK, Settlement: call.NotSent,
		Verdict: call.Verdict{Result: call.Unjudged, Check: r.Check, Reason: string(r.Outcome), Notes: r.Notes()},
	})
}

// shade stands between the cascade and both ends of a shadow: its attempts are marked, and its answer goes nowhere.
type shade struct {
	*dispatch
	order   call.Order // of the latest attempt
	verdict call.Verdict
	answer  *llm.Response
	begun   bool // in earnest, bytes would have reached the caller
}

var (
	_ call.Dispatcher = (*shade)(nil)
	_ cascade.Sink    = (*shade)(nil)
)

// Open makes one attempt whose answer is decoded and held, whatever its layer.
func (s *shade) Open(ctx context.Context, f call.Facts, o call.Order) (call.Exchange, error) {
	summary := o.Purpose == call.Compress // an attempt for a brief answers nothing
	o.Purpose, o.Held, o.Judge = call.Shadow, true, true
	to := s
	if summary {
		to = &shade{}
	} else {
		s.order, s.verdict, s.answer = o, call.Verdict{}, nil
	}
	ex, err := s.dispatch.Open(ctx, f, o)
	if err != nil {
		return nil, err
	}
	return &shaded{Exchange: ex, shade: to}, nil
}

// Deliver does nothing: nobody waits for the best of the rejected answers.
func (s *shade) Deliver(call.Attempt, string) {}

// Committed reports whether bytes would have reached the caller.
func (s *shade) Committed() bool { return s.begun }

// Answer says whose answer follows.
func (s *shade) Answer(call.Order) error { return nil }

// Frame takes one frame of the answer. A repaired one comes whole.
func (s *shade) Frame(d llm.Delta) error {
	s.begun = true
	if d.Final != nil {
		s.answer = d.Final
	}
	return nil
}

// shaded is one attempt of a shadow.
type shaded struct {
	call.Exchange
	shade *shade
}

// Recv keeps the whole answer.
func (x *shaded) Recv() (llm.Delta, error) {
	d, err := x.Exchange.Recv()
	if d.Final != nil {
		x.shade.answer = d.Final
	}
	return d, err
}

// Judge keeps the verdict. No attempt of a shadow ends the call: that has ended.
func (x *shaded) Judge(v call.Verdict) {
	v.Final = false
	x.shade.verdict = v
	x.Exchange.Judge(v)
}
