package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/report"
)

type outputsQuery struct {
	By    []string  `query:"by" enum:"model,tier,layer,team,use-case,key,route,deployment,provider,check" doc:"groupings, by commas; none = total only"`
	Since time.Time `query:"since" doc:"RFC 3339; none = from the beginning"`
	Until time.Time `query:"until" doc:"RFC 3339; none = until now"`
	Every string    `query:"every" example:"1h" doc:"length of the slots of a series, at least a minute: 1h, 1d; none = no series"`
}

type outputsView struct{ Body report.OutputTable }

func (a *admin) outputs(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-outputs", Method: http.MethodGet, Path: "/api/v1/usage/outputs",
		Summary: "What models' answers were like: rates, lengths, languages, over time",
	}, func(ctx context.Context, in *outputsQuery) (*outputsView, error) {
		every, err := ledger.ParseEvery(in.Every)
		if err != nil {
			return nil, problem(err)
		}
		o, err := ledger.ReadOutputs(ctx, a.Ledger, ledger.OutputQuery{
			Since: in.Since, Until: in.Until, By: in.By, Every: every,
		})
		if err != nil {
			return nil, problem(err)
		}
		return &outputsView{report.OutputsOf(o, in.Every)}, nil
	})
}
