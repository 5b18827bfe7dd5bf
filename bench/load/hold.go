package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/bench/rawhttp"
)

// Held is what holding streams came to.
type Held struct {
	Held   int   `json:"held"`
	Broken int64 `json:"broken"`
	Events int64 `json:"events"`
}

// opening is how many streams are being opened at once.
const opening = 64

// holder keeps streams open.
type holder struct {
	o       options
	request []byte
	broken  atomic.Int64
	events  atomic.Int64
	closing atomic.Bool
}

// hold opens the streams, prints {"held":n} once all have begun, reads them until standard input or the time ends, and
// returns what it saw.
func hold(o options) (any, error) {
	h := &holder{o: o, request: request(o)}
	conns := make([]net.Conn, o.conns)
	errs := make([]error, o.conns)
	slots := make(chan struct{}, opening)
	var wg, reading sync.WaitGroup
	for i := range conns {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			var a *rawhttp.Answer
			if conns[i], a, errs[i] = h.open(); errs[i] == nil {
				reading.Go(func() { h.read(conns[i], a) })
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("open %d streams: %w", o.conns, err)
	}
	if err := say(Held{Held: o.conns, Broken: h.broken.Load()}); err != nil {
		return nil, err
	}
	told := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(told)
	}()
	select {
	case <-told:
	case <-time.After(o.length):
	}
	h.closing.Store(true)
	for _, c := range conns {
		_ = c.Close()
	}
	reading.Wait()
	return Held{Held: o.conns, Broken: h.broken.Load(), Events: h.events.Load()}, nil
}

// open starts one stream and waits for its first event.
func (h *holder) open() (net.Conn, *rawhttp.Answer, error) {
	c, err := net.Dial("tcp", h.o.addr)
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.Write(h.request); err != nil {
		return c, nil, err
	}
	a, buf := &rawhttp.Answer{}, make([]byte, 2048)
	for a.Events == 0 {
		if err := h.next(c, a, buf); err != nil {
			return c, a, err
		}
	}
	return c, a, nil
}

// next reads once and counts.
func (h *holder) next(c net.Conn, a *rawhttp.Answer, buf []byte) error {
	if err := c.SetReadDeadline(time.Now().Add(h.o.timeout)); err != nil {
		return err
	}
	n, err := c.Read(buf)
	if err != nil {
		return err
	}
	before := a.Events
	if _, err := a.Feed(buf[:n]); err != nil {
		return err
	}
	if a.Done() || a.Status != 0 && a.Status != 200 {
		return fmt.Errorf("status %d, the stream is over", a.Status)
	}
	h.events.Add(int64(a.Events - before))
	return nil
}

// read reads a stream until it is closed.
func (h *holder) read(c net.Conn, a *rawhttp.Answer) {
	buf := make([]byte, 1024)
	for {
		if err := h.next(c, a, buf); err != nil {
			if !h.closing.Load() {
				h.broken.Add(1)
			}
			return
		}
	}
}
