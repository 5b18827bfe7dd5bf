package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/sim"
)

// house is a running gateway in front of simulated providers.
type house struct {
	t      testing.TB
	sim    *sim.Sim
	server *server.Server
	url    string
	admin  string
	key    string
	dir    string

	providers string         // URL of the simulated providers
	options   server.Options // of the server beside its configuration
	stop      func()
	ended     chan error
}

// layout is the configuration of most tests: three vendors, a cascade with a check, a brief layer, four classes.
const layout = `
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: %DIR%}
prices: article-2026-06
models:
  no-eyes: {tier: edge, window: 8000, max_output: 1000, can: [tools], price: {input: 0.1, output: 0.4}}
providers:
  google: {preset: gemini, key: env:SIM_KEY, url: "%SIM%/gemini/v1beta"}
  openai: {preset: openai, key: env:SIM_KEY, url: "%SIM%/openai/v1"}
  claude: {preset: anthropic, key: env:SIM_KEY, url: "%SIM%/anthropic/v1"}
deployments:
  flash: {model: gemini-flash-lite, provider: google, region: eu, wire_id: flash-wire}
  mini:  {model: gpt-4o-mini, provider: openai, region: us, wire_id: mini-wire}
  sonnet: {model: claude-sonnet-4.6, provider: claude, region: us, wire_id: sonnet-wire}
  opus:  {model: claude-opus-4.6, provider: claude, region: us, wire_id: opus-wire}
  gpt:   {model: gpt-5.5, provider: openai, region: us, wire_id: gpt-wire}
  blind: {model: no-eyes, provider: openai, region: us, wire_id: mini-wire}
checks:
  number: {regex: '^\d+$'}
routes:
  counting:
    match: ["counting", "gpt-4o*"]
    mode: enforce
    layers:
      - {name: edge, use: [flash, mini], checks: [number]}
      - {name: top, use: [gpt]}
  briefed:
    mode: enforce
    layers:
      - {name: edge, use: [flash], checks: [number]}
      - {name: top, use: [opus], context: brief, compress_with: [extractive]}
data: {unlabelled: internal, may_reach: {public: any, internal: any, confidential: {region: eu}, secret: none}}
use_cases:
  counting: {owner: tests, kpi: numbers, stakes: low, floor: internal, budget: use-case/counting, review: 2030-01-31}
budgets:
  - {node: use-case/counting, limit: $1/day, zone: UTC, on_limit: refuse, alert_at: [50%]}
`

// fixed answers every question of a model with what the map says.
type fixed map[string]string

func (f fixed) Answer(q sim.Query) (sim.Answer, error) {
	if text, ok := f[q.Model]; ok {
		return sim.Answer{Text: text}, nil
	}
	return sim.Answer{Text: "42"}, nil
}

func simModels() []sim.Model {
	return []sim.Model{
		{ID: "flash-wire", Dialect: sim.Gemini},
		{ID: "mini-wire", Dialect: sim.OpenAI},
		{ID: "opus-wire", Dialect: sim.Anthropic},
		{ID: "sonnet-wire", Dialect: sim.Anthropic},
		{ID: "gpt-wire", Dialect: sim.OpenAI, Reasoning: true},
	}
}

// open starts simulated providers and a gateway before them.
// Models given replace those of the same name.
func open(t *testing.T, answers sim.Answerer, models ...sim.Model) *house {
	t.Helper()
	return openBy(t, server.Options{}, layout, answers, models...)
}

// openBy is open with options of the server's own and another configuration.
func openBy(t *testing.T, opt server.Options, text string, answers sim.Answerer, models ...sim.Model) *house {
	t.Helper()
	for _, m := range simModels() {
		if !slices.ContainsFunc(models, func(o sim.Model) bool { return o.ID == m.ID }) {
			models = append(models, m)
		}
	}
	s, err := sim.New(sim.Config{Models: models, Answers: answers, Markers: true})
	if err != nil {
		t.Fatal(err)
	}
	providers := httptest.NewServer(s)
	t.Cleanup(providers.Close)
	h := &house{t: t, sim: s, dir: t.TempDir(), providers: providers.URL, options: opt}
	h.start(h.config(text, providers.URL))
	return h
}

func (h *house) config(text, simURL string) *config.Config {
	h.t.Helper()
	text = strings.NewReplacer("%DIR%", h.dir, "%SIM%", simURL).Replace(text)
	c, err := config.Parse("weir.yaml", []byte(text), func(name string) (string, bool) {
		return "generated-" + name, name == "SIM_KEY"
	}, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *house) start(c *config.Config) {
	h.t.Helper()
	opt := h.options
	opt.Config, opt.Version = c, "test"
	s, err := server.New(opt)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop, h.ended = stop, make(chan error, 1)
	ended := h.ended
	go func() {
		ended <- s.Serve(ctx)
		close(ended)
	}()
	h.server, h.url, h.admin, h.key = s, "http://"+s.API(), "http://"+s.Admin(), s.FirstKey
	h.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			h.t.Errorf("serve: %v", err)
		}
	})
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T, path ...string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("answer is not JSON: %v\n%s", err, a.body)
	}
	for _, p := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			var i int
			if _, err := fmt.Sscan(p, &i); err != nil || i >= len(x) {
				t.Fatalf("no %s in %s", p, a.body)
			}
			v = x[i]
		}
	}
	return fmt.Sprint(v)
}

func (h *house) post(path, body string, header ...string) answer {
	h.t.Helper()
	return h.do(http.MethodPost, h.url+path, body, append([]string{"Authorization", "Bearer " + h.key}, header...)...)
}

func (h *house) get(url string, header ...string) answer {
	h.t.Helper()
	return h.do(http.MethodGet, url, "", header...)
}

// token is the admin token of the house.
func (h *house) token() string {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, "admin.token"))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

func (h *house) do(method, url, body string, header ...string) answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// story is the call as GET /api/v1/calls/{id} tells it to the key that made it.
type story struct {
	Route     string `json:"route"`
	DataClass string `json:"data_class"`
	Answered  bool   `json:"answered"`
	Cost      string `json:"cost_usd"`
	Frontier  string `json:"frontier_would_have_cost_usd"`
	Attempts  []struct {
		Purpose    string `json:"purpose"`
		Deployment string `json:"deployment"`
		Layer      int    `json:"layer"`
		Outcome    string `json:"outcome"`
		Settlement string `json:"settlement"`
		Verdict    string `json:"verdict"`
		Check      string `json:"check"`
		Error      string `json:"error"`
		Cost       string `json:"cost_usd"`
		Held       string `json:"held_usd"`
		Reason     string `json:"reason"`
		Clocks     struct {
			FirstByte float64 `json:"client_first_ms"`
			Accepted  float64 `json:"accepted_ms"`
			End       float64 `json:"end_ms"`
		} `json:"clocks"`
		Usage map[string]int `json:"usage"`
		Notes jsontext.Value `json:"notes"`
	} `json:"attempts"`
}

func (h *house) story(a answer) story {
	h.t.Helper()
	got := h.get(h.url+"/api/v1/calls/"+a.header.Get("X-Request-Id"), "Authorization", "Bearer "+h.key)
	if got.status != http.StatusOK {
		h.t.Fatalf("story: %d %s", got.status, got.body)
	}
	var s story
	if err := json.Unmarshal([]byte(got.body), &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// path says in one line which attempts a call made.
func (s story) path() string {
	var b bytes.Buffer
	for _, a := range s.Attempts {
		fmt.Fprintf(&b, "%s:%s:%s ", a.Deployment, a.Outcome, a.Verdict)
	}
	return strings.TrimSpace(b.String())
}

func chat(model, question string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[{"role":"user","content":%q}]}`, model, stream, question)
}

func messages(model, question string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":500,"stream":%v,"messages":[{"role":"user","content":%q}]}`, model, stream, question)
}

const patience = 10 * time.Second

// eventually waits for a condition that another process or goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not happen within %v", what, patience)
		}
	}
}
