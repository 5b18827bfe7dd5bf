package rawhttp

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

const (
	fixed  = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"
	stream = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n" +
		"10\r\ndata: {\"a\":\"b\"}\n\r\n1\r\n\n\r\ne;ext=1\r\ndata: [DONE]\n\n\r\n0\r\nTrailer: x\r\n\r\n"
)

func TestAnswersAreParsedWhereverTheyAreCut(t *testing.T) {
	tests := []struct {
		name, text     string
		status, events int
		bytes          int64
		finished       bool
	}{
		{"a length", fixed, 200, 0, 5, false},
		{"no body", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", 204, 0, 0, false},
		{"an error", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", 503, 0, 2, false},
		{"chunks, a blank line across two of them, a trailer", stream, 200, 2, 31, true},
	}
	for _, tt := range tests {
		for size := 1; size <= len(tt.text); size++ {
			var a Answer
			feed(t, &a, tt.text, size)
			if !a.Done() || a.Status != tt.status || a.Events != tt.events || a.Bytes != tt.bytes || a.Finished() != tt.finished {
				t.Fatalf("%s in pieces of %d: done %v, %+v", tt.name, size, a.Done(), a)
			}
		}
	}
}

// feed gives an answer its bytes in pieces and fails when one is left over.
func feed(t *testing.T, a *Answer, text string, size int) {
	t.Helper()
	for i := 0; i < len(text); i += size {
		piece := text[i:min(len(text), i+size)]
		n, err := a.Feed([]byte(piece))
		if err != nil || n != len(piece) {
			t.Fatalf("took %d of %q: %v", n, piece, err)
		}
	}
}

func TestTheNextAnswerIsLeft(t *testing.T) {
	a := Answer{Keep: true}
	n, err := a.Feed([]byte(fixed + fixed))
	if err != nil || n != len(fixed) || string(a.Body) != "hello" {
		t.Fatalf("took %d, body %q, %v", n, a.Body, err)
	}
	a.Reset()
	if a.Done() || !a.Keep || a.Status != 0 {
		t.Fatalf("after Reset: %+v", a)
	}
	feed(t, &a, fixed, 7)
	if string(a.Body) != "hello" {
		t.Errorf("second body %q", a.Body)
	}
}

func TestBrokenFramingIsAnError(t *testing.T) {
	for _, bad := range []string{
		"ICY 200 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxHead),
	} {
		var a Answer
		if _, err := a.Feed([]byte(bad)); err == nil {
			t.Errorf("%.60q is taken", bad)
		}
	}
}

func TestRequestBodies(t *testing.T) {
	const two = "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" +
		"POST /v1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
	r := bufio.NewReader(strings.NewReader(two))
	var body []byte
	for _, want := range []string{"abc", "def"} {
		var err error
		if body, err = ReadBody(r, body); err != nil || string(body) != want {
			t.Fatalf("body %q, %v; want %q", body, err, want)
		}
	}
	if _, err := ReadBody(r, body); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	for _, bad := range []string{
		"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HT",
		"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		if b, err := ReadBody(bufio.NewReader(strings.NewReader(bad)), nil); err == nil {
			t.Errorf("%q is read as %q", bad, b)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(fixed), 3)
	f.Add([]byte(stream), 1)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n"), 9)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if size < 1 || len(text) > 1<<16 {
			return
		}
		whole := Answer{Keep: true}
		n, err := whole.Feed(text)
		if err != nil {
			return
		}
		if n > len(text) || whole.Bytes != int64(len(whole.Body)) {
			t.Fatalf("took %d of %d, %d bytes of body, %d kept", n, len(text), whole.Bytes, len(whole.Body))
		}
		pieces := Answer{Keep: true}
		for i := 0; i < n; i += size {
			if _, err := pieces.Feed(text[i:min(n, i+size)]); err != nil {
				t.Fatalf("in pieces: %v", err)
			}
		}
		if pieces.Done() != whole.Done() || pieces.Status != whole.Status || string(pieces.Body) != string(whole.Body) {
			t.Fatalf("whole %+v, in pieces %+v", whole, pieces)
		}
	})
}
