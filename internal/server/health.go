package server

import "net/http"

// healthz says that the process lives.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]string{"status": "ok", "version": s.opt.Version})
}

// readyz says whether calls may come: not while draining, nor while the ledger cannot write. What ails the store is told
// on the admin address only.
func (s *Server) readyz(detail bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		problem := ""
		if s.draining.Load() {
			problem = "draining"
		} else if err := s.journal.Health(); err != nil {
			problem = "the ledger cannot write"
			if detail {
				problem = err.Error()
			}
		}
		if problem == "" {
			writeJSON(w, map[string]string{"status": "ready"})
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		writeJSON(w, map[string]string{"status": "not ready", "why": problem})
	}
}
