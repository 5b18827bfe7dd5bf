package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestRefusals holds what bad input gets: status, the caller's own dialect, and what to do about it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	ok := `"messages":[{"role":"user","content":"q"}]`
	for _, tc := range []struct {
		name, body string
		header     []string
		status     int
		says       string // in the answer, whatever the dialect
	}{
		{"broken JSON", `{"model":"mini",`, nil, 400, ""},
		{"no JSON at all", `hello`, nil, 400, ""},
		{"empty body", ``, nil, 400, ""},
		{"trailing data", `{"model":"mini",` + ok + `} {}`, nil, 400, ""},
		{"duplicate key", `{"model":"mini","model":"gpt",` + ok + `}`, nil, 400, "model"},
		{"case variant of a protocol key", `{"model":"mini","Messages":[],` + ok + `}`, nil, 400, "Messages"},
		{"wrong type", `{"model":7,` + ok + `}`, nil, 400, "model"},
		{"messages of the wrong type", `{"model":"mini","messages":"q"}`, nil, 400, "messages"},
		{"empty messages", `{"model":"mini","messages":[]}`, nil, 400, "messages"},
		{"no model", `{` + ok + `}`, nil, 400, "model"},
		{"depth 100,000", `{"model":"mini","x":` + strings.Repeat("[", 100_000), nil, 400, ""},
		{"bad UTF-8", "{\"model\":\"mini\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", nil, 400, ""},
		{"unknown model", `{"model":"gpt-nine",` + ok + `}`, nil, 404, "counting"},
		{"no key", `{"model":"mini",` + ok + `}`, []string{"Authorization", ""}, 401, "weir key create"},
		{"bad key", `{"model":"mini",` + ok + `}`, []string{"Authorization", "Bearer wr_nothing"}, 401, "weir key create"},
		{"unknown use case", `{"model":"mini",` + ok + `}`, []string{"X-Weir-Use-Case", "nope"}, 400, "use_cases"},
		{"unknown data class", `{"model":"mini",` + ok + `}`, []string{"X-Weir-Data-Class", "nope"}, 400, "may_reach"},
		{"class that may reach nothing", `{"model":"mini",` + ok + `}`, []string{"X-Weir-Data-Class", "secret"}, 403, "data.may_reach.secret"},
		{"class bound to a region", `{"model":"gpt",` + ok + `}`, []string{"X-Weir-Data-Class", "confidential"}, 403, "data.may_reach.confidential.region"},
		{"oversize header", `{"model":"mini",` + ok + `}`, []string{"X-Filler", strings.Repeat("x", 70<<10)}, 431, "header"},
		{"unknown content-encoding", `{"model":"mini",` + ok + `}`, []string{"Content-Encoding", "br"}, 400, "gzip"},
		{"not gzip", `{"model":"mini",` + ok + `}`, []string{"Content-Encoding", "gzip"}, 400, "gzip"},
		{
			"larger than the window", `{"model":"blind","max_tokens":9,"messages":[{"role":"user","content":"` +
				strings.Repeat("word ", 20_000) + `"}]}`, nil, 400, "larger than the model's window",
		},
		{"image to a model without eyes", `{"model":"blind","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}`, nil, 422, "vision"},
	} {
		for _, dialect := range []string{"chat", "messages"} {
			t.Run(tc.name+"/"+dialect, func(t *testing.T) {
				body, path, header := tc.body, "/v1/chat/completions", tc.header
				if dialect == "messages" {
					path, header = "/v1/messages", append([]string{"Anthropic-Version", "2023-06-01"}, tc.header...)
					body = strings.Replace(body, `"messages":[{"role":"user","content":"q"}]`, `"max_tokens":9,`+ok, 1)
					if strings.Contains(tc.name, "image") {
						body = `{"model":"blind","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]}]}`
					}
				}
				a := h.post(path, body, header...)
				if a.status != tc.status || !strings.Contains(a.body, tc.says) {
					t.Errorf("got %d %s, want %d with %q", a.status, a.body, tc.status, tc.says)
				}
				kind := a.json(t, "error", "type")
				if dialect == "messages" && a.json(t, "type") != "error" || kind == "" || kind == "<nil>" {
					t.Errorf("not the %s dialect's error: %s", dialect, a.body)
				}
				if a.header.Get("X-Should-Retry") != "false" || a.header.Get("X-Request-Id") == "" {
					t.Errorf("header = %v", a.header)
				}
			})
		}
	}
	if n := h.sim.Stats().Requests; n != 0 {
		t.Errorf("%d refused calls reached a provider", n)
	}
}

func TestUnknownPathsAreToldInTheDialect(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	a := h.post("/v1/nothing", "{}")
	if a.status != http.StatusNotFound || !strings.Contains(a.json(t, "error", "message"), "/v1/chat/completions") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestModelsAreListedByKey(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	auth := []string{"Authorization", "Bearer " + h.key}
	a := h.get(h.url+"/v1/models", auth...)
	if a.status != 200 || !strings.Contains(a.body, `"id":"counting"`) || a.json(t, "object") != "list" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := h.get(h.url+"/v1/models/counting", auth...); a.json(t, "id") != "counting" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := h.get(h.url+"/v1/models/nope", auth...); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := h.get(h.url + "/v1/models"); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestBudgetRefusesBeforeItIsOverspent(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{"gpt-wire": strings.Repeat("word ", 3000)})
	// gpt-5.5 at $60 per 1M tokens out: a cap of 16,000 tokens holds $0.96, so the second call cannot be held while the
	// first one's cost stands.
	body := `{"model":"gpt","max_tokens":16000,"messages":[{"role":"user","content":"write a lot"}]}`
	refused := 0
	for i := range 12 {
		a := h.post("/v1/chat/completions", body, "X-Weir-Use-Case", "counting")
		switch {
		case a.status == 402:
			refused++
			for _, says := range []string{"use-case/counting", "insufficient_quota"} {
				if !strings.Contains(a.body, says) {
					t.Errorf("refusal does not say %q: %s", says, a.body)
				}
			}
		case a.status != 200:
			t.Fatalf("call %d: %d %s", i, a.status, a.body)
		}
	}
	if refused == 0 {
		t.Error("the budget never refused")
	}
	list := h.get(h.admin+"/api/v1/budgets", "Authorization", "Bearer "+h.token())
	if spent := list.json(t, "budgets", "0", "spent_usd"); list.status != 200 || spent >= "1.0" {
		t.Errorf("spent %s of $1: %s", spent, list.body)
	}
}

func TestControlAPINeedsTheToken(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	for _, path := range []string{"/api/v1/keys", "/api/v1/usage", "/api/v1/budgets", "/api/v1/openapi.json"} {
		for _, token := range []string{"", "wrong", h.key} {
			if a := h.get(h.admin+path, "Authorization", "Bearer "+token); a.status != 401 {
				t.Errorf("%s with token %q: %d", path, token, a.status)
			}
		}
		if a := h.get(h.admin+path, "Authorization", "Bearer "+h.token()); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestARevokedKeyStops(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	made := h.do(http.MethodPost, h.admin+"/api/v1/keys", `{"name":"short-lived","routes":["counting"]}`, "Authorization", "Bearer "+h.token())
	if made.status != 201 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	auth := []string{"Authorization", "Bearer " + made.json(t, "key")}
	if a := h.post("/v1/chat/completions", chat("counting", "q", false), auth...); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := h.post("/v1/chat/completions", chat("mini", "q", false), auth...); a.status != 403 {
		t.Errorf("a key bound to a route asked for another: %d %s", a.status, a.body)
	}
	gone := h.do(http.MethodDelete, h.admin+"/api/v1/keys/"+made.json(t, "id"), "", "Authorization", "Bearer "+h.token())
	if gone.status != 204 {
		t.Fatalf("%d %s", gone.status, gone.body)
	}
	if a := h.post("/v1/chat/completions", chat("counting", "q", false), auth...); a.status != 401 {
		t.Errorf("a revoked key: %d %s", a.status, a.body)
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{"flash-wire": "no", "gpt-wire": "12"})
	h.post("/v1/chat/completions", chat("counting", "q", false))
	got := h.get(h.admin + "/metrics").body
	for _, line := range []string{
		`weir_calls_total{code="ok",dialect="openai",layer="top",route="counting"} 1`,
		`weir_attempts_total{deployment="flash",layer="edge",model="gemini-flash-lite",outcome="ok",purpose="answer",tier="mid",verdict="rejected"} 1`,
		`weir_budget_usd{node="use-case/counting",what="limit"} 1`,
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s in\n%s", line, fmt.Sprint(got))
		}
	}
}

// TestAttemptsAreCountedByTheirLayer holds that a deployment that stands in a route's layer and is also named directly is
// counted in each place.
func TestAttemptsAreCountedByTheirLayer(t *testing.T) {
	t.Parallel()
	h := played(t, answering("42", 10, 5))
	for _, model := range []string{"mini", "counting", "counting"} {
		h.post("/v1/chat/completions", chat(model, "q", false))
	}
	got := h.get(h.admin + "/metrics").body
	for layer, n := range map[string]int{"": 1, "edge": 2} {
		line := fmt.Sprintf(`weir_attempts_total{deployment="mini",layer=%q,model="gpt-4o-mini",outcome="ok",purpose="answer",`+
			`tier="mid",verdict="accepted"} %d`, layer, n)
		if !strings.Contains(got, line) {
			t.Errorf("no %s in\n%s", line, got)
		}
	}
}
