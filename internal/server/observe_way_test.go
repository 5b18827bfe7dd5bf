package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/server"
)

// echoing plays providers whose every answer is the same bytes: of the models asked for as of the small one.
func echoing(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body := bodyOf(t, r)
		streamed := strings.Contains(body, `"stream":true`)
		switch claude := strings.HasPrefix(r.URL.Path, "/anthropic"); {
		case claude && streamed:
			sse(w)(messageStart, blockStart, blockDelta, blockStop, messageDelta, messageStop)
		case claude:
			message(w, "a whole  answer\nwith \"quotes\" and é", 12, 7)
		case streamed:
			send := sse(w)
			send(chunk(0, "4", ""), ": a comment\n\n", chunk(0, "2", ""))
			send(chunk(0, "", "stop"), usageChunk, doneChunk)
		default:
			whole(w, "a whole  answer\nwith \"quotes\" and é", 10, 5)
		}
	}
}

// TestObservingChangesNoByte compares what a client gets of a route that only passes calls on with what it gets of one
// that observes, shadows and all.
func TestObservingChangesNoByte(t *testing.T) {
	t.Parallel()
	began := time.Now() // translated answers tell the second in which they were made: a slow clock, for both
	at := func() time.Time { return began.Truncate(time.Second).Add(time.Since(began) / 100) }
	const route, observes = "  counting:\n    match: [\"counting\"]\n    mode: enforce\n",
		"  counting:\n    match: [\"counting\", \"gpt-wire\", \"opus-wire\"]\n    mode: observe\n" +
			"    observe: {sample: 100%, budget: observe/counting}\n"
	const layers = "- {name: edge, use: [mini], checks: [number]}\n      - {name: top, use: [gpt]}"
	plain := playedBy(t, echoing(t), server.Options{Now: at}, "context: brief, compress_with: [extractive]", "")
	watching := playedBy(t, echoing(t), server.Options{Now: at}, route, observes, layers,
		"- {name: edge, use: [mini], checks: [number]}\n      - {name: top, use: [gpt, opus]}",
		"context: brief, compress_with: [extractive]", "", "budgets:\n", "budgets:\n  - {node: observe/counting, limit: $100/day}\n")
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		for _, model := range []string{"gpt", "opus"} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/stream=%v", path, model, stream), func(t *testing.T) {
					ask := func(name string) string {
						if path == "/v1/messages" {
							return messages(name, "how many?", stream)
						}
						return capped(name, "how many?", stream)
					}
					want, got := plain.post(path, ask(model)), watching.post(path, ask(model+"-wire"))
					c := watching.watchedStory(t, got)
					if want.status != 200 || got.status != 200 || c.Observed == nil || !c.Observed.Drawn {
						t.Fatalf("%d, %d, observed %+v: %s", want.status, got.status, c.Observed, got.body)
					}
					if c.Attempts[0].Deployment != model || c.Observed.Shadow.Outcome != "accepted" || c.Observed.Shadow.How == "" {
						t.Errorf("%s answered, shadow %+v", c.Attempts[0].Deployment, c.Observed.Shadow)
					}
					if got.body != want.body {
						t.Errorf("observed:\n%s\nnot observed:\n%s", got.body, want.body)
					}
					for _, h := range []string{"X-Request-Id", "X-Weir-Layer", "X-Weir-Overhead-Us", "Date"} { // a deployment has no layer
						got.header.Del(h)
						want.header.Del(h)
					}
					if g, w := fmt.Sprint(got.header), fmt.Sprint(want.header); g != w {
						t.Errorf("headers %s, not observed %s", g, w)
					}
				})
			}
		}
	}
}

// behind parses a configuration that has one provider: what listens at an address, with a key.
func behind(t *testing.T, h *house, text, addr, key string) *config.Config {
	t.Helper()
	text = strings.NewReplacer("%DIR%", t.TempDir(), "%NEXT%", addr).Replace(text)
	c, err := config.Parse("weir.yaml", []byte(text), func(name string) (string, bool) { return key, name == "NEXT_KEY" }, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// outer observes in front of another gateway, which is an OpenAI-compatible provider to it.
const outer = `
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: %DIR%}
prices: article-2026-06
providers:
  next: {preset: openai, key: env:NEXT_KEY, url: "%NEXT%/v1"}
deployments:
  small: {model: gpt-4o-mini, provider: next, wire_id: mini}
  large: {model: gpt-5.5, provider: next, wire_id: gpt}
checks:
  number: {regex: '^\d+$'}
routes:
  counting:
    match: ["gpt-5*"]
    mode: observe
    observe: {sample: 100%, budget: observe/counting}
    layers:
      - {name: edge, use: [small], max_output: 50, checks: [number]}
      - {name: top, use: [large], max_output: 50}
data: {unlabelled: internal, may_reach: {internal: any}}
budgets:
  - {node: observe/counting, limit: $1/day}
`

// TestObserveInFrontOfAnotherGateway puts two Weirs in a row: the outer one observes, the inner one stands for any gateway
// that the organisation has.
func TestObserveInFrontOfAnotherGateway(t *testing.T) {
	t.Parallel()
	inner := open(t, fixed{"mini-wire": "unsure"})
	front := &house{t: t}
	front.start(behind(t, front, outer, inner.url, inner.key))
	for _, stream := range []bool{false, true} {
		want := inner.post("/v1/chat/completions", capped("gpt", "how many?", stream))
		got := front.post("/v1/chat/completions", capped("gpt-5.5", "how many?", stream))
		c := front.watchedStory(t, got)
		if got.status != 200 || !strings.Contains(got.body, "42") || len(got.body) != len(want.body) {
			t.Errorf("stream=%v: %d %s\nof the inner gateway: %s", stream, got.status, got.body, want.body)
		}
		if s := c.Observed.Shadow; s.Outcome != "accepted" || s.Layer != "top" || !s.Same || s.How != "number" {
			t.Errorf("stream=%v: shadow %+v", stream, s)
		}
	}
	models := map[string]int{}
	for _, r := range inner.sim.Requests() {
		models[r.Model]++
	}
	if models["gpt-wire"] != 6 || models["mini-wire"] != 2 { // twice: asked directly, by the call, by its shadow
		t.Errorf("the providers behind the inner gateway saw %v", models)
	}
}

// TestObserveBehindAReverseProxy reaches an observing Weir through a plain reverse proxy.
func TestObserveBehindAReverseProxy(t *testing.T) {
	t.Parallel()
	h := openObserved(t, fixed{}, "100%")
	target, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(target))
	t.Cleanup(proxy.Close)
	for _, stream := range []bool{false, true} {
		a := h.do(http.MethodPost, proxy.URL+"/v1/chat/completions", capped("counting", "how many?", stream), "Authorization",
			"Bearer "+h.key)
		c := h.watchedStory(t, a)
		if a.status != 200 || c.Observed == nil || c.Observed.Shadow.Outcome != "accepted" {
			t.Errorf("stream=%v: %d %s: %+v", stream, a.status, a.body, c.Observed)
		}
		if stream && !strings.HasSuffix(a.body, "data: [DONE]\n\n") {
			t.Errorf("the stream does not come whole: %q", a.body)
		}
	}
}

// TestACallThatFailsLeavesNoShadow holds that only answers that were given are tried again.
func TestACallThatFailsLeavesNoShadow(t *testing.T) {
	t.Parallel()
	h := openObserved(t, fixed{}, "100%")
	a := h.post("/v1/chat/completions", capped("counting", "how many? [[sim:500]]", false))
	if a.status == 200 {
		t.Fatal("it was answered")
	}
	if ok := h.post("/v1/chat/completions", capped("counting", "how many?", false)); ok.status != 200 {
		t.Fatalf("%d %s", ok.status, ok.body)
	}
	total, _ := h.observedUsage(t, "route")
	if total.Calls != 2 || total.Answered != 1 || total.Shadows.Drawn != 1 || total.Shadows.Told != 1 {
		t.Errorf("%+v", total)
	}
	for _, x := range h.story(a).Attempts {
		if x.Purpose == "shadow" {
			t.Errorf("a shadow's attempt: %+v", x)
		}
	}
}
