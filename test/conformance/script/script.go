// Package script is a provider that says exactly what it is told to, over real sockets: scripted server-sent events, with
// keep-alives, errors and cuts wherever a script puts them. It is how we learn what the SDKs of clients accept. It knows
// no gateway, and checks no request.
//
// Invariants: every script has an address of its own, so scripts are played side by side; a script waits on timers only,
// and stops when its client leaves.
package script

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// Step is bytes that are sent at once, after a wait.
type Step struct {
	Wait  time.Duration
	Bytes string
}

// Script is one answer. Cut breaks the connection at its end; otherwise the answer ends in order.
type Script struct {
	Steps []Step
	Cut   bool
}

// Server plays scripts. Safe for concurrent use.
type Server struct {
	http *httptest.Server
	mu   sync.Mutex
	all  map[string]Script
	asks map[string]int
}

// Start listens on a free port of this machine.
func Start() *Server {
	s := &Server{all: map[string]Script{}, asks: map[string]int{}}
	s.http = httptest.NewServer(s)
	return s
}

// Close cuts whoever is still connected.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Put keeps a script under a name without slashes, and gives the base URL that plays it, whatever path is added.
func (s *Server) Put(name string, script Script) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[name] = script
	return s.http.URL + "/" + name
}

// Asked is how often a script was asked for.
func (s *Server) Asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asks[name]
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	play, ok := s.all[name]
	if ok && r.Method == http.MethodPost {
		s.asks[name]++
	}
	s.mu.Unlock()
	if !ok || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the client left
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	for _, step := range play.Steps {
		if !wait(r.Context(), step.Wait) {
			return
		}
		if _, err := io.WriteString(w, step.Bytes); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
	}
	if play.Cut {
		panic(http.ErrAbortHandler)
	}
}

// wait is false when the client left first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
