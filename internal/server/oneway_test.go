package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/server"
)

// bodies are a request of each dialect that asks a deployment.
var bodies = map[llm.Dialect]func(model, extra string) string{
	llm.OpenAI: func(model, extra string) string {
		return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"q"}]%s}`, model, extra)
	},
	llm.Anthropic: func(model, extra string) string {
		return fmt.Sprintf(`{"model":%q,"max_tokens":50,"messages":[{"role":"user","content":"q"}]%s}`, model, extra)
	},
}

// TestOneWayIn walks the endpoints by which clients reach models against the steps of a call: none may be left out by any.
func TestOneWayIn(t *testing.T) {
	h := open(t, fixed{"flash-wire": "no number", "gpt-wire": "7"})
	text := strings.Replace(layout, "limit: $1/day", "limit: $0.000000001/day", 1)
	c := h.config(text, h.providers)
	c.Listen.API, c.Listen.Admin = "127.0.0.1:0", "127.0.0.1:0"
	if err := h.server.Reload(c); err != nil {
		t.Fatal(err)
	}
	for _, route := range server.InferenceRoutes {
		body, ok := bodies[route.Dialect]
		if !ok {
			t.Fatalf("%s has no request in this test", route.Pattern)
		}
		path := strings.TrimPrefix(route.Pattern, "POST ")
		for _, step := range []struct {
			name, body string
			header     []string
			status     int
			rows       int // of the ledger; -1 = not asked
		}{
			{"admit: strict JSON", body("mini", `,"model":"gpt"`), nil, 400, -1},
			{"admit: header", body("mini", ""), []string{"X-Filler", strings.Repeat("x", 70<<10)}, 431, -1},
			{"identify", body("mini", ""), []string{"Authorization", "Bearer nobody"}, 401, -1},
			{"data: the class may reach nothing", body("mini", ""), []string{"X-Weir-Data-Class", "secret"}, 403, 1},
			{"plan: unknown model", body("nothing", ""), nil, 404, -1},
			{"price: service tier", body("mini", `,"service_tier":"priority"`), nil, 400, -1},
			{"hold: the budget is spent", body("mini", ""), []string{"X-Weir-Use-Case", "counting"}, 402, 1},
			{"cascade, ledger, durable", body("counting", ""), nil, 200, 2},
		} {
			t.Run(path+"/"+step.name, func(t *testing.T) {
				a := h.post(path, step.body, step.header...)
				if a.status != step.status {
					t.Fatalf("%d %s, want %d", a.status, a.body, step.status)
				}
				if step.rows < 0 {
					return
				}
				id, auth := a.header.Get("X-Request-Id"), "Bearer "+h.key
				eventually(t, "the row of a refused call", func() bool { // nobody waits for it: it is no money
					return h.get(h.url+"/api/v1/calls/"+id, "Authorization", auth).status == 200
				})
				if s := h.story(a); len(s.Attempts) != step.rows || s.Attempts[0].Deployment == "" && step.status == 200 {
					t.Errorf("the ledger has %+v", s.Attempts)
				}
			})
		}
	}
}
