package gateway

import (
	"slices"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/wire"
)

// sink writes the one answer in the caller's dialect. The terminal group, from which on an agent may act, is kept back
// until end is called, after the ledger is durable; tool calls belong to it from their first frame on. A client that
// waits for more of a stream hears keep-alives meanwhile.
type sink struct {
	out   Out
	front Front
	env   *llm.Envelope
	d     *dispatch
	facts call.Facts
	pulse pulse

	order     call.Order
	writer    wire.StreamWriter // when frames are translated
	ended     bool              // the end of the stream has passed
	terminal  bool
	lead      []byte // frames before the first that says something: comments, pings
	kept      []byte
	mark      []byte // of the end of a stream in the caller's dialect
	committed bool
	unflushed bool // the last write waits for more
	buf       []byte
}

var _ cascade.Sink = (*sink)(nil)

// sink makes the sink of a call. gone ends the call when its client has left. Close it.
func (g *Gateway) sink(d *dispatch, in Inbound, out Out, env *llm.Envelope, f call.Facts, gone func()) *sink {
	s := &sink{out: out, front: g.Fronts[in.Dialect], env: env, d: d, facts: f}
	s.pulse = pulse{out: out, gone: gone, early: Head{Stream: true, Early: true, Class: f.Class.Name()}}
	if w, ok := s.front.(framer); ok && env.Stream {
		s.pulse.every, s.pulse.alive, s.mark = d.keepAlive, w.KeepAlive(), w.EndMark()
	}
	s.pulse.first = func() { d.began.Store(int64(g.Now().Sub(f.Start))) }
	return s
}

// close ends what a call keeps beside its answer.
func (s *sink) close() {
	s.pulse.stop()
	s.d.release()
}

// Committed reports whether bytes of an answer have reached the caller. Keep-alives are none.
func (s *sink) Committed() bool { return s.committed }

// Answer says whose answer follows.
func (s *sink) Answer(o call.Order) error {
	// What an attempt before had kept back was never released: it goes with it.
	s.order, s.lead, s.kept, s.terminal, s.writer, s.ended = o, nil, nil, false, nil, false
	return nil
}

// Frame takes one frame of the answer.
func (s *sink) Frame(d llm.Delta) error {
	out, err := s.encode(d)
	if err != nil {
		return err
	}
	if !s.terminal && (d.Terminal || d.Calls) {
		s.terminal = true
		s.pulse.start()
	}
	switch {
	case s.terminal && !s.env.Stream && len(s.kept) == 0:
		s.kept = slices.Clip(out) // a body is one frame, and nobody's but this call's: no copy
	case s.terminal:
		if err := s.d.keep(len(out)); err != nil {
			return err
		}
		s.kept = append(s.kept, out...)
	case len(out) > 0 && !s.committed && s.silent(d) && len(s.lead)+len(out) <= mostLead:
		s.lead = append(s.lead, out...) // it is no answer: another target may still be asked
		s.pulse.start()
		return nil
	case len(out) > 0:
		s.unflushed = d.More
		return s.write(out, d.More)
	}
	if s.unflushed && (s.terminal || !d.More) { // the frame that the one before waited for writes nothing itself
		s.unflushed = false
		return s.write(nil, false)
	}
	return nil
}

// encode is a frame in the caller's dialect: the provider's own bytes where the dialects are one.
func (s *sink) encode(d llm.Delta) ([]byte, error) {
	same := s.order.Target.Dialect == s.facts.Dialect && s.writer == nil
	for i := range d.Events {
		s.ended = s.ended || d.Events[i].Kind == llm.EvEnd
	}
	switch {
	case same && len(d.Raw) > 0:
		return d.Raw, nil
	case !s.env.Stream && d.Final != nil:
		return s.front.Response(d.Final)
	case !s.env.Stream, same && d.Final == nil:
		return nil, nil
	}
	events := d.Events
	if d.Final != nil {
		if !d.Terminal { // the whole of an answer whose frames were already written
			return nil, nil
		}
		events, s.ended = d.Final.Events(), true
	}
	if s.writer == nil {
		s.writer = s.front.Stream(*s.env)
	}
	s.buf = s.buf[:0]
	for _, ev := range events {
		s.buf = s.writer.Write(s.buf, ev)
	}
	return s.buf, nil
}

// mostLead bounds what is kept of frames that say nothing.
const mostLead = 16 << 10 // bytes

// silent reports whether a frame says nothing of an answer: a comment, a ping.
func (s *sink) silent(d llm.Delta) bool {
	return s.env.Stream && d.Bytes == 0 && d.Final == nil &&
		!slices.ContainsFunc(d.Events, func(ev llm.Event) bool { return ev.Kind != llm.EvPing })
}

func (s *sink) write(b []byte, more bool) error {
	s.committed = true
	if len(s.lead) > 0 {
		b, s.lead = append(s.lead, b...), nil
	}
	return s.pulse.write(b, more, func() { s.out.Head(s.head(!s.env.Stream)) })
}

// end releases what was kept back, or tells of the error in band when the answer has begun. It returns the error.
func (s *sink) end(err error) error {
	s.pulse.stop() // whether headers have left does not change any more
	if err != nil {
		if s.pulse.begun() && llm.AsError(err).Code != llm.CodeCanceled {
			_ = s.pulse.write(s.front.Error(llm.AsError(err), true), false, nil)
		}
		return err
	}
	switch {
	case s.ended || !s.env.Stream || len(s.kept) == 0:
	case s.writer != nil:
		s.kept = s.writer.Write(s.kept, llm.Event{Kind: llm.EvEnd})
	default: // the provider closed after its last word, or was not waited for
		s.kept = append(s.kept, s.mark...)
	}
	if len(s.kept) > 0 {
		return s.write(s.kept, false)
	}
	return nil
}

func (s *sink) head(complete bool) Head {
	d := s.d
	return Head{
		Stream: s.env.Stream, Complete: complete, Target: s.order.Target, Rule: d.rule, Class: s.facts.Class.Name(),
		Attempts: d.n, Cost: int64(d.cost), Estimated: d.estimated, Overhead: d.g.Now().Sub(s.facts.Start) - d.waited,
	}
}
