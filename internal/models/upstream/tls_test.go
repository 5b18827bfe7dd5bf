package upstream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// echoTLS is an https provider that answers with what it was sent, and in a header with the protocol spoken.
func echoTLS(t *testing.T, change func(*httptest.Server)) (*httptest.Server, *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Proto", r.Proto)
		w.Header().Set("X-Resumed", map[bool]string{true: "yes", false: "no"}[r.TLS.DidResume])
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	s.Config.ErrorLog = quiet
	if change != nil {
		change(s)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, &tls.Config{RootCAs: roots}
}

func TestTLS(t *testing.T) {
	p, cfg := echoTLS(t, nil)
	pieces := [][]byte{[]byte("head"), bytes.Repeat([]byte("0123456789"), 30_000), []byte("mid"), []byte("tail")}
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.URL}), TLS: cfg})
			for range 3 {
				r, err := s.Send(context.Background(), flash, call.Wire{Path: "/x", Body: pieces})
				if err != nil {
					t.Fatal(err)
				}
				if got, err := readAll(r); got != string(bytes.Join(pieces, nil)) || err != nil {
					t.Fatalf("%d bytes came back, %v", len(got), err)
				}
				_ = r.Body.Close()
				if proto := r.Header.Get("X-Proto"); proto != "HTTP/1.1" {
					t.Errorf("spoke %s", proto)
				}
			}
			if n := s.Stats().Dials.Load(); n != 1 {
				t.Errorf("%d dials, want the connection reused", n)
			}
		})
	}
	if cfg.ServerName != "" || cfg.NextProtos != nil {
		t.Error("the caller's TLS configuration was changed")
	}
}

func TestTLSSessionIsResumed(t *testing.T) {
	p, cfg := echoTLS(t, func(s *httptest.Server) { s.Config.SetKeepAlivesEnabled(false) })
	s := mustMake(t, "lean", Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.URL}), TLS: cfg})
	var resumed string
	for range 2 {
		r, err := s.Send(context.Background(), flash, wire("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = readAll(r)
		_ = r.Body.Close()
		resumed = r.Header.Get("X-Resumed")
	}
	if n := s.Stats().Dials.Load(); n != 2 || resumed != "yes" {
		t.Errorf("%d dials, resumed: %s; want 2 and yes", n, resumed)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	p, _ := echoTLS(t, nil)
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.URL})})
			_, _, err := ask(s, "{}")
			wantError(t, err, llm.CodeUpstream, "certificate of provider google is not trusted", "providers.google.url")
			if n := s.Stats().Open.Load(); n != 0 {
				t.Errorf("%d connections open", n)
			}
		})
	}
}

func TestProviderThatSpeaksOnlyHTTP2(t *testing.T) {
	p, cfg := echoTLS(t, func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.TLS = &tls.Config{NextProtos: []string{"h2"}}
	})
	std := mustMake(t, "std", Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.URL}), TLS: cfg})
	r, err := std.Send(context.Background(), flash, wire("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := readAll(r); body != "{}" || err != nil || r.Header.Get("X-Proto") != "HTTP/2.0" {
		t.Errorf("std: got %q %v over %s", body, err, r.Header.Get("X-Proto"))
	}
	_ = r.Body.Close()
}

// rawTLS is a scripted provider below TLS.
func rawTLS(t *testing.T, script func(n int, c *tls.Conn, r *bufio.Reader)) (url string, cfg *tls.Config) {
	t.Helper()
	cert, cfg := echoTLS(t, nil)
	p := newPeer(t, func(n int, c net.Conn, _ *bufio.Reader) {
		secure := tls.Server(c, &tls.Config{Certificates: cert.TLS.Certificates})
		script(n, secure, bufio.NewReader(secure))
	})
	return strings.Replace(p.url, "http:", "https:", 1), cfg
}

func TestTLSBodyCutWithoutGoodbye(t *testing.T) {
	// Read until close, but the connection ends without close_notify: a body cut by someone in between.
	url, cfg := rawTLS(t, func(_ int, c *tls.Conn, r *bufio.Reader) {
		_, _, _ = takeRequest(r)
		_, _ = io.WriteString(c, okHead+"\r\nabc")
		_ = c.NetConn().Close()
	})
	s := mustMake(t, "lean", Config{Endpoints: oneEndpoint(Endpoint{BaseURL: url}), TLS: cfg})
	_, body, err := ask(s, "{}")
	wantError(t, err, llm.CodeUpstream, "closed the connection")
	if body != "abc" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q %v", body, err)
	}
}

func TestTLSAnswerNobodyAskedForIsNotUsed(t *testing.T) {
	// Both answers lie in one record, so the second is in TLS's own buffer, where no look at the socket finds it.
	url, cfg := rawTLS(t, func(n int, c *tls.Conn, r *bufio.Reader) {
		for {
			if _, _, ok := takeRequest(r); !ok {
				return
			}
			one := okHead + "Content-Length: 9000\r\n\r\n" + strings.Repeat("g", 9000)
			if n == 1 {
				one += okHead + length("evil")
			}
			_, _ = io.WriteString(c, one)
		}
	})
	s := mustMake(t, "lean", Config{Endpoints: oneEndpoint(Endpoint{BaseURL: url}), TLS: cfg})
	for range 2 {
		if _, body, err := ask(s, "{}"); body != strings.Repeat("g", 9000) || err != nil {
			t.Fatalf("got %q %v", body, err)
		}
	}
	if n := s.Stats().Dials.Load(); n != 2 {
		t.Errorf("%d dials, want 2", n)
	}
}

func TestTLSAnswerBeforeTheRequestIsWritten(t *testing.T) {
	done := make(chan struct{})
	url, cfg := rawTLS(t, func(_ int, c *tls.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\n"+length("no"))
		<-done
	})
	defer close(done)
	s := mustMake(t, "lean", Config{Endpoints: oneEndpoint(Endpoint{BaseURL: url}), TLS: cfg})
	r, err := s.Send(context.Background(), flash, call.Wire{Path: "/x", Body: [][]byte{make([]byte, 16<<20)}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := readAll(r); r.Status != 413 || body != "no" || err != nil {
		t.Errorf("got %d %q %v, want the refusal", r.Status, body, err)
	}
	if n := s.Stats().Open.Load(); n != 0 {
		t.Errorf("%d connections open", n)
	}
}

func TestHandshakeThatHangs(t *testing.T) {
	p := newPeer(t, func(_ int, c net.Conn, _ *bufio.Reader) {
		_, _ = io.Copy(io.Discard, c) // takes the hello, says nothing
	})
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			url := strings.Replace(p.url, "http:", "https:", 1)
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: url, Connect: 50 * time.Millisecond})})
			_, _, err := ask(s, "{}")
			wantError(t, err, llm.CodeTimeout, "connect timeout", "providers.google.timeout.connect")
		})
	}
}
