package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/server"
)

// http2 is a client that speaks nothing else.
func http2(t *testing.T) *http.Client {
	t.Helper()
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	c := &http.Client{Transport: &http.Transport{Protocols: p}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// unsent is a body that never comes.
type unsent struct{ context.Context }

func (u unsent) Read([]byte) (int, error) {
	<-u.Done()
	return 0, io.EOF
}

// TestOverHTTP2CallsAreTurnedAwayToo holds it for bodies that have not come, of keys and of strangers; the connection with
// its other calls goes on.
func TestOverHTTP2CallsAreTurnedAwayToo(t *testing.T) {
	t.Parallel()
	begun, may := make(chan bool, 1), make(chan struct{})
	h := played(t, patient(begun, may), "limits: {", "limits: {calls: 1, ")
	c := http2(t)
	done := make(chan int)
	go func() {
		resp, err := c.Do(h.request(t.Context(), endpoints[0], chat("gpt", "q", false)))
		if err != nil {
			t.Error(err)
			done <- 0
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body) // the status is what counts
		done <- resp.StatusCode
	}()
	<-begun
	for _, path := range endpoints {
		for _, key := range []string{h.key, "wr_nobody"} {
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+path, unsent{ctx})
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+key)
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if key == h.key {
				turnedAway(t, path, resp, "too many calls are under way")
			} else if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("a stranger: %d", resp.StatusCode)
			}
			cancel()
			_ = resp.Body.Close()
		}
	}
	close(may)
	if status := <-done; status != http.StatusOK {
		t.Errorf("the call that was let in: %d", status)
	}
	h.metric(t, "weir_connections", 1)
}

// TestSlowHTTP2ReadersAreCutOff begins a stream and reads no more of it than its head.
func TestSlowHTTP2ReadersAreCutOff(t *testing.T) {
	t.Parallel()
	gone := make(chan bool, 1)
	h := playedBy(t, lavish(gone), server.Options{Patience: server.Patience{Stall: short.Stall}})
	resp, err := http2(t).Do(h.request(t.Context(), endpoints[0], chat("gpt", "q", true)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
		t.Errorf("the provider still streams after %v", patience)
	}
	h.metric(t, "weir_calls_in_flight", 0)
	h.inflight(t, 0)
}

// TestHTTP2ConnectionsThatAskNothingAreClosed sends no more than the preface, or a part of a frame after it.
func TestHTTP2ConnectionsThatAskNothingAreClosed(t *testing.T) {
	t.Parallel()
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for name, text := range map[string]string{
		"a preface":        preface,
		"a part of a head": preface + "\x00\x00\xff\x01\x04\x00\x00\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := playedBy(t, answering("42", 10, 5), server.Options{Patience: short})
			c := h.dialFrom(t, "127.0.0.1")
			if _, err := io.Copy(c, strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c); timedOut(err) {
				t.Errorf("it is open after %v", patience)
			}
			h.metric(t, "weir_connections", 0)
		})
	}
}
