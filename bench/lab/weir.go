package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
)

// Node and UseCase are the budget and the use case of the calls that are measured.
const (
	Node    = "use-case/bench"
	UseCase = "bench"
	// Model is the catalogue's model that the route `bench` leads to; ProviderKey the credential that is sent upstream.
	Model       = "gpt-5.5"
	ProviderKey = keyName + "=" + keyValue

	keyName  = "WEIR_BENCH_PROVIDER_KEY"
	keyValue = "sk-bench-4f1f0a7c92d3"
)

// Env is the environment that the configuration reads.
func Env(name string) (string, bool) { return keyValue, name == keyName }

// limits are out of the way of what is measured.
const limits = "limits: {attempts: 1, calls: 8192, connections: 16384}"

// layout has on what a call passes in production: a policy table, a use case, a budget that holds and settles.
const layout = `version: 1
listen: {api: %s, admin: %s}
storage: {dir: data}
prices: list-2026-08
` + limits + `
providers:
  upstream: {preset: openai, url: "http://%s/v1", key: env:` + keyName + `}
deployments:
  only: {model: ` + Model + `, provider: upstream, region: eu}
routes:
  bench: {layers: [{name: only, use: [only]}]}
data:
  unlabelled: internal
  may_reach: {public: any, internal: any, confidential: {region: eu}, restricted: {hosting: own}}
use_cases:
  ` + UseCase + `: {owner: bench, kpi: calls answered, stakes: low, floor: internal, budget: ` + Node + `}
budgets:
  - {node: ` + Node + `, limit: $100000000/day, zone: UTC}
`

// Weir is a storage folder, a configuration, a key, and the process while it runs.
type Weir struct {
	*Process
	Dir   string // of weir.yaml; the ledger is in data below it
	Addr  string // of the API
	Admin string
	Key   string
	lab   *Lab
}

// Lay writes the configuration, in a fresh folder or in one that has a ledger already.
func (l *Lab) Lay(upstream, dir string) (*Weir, error) {
	if err := l.Build(); err != nil {
		return nil, err
	}
	if dir == "" {
		var err error
		if dir, err = l.Folder(); err != nil {
			return nil, err
		}
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	w := &Weir{Dir: dir, Addr: ports[0], Admin: ports[1], lab: l}
	return w, os.WriteFile(w.Config(), fmt.Appendf(nil, layout, w.Addr, w.Admin, upstream), 0o600)
}

// route is the one line of the layout that says who answers; observed puts in its place a cascade of three layers of which
// the last answers, as before, and the others are only observed.
const (
	route    = "  bench: {layers: [{name: only, use: [only]}]}\n"
	observed = `  bench:
    mode: observe
    observe: {sample: %s, budget: observe/bench}
    layers:
      - {name: edge, use: [low], max_output: 300, checks: [short]}
      - {name: mid, use: [mid], max_output: 300, checks: [short]}
      - {name: top, use: [only]}
`
	beside = `  low: {model: gpt-4o-mini, provider: upstream, region: eu}
  mid: {model: gpt-5.4-mini, provider: upstream, region: eu}
checks:
  short: {regex: '^.{1,900}'}
`
)

// Observe changes the configuration so that the same calls are answered by the same deployment on a route in observe mode,
// with a share of them drawn for shadows, e.g. 0%. Call it before Serve.
func (w *Weir) Observe(sample string) error {
	text, err := os.ReadFile(w.Config())
	if err != nil {
		return err
	}
	changed := strings.NewReplacer(route, fmt.Sprintf(observed, sample), "routes:\n", beside+"routes:\n",
		"budgets:\n", "budgets:\n  - {node: observe/bench, limit: $100000000/day, zone: UTC}\n").Replace(string(text))
	if !strings.Contains(changed, "mode: observe") {
		return errors.New("the configuration has no route to observe")
	}
	return os.WriteFile(w.Config(), []byte(changed), 0o600)
}

// Prepare writes the configuration and makes a key of the use case.
func (l *Lab) Prepare(upstream, dir string) (*Weir, error) {
	w, err := l.Lay(upstream, dir)
	if err != nil {
		return nil, err
	}
	w.Key, err = w.NewKey("bench")
	return w, err
}

// NewKey makes a key of the use case; best before the gateway serves, which reads new ones a little later.
func (w *Weir) NewKey(name string) (string, error) {
	out, err := w.lab.Output(context.Background(), []string{ProviderKey}, w.lab.Bin("weir"), "key", "create", "--config", w.Config(),
		"--name", name, "--team", "bench", "--use-case", UseCase, "--json")
	if err != nil {
		return "", err
	}
	var made struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return "", fmt.Errorf("weir key create said %.100q: %w", out, err)
	}
	return made.Key, nil
}

// Limit sets other limits, before the gateway serves.
func (w *Weir) Limit(to string) error {
	text, err := os.ReadFile(w.Config())
	if err != nil {
		return err
	}
	return os.WriteFile(w.Config(), []byte(strings.Replace(string(text), limits, "limits: "+to, 1)), 0o600)
}

// Config is the path of weir.yaml.
func (w *Weir) Config() string { return filepath.Join(w.Dir, "weir.yaml") }

// freePorts are loopback addresses that nobody listens on at this moment.
func freePorts(n int) (addrs []string, err error) {
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = ln.Close() }()
		addrs = append(addrs, ln.Addr().String())
	}
	return addrs, nil
}

// Serve starts the gateway on its side, access log to /dev/null, and waits until it is ready.
func (w *Weir) Serve() error {
	if err := w.Exec(); err != nil {
		return err
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		r, err := http.Get("http://" + w.Admin + "/readyz")
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("/readyz says %d", r.StatusCode)
		}
		select {
		case <-w.exited:
			return w.failed(errors.New("weir serve ended"))
		default:
		}
		if time.Now().After(deadline) {
			w.Stop()
			return fmt.Errorf("weir serve is not ready after 20 s: %w", err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Exec starts the gateway and waits for nothing.
func (w *Weir) Exec() (err error) {
	w.Process, err = Start(w.command(true))
	return err
}

// ExecAloud starts the gateway in a folder without a key, whose address and first key it announces on its output.
func (w *Weir) ExecAloud() (err error) {
	c := w.command(false)
	c.Args = append(c.Args, "--json", "--quiet")
	if w.Process, err = Start(c); err != nil {
		return err
	}
	var said struct {
		Key string `json:"key"`
	}
	line, err := w.Line()
	if err == nil {
		err = json.Unmarshal([]byte(line), &said)
	}
	w.Key = said.Key
	return err
}

func (w *Weir) command(silent bool) Command {
	return Command{
		Args: []string{w.lab.Bin("weir"), "serve", "--config", w.Config()}, Dir: w.Dir, Env: []string{ProviderKey},
		Side: GatewaySide, Silent: silent,
	}
}

// Call makes one call and returns its status and answer.
func (w *Weir) Call() (status int, body []byte, err error) {
	const ask = `{"model":"bench","max_tokens":20,"messages":[{"role":"user","content":"Has Invoice #402 been approved?"}]}`
	r, err := http.NewRequest(http.MethodPost, "http://"+w.Addr+"/v1/chat/completions", strings.NewReader(ask))
	if err != nil {
		return 0, nil, err
	}
	r.Close = true // the server behind the address may be another next time
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+w.Key)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = a.Body.Close() }()
	body, err = io.ReadAll(a.Body)
	return a.StatusCode, body, err
}

// UntilAnswered calls until the first answer. Only a server that does not listen yet is asked again.
func (w *Weir) UntilAnswered(patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		status, body, err := w.Call()
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case err == nil:
			return fmt.Errorf("the first call: %d %.200s", status, body)
		case !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(deadline):
			return w.failed(err)
		}
	}
}

// Fresh prepares a gateway on an empty ledger and serves.
func (l *Lab) Fresh(upstream string) (*Weir, error) {
	w, err := l.Prepare(upstream, "")
	if err != nil {
		return nil, err
	}
	return w, w.Serve()
}
