// Package gateway runs a Weir as users do, in front of simulated providers, and listens in between it and a client: what
// an SDK saw can be compared with the bytes that were sent and with the row in the ledger. It knows no SDK.
package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// ready is how long a process may take until it announces itself, on a machine that does much else.
const ready = 60 * time.Second

// Gateway is weir serve and weir sim.
type Gateway struct {
	API   string // base URL of the inference listener
	Key   string
	admin string
	token string // of the control API
	sim   string
	procs []*process
	http  http.Client
}

// said is what a process announces.
type said struct {
	API, Admin, Key, URL string
}

// Start builds weir from root unless the environment's WEIR_BIN names a binary, and starts both processes in dir with a
// configuration in which PROVIDERS stands for the address of the simulated ones.
func Start(ctx context.Context, root, dir, conf string) (g *Gateway, err error) {
	g = &Gateway{http: http.Client{Timeout: 30 * time.Second}}
	defer func() {
		if err != nil {
			g.Close()
		}
	}()
	bin := os.Getenv("WEIR_BIN")
	if bin == "" {
		bin = filepath.Join(dir, "weir")
		cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/weir")
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return g, fmt.Errorf("build weir: %w: %s", err, out)
		}
	}
	sim, err := g.start(ctx, dir, bin, "sim", "--listen", "127.0.0.1:0", "--speed", "1000", "--markers")
	if err != nil {
		return g, err
	}
	g.sim = sim.URL
	file := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(conf, "PROVIDERS", sim.URL)), 0o600); err != nil {
		return g, err
	}
	serve, err := g.start(ctx, dir, bin, "serve", "--config", file, "--quiet", "--listen-api", "127.0.0.1:0",
		"--listen-admin", "127.0.0.1:0")
	if err != nil {
		return g, err
	}
	g.API, g.admin, g.Key = serve.API, serve.Admin, serve.Key
	token, err := os.ReadFile(filepath.Join(dir, "weir-data", "admin.token"))
	g.token = strings.TrimSpace(string(token))
	return g, err
}

// Close ends both processes.
func (g *Gateway) Close() {
	for _, p := range g.procs {
		_ = p.cmd.Process.Kill() // one that is gone already is what was wanted
		<-p.ended
	}
}

// process is one that was started.
type process struct {
	cmd   *exec.Cmd
	errs  bytes.Buffer // read once it has ended
	ended chan struct{}
}

func (g *Gateway) start(ctx context.Context, dir, bin string, args ...string) (said, error) {
	p := &process{cmd: exec.CommandContext(ctx, bin, append(args, "--json")...), ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), "CONFORMANCE_KEY=simulated"), &p.errs
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return said{}, err
	}
	if err := p.cmd.Start(); err != nil {
		return said{}, fmt.Errorf("start weir %v: %w", args, err)
	}
	g.procs = append(g.procs, p)
	line := make(chan []byte, 1)
	go func() {
		in := bufio.NewReader(stdout)
		b, _ := in.ReadBytes('\n') // without a line there is nothing to announce; the reason is on standard error
		line <- b
		_, _ = io.Copy(io.Discard, in)
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	timer := time.NewTimer(ready)
	defer timer.Stop()
	var s said
	select {
	case b := <-line:
		if json.Unmarshal(b, &s, json.MatchCaseInsensitiveNames(true)) == nil {
			return s, nil
		}
	case <-timer.C:
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	return s, fmt.Errorf("weir %v did not announce itself: %s", args, p.errs.Bytes())
}

// Attempt is one row of the ledger, as the control API tells it.
type Attempt struct {
	Layer      string `json:"layer_name"`
	Outcome    string `json:"outcome"`
	Settlement string `json:"settlement"`
	Verdict    string `json:"verdict"`
	Usage      struct {
		Input  int `json:"input"`
		Output int `json:"output"`
	} `json:"usage"`
}

// Call is what the ledger keeps of a call.
type Call struct {
	Answered bool      `json:"answered"`
	Attempts []Attempt `json:"attempts"`
}

// ErrUnknown says that the ledger has no such call yet.
var ErrUnknown = errors.New("the ledger has no such call")

// Call asks the control API for a call.
func (g *Gateway) Call(ctx context.Context, id string) (*Call, error) {
	c := new(Call)
	return c, g.get(ctx, g.admin+"/api/v1/calls/"+id, c)
}

// Left is how many requests the simulated providers saw their client leave.
func (g *Gateway) Left(ctx context.Context) (int, error) {
	var stats struct {
		Models map[string]struct {
			Canceled int `json:"canceled"`
		} `json:"models"`
	}
	err := g.get(ctx, g.sim+"/sim/stats", &stats)
	n := 0
	for _, m := range stats.Models {
		n += m.Canceled
	}
	return n, err
}

func (g *Gateway) get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+g.token)
	resp, err := g.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusNotFound:
		return ErrUnknown
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("GET %s: %s: %s", url, resp.Status, body)
	}
	return json.Unmarshal(body, into)
}

// Until tries again and again until f is true or says that it cannot be, for at most a time.
func Until(ctx context.Context, most time.Duration, f func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lines is a buffer that one goroutine writes while others read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is what was written so far.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
