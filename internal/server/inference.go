package server

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/llm"
)

// forwarded are the request headers that go upstream unchanged when the dialects are one.
var forwarded = map[llm.Dialect][]string{
	llm.Anthropic: {"Anthropic-Version", "Anthropic-Beta"},
	llm.OpenAI:    {"Openai-Beta"},
}

// inference is the endpoint of one client dialect: it reads a call and hands it to the gateway.
func (s *Server) inference(dialect llm.Dialect) http.HandlerFunc {
	front := s.gateway.Fronts[dialect]
	return func(w http.ResponseWriter, r *http.Request) {
		id := s.ids.next()
		h := w.Header()
		h["X-Request-Id"] = []string{id.String()}
		if err := s.answer(w, r, dialect, id); err != nil && (r.Context().Err() == nil || errors.Is(err, os.ErrDeadlineExceeded)) {
			writeError(w, front, err)
		}
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, dialect llm.Dialect, id call.OpID) error {
	start := s.now()
	if headerBytes(r.Header) > maxHeaderBytes {
		return &llm.Error{
			Code: llm.CodeHeader, Message: fmt.Sprintf("the request's header is larger than %d bytes", maxHeaderBytes),
			Hint: "send metadata in the body, or fewer and shorter header fields",
		}
	}
	key, err := s.keys.Lookup(presented(r.Header))
	if err != nil {
		return err
	}
	if s.draining.Load() {
		return &llm.Error{
			Code: llm.CodeOverload, Message: "this server is stopping", Hint: "send the call again; another replica takes it",
		}
	}
	body, release, err := s.admit(w, r)
	if err != nil {
		return err
	}
	defer release()
	in := gateway.Inbound{
		ID: id, Dialect: dialect, Key: key, Body: body, Hints: hints(r.Header), Start: start,
	}
	for _, name := range forwarded[dialect] {
		for _, v := range r.Header[name] {
			in.Forward = append(in.Forward, call.Field{Name: name, Value: v})
		}
	}
	out := &answerWriter{w: w, stall: writeStall, h2: r.ProtoMajor >= 2}
	return s.gateway.Handle(r.Context(), in, out)
}

func headerBytes(h http.Header) int {
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// presented is the key that a client shows, in any of the ways that clients have.
func presented(h http.Header) string {
	if v := h.Get("Authorization"); v != "" {
		scheme, token, _ := strings.Cut(v, " ")
		if strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(token)
		}
	}
	if v := h.Get("X-Api-Key"); v != "" {
		return v
	}
	return h.Get("X-Goog-Api-Key")
}

// hints are what the headers say of on whose behalf a call is made.
func hints(h http.Header) llm.Hints {
	first := func(names ...string) string {
		for _, n := range names {
			if v := h[n]; len(v) > 0 && v[0] != "" {
				return v[0]
			}
		}
		return ""
	}
	return llm.Hints{
		UseCase:   first("X-Weir-Use-Case"),
		Workflow:  first("X-Weir-Workflow", "X-Workflow"),
		Agent:     first("X-Weir-Agent", "X-Agent-Name", "X-Claude-Code-Agent-Id"),
		Session:   first("X-Weir-Session", "X-Session-Id", "X-Claude-Code-Session-Id", "Session_id"),
		DataClass: first("X-Weir-Data-Class"),
	}
}
