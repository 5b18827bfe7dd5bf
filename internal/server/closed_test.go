package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/config"
)

// TestAClosedServerAnswersWithoutACrash asks what a handler that outlived the drain would ask of a store that is closed.
func TestAClosedServerAnswersWithoutACrash(t *testing.T) {
	t.Parallel()
	c, err := config.Parse("weir.yaml", []byte(smallest(t.TempDir())), smallestSecret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Config: c, Sender: pausing(0)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time is harmless
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		handler http.Handler
		method  string
		path    string
		status  int // at the least
	}{
		{s.adminRoutes(), http.MethodGet, "/metrics", 200},
		{s.adminRoutes(), http.MethodGet, "/readyz", 503},
		{s.adminRoutes(), http.MethodGet, "/api/v1/usage", 401},
		{s.apiRoutes(), http.MethodGet, "/readyz", 503},
		{s.apiRoutes(), http.MethodGet, "/api/v1/calls/00000000000000000000000000000001", 500},
		{s.apiRoutes(), http.MethodPost, "/v1/chat/completions", 400},
	} {
		req := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, http.NoBody)
		req.Header.Set("Authorization", "Bearer "+s.FirstKey)
		rec := httptest.NewRecorder()
		tc.handler.ServeHTTP(rec, req)
		if rec.Code < tc.status {
			t.Errorf("%s %s: %d %s, want at least %d", tc.method, tc.path, rec.Code, rec.Body, tc.status)
		}
	}
}
