package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
)

// Lab holds what measurements share: the module's root, a folder of its own for binaries and ledgers, and where it
// tells how it gets on.
type Lab struct {
	Root string
	Log  io.Writer

	dir   string
	once  sync.Once
	built error
	n     int
}

// New finds the module that the working directory is in and makes a folder. Close removes it.
func New(log io.Writer) (*Lab, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("ask go for the module: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return nil, errors.New("not inside the module: run this in the project's folder")
	}
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, err
	}
	return &Lab{Root: filepath.Dir(mod), Log: log, dir: dir}, nil
}

// Close removes the folder.
func (l *Lab) Close() error { return os.RemoveAll(l.dir) }

// Say tells how it gets on.
func (l *Lab) Say(format string, args ...any) { fmt.Fprintf(l.Log, format+"\n", args...) }

// Folder makes a fresh folder.
func (l *Lab) Folder() (string, error) {
	l.n++
	dir := filepath.Join(l.dir, fmt.Sprintf("%03d", l.n))
	return dir, os.Mkdir(dir, 0o700)
}

// Build builds the binaries, once: weir as it is released, and the programs of bench.
func (l *Lab) Build() error {
	l.once.Do(func() {
		l.Say("building")
		c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", l.dir+"/",
			"./cmd/weir", "./bench/upstream", "./bench/baseline", "./bench/load")
		c.Dir, c.Env = l.Root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			l.built = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	return l.built
}

// Bin is the path of a built binary.
func (l *Lab) Bin(name string) string { return filepath.Join(l.dir, name) }

// Service is a started program that has told its address.
type Service struct {
	*Process
	Addr string
}

// serve starts a program of bench that announces its address.
func (l *Lab) serve(side Side, args ...string) (*Service, error) {
	if err := l.Build(); err != nil {
		return nil, err
	}
	args[0] = l.Bin(args[0])
	p, err := Start(Command{Args: args, Side: side})
	if err != nil {
		return nil, err
	}
	var said struct {
		Addr string `json:"addr"`
	}
	line, err := p.Line()
	if err == nil {
		err = json.Unmarshal([]byte(line), &said)
	}
	if err != nil {
		p.Kill()
		return nil, err
	}
	return &Service{p, said.Addr}, nil
}

// Upstream starts the null upstream, on the load's side, with flags of its own.
func (l *Lab) Upstream(flags ...string) (*Service, error) {
	return l.serve(LoadSide, append([]string{"upstream"}, flags...)...)
}

// Baseline starts the standard library's reverse proxy before an upstream, on the gateway's side.
func (l *Lab) Baseline(upstream string) (*Service, error) {
	return l.serve(GatewaySide, "baseline", "-target", "http://"+upstream)
}

// Output runs a program to its end and returns its output; stderr goes into the error.
func (l *Lab) Output(ctx context.Context, env []string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Dir, c.Env = l.Root, append(os.Environ(), env...)
	var said tail
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s", filepath.Base(args[0]), err, said.b)
	}
	return out, nil
}
