package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// canned is a connection that takes any request and answers with fixed bytes, at most step at a time.
type canned struct {
	in     bytes.Reader
	step   int
	closed bool
}

func (c *canned) Read(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.in.Read(p[:min(len(p), c.step)])
}

func (c *canned) Close() error {
	c.closed = true
	return nil
}

func (*canned) Write(p []byte) (int, error)      { return len(p), nil }
func (*canned) LocalAddr() net.Addr              { return nil }
func (*canned) RemoteAddr() net.Addr             { return nil }
func (*canned) SetDeadline(time.Time) error      { return nil }
func (*canned) SetReadDeadline(time.Time) error  { return nil }
func (*canned) SetWriteDeadline(time.Time) error { return nil }

// fetch sends one request to a provider that answers raw, and reads the answer in pieces of the size given.
func fetch(t *testing.T, raw []byte, step, piece int) (status int, body []byte, conn *canned, kept bool, err error) {
	conn = &canned{step: step}
	conn.in.Reset(raw)
	s, err := New(Config{
		Endpoints: oneEndpoint(Endpoint{BaseURL: "http://provider.test"}),
		Dial:      func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := s.Send(context.Background(), flash, call.Wire{Path: "/"})
	if err == nil {
		buf := make([]byte, piece)
		for err == nil {
			var n int
			n, err = r.Body.Read(buf)
			body = append(body, buf[:n]...)
		}
		status = r.Status
		if _, again := r.Body.Read(buf); again != err {
			t.Errorf("the error changed from %v to %v", err, again)
		}
		_ = r.Body.Close()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
	}
	kept = s.Stats().Idle.Load() == 1
	if kept == conn.closed {
		t.Errorf("kept %v, closed %v", kept, conn.closed)
	}
	return status, body, conn, kept, err
}

// reference reads the same by net/http, over interim answers.
func reference(raw []byte) (status int, body []byte, rest int, err error) {
	in := bytes.NewReader(raw)
	r := bufio.NewReader(in)
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodPost})
		if err != nil {
			return 0, nil, 0, err
		}
		if resp.StatusCode < 200 {
			continue
		}
		body, err = io.ReadAll(resp.Body)
		return resp.StatusCode, body, in.Len() + r.Buffered(), err
	}
}

// FuzzResponse feeds arbitrary bytes as an answer. What the lean client accepts, net/http accepts and reads alike; the
// way the bytes are cut into reads changes nothing; a connection is kept only when the answer used up all bytes.
func FuzzResponse(f *testing.F) {
	for _, tt := range answerCases {
		if len(tt.raw) < 4<<10 {
			f.Add([]byte(tt.raw), uint16(1), uint16(3))
			f.Add([]byte(tt.raw), uint16(5000), uint16(5000))
		}
	}
	f.Add([]byte(okHead+length("{}")+okHead+length("{}")), uint16(5000), uint16(1))
	f.Add([]byte(okHead+"Transfer-Encoding: chunked\r\n\r\n"+chunked("ab", "c")+"x"), uint16(7), uint16(1))
	f.Fuzz(func(t *testing.T, raw []byte, step, piece uint16) {
		status, body, conn, kept, err := fetch(t, raw, int(step)+1, int(piece)+1)
		whole, wholeBody, _, _, wholeErr := fetch(t, raw, len(raw)+1, 32<<10)
		if status != whole || !bytes.Equal(body, wholeBody) || (err == nil) != (wholeErr == nil) {
			t.Errorf("in pieces %d %q %v, at once %d %q %v", status, body, err, whole, wholeBody, wholeErr)
		}
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) {
				t.Errorf("error %v is no *llm.Error", err)
			}
			return
		}
		refStatus, refBody, rest, refErr := reference(raw)
		if refErr != nil {
			t.Fatalf("net/http refuses what was accepted: %v", refErr)
		}
		if isGzip(raw) {
			return // net/http was not asked to decode
		}
		if status != refStatus || !bytes.Equal(body, refBody) {
			t.Errorf("got %d %q, net/http %d %q", status, body, refStatus, refBody)
		}
		if kept && rest > conn.in.Len() {
			t.Errorf("kept a connection after reading %d bytes beyond the answer", rest-conn.in.Len())
		}
	})
}

func isGzip(raw []byte) bool { return bytes.Contains(bytes.ToLower(raw), []byte("content-encoding")) }

// FuzzHeaderFields writes arbitrary header fields: what is not refused arrives as exactly that field and changes
// nothing else of the request.
func FuzzHeaderFields(f *testing.F) {
	f.Add("anthropic-beta", "a, b", "/v1/x?y=z")
	f.Add("x", "a\r\nEvil: 1", "/")
	f.Add("content-length", "0", "/ HTTP/1.1\r\nEvil: 1\r\n\r\n")
	ep, err := newEndpoint("google", Endpoint{BaseURL: "http://provider.test/base"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, value, path string) {
		w := call.Wire{Path: path, Header: []call.Field{{Name: name, Value: value}}, Body: [][]byte{[]byte("{}")}}
		if _, err := ep.checkWire(w, whereOf(flash)); err != nil {
			return
		}
		raw := append(ep.appendHead(nil, w, ""), "{}"...)
		r := bufio.NewReader(bytes.NewReader(raw))
		q, err := http.ReadRequest(r)
		if err != nil {
			if strings.Contains(path, "%") {
				return // a broken escape is the provider's to refuse
			}
			t.Fatalf("net/http cannot read %q: %v", raw, err)
		}
		body, err := io.ReadAll(q.Body)
		if err != nil || string(body) != "{}" || r.Buffered() != 0 || q.ContentLength != 2 {
			t.Errorf("body %q, %d bytes after it, %v", body, r.Buffered(), err)
		}
		if got := q.Header[http.CanonicalHeaderKey(name)]; len(got) != 1 || got[0] != value || len(q.Header) != 6 {
			t.Errorf("field %q: %q arrived as %v in %v", name, value, got, q.Header)
		}
		if q.RequestURI != "/base"+path || q.Host != "provider.test" {
			t.Errorf("request is for %q at %q", q.RequestURI, q.Host)
		}
	})
}
