package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/server"
)

// short is a server's patience with clients, for tests: all times are far below those of the tests. For a header there is
// the usual time: a busy machine may bring a client's first bytes late.
var short = server.Patience{
	Idle: 200 * time.Millisecond, Pause: 150 * time.Millisecond, Body: 400 * time.Millisecond,
	Stall: 200 * time.Millisecond,
}

// drip sends a text at once and then a byte every now and then, until the connection ends.
func drip(t *testing.T, c net.Conn, text string, every time.Duration) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	often(t, c, every, func() error {
		_, err := c.Write([]byte(" "))
		return err
	})
}

// sip takes a byte every now and then, until the connection ends.
func sip(t *testing.T, c net.Conn, every time.Duration) {
	t.Helper()
	often(t, c, every, func() error {
		_, err := c.Read(make([]byte, 1))
		return err
	})
}

// often does something again and again until it fails or the test ends, which ends the connection.
func often(t *testing.T, c net.Conn, every time.Duration, do func() error) {
	t.Helper()
	stop, ended := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		_ = c.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			if do() != nil {
				return
			}
		}
	}()
}

// answered reads the one answer of a connection that the server closes after it; 0 = it closes it without any.
func answered(t *testing.T, c net.Conn) int {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		if timedOut(err) {
			t.Errorf("neither an answer nor the end after %v", patience)
		}
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // the status is what counts
	if _, err := r.ReadByte(); timedOut(err) {
		t.Errorf("the connection stays open after %d", resp.StatusCode)
	}
	return resp.StatusCode
}

func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// TestClientsThatDripAreCutOff holds that a client that sends its header or its body byte by byte, or nothing at all, ends
// in bounded time and holds no place after it.
func TestClientsThatDripAreCutOff(t *testing.T) {
	t.Parallel()
	const soon = 20 * time.Millisecond
	for name, tt := range map[string]struct {
		text  string // KEY stands for the key
		every time.Duration
		want  int
	}{
		"nothing":             {"", time.Hour, 0},
		"a header":            {"POST /v1/chat/completions HTTP/1.1\r\nX-Slow: ", soon, 0},
		"a header that stops": {"POST /v1/chat/completions HTTP/1.1\r\nX-Slow: ", time.Hour, 0},
		"a body": {
			"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\nContent-Length: 9999\r\n\r\n{", soon, 400,
		},
		"a body that stops": {
			"POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: KEY\r\nContent-Length: 9999\r\n\r\n{", time.Hour, 400,
		},
		"a chunked body": {
			"POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: KEY\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{", soon, 400,
		},
		"a packed body": {
			"POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: KEY\r\nContent-Encoding: gzip\r\nContent-Length: 999\r\n\r\n\x1f", time.Hour, 400,
		},
		"a stranger's body": {
			"POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: nobody\r\nContent-Length: 9999\r\n\r\n{", soon, 401,
		},
		"a stranger's chunked body": {
			"POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: nobody\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{", soon, 401,
		},
		"a body for a path that is not": {
			"POST /v2/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n{", soon, 404,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hasty := short
			if tt.want == 0 {
				hasty.Header = 200 * time.Millisecond
			}
			h := playedBy(t, answering("42", 10, 5), server.Options{Patience: hasty})
			c := h.dialFrom(t, "127.0.0.1")
			drip(t, c, strings.ReplaceAll(tt.text, "KEY", h.key), tt.every)
			if got := answered(t, c); got != tt.want {
				t.Errorf("answered %d, want %d", got, tt.want)
			}
			h.metric(t, "weir_connections", 0)
			h.metric(t, "weir_calls_in_flight", 0)
			h.inflight(t, 0)
		})
	}
}

// TestAnIdleConnectionIsClosed holds it for a connection that has asked something before.
func TestAnIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	h := playedBy(t, answering("42", 10, 5), server.Options{Patience: short})
	c := h.dialFrom(t, "127.0.0.1")
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if status := answered(t, c); status != 200 {
		t.Errorf("status %d", status)
	}
	h.metric(t, "weir_connections", 0)
}

// narrow connects with a receive buffer as small as the kernel allows.
func (h *house) narrow(t *testing.T) net.Conn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		failed := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1) })
		if failed != nil {
			return failed
		}
		return err
	}}
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// lavish is a provider that answers with far more than sockets hold; gone tells when a stream of it is broken off.
func lavish(gone chan<- bool) http.HandlerFunc {
	text := strings.Repeat("lavish ", 10_000)
	return func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if !strings.Contains(string(b), `"stream":true`) {
			whole(w, strings.Repeat(text, 150), 10, 5) // 10 MB
			return
		}
		put := sse(w)
		for r.Context().Err() == nil {
			put(chunk(0, text, ""))
		}
		gone <- true
	}
}

// TestSlowReadersAreCutOff holds that a client that takes its answer byte by byte, or not at all, ends in bounded time,
// streamed and not: the provider is left, the row is booked, the place is given back.
func TestSlowReadersAreCutOff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		stream bool
		every  time.Duration
	}{
		"a stream byte by byte":  {true, 10 * time.Millisecond},
		"nothing of a stream":    {true, time.Hour},
		"an answer byte by byte": {false, 10 * time.Millisecond},
		"nothing of an answer":   {false, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan bool, 1)
			h := playedBy(t, lavish(gone), server.Options{Patience: server.Patience{Stall: short.Stall}})
			c := h.narrow(t)
			body := chat("gpt", "q", tt.stream)
			_, err := fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
				"Content-Length: %d\r\n\r\n%s", h.key, len(body), body)
			if err != nil {
				t.Fatal(err)
			}
			const head = len("HTTP/1.1 200 OK\r\n") // the whole head is read byte by byte
			first := make([]byte, head)
			if _, err := io.ReadFull(c, first); err != nil || string(first) != "HTTP/1.1 200 OK\r\n" {
				t.Fatalf("%q, %v", first, err)
			}
			sip(t, c, tt.every)
			if tt.stream {
				timer := time.NewTimer(patience)
				defer timer.Stop()
				select {
				case <-gone:
				case <-timer.C:
					t.Errorf("the provider still streams after %v", patience)
				}
			}
			h.metric(t, "weir_calls_in_flight", 0)
			h.inflight(t, 0)
			h.metric(t, "weir_connections", 0)
			eventually(t, "the row of the attempt", func() bool {
				return strings.Contains(h.get(h.admin+"/metrics").body, `weir_attempts_total{deployment="gpt"`)
			})
		})
	}
}
