package cases

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ran is a program of the project that was run to its end.
type ran struct {
	out  []byte // both outputs
	code int
	cpu  time.Duration // of it and of all that it started
}

// run runs a program in the project's folder. That it fails is not an error: its code says so.
func run(s *Settings, env []string, args ...string) (ran, error) {
	s.Lab.Say("  $ %s", strings.Join(args, " "))
	c := exec.Command(args[0], args[1:]...)
	c.Dir, c.Env = s.Lab.Root, append(os.Environ(), env...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return ran{}, fmt.Errorf("run %s: %w", args[0], err)
	}
	return ran{out, c.ProcessState.ExitCode(), c.ProcessState.UserTime() + c.ProcessState.SystemTime()}, nil
}

// told finds the bars that a program printed: one JSON object a line, after whatever a test puts before it. Figures beside
// a bar become its detail.
func told(out []byte) (bars []Bar) {
	for line := range bytes.Lines(out) {
		i := bytes.Index(line, []byte(`{"name":`))
		if i < 0 {
			continue
		}
		var b struct {
			Bar
			Figures jsontext.Value `json:"figures"`
		}
		if json.Unmarshal(bytes.TrimSpace(line[i:]), &b) != nil || b.Bar.Bar == "" {
			continue
		}
		if b.Detail == nil && b.Figures != nil {
			b.Detail = b.Figures
		}
		bars = append(bars, b.Bar)
	}
	return bars
}

// lastLines are the end of an output, to show why something failed.
func lastLines(out []byte) string {
	const most = 600
	out = bytes.TrimSpace(out)
	return string(out[max(0, len(out)-most):])
}

// outcome is the bars that a program told and one that says whether it ended well. A test that was skipped, or that is
// not there, proves nothing.
func outcome(name string, r ran) []Bar {
	b := most(name+": failed runs, count", 0, 0, nil)
	if r.code != 0 || bytes.Contains(r.out, []byte("--- SKIP")) || bytes.Contains(r.out, []byte("no tests to run")) {
		b.Value, b.OK, b.Detail = 1, false, lastLines(r.out)
	}
	return append(told(r.out), b)
}

// crashTests are the tests that crash processes, by package.
var crashTests = []string{"./internal/store/sqlite", "./test/crash"}

const crashRun = "Kill|PowerCut|Crash|Image"

func crashes(s *Settings) ([]Bar, error) { return crashed(s, "25", "100") }

func kills(s *Settings) ([]Bar, error) { return crashed(s, "1000", "100") }

// crashed runs the crash tests: so many times kill -9, and so many images with unsynced writes dropped.
func crashed(s *Settings, kills, images string) ([]Bar, error) {
	var bars []Bar
	if s.Short {
		kills, images = "3", "10"
	}
	dir, err := s.Lab.Folder()
	if err != nil {
		return nil, err
	}
	result := filepath.Join(dir, "bars.jsonl") // test/crash adds its bar to it
	for _, pkg := range crashTests {
		if err := exists(s, pkg[2:]); errors.Is(err, ErrAbsent) {
			bars = append(bars, Bar{Name: "crash: " + pkg, Bar: "measured", Detail: err.Error()})
			continue
		}
		env := []string{"WEIR_KILLS=" + kills, "WEIR_IMAGES=" + images, "WEIR_RESULT=" + result}
		r, err := run(s, env, "go", "test", "-count=1", "-v", "-timeout", "120m", "-run", crashRun, pkg)
		if err != nil {
			return bars, err
		}
		found := outcome("crash: "+kills+" kills, "+images+" images, "+pkg, r)
		command := fmt.Sprintf("WEIR_KILLS=%s WEIR_IMAGES=%s go test -count=1 -timeout 120m -run '%s' %s", kills, images, crashRun, pkg)
		for i := range found {
			found[i].Command = command
		}
		bars = append(bars, found...)
	}
	out, err := os.ReadFile(result)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return bars, err
	}
	return append(bars, told(out)...), nil
}

// fuzz runs every fuzz target of the project, for 10 CPU-minutes or more.
func fuzz(s *Settings) ([]Bar, error) {
	if err := exists(s, "internal/wire/scan"); err != nil {
		return nil, err
	}
	const each = "10s"
	r, err := run(s, []string{"FUZZTIME=" + each}, "./.ci/fuzz")
	if err != nil {
		return nil, err
	}
	targets := bytes.Count(r.out, []byte("fuzz: github.com"))
	bars := outcome("fuzz: "+each+" a target", r)
	return append(bars, least("fuzz: time spent, CPU-minutes", r.cpu.Minutes(), 10, map[string]int{"targets": targets})), nil
}
