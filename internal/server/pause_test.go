package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/config"
)

// pipes is a listener whose connections are in memory, so that a bubble's clock stands for the network's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.conns <- far
	return near, nil
}

// pausing is a provider that streams two words with a pause between them.
type pausing time.Duration

func (p pausing) Send(context.Context, call.Target, call.Wire) (*call.Reply, error) {
	r, w := io.Pipe()
	go func() {
		const frame = `data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"word"},"finish_reason":%s}]}` + "\n\n"
		const usage = `data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}` + "\n\n"
		_, err := fmt.Fprintf(w, frame, "null")
		time.Sleep(time.Duration(p))
		if err == nil {
			_, err = fmt.Fprintf(w, frame+usage+"data: [DONE]\n\n", `"stop"`)
		}
		_ = w.CloseWithError(err) // nil = the end
	}()
	h := http.Header{"Content-Type": {"text/event-stream"}}
	return &call.Reply{Status: http.StatusOK, Header: h, Body: r}, nil
}

// smallest is a configuration with one deployment.
func smallest(dir string) string {
	return `
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: ` + dir + `}
prices: article-2026-06
providers: {openai: {preset: openai, key: env:SIM_KEY}}
deployments: {mini: {model: gpt-4o-mini, provider: openai, region: us, wire_id: mini-wire}}
routes: {words: {match: [words], mode: enforce, layers: [{name: only, use: [mini]}]}}
data: {unlabelled: internal, may_reach: {internal: any}}
`
}

func smallestSecret(name string) (string, bool) { return "generated-" + name, name == "SIM_KEY" }

// onPipes runs a test in virtual time against a server whose clients come by pipes and whose provider pauses.
func onPipes(t *testing.T, pause time.Duration, test func(t *testing.T, s *Server, p pipes)) {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, err := config.Parse("weir.yaml", []byte(smallest(dir)), smallestSecret, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Options{Config: c, Sender: pausing(pause)})
		if err != nil {
			t.Fatal(err)
		}
		p := pipes{make(chan net.Conn), make(chan struct{})}
		hs := s.httpServer(s.apiRoutes())
		ended := make(chan error)
		go func() { ended <- hs.Serve(p) }()
		test(t, s, p)
		_ = hs.Close()
		<-ended
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

const wordsAsked = `{"model":"mini","stream":true,"messages":[{"role":"user","content":"q"}]}`

// TestABodyThatPausesTooLongIsGivenUp sends a part of an announced body, then nothing.
func TestABodyThatPausesTooLongIsGivenUp(t *testing.T) {
	onPipes(t, 0, func(t *testing.T, s *Server, p pipes) {
		c, _ := p.dial(t.Context(), "", "")
		defer c.Close()
		begun := time.Now()
		_, err := fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
			"Content-Length: 1000\r\n\r\n{", s.FirstKey)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if took := time.Since(begun); err != nil || resp.StatusCode != http.StatusBadRequest || took != bodyPause || !resp.Close {
			t.Errorf("%d after %v, %v, want 400 after %v; connection closed: %v", resp.StatusCode, took, err, bodyPause, resp.Close)
		}
		if !strings.Contains(string(b), "did not come in time") {
			t.Errorf("the caller is told %s", b)
		}
		if n, _ := s.inflight.bytes.held(); n != 0 {
			t.Errorf("%d bytes stay in flight", n)
		}
	})
}

// TestABodyThatTricklesIsGivenUp sends a byte every eleven seconds: no pause is too long, the whole is.
func TestABodyThatTricklesIsGivenUp(t *testing.T) {
	onPipes(t, 0, func(t *testing.T, s *Server, p pipes) {
		c, _ := p.dial(t.Context(), "", "")
		begun, left := time.Now(), make(chan struct{})
		defer func() {
			_ = c.Close()
			<-left
		}()
		go func() {
			defer close(left)
			_, err := fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
				"Content-Length: 1000\r\n\r\n{", s.FirstKey)
			for err == nil {
				time.Sleep(11 * time.Second)
				_, err = c.Write([]byte(" "))
			}
		}()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); resp.StatusCode != http.StatusBadRequest || took != bodyTime || !resp.Close {
			t.Errorf("%d after %v, want 400 after %v; connection closed: %v", resp.StatusCode, took, bodyTime, resp.Close)
		}
	})
}

// TestAStreamMayPauseLongerThanAWriteMayStall holds for either HTTP version that the bound of one write does not run between
// writes: a provider that thinks for long costs no stream.
func TestAStreamMayPauseLongerThanAWriteMayStall(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			onPipes(t, 3*writeStall, func(t *testing.T, s *Server, p pipes) {
				protocols := new(http.Protocols)
				protocols.SetHTTP1(version == 1)
				protocols.SetUnencryptedHTTP2(version == 2)
				transport := &http.Transport{Protocols: protocols, DialContext: p.dial}
				defer transport.CloseIdleConnections()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://weir/v1/chat/completions",
					strings.NewReader(wordsAsked))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+s.FirstKey)
				begun := time.Now()
				resp, err := transport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				if err != nil || resp.ProtoMajor != version || !strings.HasSuffix(string(b), "data: [DONE]\n\n") {
					t.Errorf("HTTP/%d, %d, %v:\n%s", resp.ProtoMajor, resp.StatusCode, err, b)
				}
				if took := time.Since(begun); took < 3*writeStall {
					t.Errorf("over after %v: there was no pause", took)
				}
			})
		})
	}
}

// TestAClientThatTakesNothingIsGivenUp reads the head of a stream and then no more: the write that stalls ends the call.
func TestAClientThatTakesNothingIsGivenUp(t *testing.T) {
	onPipes(t, writeStall, func(t *testing.T, s *Server, p pipes) {
		c, _ := p.dial(t.Context(), "", "")
		defer c.Close()
		begun := time.Now()
		_, err := fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
			"Content-Length: %d\r\n\r\n%s", s.FirstKey, len(wordsAsked), wordsAsked)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReaderSize(c, 16).ReadByte(); err != nil {
			t.Fatal(err)
		}
		for n := int64(1); n > 0 && time.Since(begun) < time.Hour; n, _ = s.inflight.bytes.held() {
			time.Sleep(time.Second)
		}
		if took := time.Since(begun); took > 2*writeStall {
			t.Errorf("the call was over after %v, want at most %v", took, 2*writeStall)
		}
	})
}
