package server

import (
	"net/http"

	"github.com/weirhq/weir/internal/llm"
)

// inferenceRoutes are the endpoints by which clients reach models. Each takes the whole way of a call.
var inferenceRoutes = []struct {
	Pattern string
	Dialect llm.Dialect
}{
	{"POST /v1/chat/completions", llm.OpenAI},
	{"POST /v1/messages", llm.Anthropic},
}

// apiRoutes are all routes that clients call.
func (s *Server) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range inferenceRoutes {
		mux.HandleFunc(r.Pattern, s.inference(r.Dialect))
	}
	mux.HandleFunc("GET /v1/models", s.listModels)
	mux.HandleFunc("GET /v1/models/{id...}", s.oneModel)
	mux.HandleFunc("GET /api/v1/calls/{id}", s.oneCall)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz(false))
	mux.HandleFunc("/", s.notFound)
	return mux
}

// adminRoutes are all routes for those who run Weir.
func (s *Server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz(true))
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.Handle("/api/v1/", s.control)
	return mux
}
