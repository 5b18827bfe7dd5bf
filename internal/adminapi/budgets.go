package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// budgetView is one budget at this moment; amounts in US dollars.
type budgetView struct {
	Node    string     `json:"node"`
	Limit   string     `json:"limit_usd"`
	Spent   string     `json:"spent_usd"`
	Held    string     `json:"held_usd"`
	Ceiling string     `json:"ceiling_usd" doc:"durable: what may have been spent when the process dies now"`
	Resets  *time.Time `json:"resets,omitempty"`
}

type budgetList struct {
	Body struct {
		Budgets []budgetView `json:"budgets"`
	}
}

func (a *admin) budgets(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-budgets", Method: http.MethodGet, Path: "/api/v1/budgets", Summary: "Budgets and what is left of them",
	}, func(context.Context, *struct{}) (*budgetList, error) {
		out := new(budgetList)
		out.Body.Budgets = []budgetView{}
		for _, n := range a.Budgets.Snapshot() {
			v := budgetView{
				Node: n.Node, Limit: n.Limit.Decimal(), Spent: n.Spent.Decimal(), Held: n.Held.Decimal(), Ceiling: n.Ceiling.Decimal(),
			}
			if !n.Resets.IsZero() {
				v.Resets = &n.Resets
			}
			out.Body.Budgets = append(out.Body.Budgets, v)
		}
		return out, nil
	})
}
