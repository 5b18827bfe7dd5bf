package server

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/llm"
)

// inflight bounds the bytes of request bodies that are in memory at once.
type inflight struct{ bytes atomic.Int64 }

// take reserves n bytes below a limit.
func (f *inflight) take(n, limit int64) bool {
	if f.bytes.Add(n) <= limit {
		return true
	}
	f.bytes.Add(-n)
	return false
}

func (f *inflight) give(n int64) { f.bytes.Add(-n) }

// shared lets answers that calls keep back count against the bytes in flight.
type shared struct{ s *Server }

// Take reserves n bytes.
func (r shared) Take(n int64) bool {
	return r.s.inflight.take(n, r.s.config.Load().Limits.InflightBytes)
}

// Give gives n bytes back.
func (r shared) Give(n int64) { r.s.inflight.give(n) }

// bodies are pooled by size: most requests are small, and a large buffer is not kept for them.
var bodies = [...]struct {
	size int
	pool sync.Pool
}{{size: 4 << 10}, {size: 64 << 10}, {size: 256 << 10}, {size: 1 << 20}}

// Bounds of reading a body: what is reserved for an announced length before bytes have come, how long a client may say
// nothing, and how long the whole may take.
const (
	reserved  = 256 << 10
	bodyPause = 30 * time.Second
	bodyTime  = 5 * time.Minute
)

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

// admit reads a request's body within the limits of one body and of all bodies in flight. release must be called when
// the body is no longer used.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	limits := s.config.Load().Limits
	if r.ContentLength > limits.BodyBytes {
		return nil, nil, tooLarge(limits.BodyBytes)
	}
	src, packed, err := plain(http.MaxBytesReader(w, r.Body, limits.BodyBytes), r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, nil, err
	}
	b := &buffer{s: s, limits: limits}
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	first := min(r.ContentLength+1, reserved) // one more, so that the end is seen without growing
	if first <= 0 || packed {
		first = int64(bodies[0].size)
	}
	if err := b.grow(first); err != nil {
		return nil, nil, err
	}
	rc := http.NewResponseController(w)
	if err := b.fill(src, rc); err != nil {
		return nil, nil, err
	}
	// The body is read; from here on the connection is only watched for the client's leaving.
	if err := rc.SetReadDeadline(time.Time{}); err != nil {
		return nil, nil, fmt.Errorf("clear the read deadline: %w", err)
	}
	return b.data, b.release, nil
}

// buffer is a body under way, counted against the bytes in flight.
type buffer struct {
	s      *Server
	limits config.Limits
	data   []byte
	held   int64
}

func (b *buffer) release() {
	b.s.inflight.give(b.held)
	b.held = 0
	giveBuffer(b.data)
	b.data = nil
}

// grow makes room for n bytes in all. While the bytes are copied both the old buffer and the new one count.
func (b *buffer) grow(n int64) error {
	n = room(n)
	if !b.s.inflight.take(n, b.limits.InflightBytes) {
		return &llm.Error{
			Code: llm.CodeOverload, Message: "too many bytes of requests are in flight", RetryAfter: retryOverload,
			Hint: "send the call again later; limits.inflight in weir.yaml is the bound",
		}
	}
	old, held := b.data, b.held
	b.data, b.held = append(takeBuffer(int(n)), old...), n
	giveBuffer(old)
	b.s.inflight.give(held)
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
	end := time.Now().Add(bodyTime)
	for {
		pause := time.Now().Add(bodyPause)
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
				Hint: fmt.Sprintf("send it within %s, with pauses of at most %s", bodyTime, bodyPause),
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
func plain(body io.Reader, encoding string) (src io.Reader, packed bool, err error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return body, false, nil
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, true, &llm.Error{Code: llm.CodeInvalid, Message: "the request's body is not gzip", Err: err}
		}
		return z, true, nil
	}
	return nil, false, &llm.Error{
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
