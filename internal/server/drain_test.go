package server_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/server"
)

// endless begins a stream and says no more until its client leaves. It tells of every stream that has begun.
func endless(begun chan<- bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sse(w)(chunk(0, "hello", ""))
		begun <- true
		<-r.Context().Done()
	}
}

// ask makes a streamed call by a client and follows it to its end, however it ends.
func ask(t *testing.T, c *http.Client, s *server.Server) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.API()+"/v1/chat/completions",
		strings.NewReader(chat("gpt", "q", true)))
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+s.FirstKey)
	resp, err := c.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
}

// TestCallsCutByTheDrainAreBooked holds that calls that the end of limits.drain cuts reach the ledger: opening it again
// finds no attempt without a row.
func TestCallsCutByTheDrainAreBooked(t *testing.T) {
	t.Parallel()
	const calls = 32
	begun := make(chan bool, calls)
	p := httptest.NewServer(endless(begun))
	t.Cleanup(p.Close)
	h := &house{t: t, dir: t.TempDir()}
	opt := server.Options{Config: h.playedConfig(p.URL)}
	s, stop, ended := started(t, opt)
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() { ask(t, http.DefaultClient, s) })
	}
	for range calls {
		<-begun
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve: %v", err)
	}
	wg.Wait()
	again, err := server.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	if n := len(again.Recovery.Presumed); n > 0 {
		t.Errorf("after a clean stop %d of %d attempts had no row and are presumed at their hold", n, calls)
	}
}

// TestTheStoreOutlivesItsHandlers holds that the end of the drain does not pull the store from under scrapes and calls that
// still run.
func TestTheStoreOutlivesItsHandlers(t *testing.T) {
	t.Parallel()
	begun, scraped := make(chan bool, 1), make(chan bool, 8)
	p := httptest.NewServer(endless(begun))
	t.Cleanup(p.Close)
	h := &house{t: t, dir: t.TempDir()}
	log := new(journal)
	s, stop, ended := started(t, server.Options{Config: h.playedConfig(p.URL), Log: slog.New(slog.NewTextHandler(log, nil))})
	var wg sync.WaitGroup
	for _, path := range []string{"/readyz", "/metrics"} {
		for range 4 {
			wg.Go(func() { scrape(t, "http://"+s.Admin()+path, scraped) })
		}
	}
	wg.Go(func() { ask(t, http.DefaultClient, s) })
	for range cap(scraped) {
		<-scraped
	}
	<-begun
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve: %v", err)
	}
	wg.Wait()
	if strings.Contains(log.text(), "panic") {
		t.Errorf("a handler crashed:\n%s", log.text())
	}
}

// scrape reads a page over and over until its server is gone, and tells once that it has begun.
func scrape(t *testing.T, url string, begun chan<- bool) {
	var once sync.Once
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		r, err := http.DefaultClient.Do(req)
		once.Do(func() { begun <- true })
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
}

// TestAnIdleHTTP2ConnectionDoesNotHoldTheDrain stops with one connection open and no call under way; limits.drain is longer
// than the test is patient.
func TestAnIdleHTTP2ConnectionDoesNotHoldTheDrain(t *testing.T) {
	t.Parallel()
	p := httptest.NewServer(answering("42", 10, 5))
	t.Cleanup(p.Close)
	h := &house{t: t, dir: t.TempDir()}
	s, stop, ended := started(t, server.Options{Config: h.playedConfig(p.URL, "drain: 500ms", "drain: 60s")})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	c := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	defer c.CloseIdleConnections()
	ask(t, c, s)
	stop()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("serve: %v", err)
		}
	case <-timer.C:
		t.Errorf("one idle HTTP/2 connection held up the stop for %v", patience)
	}
}
