package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/llm"
)

// modelInfo is one entry of the model list in OpenAI's shape, with the members of Anthropic's beside them, so that
// clients of either dialect can read it.
type modelInfo struct {
	ID          string `json:"id"`
	Object      string `json:"object"`
	Created     int64  `json:"created"`
	OwnedBy     string `json:"owned_by"`
	Type        string `json:"type"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
}

type modelList struct {
	Object  string      `json:"object"`
	Data    []modelInfo `json:"data"`
	HasMore bool        `json:"has_more"`
	FirstID string      `json:"first_id,omitzero"`
	LastID  string      `json:"last_id,omitzero"`
}

// listModels answers GET /v1/models with what the caller's key may ask for.
func (s *Server) listModels(w http.ResponseWriter, r *http.Request) {
	front := s.gateway.Fronts[dialectOf(r)]
	key, err := s.keys.Lookup(presented(r.Header))
	if err != nil {
		writeError(w, front, err)
		return
	}
	list := modelList{Object: "list", Data: []modelInfo{}}
	for _, name := range s.gateway.Current().Names(key) {
		list.Data = append(list.Data, s.info(name))
	}
	if n := len(list.Data); n > 0 {
		list.FirstID, list.LastID = list.Data[0].ID, list.Data[n-1].ID
	}
	writeJSON(w, list)
}

// oneModel answers GET /v1/models/{id}.
func (s *Server) oneModel(w http.ResponseWriter, r *http.Request) {
	front, id := s.gateway.Fronts[dialectOf(r)], r.PathValue("id")
	key, err := s.keys.Lookup(presented(r.Header))
	if err != nil {
		writeError(w, front, err)
		return
	}
	if !slices.Contains(s.gateway.Current().Names(key), id) {
		writeError(w, front, &llm.Error{
			Code: llm.CodeModel, Message: "unknown model " + id, Hint: "GET /v1/models lists what this key may ask for", Param: "model",
		})
		return
	}
	writeJSON(w, s.info(id))
}

func (s *Server) info(name string) modelInfo {
	return modelInfo{
		ID: name, Object: "model", Created: s.started.Unix(), OwnedBy: "weir", Type: "model", DisplayName: name,
		CreatedAt: s.started.UTC().Format("2006-01-02T15:04:05Z"),
	}
}

// dialectOf tells which dialect a request without a body speaks: Anthropic's clients always name their version.
func dialectOf(r *http.Request) llm.Dialect {
	if r.Header.Get("Anthropic-Version") != "" {
		return llm.Anthropic
	}
	return llm.OpenAI
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	e := &llm.Error{
		Code: llm.CodePath, Message: "unknown path " + r.URL.Path,
		Hint: "this gateway serves POST /v1/chat/completions, POST /v1/messages and GET /v1/models; " +
			"OpenAI's clients want a base URL that ends in /v1, Anthropic's one that does not",
	}
	for _, known := range inferenceRoutes {
		if method, path, _ := strings.Cut(known.Pattern, " "); path == r.URL.Path {
			e = &llm.Error{Code: llm.CodeMethod, Message: r.Method + " " + path + " is not served", Hint: "use " + method}
		}
	}
	writeError(w, s.gateway.Fronts[dialectOf(r)], e)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.MarshalWrite(w, v) // the client may be gone
}
