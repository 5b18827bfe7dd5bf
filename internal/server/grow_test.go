package server

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"
	"time"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/llm"
)

// patient is a ResponseWriter on which any time may be taken.
type patient struct{ http.ResponseWriter }

func (patient) SetReadDeadline(time.Time) error { return nil }

// filled reads a chunked body of some size within limits.
func filled(s *Server, l config.Limits, size int64) (*buffer, []byte, error) {
	text := bytes.Repeat([]byte("0123456789abcdef"), int(size/16)+1)[:size]
	b := &buffer{s: s, limits: l}
	err := b.grow(int64(bodies[0].size))
	if err == nil {
		err = b.fill(iotest.DataErrReader(bytes.NewReader(text)), http.NewResponseController(patient{httptest.NewRecorder()}))
	}
	return b, text, err
}

// TestTheBytesOfAGrowingBodyAreAllCounted: while a body is copied into a larger buffer, both are in memory. That takes at
// most twice the largest body, and what is in flight is bounded by what is really there.
func TestTheBytesOfAGrowingBodyAreAllCounted(t *testing.T) {
	const most = 8 << 20
	for _, tt := range []struct {
		name        string
		size, total int64
		want        llm.Code
	}{
		{"a small one", 100, 2 * most, ""},
		{"the largest", most, 2 * most, ""},
		{"the largest, in one and a half of it", most, most*3/2 + 1, ""},
		{"the largest, without room for the copy", most, most * 3 / 2, llm.CodeOverload},
		{"just what is doubled without reaching the limit", most/2 - 1, most, ""},
		{"one byte more than the largest", most + 1, 2 * most, llm.CodeTooLarge},
	} {
		s := &Server{door: newDoor(time.Now, func(int64) int64 { return 0 })}
		b, text, err := filled(s, config.Limits{BodyBytes: most, InflightBytes: tt.total}, tt.size)
		var e *llm.Error
		if errors.As(err, &e); err != nil && (e == nil || e.Code != tt.want) || err == nil && tt.want != "" {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if held, _ := s.inflight.bytes.held(); held != b.held || err == nil && held < int64(len(text)) {
			t.Errorf("%s: %d bytes in flight, the buffer holds %d", tt.name, held, b.held)
		}
		if err == nil && !bytes.Equal(b.data, text) {
			t.Errorf("%s: the body is not what was sent", tt.name)
		}
		b.release()
		if left, _ := s.inflight.bytes.held(); left != 0 {
			t.Errorf("%s: %d bytes stay counted", tt.name, left)
		}
	}
}

// BenchmarkGrow reads a chunked body of a length nobody told.
func BenchmarkGrow(b *testing.B) {
	var s Server
	b.ReportAllocs()
	for b.Loop() {
		body, _, err := filled(&s, config.Limits{BodyBytes: 64 << 20, InflightBytes: 256 << 20}, 1<<20)
		if err != nil {
			b.Fatal(err)
		}
		body.release()
	}
}
