package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

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
		in := gateway.Inbound{ID: s.ids.next(), Dialect: dialect, Start: s.now()}
		w.Header()["X-Request-Id"] = []string{in.ID.String()}
		key, err := s.admit(r)
		if err != nil {
			s.door.turnAway(w, r, front, err)
			return
		}
		defer s.door.leave(key.ID)
		in.Key = key
		body, err := s.read(w, r, key.ID)
		if err != nil {
			if r.Context().Err() == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				s.door.turnAway(w, r, front, err)
			}
			return
		}
		defer body.release()
		in.Body = body.data
		if err := s.answer(w, r, in); err != nil && listens(r) {
			writeError(w, front, err)
		}
	}
}

// listens tells whether the client is still there to be told something: what ended the call was not its leaving.
func listens(r *http.Request) bool {
	return r.Context().Err() == nil || errors.Is(context.Cause(r.Context()), gateway.ErrStopping)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, in gateway.Inbound) error {
	dialect := in.Dialect
	in.Hints = hints(r.Header)
	for _, name := range forwarded[dialect] {
		for _, v := range r.Header[name] {
			in.Forward = append(in.Forward, call.Field{Name: name, Value: v})
		}
	}
	p := s.opt.Patience
	out := &answerWriter{
		w: w, stall: p.Stall, until: time.Now().Add(s.config.Load().Limits.Deadline + p.Stall), h2: r.ProtoMajor >= 2,
	}
	return s.gateway.Handle(r.Context(), in, out)
}

func largeHeader() error {
	return &llm.Error{
		Code: llm.CodeHeader, Message: fmt.Sprintf("the request's header is larger than %d bytes", maxHeaderBytes),
		Hint: "send metadata in the body, or fewer and shorter header fields",
	}
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
