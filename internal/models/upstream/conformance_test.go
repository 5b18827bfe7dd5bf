package upstream

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/llm"
)

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

func length(body string) string { return "Content-Length: " + itoa(len(body)) + "\r\n\r\n" + body }

func itoa(n int) string {
	const digits = "0123456789"
	if n < 10 {
		return digits[n : n+1]
	}
	return itoa(n/10) + digits[n%10:n%10+1]
}

// answerCases are answers as they come over the wire. reuse says whether a second request may go over the same
// connection. leanOnly marks refusals that net/http does not make, loose errors that it words in its own way.
var answerCases = []struct {
	name, raw string
	hang      bool // the provider leaves the connection open
	status    int
	body      string
	code      llm.Code
	words     []string
	cut       bool // the error wraps io.ErrUnexpectedEOF
	reuse     bool
	leanOnly  bool
	loose     bool
}{
	{name: "content length", raw: okHead + length(`{"a":1}`), hang: true, status: 200, body: `{"a":1}`, reuse: true},
	{
		name: "content length twice, equal", raw: okHead + "Content-Length: 2\r\n" + length("{}"), hang: true, status: 200,
		body: "{}", reuse: true,
	},
	{name: "empty body", raw: okHead + length(""), hang: true, status: 200, reuse: true},
	{
		name: "chunked", raw: okHead + "Transfer-Encoding: chunked\r\n\r\n" + chunked("ab", "cde"), hang: true, status: 200,
		body: "abcde", reuse: true,
	},
	{
		name: "chunked, no chunk", raw: okHead + "Transfer-Encoding: chunked\r\n\r\n" + chunked(), hang: true, status: 200,
		reuse: true,
	},
	{
		name: "chunked with extensions and trailers", raw: okHead + "Transfer-Encoding: Chunked\r\n\r\n" +
			"3;x=\"y\"\r\nabc\r\n000a  \r\n0123456789\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n", hang: true, status: 200,
		body: "abc0123456789", reuse: true,
	},
	{name: "until close", raw: okHead + "\r\nabc", status: 200, body: "abc"},
	{name: "HTTP/1.0 with length", raw: "HTTP/1.0 200 OK\r\n" + length("abc"), hang: true, status: 200, body: "abc"},
	{
		name: "connection close", raw: okHead + "Connection: Close\r\n" + length("abc"), hang: true, status: 200,
		body: "abc",
	},
	{name: "no reason", raw: "HTTP/1.1 200\r\n" + length("abc"), hang: true, status: 200, body: "abc", reuse: true},
	{
		name: "error status is a reply", raw: "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\n" + length("slow"),
		hang: true, status: 429, body: "slow", reuse: true,
	},
	{
		name: "redirect is a reply", raw: "HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n" + length(""), hang: true,
		status: 302, reuse: true,
	},
	{name: "interim answers", raw: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + okHead +
		length("abc"), hang: true, status: 200, body: "abc", reuse: true},
	{name: "204", raw: "HTTP/1.1 204 No Content\r\n\r\n", hang: true, status: 204, reuse: true},
	{
		name: "304 with the length of a body", raw: "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", hang: true,
		status: 304, reuse: true,
	},
	{
		name: "large head", raw: okHead + "X-Large: " + strings.Repeat("v", 40<<10) + "\r\n" + length("abc"), hang: true,
		status: 200, body: "abc", reuse: true,
	},
	{
		name: "gzip", raw: okHead + "Content-Encoding: gzip\r\n" + length(gzipped("hello")), hang: true, status: 200,
		body: "hello", reuse: true,
	},
	{name: "gzip in chunks", raw: okHead + "Content-Encoding: GZIP\r\nTransfer-Encoding: chunked\r\n\r\n" +
		chunked(gzipped("hello")[:7], gzipped("hello")[7:]), hang: true, status: 200, body: "hello", reuse: true},
	{
		name: "gzip cut", raw: okHead + "Content-Encoding: gzip\r\n" + length(gzipped("hello")[:12]), status: 200,
		body: "h", code: llm.CodeUpstream, words: []string{"incomplete"}, cut: true,
	},
	{
		name: "no gzip at all", raw: okHead + "Content-Encoding: gzip\r\n" + length("hello, this is text"), status: 200,
		code: llm.CodeUpstream, words: []string{"gzip"},
	},
	{
		name: "another coding", raw: okHead + "Content-Encoding: br\r\n" + length("abc"), code: llm.CodeUpstream,
		words: []string{"not asked for", "br"},
	},

	{name: "no answer", raw: "", code: llm.CodeUpstream, words: []string{"closed the connection"}},
	{
		name: "cut in the head", raw: "HTTP/1.1 200 OK\r\nContent-Le", code: llm.CodeUpstream, cut: true, loose: true,
		words: []string{"closed the connection"},
	},
	{
		name: "cut in the body", raw: okHead + "Content-Length: 10\r\n\r\nabc", status: 200, body: "abc",
		code: llm.CodeUpstream, cut: true, words: []string{"before the answer was complete"},
	},
	{
		name: "cut in a chunk", raw: okHead + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", status: 200, body: "ab",
		code: llm.CodeUpstream, cut: true,
	},
	{
		name: "cut between chunks", raw: okHead + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", status: 200, body: "ab",
		code: llm.CodeUpstream, cut: true,
	},
	{
		name: "cut before the last line", raw: okHead + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", status: 200,
		body: "ab", code: llm.CodeUpstream, cut: true, loose: true,
	},
	{
		name: "bad chunk size", raw: okHead + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\nab\r\n", hang: true,
		status: 200, body: "ab", code: llm.CodeUpstream,
	},
	{
		name: "chunk longer than it says", raw: okHead + "Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
		hang: true, status: 200, body: "ab", code: llm.CodeUpstream,
	},
	{
		name: "huge chunk size", raw: okHead + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", hang: true,
		status: 200, code: llm.CodeUpstream,
	},
	{
		name: "differing lengths", raw: okHead + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", hang: true,
		code: llm.CodeUpstream,
	},
	{name: "length that is no number", raw: okHead + "Content-Length: 3x\r\n\r\nabc", hang: true, code: llm.CodeUpstream},
	{name: "negative length", raw: okHead + "Content-Length: -3\r\n\r\nabc", hang: true, code: llm.CodeUpstream},
	{
		name: "length beyond 63 bits", raw: okHead + "Content-Length: 9999999999999999999\r\n\r\nabc", hang: true,
		code: llm.CodeUpstream,
	},
	{
		name: "length and chunked", raw: okHead + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("abc"),
		hang: true, code: llm.CodeUpstream, words: []string{"both a length and"}, leanOnly: true,
	},
	{
		name: "unknown transfer coding", raw: okHead + "Transfer-Encoding: gzip, chunked\r\n\r\n", hang: true,
		code: llm.CodeUpstream,
	},
	{
		name: "giant head", raw: okHead + "X: " + strings.Repeat("v", 80<<10) + "\r\n" + length("abc"), hang: true,
		code: llm.CodeUpstream,
	},
	{name: "no HTTP", raw: "SSH-2.0-OpenSSH_9.2\r\n", hang: true, code: llm.CodeUpstream},
	{name: "garbage", raw: "\x15\x03\x01\x00\x02\x02\x16", code: llm.CodeUpstream},
	{
		name: "bare line feeds in the head", raw: "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", code: llm.CodeUpstream,
		leanOnly: true,
	},
	{
		name: "blank before the colon", raw: okHead + "Content-Length : 3\r\n\r\nabc", hang: true, code: llm.CodeUpstream,
		leanOnly: true,
	},
	{
		name: "folded header", raw: okHead + "X: a\r\n b\r\n" + length("abc"), hang: true, code: llm.CodeUpstream,
		leanOnly: true,
	},
	{
		name: "switching protocols", raw: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", hang: true,
		code: llm.CodeUpstream, leanOnly: true,
	},
	{
		name: "endless interim answers", raw: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 5000), hang: true,
		code: llm.CodeUpstream,
	},
}

func TestAnswers(t *testing.T) {
	for kind := range makers {
		for _, tt := range answerCases {
			t.Run(kind+"/"+tt.name, func(t *testing.T) {
				if tt.leanOnly && kind != "lean" {
					t.Skip("net/http takes it")
				}
				p := newPeer(t, answering(tt.raw, tt.hang))
				s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.url})})
				status, body, err := ask(s, "{}")
				if status != tt.status || body != tt.body {
					t.Errorf("got %d %q, want %d %q (%v)", status, body, tt.status, tt.body, err)
				}
				if tt.code == "" {
					if err != nil {
						t.Fatal(err)
					}
					_, _, err = ask(s, "{}")
					if reused := s.Stats().Dials.Load() == 1; err == nil && reused != tt.reuse {
						t.Errorf("connection reused = %v, want %v", reused, tt.reuse)
					}
					return
				}
				if tt.loose && kind != "lean" {
					wantError(t, err, tt.code)
					return
				}
				wantError(t, err, tt.code, tt.words...)
				if tt.cut && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("error %v does not wrap io.ErrUnexpectedEOF", err)
				}
			})
		}
	}
}

func TestHeadersArrive(t *testing.T) {
	fields := "x-request-id:  r1 \r\nRetry-After: 7\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
	p := newPeer(t, answering(okHead+fields+length(""), true))
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.url})})
			r, err := s.Send(context.Background(), flash, wire("{}"))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			h := r.Header
			if h.Get("X-Request-Id") != "r1" || h.Get("Retry-After") != "7" || strings.Join(h["Set-Cookie"], "") != "ab" {
				t.Errorf("headers are %v", h)
			}
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: "http://" + addr})})
			_, _, err := ask(s, "{}")
			wantError(t, err, llm.CodeUpstream, "cannot connect", "providers.google.url", "refused")
			if n := s.Stats().Open.Load(); n != 0 {
				t.Errorf("%d connections open", n)
			}
		})
	}
}

func TestUnknownProvider(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			s := mustMake(t, kind, Config{})
			_, _, err := ask(s, "{}")
			wantError(t, err, llm.CodeUpstream, "provider google is not configured", "providers.google")
		})
	}
}

func TestCancelWhileWaitingForTheHead(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			got, gone := make(chan struct{}), make(chan struct{})
			p := newPeer(t, func(_ int, _ net.Conn, r *bufio.Reader) {
				_, _, _ = takeRequest(r)
				close(got)
				_, _ = r.ReadByte() // returns when the sender breaks the connection
				close(gone)
			})
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.url})})
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				<-got
				cancel()
			}()
			_, err := s.Send(ctx, flash, wire("{}"))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want a cancellation", err)
			}
			<-gone
		})
	}
}

func TestCancelInTheMiddleOfAStream(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			gone := make(chan struct{})
			p := newPeer(t, func(_ int, c net.Conn, r *bufio.Reader) {
				_, _, _ = takeRequest(r)
				_, _ = io.WriteString(c, okHead+"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
				_, _ = r.ReadByte()
				close(gone)
			})
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.url})})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			r, err := s.Send(ctx, flash, wire("{}"))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if _, err := io.ReadFull(r.Body, make([]byte, 2)); err != nil {
				t.Fatal(err)
			}
			cancel()
			if _, err = readAll(r); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want a cancellation", err)
			}
			if _, again := r.Body.Read(make([]byte, 1)); again == nil {
				t.Error("a read after the cancellation succeeded")
			}
			<-gone
		})
	}
}

func TestCloseEarlyBreaksTheConnection(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			gone := make(chan struct{})
			p := newPeer(t, func(_ int, c net.Conn, r *bufio.Reader) {
				_, _, _ = takeRequest(r)
				_, _ = io.WriteString(c, okHead+"Content-Length: 10\r\n\r\nab")
				_, _ = r.ReadByte()
				close(gone)
			})
			s := mustMake(t, kind, Config{Endpoints: oneEndpoint(Endpoint{BaseURL: p.url})})
			r, err := s.Send(context.Background(), flash, wire("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Body.Close(); err != nil {
				t.Error(err)
			}
			if err := r.Body.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			if _, err := r.Body.Read(make([]byte, 1)); err == nil {
				t.Error("a read after Close succeeded")
			}
			<-gone
		})
	}
}

func TestEndedContextSendsNothing(t *testing.T) {
	for kind := range makers {
		t.Run(kind, func(t *testing.T) {
			s := mustMake(t, kind, Config{
				Endpoints: oneEndpoint(Endpoint{BaseURL: "http://192.0.2.1"}),
				Dial: func(context.Context, string, string) (net.Conn, error) {
					t.Error("dialled")
					return nil, io.EOF
				},
			})
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errors.New("the client went"))
			_, err := s.Send(ctx, flash, wire("{}"))
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the client went") {
				t.Errorf("got %v, want a cancellation with its cause", err)
			}
		})
	}
}
