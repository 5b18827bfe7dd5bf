package server

import (
	"net/http"

	"github.com/weirhq/weir/internal/llm"
)

// apiRoutes are all routes that clients call.
func (s *Server) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", s.inference(llm.OpenAI))
	mux.HandleFunc("POST /v1/messages", s.inference(llm.Anthropic))
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
