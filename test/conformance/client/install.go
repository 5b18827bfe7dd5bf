package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// ErrMissing says that a language is not on this machine.
var ErrMissing = errors.New("is not on this machine")

// Install makes the runner of a language, go, npm or python, or of agents, which are command line programs that npm installs
// too. It is made from the sources in dir, below the folder cache. What is there already is taken.
func Install(ctx context.Context, language, dir, cache string) (*Runner, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	free, err := lock(filepath.Join(cache, language+".lock"))
	if err != nil {
		return nil, err
	}
	defer free()
	switch language {
	case "go":
		return installGo(ctx, dir, cache)
	case "npm":
		return installNode(ctx, language, filepath.Join(dir, "node"), filepath.Join(cache, "node"))
	case "agents":
		return installNode(ctx, language, filepath.Join(dir, "agents"), filepath.Join(cache, "agents"))
	case "python":
		return installPython(ctx, filepath.Join(dir, "python"), filepath.Join(cache, "python"))
	}
	return nil, fmt.Errorf("no language %q", language)
}

func installGo(ctx context.Context, dir, cache string) (*Runner, error) {
	program := filepath.Join(cache, "gosdk")
	if err := command(ctx, dir, "go", "build", "-o", program, "./gosdk"); err != nil {
		return nil, err
	}
	return &Runner{Name: "go", Args: []string{program}, Dir: cache}, nil
}

func installNode(ctx context.Context, language, dir, cache string) (*Runner, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%s %w", program, ErrMissing)
		}
	}
	scripts, err := filepath.Glob(filepath.Join(dir, "*.mjs"))
	if err != nil {
		return nil, err
	}
	names := []string{"package.json", "package-lock.json"}
	for _, s := range scripts {
		names = append(names, filepath.Base(s))
	}
	if err := copyAll(dir, cache, names); err != nil {
		return nil, err
	}
	// Nothing that a package brings is run at its installation.
	install := []string{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"}
	if err := once(ctx, cache, filepath.Join(dir, "package-lock.json"), install); err != nil {
		return nil, err
	}
	return &Runner{Name: language, Args: []string{"node", "run.mjs"}, Dir: cache}, nil
}

func installPython(ctx context.Context, dir, cache string) (*Runner, error) {
	if _, err := exec.LookPath("python3"); err != nil {
		return nil, fmt.Errorf("python3 %w", ErrMissing)
	}
	if err := copyAll(dir, cache, []string{"requirements.txt", "run.py"}); err != nil {
		return nil, err
	}
	environment := []string{"python3", "-m", "venv", "--clear", "venv"}
	install := []string{"venv/bin/python", "-m", "pip", "install", "--quiet", "-r", "requirements.txt"}
	if err := once(ctx, cache, filepath.Join(dir, "requirements.txt"), environment, install); err != nil {
		return nil, err
	}
	return &Runner{Name: "python", Args: []string{"venv/bin/python", "run.py"}, Dir: cache}, nil
}

// once runs commands in a folder unless they have been run there for the same pins.
func once(ctx context.Context, dir, pins string, commands ...[]string) error {
	b, err := os.ReadFile(pins)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	want, stamp := hex.EncodeToString(sum[:]), filepath.Join(dir, ".installed")
	if got, err := os.ReadFile(stamp); err == nil && string(got) == want {
		return nil
	}
	for _, c := range commands {
		if err := command(ctx, dir, c[0], c[1:]...); err != nil {
			return err
		}
	}
	return os.WriteFile(stamp, []byte(want), 0o600)
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if filepath.Base(name) != name {
		cmd.Path = filepath.Join(dir, name)
	}
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		out = bytes.TrimSpace(out)
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out[max(0, len(out)-1000):])
	}
	return nil
}

func copyAll(from, to string, names []string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// lock keeps two runs from installing into one folder.
func lock(path string) (free func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing frees it
}
