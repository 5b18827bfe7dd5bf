package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

func lean(t testing.TB, e Endpoint) *Client {
	return mustMake(t, "lean", Config{Endpoints: oneEndpoint(e)}).(*Client)
}

// record is a script that hands out what was written, verbatim, and answers.
func record(got chan<- string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, c net.Conn, r *bufio.Reader) {
		var raw bytes.Buffer
		if _, _, ok := takeRequest(bufio.NewReader(io.TeeReader(r, &raw))); ok {
			_, _ = io.WriteString(c, okHead+length("{}"))
			got <- raw.String()
		}
	}
}

func TestRequestBytes(t *testing.T) {
	got := make(chan string, 1)
	p := newPeer(t, record(got))
	s := lean(t, Endpoint{BaseURL: p.url + "/", Auth: Auth{Prefix: "Bearer ", Secret: func() string { return "k-123" }}})
	r, err := s.Send(context.Background(), flash, call.Wire{
		Path: "/chat/completions?beta=1", Stream: true,
		Header: []call.Field{{Name: "anthropic-beta", Value: "a, b"}},
		Body:   [][]byte{[]byte(`{"model":"`), []byte("flash"), {}, []byte(`"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	host := strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), "/v1")
	want := "POST /v1/chat/completions?beta=1 HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: weir\r\n" +
		"Content-Type: application/json\r\nAccept: text/event-stream\r\nAccept-Encoding: identity\r\n" +
		"Content-Length: 17\r\nauthorization: Bearer k-123\r\nanthropic-beta: a, b\r\n\r\n" + `{"model":"flash"}`
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Error(diff)
	}
}

func TestBothSendersSayTheSame(t *testing.T) {
	got := make(chan string, 1)
	p := newPeer(t, record(got))
	seen := map[string]http.Header{}
	for kind := range makers {
		auth := Auth{Header: "x-api-key", Secret: func() string { return "k-123" }}
		s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.url, Auth: auth})})
		w := wire("{}")
		w.Header = []call.Field{{Name: "Anthropic-Version", Value: "2023-06-01"}}
		r, err := s.Send(context.Background(), flash, w)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		q, err := http.ReadRequest(bufio.NewReader(strings.NewReader(<-got)))
		if err != nil {
			t.Fatal(err)
		}
		seen[kind] = q.Header
	}
	if diff := cmp.Diff(seen["lean"], seen["std"]); diff != "" {
		t.Error(diff)
	}
}

func TestRequestsRefused(t *testing.T) {
	field := func(name, value string) call.Wire {
		return call.Wire{Path: "/a", Header: []call.Field{{Name: name, Value: value}}}
	}
	for _, tt := range []struct {
		name   string
		wire   call.Wire
		secret string
		code   llm.Code
	}{
		{"line end in a value", field("x", "a\r\nX-Evil: 1"), "k", llm.CodeInvalid},
		{"line feed in a value", field("x", "a\nb"), "k", llm.CodeInvalid},
		{"NUL in a value", field("x", "a\x00"), "k", llm.CodeInvalid},
		{"line end in a name", field("x\r\ny", "a"), "k", llm.CodeInvalid},
		{"empty name", field("", "a"), "k", llm.CodeInvalid},
		{"framing field", field("Transfer-Encoding", "chunked"), "k", llm.CodeInvalid},
		{"the credential's field", field("Authorization", "x"), "k", llm.CodeInvalid},
		{"line end in the path", call.Wire{Path: "/a HTTP/1.1\r\nX: "}, "k", llm.CodeInvalid},
		{"path without a slash", call.Wire{Path: "a"}, "k", llm.CodeInvalid},
		{"line end in the credential", call.Wire{Path: "/a"}, "s3cret\n", llm.CodeUpstream},
	} {
		for kind := range makers {
			t.Run(kind+"/"+tt.name, func(t *testing.T) {
				auth := Auth{Secret: func() string { return tt.secret }}
				s := mustMake(t, kind, Config{
					Endpoints: oneEndpoint(Endpoint{BaseURL: "http://192.0.2.1", Auth: auth}),
					Dial: func(context.Context, string, string) (net.Conn, error) {
						t.Error("dialled")
						return nil, io.EOF
					},
				})
				_, err := s.Send(context.Background(), flash, tt.wire)
				wantError(t, err, tt.code)
				if strings.Contains(fmt.Sprintf("%+v", err), "s3cret") {
					t.Errorf("the error shows the credential: %+v", err)
				}
			})
		}
	}
}

func TestAuthNeverPrintsItsSecret(t *testing.T) {
	e := Endpoint{BaseURL: "http://a", Auth: Auth{Prefix: "Bearer ", Secret: func() string { return "s3cret" }}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if out := fmt.Sprintf(verb, e); strings.Contains(out, "s3cret") {
			t.Errorf("%s prints %s", verb, out)
		}
	}
}

func TestEndpointsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, url, header, want string
	}{
		{"no scheme", "api.example.com/v1", "", "http://"},
		{"other scheme", "ftp://api.example.com", "", "http://"},
		{"no host", "https:///v1", "", "no host"},
		{"user", "https://u:s3cret@example.com", "", "user or password"},
		{"query", "https://example.com/v1?key=1", "", "query"},
		{"control character", "https://u:s3cret@exa\nmple.com", "", "does not parse"},
		{"bad credential header", "https://example.com", "x y", "cannot carry"},
		{"framing header as credential", "https://example.com", "Content-Length", "cannot carry"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for kind, mk := range makers {
				_, err := mk(Config{Endpoints: oneEndpoint(Endpoint{BaseURL: tt.url, Auth: Auth{Header: tt.header}})})
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "google") {
					t.Errorf("%s: got %v, want %q and the provider's name", kind, err, tt.want)
				}
				if err != nil && strings.Contains(err.Error(), "s3cret") {
					t.Errorf("%s: the error shows the password: %v", kind, err)
				}
			}
		})
	}
}

func TestLargeBodiesBothWays(t *testing.T) {
	p := newPeer(t, echoing(func(body string) []string { return []string{body[:7], body[7:]} }))
	piece := bytes.Repeat([]byte("0123456789abcdef"), 50_000) // 800 KB
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.url})})
			w := call.Wire{Path: "/x", Body: [][]byte{[]byte("head"), piece, []byte("mid"), piece, []byte("tail")}}
			want := string(bytes.Join(w.Body, nil))
			for range 2 {
				r, err := s.Send(context.Background(), flash, w)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := readAll(r); err != nil || got != want {
					t.Fatalf("got %d bytes, want %d back as they were (%v)", len(got), len(want), err)
				}
			}
			if string(bytes.Join(w.Body, nil)) != want {
				t.Error("the request's body was changed")
			}
			if n := s.Stats().Dials.Load(); n != 1 {
				t.Errorf("%d dials, want the connection reused", n)
			}
		})
	}
}

func TestAnswerBeforeTheRequestIsWritten(t *testing.T) {
	// The provider refuses by the head alone and reads nothing of a body larger than all socket buffers.
	big := bytes.Repeat([]byte("x"), 16<<20)
	for _, after := range []string{"closes", "stays"} {
		t.Run(after, func(t *testing.T) {
			done := make(chan struct{})
			p := newPeer(t, func(_ int, c net.Conn, r *bufio.Reader) {
				if _, err := http.ReadRequest(r); err != nil {
					t.Error(err)
				}
				_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\n"+length("no"))
				if after == "stays" {
					<-done
				}
			})
			defer close(done)
			s := lean(t, Endpoint{BaseURL: p.url})
			r, err := s.Send(context.Background(), flash, call.Wire{Path: "/x", Body: [][]byte{big}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if body, err := readAll(r); r.Status != 413 || body != "no" || err != nil {
				t.Errorf("got %d %q %v, want the refusal", r.Status, body, err)
			}
			if n := s.Stats().Open.Load(); n != 0 {
				t.Errorf("%d connections open: one with half a request on it was kept", n)
			}
		})
	}
}

func TestStaleConnectionIsNotUsed(t *testing.T) {
	for _, tt := range []struct{ name, late string }{
		{"closed while idle", ""},
		{"spoke out of turn", okHead + "Content-Length: 4\r\n\r\nevil"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			went := make(chan struct{})
			spoil := make(chan struct{})
			p := newPeer(t, func(n int, c net.Conn, r *bufio.Reader) {
				if n > 1 {
					answering(okHead+length("good"), true)(n, c, r)
					return
				}
				_, _, _ = takeRequest(r)
				_, _ = io.WriteString(c, okHead+length("good"))
				<-spoil
				if tt.late == "" {
					_ = c.Close()
				} else {
					_, _ = io.WriteString(c, tt.late)
				}
				close(went)
				_, _ = r.ReadByte()
			})
			s := lean(t, Endpoint{BaseURL: p.url})
			if _, _, err := ask(s, "{}"); err != nil {
				t.Fatal(err)
			}
			close(spoil)
			<-went
			waitReadable(s)
			if _, body, err := ask(s, "{}"); body != "good" || err != nil {
				t.Errorf("got %q %v, want the answer of a fresh connection", body, err)
			}
			if st := s.Stats(); st.Stale.Load() != 1 || st.Dials.Load() != 2 || st.Open.Load() != 1 {
				t.Errorf("stale %d, dials %d, open %d; want 1, 2, 1", st.Stale.Load(), st.Dials.Load(), st.Open.Load())
			}
		})
	}
}

// waitReadable waits until what the peer did has reached our side of its idle connection.
func waitReadable(s *Client) {
	c := (*s.table.Load())["google"].pool.idle[0]
	for !c.sock.peek.readable() {
		runtime.Gosched()
	}
}

func TestDyingConnectionIsNotRetried(t *testing.T) {
	var mu sync.Mutex
	requests := 0
	p := newPeer(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for range 2 {
			if _, _, ok := takeRequest(r); !ok {
				return
			}
			mu.Lock()
			requests++
			second := requests == 2
			mu.Unlock()
			if second {
				return // took the request, then died
			}
			_, _ = io.WriteString(c, okHead+length("{}"))
		}
	})
	s := lean(t, Endpoint{BaseURL: p.url})
	if _, _, err := ask(s, "{}"); err != nil {
		t.Fatal(err)
	}
	_, _, err := ask(s, "{}")
	wantError(t, err, llm.CodeUpstream, "closed the connection")
	mu.Lock()
	defer mu.Unlock()
	if requests != 2 {
		t.Errorf("%d requests reached the provider, want 2: the second was sent again", requests)
	}
}

func TestCloseAfterTheLastEventKeepsTheConnection(t *testing.T) {
	stream := okHead + "Transfer-Encoding: chunked\r\n\r\n" + chunked("data: a\n\n", "data: [DONE]\n\n")
	p := newPeer(t, answering(stream, true))
	s := lean(t, Endpoint{BaseURL: p.url})
	for range 3 {
		r, err := s.Send(context.Background(), flash, wire("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r.Body, make([]byte, len("data: a\n\ndata: [DONE]\n\n"))); err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
	}
	if n := s.Stats().Dials.Load(); n != 1 {
		t.Errorf("%d dials, want 1", n)
	}
}

func TestCloseDuringARead(t *testing.T) {
	p := newPeer(t, func(_ int, c net.Conn, r *bufio.Reader) {
		_, _, _ = takeRequest(r)
		_, _ = io.WriteString(c, okHead+"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
		_, _ = r.ReadByte()
	})
	s := lean(t, Endpoint{BaseURL: p.url})
	r, err := s.Send(context.Background(), flash, wire("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r.Body, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	reading := make(chan struct{})
	go func() {
		close(reading)
		_, err := r.Body.Read(make([]byte, 1))
		failed <- err
	}()
	<-reading
	_ = r.Body.Close()
	if err := <-failed; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the read ended with %v, want an error", err)
	}
	if n := s.Stats().Open.Load(); n != 0 {
		t.Errorf("%d connections open", n)
	}
}

func TestConcurrentSendsDoNotMix(t *testing.T) {
	p := newPeer(t, echoing(func(body string) []string { return []string{body, "-", body} }))
	for kind := range makers {
		s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.url, MaxConns: 5})})
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				for i := range 50 {
					body := fmt.Sprintf("%d/%d/%s", g, i, strings.Repeat("x", (g*i*37)%9000))
					if _, got, err := ask(s, body); err != nil || got != body+"-"+body {
						t.Errorf("%s: got another answer for %d/%d (%v)", kind, g, i, err)
						return
					}
				}
			})
		}
		wg.Wait()
		if n := s.Stats().Dials.Load(); n > 5 {
			t.Errorf("%s: %d dials with 5 connections allowed", kind, n)
		}
	}
}

// TestCancellationsAtAnyMoment ends calls at points spread over their whole course. None of the others may be hurt, no
// connection may be counted wrongly, no goroutine may stay.
func TestCancellationsAtAnyMoment(t *testing.T) {
	p := newPeer(t, echoing(func(body string) []string { return []string{body, "-", body} }))
	s := lean(t, Endpoint{BaseURL: p.url, MaxConns: 6})
	var wg sync.WaitGroup
	for g := range 12 {
		wg.Go(func() {
			for i := range 60 {
				body := fmt.Sprintf("%d/%d/%s", g, i, strings.Repeat("x", (g*i*37)%9000))
				ctx, cancel := context.WithCancel(context.Background())
				if i%3 > 0 {
					time.AfterFunc(time.Duration((g*131+i*977)%3000)*time.Microsecond, cancel)
				}
				w := wire(body)
				r, err := s.Send(ctx, flash, w)
				got := ""
				if err == nil {
					got, err = readAll(r)
					_ = r.Body.Close()
				}
				cancel()
				if err == nil && got != body+"-"+body || err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("call %d/%d got another answer or error: %v", g, i, err)
				}
			}
		})
	}
	wg.Wait()
	if st := s.Stats(); st.Open.Load() != st.Idle.Load() || st.Open.Load() > 6 || st.Open.Load() < 1 {
		t.Errorf("%d connections open, %d idle, of 6", st.Open.Load(), st.Idle.Load())
	}
}
