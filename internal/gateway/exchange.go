package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/sse"
)

// Bounds of reading an answer.
const (
	maxAnswer  = 64 << 20        // bytes of a non-streamed answer
	sizedAhead = 1 << 20         // bytes that are reserved on a provider's word, before they have come
	leastRoom  = 1 << 10         // bytes that are reserved when it does not tell
	usageGrace = 2 * time.Second // for the usage to come after the end of an answer
	heldFactor = 2               // bytes in memory for one of a held frame: its own, and what was read of it
)

// exchange is one attempt under way: it reads the answer, keeps its meters and clocks, and settles once.
type exchange struct {
	d     *dispatch
	back  Back
	hold  Hold
	a     call.Attempt
	size  int  // bytes of the request's text
	media int  // bytes of its inline media
	whole bool // the payload was the caller's whole request and no more
	began time.Time
	reply *call.Reply
	ctx   context.Context

	frames *sse.Framer
	reader wire.StreamReader
	grace  *time.Timer
	late   atomic.Bool // the grace ran out: the answer ended without usage

	usage    *llm.Usage
	text     int // bytes of answer text
	stops    int // answers that have come to their end
	heard    heard
	finished bool
	failure  *llm.Error
	closed   bool
}

var _ call.Exchange = (*exchange)(nil)

// open prepares for reading an answer whose head has come.
func (x *exchange) open(ctx context.Context) {
	x.ctx = ctx
	o := x.a.Order
	if o.Stream && strings.HasPrefix(x.reply.Header.Get("Content-Type"), "text/event-stream") {
		x.frames = sse.NewFramer(x.reply.Body)
		x.reader = x.back.Stream(wire.StreamOptions{Full: o.Judge, StripUsage: !x.d.usageAsked})
	}
}

// Recv returns the next frame.
func (x *exchange) Recv() (llm.Delta, error) {
	if x.failure != nil {
		return llm.Delta{}, x.failure
	}
	if x.finished {
		return llm.Delta{}, io.EOF
	}
	var d llm.Delta
	var err error
	if x.reader == nil {
		d, err = x.body()
	} else {
		d, err = x.frame()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		x.failure = x.classify(err)
		return llm.Delta{}, x.failure
	}
	if x.d.watch != nil {
		x.d.watch.see(x, d)
	}
	return d, err
}

// body reads a non-streamed answer.
func (x *exchange) body() (llm.Delta, error) {
	body, err := readAnswer(x.reply.Body, x.reply.Header, x.d.keep)
	if err != nil {
		return llm.Delta{}, err
	}
	x.a.Clocks.ProviderTTF = x.since()
	if x.a.Order.Stream {
		return x.unstreamed(body)
	}
	events, n, err := x.back.Peek(body)
	if err != nil {
		return llm.Delta{}, err
	}
	d := llm.Delta{Raw: body, Events: events, Bytes: n, Terminal: true}
	if x.a.Order.Judge {
		if d.Final, err = x.back.Response(body); err != nil {
			return llm.Delta{}, err
		}
	}
	x.note(d)
	x.finish()
	return d, nil
}

// readAnswer reads a body of at most maxAnswer bytes, into a buffer of the length that the header tells. keep counts them
// as they come.
func readAnswer(src io.Reader, h http.Header, keep func(int) error) ([]byte, error) {
	room := leastRoom
	if v := h["Content-Length"]; len(v) > 0 {
		if n, err := strconv.Atoi(v[0]); err == nil && n > 0 {
			room = min(n, sizedAhead) + 1 // one more, so that the end is seen without growing
		}
	}
	b := make([]byte, 0, room)
	for {
		n, err := src.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if full := keep(n); full != nil {
			return nil, full
		}
		switch {
		case len(b) > maxAnswer:
			return nil, &llm.Error{Code: llm.CodeUpstream, Message: "the provider's answer is larger than 64 MiB"}
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		case len(b) == cap(b):
			b = slices.Grow(b, min(len(b), maxAnswer+1-len(b)))
		}
	}
}

// unstreamed reads the body of a provider that was asked for a stream: an answer is told as the events of one; anything
// else is an error under status 200.
func (x *exchange) unstreamed(body []byte) (llm.Delta, error) {
	whole, err := x.back.Response(body)
	if err != nil || len(whole.Choices) == 0 {
		e := x.back.Error(x.reply.Status, x.reply.Header, body)
		return llm.Delta{}, &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider answered a stream with a body that is no answer", Upstream: 502, Err: e,
		}
	}
	d := llm.Delta{Events: whole.Events(), Terminal: true, Final: whole}
	for _, ev := range d.Events {
		switch ev.Kind {
		case llm.EvText, llm.EvThink, llm.EvRefusal, llm.EvToolArgs:
			d.Bytes += len(ev.Text)
		}
	}
	x.note(d)
	x.finish()
	return d, nil
}

// finish marks the answer as read to its end.
func (x *exchange) finish() {
	x.finished = true
	x.a.Clocks.End = x.since()
}

// frame reads the next frame of a stream that tells something.
func (x *exchange) frame() (llm.Delta, error) {
	f, err := x.frames.Next()
	if errors.Is(err, io.EOF) || (err != nil && x.late.Load()) {
		return x.endOfStream()
	}
	if err != nil {
		return llm.Delta{}, err
	}
	raw := f.Raw
	if f.Cut {
		return llm.Delta{}, io.ErrUnexpectedEOF
	}
	if x.a.Order.Judge {
		if err := x.d.keep(heldFactor * len(raw)); err != nil {
			return llm.Delta{}, err
		}
		raw = bytes.Clone(raw)
	}
	d, err := x.reader.Read(raw)
	if err != nil {
		return llm.Delta{}, err
	}
	x.note(d)
	if x.failure != nil {
		return llm.Delta{}, x.failure
	}
	d.More = x.frames.Ready()
	if x.stops >= x.a.Order.N && x.stops > 0 && x.grace == nil {
		x.grace = time.AfterFunc(usageGrace, func() {
			x.late.Store(true)
			_ = x.reply.Body.Close()
		})
	}
	return d, nil
}

// endOfStream checks that a stream ended as its dialect demands. A judged one tells its whole answer.
func (x *exchange) endOfStream() (llm.Delta, error) {
	answer, complete := x.reader.Finish()
	if !complete && !x.late.Load() {
		return llm.Delta{}, io.ErrUnexpectedEOF
	}
	x.finish()
	if answer == nil {
		return llm.Delta{}, io.EOF
	}
	x.heard.final = answer
	return llm.Delta{Final: answer}, nil
}

// note keeps what a frame tells of meters and clocks.
func (x *exchange) note(d llm.Delta) {
	x.text += d.Bytes
	if d.Final != nil {
		x.heard.final = d.Final
	}
	if x.a.Clocks.ProviderTTF == 0 && (d.Bytes > 0 || d.Terminal) {
		x.a.Clocks.ProviderTTF = x.since()
	}
	if x.a.Clocks.FirstByte == 0 && !x.a.Order.Held && x.reader != nil && x.a.Clocks.ProviderTTF > 0 {
		x.a.Clocks.FirstByte = x.a.Clocks.ProviderTTF
	}
	for i := range d.Events {
		switch ev := &d.Events[i]; ev.Kind {
		case llm.EvStart:
			x.a.Served, x.a.Fingerprint = ev.Model, ev.Fingerprint
		case llm.EvStop:
			x.stops++
			x.heard.stopped(ev.Stop)
		case llm.EvToolStart:
			x.heard.called(ev.ID)
		case llm.EvToolArgs:
			if !x.a.Order.Judge {
				x.heard.argue(ev)
			}
		case llm.EvMeter:
			x.usage = ev.Usage
		case llm.EvError:
			x.failure = ev.Err
		}
	}
}

// Judge records what became of the answer.
func (x *exchange) Judge(v call.Verdict) {
	x.a.Verdict = v
	if v.Result != call.Accepted || x.a.Order.Purpose == call.Shadow {
		return
	}
	c := &x.a.Clocks
	switch {
	case c.Accepted > 0: // judged again: it was let go before its end
	case c.FirstByte > 0: // live
		c.Accepted = c.FirstByte
	default:
		c.Accepted = x.since()
		c.FirstByte = c.Accepted
	}
	if began := time.Duration(x.d.began.Load()); began > 0 {
		c.FirstByte = min(c.FirstByte, began)
	}
}

func (x *exchange) since() time.Duration { return x.d.g.Now().Sub(x.a.Facts.Start) }

// classify turns what went wrong while reading into the error that the cascade decides by.
func (x *exchange) classify(err error) *llm.Error {
	var e *llm.Error
	switch {
	case errors.As(err, &e):
		return e
	case x.ctx.Err() != nil:
		return &llm.Error{Code: llm.CodeTimeout, Message: "the call ended before its answer", Err: context.Cause(x.ctx)}
	}
	return &llm.Error{
		Code: llm.CodeUpstream, Message: "the provider cut its answer", Err: err,
		Hint: "deployment " + x.a.Order.Target.Deployment + " broke the connection",
	}
}
