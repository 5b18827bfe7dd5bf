// Package process builds the weir binary and runs it as users do: another process, spoken to over HTTP and by its command
// line. It is for tests of the whole system. It knows nothing of what the binary does but how serve and sim announce
// themselves: one JSON line on standard output.
package process

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
)

// ready is how long a process may take until it announces itself, on a machine that does much else.
const ready = 60 * time.Second

// Binary is a built weir.
type Binary string

// Build builds weir into a folder, below the module's own working directory. The environment's WEIR_BIN names a binary
// that is taken as it is.
func Build(ctx context.Context, dir string) (Binary, error) {
	if path := os.Getenv("WEIR_BIN"); path != "" {
		return Binary(path), nil
	}
	path := filepath.Join(dir, "weir")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/weirhq/weir/cmd/weir")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build weir: %w: %s", err, out)
	}
	return Binary(path), nil
}

// Run runs one command to its end and gives what it printed; its error tells what stood on standard error.
func (b Binary) Run(ctx context.Context, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, string(b), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("weir %v: %w: %s", args, err, errs.Bytes())
	}
	return out.Bytes(), nil
}

// Said is what a process announced. Key is there only at the start that made it.
type Said struct {
	API   string `json:"api"`
	Admin string `json:"admin"`
	Key   string `json:"key"`
	URL   string `json:"url"` // of sim
}

// Running is a started process.
type Running struct {
	Said
	cmd   *exec.Cmd
	out   *tail
	once  sync.Once
	ended chan struct{}
	err   error
}

// Start runs a command that serves, with env added to the environment, and waits until it announces itself. When ctx
// ends the process is killed.
func (b Binary) Start(ctx context.Context, env []string, args ...string) (*Running, error) {
	p := &Running{cmd: exec.CommandContext(ctx, string(b), append(args, "--json")...), out: new(tail), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), env...), p.out
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start weir: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start weir: %w", err)
	}
	line := make(chan []byte, 1)
	go func() {
		in := bufio.NewReader(stdout)
		b, _ := in.ReadBytes('\n') // without a line there is nothing to announce; the reason is on standard error
		line <- b
		_, _ = io.Copy(p.out, in)
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	timer := time.NewTimer(ready)
	defer timer.Stop()
	select {
	case b := <-line:
		if err := json.Unmarshal(b, &p.Said); err != nil {
			p.Kill()
			return nil, fmt.Errorf("weir %v did not announce itself: %q: %s", args, b, p.out)
		}
		return p, nil
	case <-timer.C:
		p.Kill()
		return nil, fmt.Errorf("weir %v did not start within %s: %s", args, ready, p.out)
	}
}

// Kill is kill -9. It returns once the process is gone.
func (p *Running) Kill() {
	p.once.Do(func() { _ = p.cmd.Process.Kill() }) // one that is gone already is what was wanted
	<-p.ended
}

// Stop is SIGTERM. It returns once the process is gone, with how it ended.
func (p *Running) Stop() error {
	p.once.Do(p.Terminate)
	return p.Wait()
}

// Terminate sends SIGTERM and waits for nothing.
func (p *Running) Terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) } // one that is gone already needs none

// Wait returns once the process is gone, with how it ended.
func (p *Running) Wait() error {
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("weir ended badly: %w: %s", p.err, p.out)
	}
	return nil
}

// Log is the end of what the process wrote on standard error, and on standard output after its announcement.
func (p *Running) Log() string { return p.out.String() }

// tail keeps the end of what is written to it. Safe for concurrent use.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// kept bounds a tail.
const kept = 64 << 10

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.buf = append(t.buf, b...); len(t.buf) > 2*kept {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-kept:]...)
	}
	return len(b), nil
}

// String is what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
