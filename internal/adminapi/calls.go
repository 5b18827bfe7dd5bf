package adminapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/report"
)

type callID struct {
	ID string `path:"id" doc:"the x-request-id of the answer"`
}

type callView struct{ Body report.Call }

func (a *admin) calls(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-call", Method: http.MethodGet, Path: "/api/v1/calls/{id}",
		Summary: "One call: its attempts, verdicts, rule, clocks and cost",
	}, func(ctx context.Context, in *callID) (*callView, error) {
		id, err := call.ParseOpID(in.ID)
		if err != nil {
			return nil, huma.Error422UnprocessableEntity(err.Error())
		}
		attempts, err := ledger.Call(ctx, a.Ledger, id)
		if err != nil {
			return nil, problem(err)
		}
		if len(attempts) == 0 {
			return nil, huma.Error404NotFound("the ledger has no call " + in.ID)
		}
		return &callView{report.CallOf(attempts)}, nil
	})
}
