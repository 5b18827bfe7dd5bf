// Package agents plays a coding agent's session with tools through a gateway of three layers, over HTTP on both sides, and
// measures what of it a cascade could break: tool calls that lose their results, signed thinking that changes, prompt
// caches that go cold. The providers are the simulated ones, which refuse what the real ones refuse and keep prompts as
// they do. It is for a test and for bench/cases.
package agents

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/sim"
	"github.com/weirhq/weir/internal/testkit/agent"
)

// layout has a route a dialect. The check of the lower layers reads nothing that a coding session must fail by: what is
// wrong with a call of a tool the built-in checks find.
const layout = `
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: %DIR%}
prices: list-2026-08
providers:
  openai: {preset: openai, key: env:SIM_KEY, url: "%SIM%/openai/v1"}
  claude: {preset: anthropic, key: env:SIM_KEY, url: "%SIM%/anthropic/v1"}
deployments:
  haiku:  {model: claude-haiku-4.5, provider: claude, wire_id: haiku-wire}
  sonnet: {model: claude-sonnet-4.6, provider: claude, wire_id: sonnet-wire}
  opus:   {model: claude-opus-4.6, provider: claude, wire_id: opus-wire}
  mini:   {model: gpt-5.4-mini, provider: openai, wire_id: mini-wire}
  gpt:    {model: gpt-5.5, provider: openai, wire_id: gpt-wire}
routes:
  messages:
    layers: [{name: edge, use: [haiku]}, {name: mid, use: [sonnet]}, {name: top, use: [opus], context: brief}]
  chat:
    layers: [{name: edge, use: [mini]}, {name: mid, use: [gpt]}, {name: top, use: [opus], context: brief}]
data: {unlabelled: internal, may_reach: {internal: any}}
`

// Play says what is played.
type Play struct {
	Dir       string // of the gateway's data; it must not hold another's
	Messages  bool   // the client's dialect; else Chat Completions
	Stream    bool
	Questions int
	// Mistake is the question, from 0, in whose loop the edge model calls a tool wrongly until it is told; < 0 = never.
	Mistake int
	Always  bool // it never learns
	Both    bool // the middle model makes the mistake too
}

// Result is what was seen.
type Result struct {
	Answered   int      // questions that came to their end
	Requests   int      // that the client made
	Refused    int64    // by a provider, whatever for: an orphan result, a changed signature
	Signed     int      // thinking blocks that the model wrote
	Returned   int      // times that a provider got one back
	Changed    []string // pieces that a provider got otherwise than the client sent them
	Cached     float64  // share of the prompts' tokens that came from providers' caches
	Direct     float64  // the same, of the session sent to the edge model itself
	AtBoundary int      // user turns that began at a higher layer for what happened before
	Bent       int      // attempts that took a tool loop away from its model
	Paths      []string // deployment:verdict of each request's attempts
}

// stage is a gateway between a client and simulated providers.
type stage struct {
	Play
	sim     *sim.Sim
	session agent.Session
	front   *http.Client
	sent    [][]byte // bodies of the client
	got     [][]byte // bodies that the providers got
	mu      sync.Mutex
}

// careless are the wire names of the models that make the mistake, and base is where the dialect's provider is.
func (p Play) careless() (models []string, base string) {
	models, base = []string{"haiku-wire", "sonnet-wire"}, "/anthropic"
	if !p.Messages {
		models, base = []string{"mini-wire", "gpt-wire"}, "/openai"
	}
	if !p.Both {
		models = models[:1]
	}
	return models, base
}

// Run plays one session through the gateway, and the same to the edge model.
func Run(ctx context.Context, p Play) (r Result, err error) {
	st := &stage{Play: p, session: agent.Coding(p.Questions)}
	st.front = &http.Client{Timeout: time.Minute, Transport: st}
	models, base := p.careless()
	st.sim, err = sim.New(sim.Config{
		Answers: top{agent.Careless{Script: st.session.Script, Models: models, Question: p.Mistake, Step: 2, Always: p.Always}},
		Models: []sim.Model{
			{ID: "haiku-wire", Dialect: sim.Anthropic, Cache: true, Thinks: true},
			{ID: "sonnet-wire", Dialect: sim.Anthropic, Cache: true, Thinks: true},
			{ID: "opus-wire", Dialect: sim.Anthropic, Cache: true, Thinks: true},
			{ID: "mini-wire", Dialect: sim.OpenAI, Cache: true},
			{ID: "gpt-wire", Dialect: sim.OpenAI, Cache: true, Reasoning: true},
		},
	})
	if err != nil {
		return r, err
	}
	providers := httptest.NewServer(http.HandlerFunc(st.provide))
	defer providers.Close()
	if err := st.throughWeir(ctx, providers.URL, &r); err != nil {
		return r, err
	}
	for _, t := range st.sim.Stats().Models {
		r.Refused += t.Refused
	}
	r.Cached = share(st.sim.Requests())
	r.compare(st)
	r.Direct, err = direct(ctx, p, base)
	return r, err
}

// top ends a task by what a brief tells, which has no place in the script; the other models play it.
type top struct{ agent.Careless }

// Answer is the script's, or the end.
func (t top) Answer(q sim.Query) (sim.Answer, error) {
	if q.Model == "opus-wire" {
		return sim.Answer{Text: "Done, as far as the brief tells."}, nil
	}
	return t.Careless.Answer(q)
}

// direct is the share of cached tokens of the session without a gateway.
func direct(ctx context.Context, p Play, base string) (float64, error) {
	s := agent.Coding(p.Questions)
	model := sim.Model{ID: "alone", Cache: true, Thinks: true}
	one, err := sim.New(sim.Config{Answers: s.Script, Models: []sim.Model{model}})
	if err != nil {
		return 0, err
	}
	srv := httptest.NewServer(one)
	defer srv.Close()
	a := client(p, s, &http.Client{Timeout: time.Minute}, srv.URL+base, "any", model.ID)
	for _, q := range s.Questions {
		if _, err := a.Ask(ctx, q); err != nil {
			return 0, err
		}
	}
	return share(one.Requests()), nil
}

func client(p Play, s agent.Session, c *http.Client, url, key, model string) *agent.Agent {
	return &agent.Agent{
		URL: url, Key: key, Client: c, Model: model, Messages: p.Messages, Stream: p.Stream, Thinking: p.Messages,
		System: s.System, Tools: s.Tools, Do: s.Do,
	}
}

// share is how much of what providers read came from their caches.
func share(rs []sim.Request) float64 {
	var read, cached int
	for _, r := range rs {
		read += r.Input
		cached += r.Cached
	}
	return float64(cached) / float64(max(read, 1))
}

// provide keeps what a provider gets.
func (s *stage) provide(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.got = append(s.got, body)
	s.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.sim.ServeHTTP(w, r)
}

// RoundTrip keeps what the client sends.
func (s *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.sent = append(s.sent, body)
	s.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// throughWeir plays the session through a gateway and reads what its ledger tells of it.
func (s *stage) throughWeir(ctx context.Context, providers string, r *Result) error {
	text := strings.NewReplacer("%DIR%", s.Dir, "%SIM%", providers).Replace(layout)
	c, err := config.Parse("weir.yaml", []byte(text), func(string) (string, bool) { return "generated-key", true }, time.Now())
	if err != nil {
		return err
	}
	gw, err := server.New(server.Options{Config: c, Version: "bench"})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- gw.Serve(serving) }()
	err = s.ask(ctx, gw, r)
	stop()
	return errors.Join(err, <-ended)
}

func (s *stage) ask(ctx context.Context, gw *server.Server, r *Result) error {
	route := map[bool]string{true: "messages", false: "chat"}[s.Messages]
	a := client(s.Play, s.session, s.front, "http://"+gw.API(), gw.FirstKey, route)
	for _, q := range s.session.Questions {
		answers, err := a.Ask(ctx, q)
		if err != nil {
			return fmt.Errorf("question %d: %w", r.Answered+1, err)
		}
		r.Answered++
		for _, x := range answers {
			r.Requests++
			r.Signed += len(x.Signed)
			if err := r.read(ctx, gw.Ledger(), x.Header.Get("X-Request-Id")); err != nil {
				return err
			}
		}
	}
	return nil
}

// read takes in what the ledger tells of one request.
func (r *Result) read(ctx context.Context, books ledger.Reader, id string) error {
	op, err := call.ParseOpID(id)
	if err != nil {
		return err
	}
	rows, err := ledger.Call(ctx, books, op)
	if err != nil {
		return err
	}
	var path []string
	for _, x := range report.CallOf(rows).Attempts {
		path = append(path, x.Deployment+":"+x.Verdict)
		if x.Notes == nil || x.Notes.Session == nil {
			continue
		}
		if n := x.Notes.Session; n.Bent != "" {
			r.Bent++
		} else if n.Pinned == "" && strings.Contains(n.Why, "in the turn before") {
			r.AtBoundary++
		}
	}
	r.Paths = append(r.Paths, strings.Join(path, " "))
	return nil
}

// thoughts are the thinking blocks of a request, byte for byte.
func thoughts(body []byte) (out []string) {
	var q struct {
		Messages []struct {
			Content blocks `json:"content"`
		} `json:"messages"`
	}
	if json.Unmarshal(body, &q) != nil {
		return nil
	}
	for _, m := range q.Messages {
		for _, b := range m.Content {
			if strings.Contains(b, `"signature"`) || strings.Contains(b, `"redacted_thinking"`) {
				out = append(out, b)
			}
		}
	}
	return out
}

// compare holds that every signed piece that reached a provider is one that the client sent.
func (r *Result) compare(s *stage) {
	known := map[string]bool{}
	for _, body := range s.sent {
		for _, b := range thoughts(body) {
			known[b] = true
		}
	}
	for _, body := range s.got {
		for _, b := range thoughts(body) {
			r.Returned++
			if !known[b] {
				r.Changed = append(r.Changed, b)
			}
		}
	}
	slices.Sort(r.Changed)
}
