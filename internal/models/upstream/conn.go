package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	smallBuffer = 4 << 10  // what a held stream costs
	largeBuffer = 16 << 10 // what a stream that comes in bursts is given
	gatherSize  = 8 << 10  // a request up to this size is copied into one piece: one plain write beats writev
	maxHead     = 64 << 10
	maxLine     = 256 // chunk size line with its extensions
	emptyReads  = 100 // reads without bytes or error before giving up
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
	heads        = sync.Pool{New: func() any { b := make([]byte, 0, gatherSize); return &b }}
)

// errMore is returned by reads that may not wait when what they need has not arrived.
var errMore = errors.New("not arrived yet")

// conn is one connection to an endpoint. One call uses it at a time. Its read buffer exists only during a call.
type conn struct {
	sock *socket
	rw   net.Conn // sock, or TLS over it
	pool *pool
	idle time.Time // since when it is idle

	buf   []byte
	small *[smallBuffer]byte // buf's array when it is from smallBuffers
	large *[largeBuffer]byte // buf's array when it is from largeBuffers
	r, w  int                // unread bytes are buf[r:w]
	err   error              // of the last read, to be told once the bytes before it are used up
	pipes net.Buffers        // array for writev, kept
	out   net.Buffers        // what writev still has to write
}

// dial opens a connection, with TLS where the endpoint asks for it. The caller holds a place in the pool.
func (c *Client) dial(ctx context.Context, t *target) (*conn, error) {
	c.cfg.Stats.Dials.Add(1)
	raw, err := c.cfg.Dial(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: raw, now: c.cfg.Now, peek: newPeeker(raw)}
	cn := &conn{sock: s, rw: s, pool: t.pool}
	if t.tls == nil {
		return cn, nil
	}
	secure := tls.Client(s, t.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	cn.rw = secure
	return cn, nil
}

// begin readies the connection for one call.
func (c *conn) begin(ep *endpoint, size int) {
	c.sock.begin(ep.TTFT, ep.Idle, size)
	c.small = smallBuffers.Get().(*[smallBuffer]byte)
	c.buf, c.r, c.w, c.err = c.small[:], 0, 0, nil
}

// end gives the buffers back. Nothing may be reading.
func (c *conn) end() {
	if c.small != nil {
		smallBuffers.Put(c.small)
	}
	if c.large != nil {
		largeBuffers.Put(c.large)
	}
	c.small, c.large, c.buf, c.r, c.w = nil, nil, nil, 0, 0
	c.sock.phase = phaseFree
}

// secure reports whether TLS lies over the socket.
func (c *conn) secure() bool { return c.rw != net.Conn(c.sock) }

// truncated reports whether a TLS connection ended without a goodbye: someone in between may have cut it. crypto/tls
// lets that pass as io.EOF.
func (c *conn) truncated() bool { return c.secure() && c.sock.ended }

func (c *conn) close() { _ = c.sock.Close() }

// alive reports whether the idle connection can be used: nothing to read, so neither ended nor spoken out of turn.
func (c *conn) alive() bool {
	if c.sock.peek.readable() {
		return false
	}
	if !c.secure() {
		return true
	}
	// TLS may hold bytes that it has read already.
	var one [1]byte
	c.sock.phase = phaseLook
	n, err := c.rw.Read(one[:])
	c.sock.phase = phaseFree
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

func (c *conn) buffered() int { return c.w - c.r }

// send writes the request. head has room to spare; body is not changed.
func (c *conn) send(head []byte, body [][]byte, size int) error {
	if len(head)+size <= gatherSize || c.secure() {
		return c.gather(head, body)
	}
	c.pipes = append(append(c.pipes[:0], head), body...)
	c.out = c.pipes
	err := c.sock.writev(&c.out)
	clear(c.pipes)
	c.out = nil
	return err
}

// gather writes small pieces together, and pieces that are large enough by themselves as they are.
func (c *conn) gather(b []byte, body [][]byte) error {
	for _, p := range body {
		if len(b)+len(p) > gatherSize && len(b) > 0 {
			if _, err := c.rw.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		if len(p) <= gatherSize {
			b = append(b, p...)
			continue
		}
		if _, err := c.rw.Write(p); err != nil {
			return err
		}
	}
	if len(b) == 0 {
		return nil
	}
	_, err := c.rw.Write(b)
	return err
}

// fill reads once into the buffer, which must have room after compacting.
func (c *conn) fill() error {
	switch {
	case c.r == c.w:
		// A read that filled the buffer to its end says that much comes at once: take a larger one.
		if c.w == len(c.buf) && c.large == nil && c.small != nil && c.sock.phase == phaseBody {
			c.large = largeBuffers.Get().(*[largeBuffer]byte)
			smallBuffers.Put(c.small)
			c.small, c.buf = nil, c.large[:]
		}
		c.r, c.w = 0, 0
	case c.w == len(c.buf) && c.r > 0:
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	n, err := c.pull(c.buf[c.w:])
	c.w += n
	return err
}

// pull reads at least one byte into p or returns an error, and moves the phase on.
func (c *conn) pull(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	for range emptyReads {
		n, err := c.rw.Read(p)
		if n > 0 {
			c.err = err
			if c.sock.phase == phaseWaiting || c.sock.phase == phaseFirst {
				c.sock.phase++
			}
			return n, nil
		}
		if err != nil {
			c.err = err
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// read is io.Reader over buffer and socket. It waits only if it may; otherwise errMore says that nothing is buffered.
func (c *conn) read(p []byte, wait bool) (int, error) {
	if c.r == c.w {
		if !wait {
			return 0, errMore
		}
		if len(p) >= len(c.buf) {
			return c.pull(p)
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buf[c.r:c.w])
	c.r += n
	return n, nil
}

// line returns the next line without its CRLF, valid until the next read. A line of more than limit bytes, or one that
// ends in a bare line feed, is an error.
func (c *conn) line(limit int, wait bool) ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(c.buf[c.r+seen:c.w], '\n'); i >= 0 {
			line := c.buf[c.r : c.r+seen+i+1]
			if len(line) > limit+2 {
				return nil, protocolError("a line is too long")
			}
			if len(line) < 2 || bytes.IndexByte(line, '\r') != len(line)-2 {
				return nil, protocolError("a line does not end in CR LF")
			}
			c.r += len(line)
			return line[:len(line)-2], nil
		}
		seen = c.buffered()
		if seen > limit+1 {
			return nil, protocolError("a line is too long")
		}
		if !wait {
			return nil, errMore
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// head returns the next head, from status line to empty line, valid until the next read.
func (c *conn) head() ([]byte, error) {
	seen := 0
	for {
		if c.buffered() > 0 && !beginsHTTP(c.buf[c.r:c.w]) {
			return nil, protocolError("it does not begin with an HTTP/1 status line")
		}
		if i := bytes.Index(c.buf[c.r+seen:c.w], []byte("\r\n\r\n")); i >= 0 {
			head := c.buf[c.r : c.r+seen+i+4]
			c.r += len(head)
			return head, nil
		}
		if c.buffered() >= maxHead {
			return nil, protocolError("its head is larger than 64 KB")
		}
		seen = max(0, c.buffered()-3)
		if c.r == 0 && c.w == len(c.buf) {
			c.grow()
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// grow doubles the buffer for a large head. Buffers of such sizes are not kept.
func (c *conn) grow() {
	b := make([]byte, min(2*len(c.buf), maxHead))
	copy(b, c.buf[:c.w])
	if c.small != nil {
		smallBuffers.Put(c.small)
		c.small = nil
	}
	c.buf = b
}

func beginsHTTP(b []byte) bool {
	const start = "HTTP/1."
	n := min(len(b), len(start))
	return string(b[:n]) == start[:n]
}
