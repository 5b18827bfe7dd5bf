package server

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/llm"
)

// inflight bounds the bytes of calls that are in memory at once: bodies, and answers that are kept back. They count as
// their key's, of which each has only a part; what is nobody's counts in all.
type inflight struct{ bytes pool[string] }

// shared lets answers that calls keep back count against the bytes in flight.
type shared struct{ s *Server }

// Take reserves n bytes for a call of a key that has some already. An answer that has begun to be kept is paid for: only
// the limit ends it, not the key's part.
func (r shared) Take(key string, has, n int64) bool {
	if key == "" || has > 0 {
		has = math.MaxInt64
	}
	return r.s.inflight.bytes.take(key, n, has, r.s.config.Load().Limits.InflightBytes) == granted
}

// Give gives n bytes back.
func (r shared) Give(key string, n int64) { r.s.inflight.bytes.give(key, n) }

// bodies are pooled by size: most requests are small, and a large buffer is not kept for them.
var bodies = [...]struct {
	size int
	pool sync.Pool
}{{size: 4 << 10}, {size: 64 << 10}, {size: 256 << 10}, {size: 1 << 20}}

// reserved is what an announced length gets before bytes have come.
const reserved = 256 << 10

// room is the size of the buffer that n bytes get.
func room(n int64) int64 {
	for i := range bodies {
		if n <= int64(bodies[i].size) {
			return int64(bodies[i].size)
		}
	}
	return n
}

func takeBuffer(n int) []byte {
	for i := range bodies {
		if n <= bodies[i].size {
			if b, ok := bodies[i].pool.Get().(*[]byte); ok {
				return (*b)[:0]
			}
			return make([]byte, 0, bodies[i].size)
		}
	}
	return make([]byte, 0, n)
}

func giveBuffer(b []byte) {
	for i := range bodies {
		if cap(b) == bodies[i].size {
			bodies[i].pool.Put(&b)
		}
	}
}

// read reads a request's body within the limits of one body and of all bodies in flight. It must be released when it is
// no longer used.
func (s *Server) read(w http.ResponseWriter, r *http.Request, key string) (*buffer, error) {
	limits := s.config.Load().Limits
	if r.ContentLength > limits.BodyBytes {
		return nil, tooLarge(limits.BodyBytes)
	}
	b := &buffer{s: s, key: key, limits: limits}
	if err := b.read(w, r); err != nil {
		b.release()
		return nil, err
	}
	return b, nil
}

// buffer is a body under way, counted against the bytes in flight.
type buffer struct {
	s      *Server
	key    string // whose it is
	limits config.Limits
	data   []byte
	held   int64
}

func (b *buffer) read(w http.ResponseWriter, r *http.Request) error {
	encoding := r.Header.Get("Content-Encoding")
	first := min(r.ContentLength+1, reserved) // one more, so that the end is seen without growing
	if first <= 0 || encoding != "" {
		first = int64(bodies[0].size)
	}
	if err := b.grow(first); err != nil {
		return err
	}
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Now().Add(b.s.opt.Patience.Pause)); err != nil {
		return fmt.Errorf("set the read deadline: %w", err)
	}
	src, err := plain(http.MaxBytesReader(w, r.Body, b.limits.BodyBytes), encoding) // reads the head of what is packed
	if err != nil {
		return err
	}
	if err := b.fill(src, rc); err != nil {
		return err
	}
	// The body is read; from here on the connection is only watched for the client's leaving.
	if err := rc.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear the read deadline: %w", err)
	}
	return nil
}

func (b *buffer) release() {
	b.s.inflight.bytes.give(b.key, b.held)
	b.held = 0
	giveBuffer(b.data)
	b.data = nil
}

// grow makes room for n bytes in all. While the bytes are copied both the old buffer and the new one count.
func (b *buffer) grow(n int64) error {
	n = room(n)
	switch b.s.inflight.bytes.take(b.key, n, b.held, b.limits.InflightBytes) {
	case full:
		return b.s.door.turned(b.key, byBytes, "too many bytes of requests are in flight",
			"send the call again after the time that Retry-After tells; limits.inflight in weir.yaml is the bound")
	case unfair:
		return b.s.door.turned(b.key, byKeyBytes, "this key has too many bytes of requests in flight",
			"send the call again after the time that Retry-After tells; the rest of limits.inflight is kept for other keys")
	}
	old, held := b.data, b.held
	b.data, b.held = append(takeBuffer(int(n)), old...), n
	giveBuffer(old)
	b.s.inflight.bytes.give(b.key, held)
	return nil
}

// more is the size of the next buffer: twice the last one, or, in the reach of the limit, what holds the largest body and
// the byte that would be too much.
func (b *buffer) more() int64 {
	n := 2 * int64(cap(b.data))
	if n >= b.limits.BodyBytes {
		return b.limits.BodyBytes + 1
	}
	return n
}

// fill reads src to its end.
func (b *buffer) fill(src io.Reader, rc *http.ResponseController) error {
	p := b.s.opt.Patience
	end := time.Now().Add(p.Body)
	for {
		pause := time.Now().Add(p.Pause)
		if pause.After(end) {
			pause = end
		}
		if err := rc.SetReadDeadline(pause); err != nil {
			return fmt.Errorf("set the read deadline: %w", err)
		}
		n, err := src.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		var over *http.MaxBytesError
		switch {
		case errors.As(err, &over), int64(len(b.data)) > b.limits.BodyBytes:
			return tooLarge(b.limits.BodyBytes)
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return &llm.Error{
				Code: llm.CodeInvalid, Message: "the request's body did not come in time",
				Hint: fmt.Sprintf("send it within %s, with pauses of at most %s", p.Body, p.Pause),
				Err:  os.ErrDeadlineExceeded,
			}
		case err != nil:
			return &llm.Error{Code: llm.CodeInvalid, Message: "the request's body could not be read", Err: err}
		}
		if len(b.data) == cap(b.data) {
			if err := b.grow(b.more()); err != nil {
				return err
			}
		}
	}
}

// plain undoes a body's content encoding.
func plain(body io.Reader, encoding string) (io.Reader, error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return body, nil
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, &llm.Error{Code: llm.CodeInvalid, Message: "the request's body is not gzip", Err: err}
		}
		return z, nil
	}
	return nil, &llm.Error{
		Code: llm.CodeInvalid, Message: "unsupported content-encoding", Hint: "send the body as it is, or as gzip",
		Param: "content-encoding",
	}
}

func tooLarge(limit int64) error {
	return &llm.Error{
		Code: llm.CodeTooLarge, Message: fmt.Sprintf("the request's body is larger than %d bytes", limit),
		Hint: "limits.body in weir.yaml is the bound",
	}
}
