package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/server"
)

// credentials gives every variable that a file asks for a value.
func credentials(string) (string, bool) { return "sk-0a1b2c3d4e5f", true }

// start loads a file and builds a server from it, so that checks compile and budgets add up.
func start(t *testing.T, path string) *server.Server {
	t.Helper()
	c, err := config.Load(path, credentials)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.Warnings {
		t.Errorf("warning: %s", w)
	}
	c.Listen = config.Listen{API: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	c.Storage.Dir = t.TempDir()
	s, err := server.New(server.Options{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEveryExampleStarts(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(root, "examples", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 4 {
		t.Fatalf("only %d examples", len(paths))
	}
	for _, p := range paths {
		t.Run(filepath.Base(p), func(t *testing.T) { start(t, p) })
	}
}

// TestEveryConfigurationShownStarts loads what pages show as whole files, beside the examples' schemas and keys.
func TestEveryConfigurationShownStarts(t *testing.T) {
	n := 0
	for name, page := range pages(t) {
		for _, f := range fences(page) {
			if f.lang != "yaml" || !strings.Contains("\n"+f.text, "\nversion: 1\n") {
				continue
			}
			n++
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "examples"))); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, "weir.yaml")
				if err := os.WriteFile(path, []byte(f.text), 0o600); err != nil {
					t.Fatal(err)
				}
				start(t, path)
			})
		}
	}
	if n < 2 {
		t.Errorf("only %d configurations were found", n)
	}
}

// TestTheReadmeShowsTheExample holds the README's file to the one that lies in examples.
func TestTheReadmeShowsTheExample(t *testing.T) {
	want := uncommented(read(t, "examples/gateway-in-front-of-sim.yaml"))
	for _, f := range fences(read(t, "README.md")) {
		if strings.Contains(f.text, "version: 1") && strings.Contains(f.text, "9090") {
			if got := uncommented(f.text); !strings.Contains(got, want) {
				t.Errorf("README.md line %d differs from examples/gateway-in-front-of-sim.yaml:\n%s", f.line, got)
			}
			return
		}
	}
	t.Error("README.md shows no weir.yaml before the simulator")
}

func uncommented(yaml string) string {
	var b strings.Builder
	for line := range strings.Lines(yaml) {
		code, _, _ := strings.Cut(line, "#")
		if code = strings.TrimRight(code, " \n"); code != "" {
			b.WriteString(code + "\n")
		}
	}
	return b.String()
}
