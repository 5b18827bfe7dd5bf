package adminapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/weirhq/weir/internal/report"
)

type deploymentName struct {
	Name string `path:"name" doc:"a deployment of weir.yaml"`
}

type probeView struct{ Body report.Probe }

func (a *admin) probes(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "probe-deployment", Method: http.MethodPost, Path: "/api/v1/deployments/{name}/probe",
		Summary: "Make one tiny call to a deployment; it is booked in the ledger",
	}, func(ctx context.Context, in *deploymentName) (*probeView, error) {
		row, err := a.Probe(ctx, in.Name)
		return &probeView{report.ProbeOf(in.Name, row, err)}, nil
	})
}
