package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/observe"
	"github.com/weirhq/weir/internal/report"
)

type usageQuery struct {
	By    string    `query:"by" enum:"model,tier,layer,team,use-case,key,route,deployment,provider" doc:"grouping; none = total only"`
	Since time.Time `query:"since" doc:"RFC 3339; none = from the beginning"`
	Until time.Time `query:"until" doc:"RFC 3339; none = until now"`
}

type usageView struct{ Body report.UsageTable }

type observeQuery struct {
	By    string    `query:"by" enum:"use-case,route,team,key" doc:"grouping; none = total only"`
	Since time.Time `query:"since" doc:"RFC 3339; none = from the beginning"`
	Until time.Time `query:"until" doc:"RFC 3339; none = until now"`
}

type observeView struct{ Body report.ObserveTable }

func (a *admin) usage(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-usage", Method: http.MethodGet, Path: "/api/v1/usage", Summary: "What was spent, on what",
	}, func(ctx context.Context, in *usageQuery) (*usageView, error) {
		u, err := ledger.ReadUsage(ctx, a.Ledger, ledger.Query{Since: in.Since, Until: in.Until, By: in.By})
		if err != nil {
			return nil, problem(err)
		}
		return &usageView{report.UsageOf(u, a.Targets())}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "get-observed-usage", Method: http.MethodGet, Path: "/api/v1/usage/observe",
		Summary: "What the cascades of routes in mode observe would have done and cost",
	}, func(ctx context.Context, in *observeQuery) (*observeView, error) {
		r, err := observe.Read(ctx, a.Ledger, observe.Query{Since: in.Since, Until: in.Until, By: in.By})
		if err != nil {
			return nil, problem(err)
		}
		return &observeView{report.ObserveOf(r)}, nil
	})
}
