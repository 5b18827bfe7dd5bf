package gateway

import (
	"context"
	"fmt"
	"slices"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/wire"
)

// sink writes the one answer in the caller's dialect. The terminal group, from which on an agent may act, is kept back
// until end is called, after the ledger is durable.
type sink struct {
	out   Out
	front Front
	env   llm.Envelope
	d     *dispatch
	facts call.Facts

	order     call.Order
	writer    wire.StreamWriter // when frames are translated
	ended     bool              // the writer was told of the stream's end
	terminal  bool
	kept      []byte
	committed bool
	unflushed bool // the last write waits for more
	buf       []byte
}

var _ cascade.Sink = (*sink)(nil)

// Committed reports whether bytes have reached the caller.
func (s *sink) Committed() bool { return s.committed }

// Answer says whose answer follows.
func (s *sink) Answer(o call.Order) error {
	// What an attempt before had kept back was never released: it goes with it.
	s.order, s.kept, s.terminal, s.writer, s.ended = o, nil, false, nil, false
	return nil
}

// Frame takes one frame of the answer.
func (s *sink) Frame(d llm.Delta) error {
	out, err := s.encode(d)
	if err != nil {
		return err
	}
	s.terminal = s.terminal || d.Terminal
	switch {
	case s.terminal && !s.env.Stream && len(s.kept) == 0:
		s.kept = slices.Clip(out) // a body is one frame, and nobody's but this call's: no copy
	case s.terminal:
		s.kept = append(s.kept, out...)
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
		events = d.Final.Events()
	}
	if s.writer == nil {
		s.writer = s.front.Stream(s.env)
	}
	s.buf = s.buf[:0]
	for _, ev := range events {
		s.ended = s.ended || ev.Kind == llm.EvEnd
		s.buf = s.writer.Write(s.buf, ev)
	}
	return s.buf, nil
}

func (s *sink) write(b []byte, more bool) error {
	if !s.committed {
		s.committed = true
		s.out.Head(s.head(!s.env.Stream))
	}
	if err := s.out.Write(b, more); err != nil {
		return fmt.Errorf("write to the caller: %w: %w", err, context.Canceled)
	}
	return nil
}

// end releases what was kept back, or tells of the error in band when the answer has begun. It returns the error.
func (s *sink) end(err error) error {
	if err != nil {
		if s.committed && llm.AsError(err).Code != llm.CodeCanceled {
			_ = s.out.Write(s.front.Error(llm.AsError(err), true), false)
		}
		return err
	}
	if s.writer != nil && !s.ended {
		s.kept = s.writer.Write(s.kept, llm.Event{Kind: llm.EvEnd})
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
