package server

import (
	"net/http"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/report"
)

// oneCall answers GET /api/v1/calls/{id}: a call's whole story, to the key that made it.
func (s *Server) oneCall(w http.ResponseWriter, r *http.Request) {
	front := s.gateway.Fronts[dialectOf(r)]
	key, err := s.keys.Lookup(presented(r.Header))
	if err != nil {
		writeError(w, front, err)
		return
	}
	id, err := call.ParseOpID(r.PathValue("id"))
	if err != nil {
		writeError(w, front, &llm.Error{Code: llm.CodeInvalid, Message: err.Error(), Hint: "it is the answer's x-request-id"})
		return
	}
	attempts, err := ledger.Call(r.Context(), s.store, id)
	if err == nil && (len(attempts) == 0 || attempts[0].Facts.Caller.KeyID != key.ID) {
		err = &llm.Error{
			Code: llm.CodePath, Message: "this key made no call " + id.String(), Hint: "the id is the answer's x-request-id",
		}
	}
	if err != nil {
		writeError(w, front, err)
		return
	}
	writeJSON(w, report.CallOf(attempts))
}
