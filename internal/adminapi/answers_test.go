package adminapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/llm"
)

// get asks for a path and reads the answer into v.
func (h *house) get(path string, v any) {
	h.t.Helper()
	status, body := h.ask(http.MethodGet, path, "")
	if status != http.StatusOK {
		h.t.Fatalf("GET %s: status %d: %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), v); err != nil {
		h.t.Fatalf("GET %s: %v: %s", path, err, body)
	}
}

func TestLifeOfAKey(t *testing.T) {
	h := open(t)
	var list struct {
		Keys []keyView `json:"keys"`
	}
	if h.get("/api/v1/keys", &list); list.Keys == nil || len(list.Keys) != 0 {
		t.Fatalf("no keys are shown as %v, want an empty list", list.Keys)
	}
	status, body := h.ask(http.MethodPost, "/api/v1/keys", `{"name":"ci","team":"ops","floor":"confidential"}`)
	var made struct{ ID, Key string }
	if err := json.Unmarshal([]byte(body), &made, json.MatchCaseInsensitiveNames(true)); err != nil || status != http.StatusCreated {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	h.get("/api/v1/keys", &list)
	if len(list.Keys) != 1 {
		t.Fatalf("keys %+v, want the one", list.Keys)
	}
	k := list.Keys[0]
	if k.ID != made.ID || k.Name != "ci" || k.Team != "ops" || k.Floor != "confidential" || k.Revoked != nil || !k.Created.Equal(noon) {
		t.Errorf("key %+v", k)
	}
	if _, again := h.ask(http.MethodGet, "/api/v1/keys", ""); strings.Contains(again, made.Key) || made.Key == "" {
		t.Error("the secret is shown a second time")
	}
	if status, body := h.ask(http.MethodDelete, "/api/v1/keys/"+made.ID, ""); status != http.StatusNoContent || body != "" {
		t.Errorf("revoking: status %d: %s", status, body)
	}
	if h.get("/api/v1/keys", &list); list.Keys[0].Revoked == nil {
		t.Error("a revoked key is shown as in force")
	}
}

func TestCallAndUsage(t *testing.T) {
	h := open(t)
	a := call.Attempt{
		Facts: call.Facts{ID: call.OpID{9}, Route: "support", Start: noon}, N: 1, Cost: 1_500_000,
		Order:   call.Order{Purpose: call.Answer, Target: call.Target{Deployment: "flash", LayerName: "first", Layer: 1}},
		Usage:   llm.Usage{Input: 10, Output: 2},
		Outcome: call.OK, Settlement: call.Settled, Verdict: call.Verdict{Result: call.Accepted, Final: true},
	}
	h.rows.entries = []ledger.Entry{{LSN: 1, Booked: noon, Attempt: a}}
	var c struct {
		Route string `json:"route"`
		Cost  string `json:"cost_usd"`
	}
	if h.get("/api/v1/calls/"+a.Facts.ID.String(), &c); c.Route != "support" || c.Cost != "0.0015" {
		t.Errorf("call %+v", c)
	}
	var u struct {
		Total struct {
			Cost string `json:"cost_usd"`
		} `json:"total"`
		Groups []struct {
			Name string `json:"name"`
		} `json:"groups"`
		Layers []struct {
			Name   string `json:"name"`
			Part   string `json:"part"`
			Target string `json:"target"`
		} `json:"layers"`
	}
	h.get("/api/v1/usage?by=deployment&since=2026-08-01T00:00:00Z", &u)
	if u.Total.Cost != "0.0015" || len(u.Groups) != 1 || u.Groups[0].Name != "flash" {
		t.Errorf("usage %+v", u)
	}
	if len(u.Layers) != 1 || u.Layers[0].Part != "100.00%" || u.Layers[0].Target != "80%" {
		t.Errorf("layers %+v, want the share beside its target", u.Layers)
	}
}

// TestEveryGroupingOfTheLedgerIsOffered keeps the query's enum and the ledger's list the same.
func TestEveryGroupingOfTheLedgerIsOffered(t *testing.T) {
	h := open(t)
	for _, by := range ledger.Groupings {
		if status, body := h.ask(http.MethodGet, "/api/v1/usage?by="+by, ""); status != http.StatusOK {
			t.Errorf("usage by %s: status %d: %s", by, status, body)
		}
	}
}

func TestBudgets(t *testing.T) {
	var got struct {
		Budgets []budgetView `json:"budgets"`
	}
	open(t).get("/api/v1/budgets", &got)
	if len(got.Budgets) != 1 {
		t.Fatalf("budgets %+v", got.Budgets)
	}
	b := got.Budgets[0]
	if b.Node != "use-case/invoices" || b.Limit != "5.00" || b.Spent != "0.25" || b.Held != "0.00" {
		t.Errorf("budget %+v", b)
	}
	if midnight := noon.AddDate(0, 0, 1).Truncate(24 * 60 * 60 * 1e9); b.Resets == nil || !b.Resets.Equal(midnight) {
		t.Errorf("resets %v, want %s", b.Resets, midnight)
	}
}

func TestProbe(t *testing.T) {
	h := open(t)
	status, body := h.ask(http.MethodPost, "/api/v1/deployments/flash/probe", "")
	if status != http.StatusOK || !strings.Contains(body, `"ok":true`) || !strings.Contains(body, `"served":"flash-001"`) {
		t.Errorf("status %d: %s", status, body)
	}
	h.probed = &llm.Error{Code: llm.CodeUpstream, Message: "the provider refused the credential", Err: errors.New("s3cret")}
	status, body = h.ask(http.MethodPost, "/api/v1/deployments/flash/probe", "")
	if status != http.StatusOK || !strings.Contains(body, `"ok":false`) || !strings.Contains(body, "refused the credential") {
		t.Errorf("a probe that failed: status %d: %s", status, body)
	}
	if strings.Contains(body, "s3cret") {
		t.Errorf("the probe shows what is for the log only: %s", body)
	}
}
