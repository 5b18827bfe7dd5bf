package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sender is what both senders are to their callers.
type sender interface {
	Send(context.Context, call.Target, call.Wire) (*call.Reply, error)
	Update(map[string]Endpoint) error
	Close()
	Stats() *Stats
}

var (
	_ sender = (*Client)(nil)
	_ sender = (*Std)(nil)
)

// makers are the two senders, which must behave alike.
var makers = map[string]func(Config) (sender, error){
	"lean": func(c Config) (sender, error) { return New(c) },
	"std":  func(c Config) (sender, error) { return NewStd(c) },
}

var flash = call.Target{Deployment: "flash", Provider: "google"}

func oneEndpoint(e Endpoint) map[string]Endpoint { return map[string]Endpoint{"google": e} }

func wire(body string) call.Wire {
	return call.Wire{Path: "/chat/completions", Body: [][]byte{[]byte(body)}, Stream: true}
}

func mustMake(t testing.TB, kind string, c Config) sender {
	t.Helper()
	s, err := makers[kind](c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// quiet swallows what a server says about clients that leave.
var quiet = log.New(io.Discard, "", 0)

// peer is a scripted provider: every connection gets its number, from 1, and runs the script, then is closed.
type peer struct {
	url string
	ln  net.Listener
	wg  sync.WaitGroup
}

func newPeer(t testing.TB, script func(n int, c net.Conn, r *bufio.Reader)) *peer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{url: "http://" + ln.Addr().String() + "/v1", ln: ln}
	p.wg.Go(func() {
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() {
				defer c.Close()
				script(n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		p.wg.Wait()
	})
	return p
}

// takeRequest reads one request with its body; false at the end of the connection.
func takeRequest(r *bufio.Reader) (*http.Request, string, bool) {
	q, err := http.ReadRequest(r)
	if err != nil {
		return nil, "", false
	}
	b, err := io.ReadAll(q.Body)
	return q, string(b), err == nil
}

// answering answers every request of every connection with the same bytes, then closes if hang is false, else waits
// for the other side to close.
func answering(raw string, hang bool) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			if _, _, ok := takeRequest(r); !ok {
				return
			}
			_, _ = io.WriteString(c, raw)
			if !hang {
				return
			}
		}
	}
}

// echoing answers every request with chunks made of its body, until the other side closes.
func echoing(chunks func(body string) []string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			_, body, ok := takeRequest(r)
			if !ok {
				return
			}
			_, _ = io.WriteString(c, okHead+"Transfer-Encoding: chunked\r\n\r\n"+chunked(chunks(body)...))
		}
	}
}

// readAll reads a body to its end.
func readAll(r *call.Reply) (string, error) {
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

// ask sends one request and reads the answer whole.
func ask(s sender, body string) (status int, answer string, err error) {
	r, err := s.Send(context.Background(), flash, wire(body))
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	answer, err = readAll(r)
	return r.Status, answer, err
}

// wantError checks code and words of an *llm.Error.
func wantError(t *testing.T, err error, code llm.Code, words ...string) {
	t.Helper()
	var e *llm.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an *llm.Error with code %s", err, code)
	}
	if e.Code != code {
		t.Errorf("code = %s, want %s (%v)", e.Code, code, err)
	}
	for _, w := range words {
		if !strings.Contains(e.Error()+" | "+e.Hint, w) {
			t.Errorf("error %q with hint %q lacks %q", e.Error(), e.Hint, w)
		}
	}
	if !strings.Contains(e.Message, "flash") {
		t.Errorf("message %q does not name the deployment", e.Message)
	}
}

func chunked(parts ...string) string {
	var b bytes.Buffer
	for _, p := range parts {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(p), p)
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}

const okHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
