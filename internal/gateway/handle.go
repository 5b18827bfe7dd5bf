package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/cascade"
)

// durableWait bounds how long an ended answer waits for its rows to be on disk.
const durableWait = 5 * time.Second

// Handle answers one call. The error is an *llm.Error that has not been told to the client; after the first byte errors
// go in band and Handle returns nil.
func (g *Gateway) Handle(ctx context.Context, in Inbound, out Out) error {
	snap, front := g.snap.Load(), g.Fronts[in.Dialect]
	env, err := front.Scan(in.Body) // admit: depth, strictness
	if err != nil {
		return err
	}
	env.BodyBytes = len(in.Body)
	if err := standard(env); err != nil {
		return err
	}
	facts, err := g.facts(snap, in, env) // identify, data
	if err != nil {
		return err
	}
	d := &dispatch{
		g: g, snap: snap, key: in.Key.ID, media: env.MediaBytes, usageAsked: env.IncludeUsage, capped: env.MaxOutput > 0,
	}
	p, err := g.plan(snap, d, in, &facts, env) // plan
	if err != nil {
		g.refuse(d, facts, err)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, snap.Deadline)
	defer cancel()
	raw := call.NewRaw(in.Body, env, front.Decode)
	raw.Forward, raw.Scan = in.Forward, front.Scan
	s := g.sink(d, in, out, &raw.Envelope, facts, cancel)
	defer s.close()
	if p.Holds() {
		s.pulse.start()
	}
	err = g.run(ctx, d, facts, p, raw, s) // cascade
	err = g.durable(ctx, d, ended(ctx, err))
	err = s.end(err) // encode what was held back
	g.told(d, s, facts, env.Stream, err)
	g.follow(d, facts, raw, err) // observe
	if err == nil || s.pulse.begun() {
		return nil
	}
	if d.n > 0 { // what it cost, although it was not answered
		h := s.head(true)
		h.Stream, h.Target = false, call.Target{}
		out.Head(h)
	}
	return err
}

// standard refuses what would be billed by rates that no price book holds, or answered by a model that Weir did not choose.
func standard(env llm.Envelope) error {
	switch {
	case env.ServiceTier != "":
		return &llm.Error{
			Code: llm.CodeInvalid, Message: "service tier " + quoteShort(env.ServiceTier) + " has no price here", Param: "service_tier",
			Hint: "leave service_tier out: the price books hold standard rates",
		}
	case env.Reroute != "":
		return &llm.Error{
			Code: llm.CodeInvalid, Message: "the member " + env.Reroute + " would change which model answers or what it costs",
			Hint: "leave it out: the route chooses the model, and every attempt is priced", Param: env.Reroute,
		}
	}
	return nil
}

// run asks layer by layer. A panic anywhere below costs the call, never the hold, the row or the server.
func (g *Gateway) run(ctx context.Context, d *dispatch, f call.Facts, p cascade.Plan, raw *call.Raw, s *sink) (err error) {
	defer func() {
		if p := recover(); p != nil {
			d.abandon()
			err = &llm.Error{
				Code: llm.CodeInternal, Message: "internal error", Hint: "the server log has the details",
				Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack()),
			}
		}
	}()
	return g.Cascade.Run(ctx, d, f, p, raw, s)
}

// facts says on whose behalf the call is made and which class its data has: the highest of the key's floor, the use
// case's floor and what the caller claims in header and body.
func (g *Gateway) facts(snap *Snapshot, in Inbound, env llm.Envelope) (call.Facts, error) {
	hints := in.Hints.Or(env.Metadata)
	caller, err := in.Key.Caller(hints)
	if err != nil {
		return call.Facts{}, err
	}
	f := call.Facts{
		ID: in.ID, Caller: caller, Class: snap.Policy.Unlabelled(), Dialect: in.Dialect, Needs: env.Needs, Start: in.Start,
	}
	for _, name := range []string{in.Key.Floor, in.Hints.DataClass, env.Metadata.DataClass} {
		if name == "" {
			continue
		}
		c, ok := snap.Policy.Class(name)
		if !ok {
			return f, &llm.Error{
				Code: llm.CodeInvalid, Message: "unknown data class " + name, Param: "x-weir-data-class",
				Hint: "the classes are those of data.may_reach in weir.yaml",
			}
		}
		f.Class = f.Class.Raise(c)
	}
	if caller.UseCase == "" {
		return f, nil
	}
	u, ok := snap.UseCases[caller.UseCase]
	if !ok {
		return f, &llm.Error{
			Code: llm.CodeInvalid, Message: "unknown use case " + caller.UseCase, Param: "x-weir-use-case",
			Hint: "the registry is use_cases in weir.yaml",
		}
	}
	f.Budget = u.Budget
	if u.Floor.Name() != "" {
		f.Class = f.Class.Raise(u.Floor)
	}
	return f, nil
}

// durable waits until the rows of the call's attempts are on disk. It joins a failure with the call's own error.
func (g *Gateway) durable(ctx context.Context, d *dispatch, err error) error {
	if d.last == 0 {
		return err
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), durableWait)
	defer cancel()
	if lost := g.Journal.Durable(wait, d.last); lost != nil {
		return &llm.Error{
			Code: llm.CodeLedger, Message: "the usage ledger could not be written in time; the answer is withheld",
			Hint: "the disk of storage.dir is full or stalled; see /readyz", Err: errors.Join(lost, err),
		}
	}
	return err
}

// refuse books a call that ended before its first attempt for a reason of governance.
func (g *Gateway) refuse(d *dispatch, f call.Facts, err error) {
	e := llm.AsError(err)
	if slices.Contains([]llm.Code{llm.CodePolicy, llm.CodeUnfit, llm.CodeWindow, llm.CodeUnauthorized}, e.Code) {
		a := call.Attempt{Facts: f, N: 1, Rule: e.Param, Order: call.Order{Purpose: call.Answer}}
		e = llm.AsError(d.refused(a, e))
	}
	g.Watch.Call(Done{Facts: f, Took: g.Now().Sub(f.Start), Err: e})
}

// ErrStopping is the cause by which a server that ends cancels the calls that are still under way.
var ErrStopping = fmt.Errorf("the server is stopping: %w", context.Canceled)

// ended words the end of a call that its own context brought about.
func ended(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), ErrStopping):
		return &llm.Error{
			Code: llm.CodeOverload, Message: "this server is stopping: the call was cut",
			Hint: "send the call again; limits.drain in weir.yaml bounds how long calls may still take",
		}
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &llm.Error{
			Code: llm.CodeTimeout, Message: "the call's deadline passed before an answer was accepted",
			Hint: "limits.deadline in weir.yaml bounds a call over all its attempts",
		}
	case errors.Is(err, context.Canceled):
		return &llm.Error{Code: llm.CodeCanceled, Message: "the caller went away"}
	}
	return err
}

func (g *Gateway) told(d *dispatch, s *sink, f call.Facts, stream bool, err error) {
	done := Done{
		Facts: f, KeepAlives: s.pulse.stop(), Attempts: d.n, Stream: stream, Took: g.Now().Sub(f.Start), Layer: s.order.Target.LayerName,
	}
	done.Overhead = done.Took - d.waited
	if m := s.order.Target.Model; m != nil {
		done.Model = m.ID
	}
	if d.session != nil {
		done.Session = d.session.Events
	}
	if err != nil {
		done.Err = llm.AsError(err)
	}
	g.Watch.Call(done)
}
