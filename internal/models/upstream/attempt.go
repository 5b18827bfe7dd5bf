package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"github.com/weirhq/weir/internal/call"
)

const (
	maxInterim = 16      // 1xx heads before the answer
	maxTrailer = 2 << 10 // bytes of trailer fields; fits the smallest buffer
)

// Who has the connection of an attempt. Only the goroutine that moves an attempt from running may hand it back.
const (
	running int32 = iota
	broken        // the context ended, or Close came during a Read: the socket is closed
	over          // handed back to the pool or dropped
)

// attempt is one request and its answer on one connection. It is the Body of its Reply.
type attempt struct {
	ctx   context.Context // of the send: the answer is read under it too
	ep    *endpoint
	at    where
	conn  *conn // never changed; touched only while running, or by breakOff
	stop  func() bool
	state atomic.Int32
	reply call.Reply

	mu     sync.Mutex // held by Read and Close
	frame  framing
	left   int64 // bytes of the body or of the chunk still to come
	border bool  // the CR LF after a chunk's data is still to come
	err    error // what Read returns from now on
}

var _ io.ReadCloser = (*attempt)(nil)

// breakOff closes the socket under a running attempt. It may be called from any goroutine.
func (a *attempt) breakOff() {
	if a.state.CompareAndSwap(running, broken) {
		a.conn.close()
	}
}

// finish gives the connection up: to the pool when it can be used again, else closed.
func (a *attempt) finish(reuse bool) {
	a.stop()
	c := a.conn
	reuse = reuse && c.buffered() == 0 && c.err == nil
	mine := a.state.CompareAndSwap(running, over)
	c.end()
	if mine && reuse {
		c.pool.put(c)
		return
	}
	c.pool.drop(c)
}

// fail maps an error of the connection and gives the connection up.
func (a *attempt) fail(doing string, err error) error {
	err = a.at.broken(a.ctx, a.ep, doing, a.conn.sock.waitingFor(), err)
	if a.ctx.Err() != nil {
		a.conn.pool.stats.Canceled.Add(1)
	}
	a.finish(false)
	return err
}

// exchange writes the request and reads the head of the answer. After an error the connection is given up.
func (a *attempt) exchange(head []byte, w call.Wire) error {
	unsent := a.conn.send(head, w.Body, w.Size())
	if unsent != nil && (a.ctx.Err() != nil || errors.Is(unsent, os.ErrDeadlineExceeded)) {
		return a.fail("write request to", unsent)
	}
	// A peer that refuses a request often answers and closes before it has read it all, so that the write fails while
	// the answer is there to be read.
	h, err := a.readHead()
	if err != nil {
		if unsent != nil && !errors.Is(unsent, errEarly) {
			return a.fail("write request to", unsent)
		}
		return a.fail("read answer of", err)
	}
	if a.frame, err = h.frame(); err != nil {
		return a.fail("read answer of", err)
	}
	a.frame.keep = a.frame.keep && unsent == nil
	a.reply = call.Reply{Status: h.status, Header: h.header, Body: a}
	switch a.frame.kind {
	case bodyNone:
		a.complete()
	case bodyLength:
		a.left = a.frame.length
	}
	return nil
}

// readHead reads the head of the final answer, over interim ones.
func (a *attempt) readHead() (answerHead, error) {
	for range maxInterim {
		raw, err := a.conn.head()
		if err != nil {
			return answerHead{}, cut(err)
		}
		h, err := parseHead(raw)
		if err != nil {
			return h, err
		}
		sock := a.conn.sock
		if h.status >= 200 {
			sock.phase = phaseFirst
			if a.conn.buffered() > 0 {
				sock.phase = phaseBody
			}
			return h, nil
		}
		if h.status == http.StatusSwitchingProtocols {
			return h, protocolError("it switches protocols unasked")
		}
		if a.conn.buffered() == 0 {
			sock.phase = phaseWaiting
		}
	}
	return answerHead{}, protocolError("too many interim answers")
}

// Read returns the next bytes of the body. The connection goes back as soon as the last byte is known to be the last,
// which may be before io.EOF is returned.
func (a *attempt) Read(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil || len(p) == 0 {
		return 0, a.err
	}
	n, err := a.readBody(p, true)
	switch {
	case a.err != nil: // complete, or closed to end the body
	case err != nil:
		a.err = a.fail("read answer of", err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, a.err
}

// complete marks the body as read to its end.
func (a *attempt) complete() {
	a.err = io.EOF
	a.finish(a.frame.keep)
}

// readBody reads from the body. Without leave to wait it returns errMore once nothing is buffered.
func (a *attempt) readBody(p []byte, wait bool) (int, error) {
	switch a.frame.kind {
	case bodyChunked:
		return a.readChunks(p, wait)
	case bodyLength:
		n, err := a.conn.read(p[:min(int64(len(p)), a.left)], wait)
		a.left -= int64(n)
		if a.left == 0 {
			a.complete()
		}
		return n, cut(err)
	}
	n, err := a.conn.read(p, wait)
	if err == io.EOF && a.conn.truncated() {
		return n, io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		a.complete()
	}
	return n, err
}

// readChunks reads chunk after chunk into p, as long as they are buffered.
func (a *attempt) readChunks(p []byte, wait bool) (int, error) {
	n := 0
	for n < len(p) {
		mayWait := wait && n == 0
		if a.left == 0 {
			if err := a.nextChunk(mayWait); err != nil {
				return n, notYet(n, cut(err))
			}
			if a.left == 0 {
				a.complete()
				return n, nil
			}
		}
		m, err := a.conn.read(p[n:n+int(min(int64(len(p)-n), a.left))], mayWait)
		n += m
		if a.left -= int64(m); a.left == 0 {
			a.border = true
		}
		if err != nil {
			return n, notYet(n, cut(err))
		}
	}
	return n, nil
}

// notYet drops errMore when there is something to return.
func notYet(n int, err error) error {
	if n > 0 && errors.Is(err, errMore) {
		return nil
	}
	return err
}

// nextChunk reads up to the data of the next chunk; after the last chunk and its trailers left stays 0.
func (a *attempt) nextChunk(wait bool) error {
	if a.border {
		end, err := a.conn.line(0, wait)
		if err != nil || len(end) > 0 {
			return badChunk(err)
		}
		a.border = false
	}
	if !a.frame.trailers() {
		line, err := a.conn.line(maxLine, wait)
		if err != nil {
			return badChunk(err)
		}
		if a.left, err = parseChunkSize(line); err != nil {
			return badChunk(err)
		}
		if a.left > 0 {
			return nil
		}
		a.frame.length = maxTrailer
	}
	for {
		line, err := a.conn.line(int(a.frame.length), wait)
		if err != nil {
			return badChunk(err)
		}
		if len(line) == 0 {
			return nil
		}
		if _, _, err := parseField(string(line)); err != nil {
			return badChunk(err)
		}
		a.frame.length = max(1, a.frame.length-int64(len(line)))
	}
}

// trailers reports whether the last chunk of a chunked body has been seen: then length is what trailers may still take.
func (f *framing) trailers() bool { return f.kind == bodyChunked && f.length > 0 }

// badChunk names the error for what it is, unless the connection is at fault.
func badChunk(err error) error {
	var p protocolError
	if err == nil || errors.As(err, &p) {
		return protocolError("bad chunk")
	}
	return err
}

// cut turns an end of the stream in the middle of an answer into the error that it is.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close gives the connection back when what is buffered completes the body, and breaks it otherwise. It may be called
// while a Read is waiting, which then fails.
func (a *attempt) Close() error {
	if !a.mu.TryLock() {
		a.breakOff()
		a.mu.Lock()
	}
	defer a.mu.Unlock()
	if a.err == nil {
		a.drain()
	}
	if a.err == nil {
		a.finish(false)
	}
	a.err = http.ErrBodyReadAfterClose
	return nil
}

// drain reads what is buffered, without waiting: a consumer that stops at a stream's last event leaves only the end of
// the chunked coding behind.
func (a *attempt) drain() {
	var sink [512]byte
	for a.err == nil {
		if _, err := a.readBody(sink[:], false); err != nil {
			return
		}
	}
}
