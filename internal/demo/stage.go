package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/weirhq/weir/internal/client"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/sim"
	"github.com/weirhq/weir/internal/sim/scenario"
)

// file is the demo's weir.yaml. The routes differ only in their layers; a use case for each run makes the ledger's own
// report the demo's table: weir usage --by use-case.
const file = `# The configuration of weir demo: simulated providers on loopback, the article's three layers.
version: 1
listen: {api: %s, admin: 127.0.0.1:0}
storage: {dir: data}
prices: article-2026-06
providers:
  google: {preset: gemini, key: env:WEIR_DEMO_KEY, url: "http://%s/gemini/v1beta"}
  openai: {preset: openai, key: env:WEIR_DEMO_KEY, url: "http://%s/openai/v1"}
deployments:
  flash-lite: {model: gemini-flash-lite, provider: google, region: eu}
  pro:        {model: gemini-3.1-pro, provider: google, region: eu}
  gpt:        {model: gpt-5.5, provider: openai, region: us}
checks:
  invoice-shape: {schema: invoice.json}
routes:
  procurement:          # the cascade: cheapest first, escalate only on failure, a brief for the top
    mode: enforce
    layers:
      - {name: edge, use: [flash-lite], checks: [invoice-shape]}
      - {name: mid,  use: [pro], checks: [invoice-shape]}
      - {name: top,  use: [gpt], context: brief, compress_with: [extractive]}
    targets: {edge: 75%%, mid: 20%%, top: 5%%}
  frontier:             # what the organisation did before: every call to the frontier model
    mode: enforce
    layers:
      - {name: frontier, use: [gpt]}
data: {unlabelled: internal, may_reach: {public: any, internal: any}}
use_cases:
  walkthrough:    {owner: demo, kpi: shown, stakes: low, floor: internal, review: 2030-01-31}
  uniform-before: {owner: demo, kpi: interactions answered, stakes: low, floor: internal, review: 2030-01-31}
  uniform-after:  {owner: demo, kpi: interactions answered, stakes: low, floor: internal, review: 2030-01-31}
  mixed-before:   {owner: demo, kpi: interactions answered, stakes: low, floor: internal, review: 2030-01-31}
  mixed-after:    {owner: demo, kpi: interactions answered, stakes: low, floor: internal, review: 2030-01-31}
`

// stage is the set: simulated providers, a gateway before them, and what was played.
type stage struct {
	o       Options
	day     *scenario.Scenario
	catalog *catalog.Catalog
	witness *witness
	client  *client.Client
	server  *server.Server
	key     string
	played  map[string][]played // by use case
	strike  func()
}

// witness passes questions on to the scenario's agent and keeps what the top layer was asked in the walk-through.
type witness struct {
	scenario.Agent
	mu   sync.Mutex
	ref  string
	seen string
}

// Answer answers as the scenario says.
func (w *witness) Answer(q sim.Query) (sim.Answer, error) {
	w.mu.Lock()
	if w.ref != "" && strings.Contains(q.LastUser(), w.ref) {
		w.seen = q.LastUser()
	}
	w.mu.Unlock()
	return w.Agent.Answer(q)
}

// fresh refuses a folder with a configuration or a ledger in it: the demo writes over no weir.yaml, its figures are those
// of a whole ledger, and the secrets of keys that are there already cannot be had again.
func (st *stage) fresh() error {
	all, err := os.ReadDir(st.data())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for an earlier demo: %w", err)
	}
	if len(all) > 0 {
		return &llm.Error{
			Code: llm.CodeInvalid, Message: st.o.Dir + " holds the ledger of an earlier demo already",
			Hint: "weir demo --dir NEW takes another folder; weir usage --by use-case --dir " + st.data() + " reads this one",
		}
	}
	if _, err := os.Lstat(st.path(configFile)); err == nil {
		return &llm.Error{
			Code: llm.CodeInvalid, Message: st.o.Dir + " holds a " + configFile + " already",
			Hint: "weir demo --dir NEW takes another folder, and without --dir a new one among the temporary files",
		}
	}
	return nil
}

// Names in the demo's folder.
const (
	configFile = "weir.yaml"
	schemaFile = "invoice.json"
	dataFolder = "data"
)

func (st *stage) path(name string) string { return filepath.Join(st.o.Dir, name) }

// data is the demo's storage folder.
func (st *stage) data() string { return st.path(dataFolder) }

// clear takes back what a demo wrote that could not begin, so that another try may use its folder.
func (st *stage) clear() error {
	return errors.Join(os.Remove(st.path(configFile)), os.Remove(st.path(schemaFile)), os.RemoveAll(st.data()))
}

// raise builds the stage: providers listen, the gateway answers.
func raise(o Options) (*stage, error) {
	st := &stage{o: o, day: scenario.Procurement(), catalog: catalog.Embedded(), played: map[string][]played{}}
	if err := st.fresh(); err != nil {
		return nil, err
	}
	st.witness = &witness{Agent: scenario.Agent{Scenario: st.day, Seed: o.Seed, Catalog: st.catalog}}
	providers, err := sim.New(sim.Config{Models: st.day.Models(st.catalog), Answers: st.witness, Seed: o.Seed, Speed: speed})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the simulated providers: %w", err)
	}
	backstage := &http.Server{Handler: providers, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = backstage.Serve(ln) }() // ends with Close below
	conf, err := st.configure(ln.Addr().String())
	if err != nil {
		return nil, errors.Join(err, backstage.Close())
	}
	st.server, err = server.New(server.Options{Config: conf, Version: o.Version, FirstKeyName: "demo"})
	if err != nil {
		return nil, errors.Join(err, backstage.Close(), st.clear())
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- st.server.Serve(ctx) }()
	st.key = st.server.FirstKey
	st.client = client.New("http://"+st.server.API(), st.key, workers)
	st.strike = sync.OnceFunc(func() {
		stop()
		if err := errors.Join(<-ended, backstage.Close()); err != nil {
			fmt.Fprintf(o.Err, "weir demo: stopping: %v\n", err)
		}
	})
	return st, nil
}

// configure writes the demo's files and reads them as serve would.
func (st *stage) configure(providers string) (*config.Config, error) {
	path := st.path(configFile)
	text := fmt.Sprintf(file, st.o.Listen, providers, providers)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write the demo's configuration: %w", err)
	}
	if err := os.WriteFile(st.path(schemaFile), scenario.AnswerSchema(), 0o600); err != nil {
		return nil, fmt.Errorf("write the demo's schema: %w", err)
	}
	return config.Load(path, func(name string) (string, bool) {
		return "simulated-provider-key", name == "WEIR_DEMO_KEY"
	})
}
