package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/bench/rawhttp"
)

// client is one connection that makes one call after another.
type client struct {
	o       options
	request []byte
	conn    net.Conn
	buf     []byte
	left    []byte // read beyond the answer before
	answer  rawhttp.Answer
}

// times of one call, from the moment its first byte was sent.
type times struct{ first, last time.Duration }

func (c *client) call() (t times, err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.o.addr); err != nil {
			return t, err
		}
	}
	start := time.Now()
	if err := c.conn.SetDeadline(start.Add(c.o.timeout)); err != nil {
		return t, err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return t, err
	}
	c.answer.Reset()
	for !c.answer.Done() {
		if len(c.left) == 0 {
			n, err := c.conn.Read(c.buf)
			if err != nil {
				return t, fmt.Errorf("read the answer: %w", err)
			}
			c.left = c.buf[:n]
		}
		if t.first == 0 {
			t.first = time.Since(start)
		}
		n, err := c.answer.Feed(c.left)
		if err != nil {
			return t, err
		}
		c.left = c.left[n:]
	}
	t.last = time.Since(start)
	err = c.judge()
	if c.answer.Close {
		_ = c.conn.Close()
		c.conn, c.left = nil, nil
	}
	return t, err
}

// errRefused is an answer that turns a call away, where that is expected.
var errRefused = errors.New("refused")

// judge refuses answers that are not what was asked for.
func (c *client) judge() error {
	switch {
	case c.answer.Status == 503 && c.o.refusals:
		return errRefused
	case c.answer.Status != 200:
		return fmt.Errorf("status %d: %.200s", c.answer.Status, c.answer.Body)
	case c.o.stream && !c.answer.Finished():
		return errors.New("the stream ended without [DONE]")
	case len(c.left) > 0:
		return errors.New("bytes after the answer")
	}
	return nil
}

// run is what the connections share.
type runner struct {
	o     options
	began time.Time
	next  atomic.Int64 // number of the next call
	mu    sync.Mutex
	sum   tally
}

type tally struct {
	calls, failed, events, bytes int64
	first, last, late, refused   []time.Duration
	err                          error // the first
}

// maxFailures ends a run in which nothing goes well.
const maxFailures = 100

func drive(o options) (any, error) {
	r := &runner{o: o, began: time.Now()}
	request := request(o)
	var wg sync.WaitGroup
	for range o.conns {
		wg.Go(func() { r.connection(request) })
	}
	wg.Wait()
	took := time.Since(r.began)
	if r.sum.calls == 0 && len(r.sum.refused) == 0 {
		return nil, fmt.Errorf("no call was answered: %w", r.sum.err)
	}
	return r.sum.report(o, took), nil
}

// slot is the moment at which the next call starts; false = there is none.
func (r *runner) slot() (time.Time, bool) {
	n := r.next.Add(1) - 1
	if n >= int64(r.o.calls) {
		return time.Time{}, false
	}
	at := time.Now()
	if r.o.rate > 0 {
		at = r.began.Add(time.Duration(float64(n) / r.o.rate * float64(time.Second)))
	}
	return at, at.Sub(r.began) < r.o.length
}

func (r *runner) connection(request []byte) {
	c := client{o: r.o, request: request, buf: make([]byte, 32<<10)}
	c.answer.Keep = r.o.size < 64<<10 && !r.o.stream
	var sum tally
	for sum.failed < maxFailures {
		at, ok := r.slot()
		if !ok {
			break
		}
		if r.o.rate > 0 {
			time.Sleep(time.Until(at))
			sum.late = append(sum.late, time.Since(at))
		}
		t, err := c.call()
		if errors.Is(err, errRefused) {
			sum.refused = append(sum.refused, t.last)
			continue
		}
		if err != nil {
			sum.failed++
			if sum.err == nil {
				sum.err = err
			}
			if c.conn != nil {
				_ = c.conn.Close()
			}
			c.conn, c.left = nil, nil
			continue
		}
		sum.calls++
		sum.events += int64(c.answer.Events)
		sum.bytes += c.answer.Bytes
		sum.first, sum.last = append(sum.first, t.first), append(sum.last, t.last)
	}
	if c.conn != nil {
		_ = c.conn.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.add(sum)
}

func (t *tally) add(o tally) {
	t.calls += o.calls
	t.failed += o.failed
	t.events += o.events
	t.bytes += o.bytes
	t.first, t.last, t.late = append(t.first, o.first...), append(t.last, o.last...), append(t.late, o.late...)
	t.refused = append(t.refused, o.refused...)
	if t.err == nil {
		t.err = o.err
	}
}
