package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestAShadowThatNeedsABrief holds that a shadow goes to a brief layer as a call would, and that the summary it has written
// for that is part of it.
func TestAShadowThatNeedsABrief(t *testing.T) {
	t.Parallel()
	h := open(t, shortener{"The carrier wrote every day about pallets at Bremen."})
	text := strings.Replace(layout, "compress_with: [extractive]}", "compress_with: [extractive, flash], brief_tokens: 1000}", 1)
	text = strings.Replace(text, "briefed:\n    mode: enforce",
		"briefed:\n    mode: observe\n    observe: {sample: 100%, budget: observe/briefed}", 1)
	h.reload(text + "  - {node: observe/briefed, limit: $100/day}\n")
	a := h.post("/v1/chat/completions", letters("briefed"))
	c := h.watchedStory(t, a)
	if a.status != 200 || !strings.Contains(a.body, "seven or so") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if s := c.Observed.Shadow; s.Outcome != "accepted" || s.Layer != "top" || s.Attempts != 3 || s.How != "words" || s.Same {
		t.Errorf("shadow %+v", s)
	}
	var path []string
	for _, x := range c.Attempts {
		path = append(path, x.Purpose+" "+x.Deployment)
	}
	if got := strings.Join(path, ", "); got != "answer flash, shadow flash, shadow flash, shadow opus" {
		t.Errorf("attempts: %s", got)
	}
}

// TestAShadowSendsNoSignatureToOthers holds that what the asked-for model signed goes back to that model only.
func TestAShadowSendsNoSignatureToOthers(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 4)
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- bodyOf(t, r)
		message(w, "no number", 10, 5)
	}, "mode: observe", "mode: observe\n    observe: {sample: 100%, budget: observe/watched}",
		"budgets:\n", "budgets:\n  - {node: observe/watched, limit: $100/day}\n",
		"- {name: edge, use: [mini], checks: [number]}\n      - {name: top, use: [opus], context: brief, compress_with: [extractive]}\ndata",
		"- {name: edge, use: [sonnet], checks: [number]}\n      - {name: top, use: [opus]}\ndata",
		"match: [\"watched\", \"claude-*\"]", "match: [\"watched\", \"opus-wire\"]")
	const signed = `{"model":"opus-wire","max_tokens":50,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[` +
		`{"type":"thinking","thinking":"hm","signature":"sealed-by-opus"},{"type":"text","text":"a"}]},{"role":"user","content":"and?"}]}`
	a := h.post("/v1/messages", signed)
	c := h.watchedStory(t, a)
	if a.status != 200 || c.Observed.Shadow.Layer != "top" {
		t.Fatalf("%d %s: %+v %+v", a.status, a.body, c.Observed.Shadow, c.Attempts)
	}
	for range 3 {
		body := <-asked
		own := strings.Contains(body, "opus-wire")
		if strings.Contains(body, "sealed-by-opus") != own {
			t.Errorf("sent: %s", body)
		}
	}
}
