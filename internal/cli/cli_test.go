package cli_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weirhq/weir/internal/cli"
)

// TestMain makes this binary the weir of the scenarios: a process of its own, with its own folder and signals.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir": weir})
}

func weir() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, cli.Process{
		Args: os.Args[1:], Env: os.LookupEnv, In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
	})
	stop()
	os.Exit(code)
}

// longest is how long a scenario may take before its processes are stopped.
const longest = 2 * time.Minute

// TestScenarios plays what people type. Beside testscript's own, scenarios have the commands of the map below.
func TestScenarios(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", Setup: setup, RequireExplicitExec: true, RequireUniqueNames: true,
		Deadline: time.Now().Add(longest),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": fails, "helps": helps, "until": until, "appears": appears,
			"startsim": startSim, "startserve": startServe, "terminate": terminate, "configure": configure,
			"redirect": redirect, "absent": absent, "post": post, "load": load,
			"want": want, "take": take, "shows": shows, "tally": tally, "schema": schema,
			"sampled": sampled, "balances": balances,
		},
	})
}

// setup gives a scenario an environment without keys of the machine's.
func setup(e *testscript.Env) error {
	s := &stage{processes: map[string]*process{}}
	e.Values[stageKey{}] = s
	e.Defer(s.strike)
	e.Setenv("PROVIDER_KEY", "simulated-provider-key")
	e.Setenv("GORACE", cmp.Or(os.Getenv("GORACE"), "atexit_sleep_ms=10")) // else every process idles a second at its end
	return nil
}

// fails runs weir and demands an exit code and, on standard error, words as the house wants them: fails CODE ARGS...
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fails code args...")
	}
	err := ts.Exec("weir", args[1:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("weir %s: want exit code %s, got %v", strings.Join(args[1:], " "), args[0], err)
	}
	if got := fmt.Sprint(exit.ExitCode()); got != args[0] {
		ts.Fatalf("weir %s: exit code %s, not %s", strings.Join(args[1:], " "), got, args[0])
	}
	if wrong := misworded(ts.ReadFile("stderr")); wrong != "" {
		ts.Fatalf("weir %s: %s", strings.Join(args[1:], " "), wrong)
	}
}

// misworded says what is wrong with the words of a failure; "" = nothing.
func misworded(text string) string {
	hint := ""
	found := false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "weir: hint: "); ok {
			hint = rest
		}
		rest, ok := strings.CutPrefix(line, "weir: error: ")
		if !ok {
			continue
		}
		found = true
		if first := []rune(rest)[0]; unicode.IsUpper(first) {
			return fmt.Sprintf("the error does not begin in lower case: %q", rest)
		}
		if strings.HasSuffix(rest, ".") || strings.HasSuffix(rest, "!") {
			return fmt.Sprintf("the error ends with a full stop: %q", rest)
		}
	}
	switch {
	case !found:
		return "there is no line with weir: error:"
	case strings.Count(text, "weir: error: ") > 1:
		return "the error is told more than once"
	case hint == "":
		return "there is no hint"
	case strings.HasSuffix(hint, "."):
		return fmt.Sprintf("the hint ends with a full stop: %q", hint)
	}
	return ""
}

var listed = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*) +\S`)

// helps lists every command, depth first, by what --help shows. A help without an example or a use line is an error.
func helps(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: helps")
	}
	var walk func(path []string)
	walk = func(path []string) {
		var out, errs bytes.Buffer
		code := cli.Run(context.Background(), cli.Process{
			Args: append(slices.Clone(path), "--help"), Env: os.LookupEnv, In: strings.NewReader(""), Out: &out, Err: &errs,
		})
		name := strings.Join(append([]string{"weir"}, path...), " ")
		text := out.String()
		if code != 0 || errs.Len() > 0 {
			ts.Fatalf("%s --help: exit code %d, standard error %q", name, code, errs.String())
		}
		for _, part := range []string{"\nUsage:\n  " + name, "\nExamples:\n  ", "\nFlags:\n"} {
			if !strings.Contains(text, part) {
				ts.Fatalf("%s --help has no %q:\n%s", name, strings.TrimSpace(part), text)
			}
		}
		fmt.Fprintln(ts.Stdout(), name)
		_, rest, _ := strings.Cut(text, "Available Commands:\n")
		list, _, _ := strings.Cut(rest, "\n\n")
		for _, m := range listed.FindAllStringSubmatch(list, -1) {
			walk(append(slices.Clone(path), m[1]))
		}
	}
	walk(nil)
}

// within is how long a condition may take to come true.
const within = 20 * time.Second

// eventually tries again and again until a condition holds.
func eventually(ts *testscript.TestScript, what string, holds func() bool) {
	tick, late := time.NewTicker(20*time.Millisecond), time.After(within)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s: not within %v", what, within)
		}
	}
}

// appears waits for a file: appears FILE.
func appears(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: appears file")
	}
	eventually(ts, args[0]+" appears", func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return err == nil
	})
}

// until runs weir again and again until it succeeds and prints what matches: until PATTERN ARGS...
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until pattern args...")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	eventually(ts, "weir "+strings.Join(args[1:], " ")+" prints "+args[0], func() bool {
		return ts.Exec("weir", args[1:]...) == nil && pattern.MatchString(ts.ReadFile("stdout"))
	})
}

// The scenarios' own judge of words must be able to fail.
func TestMisworded(t *testing.T) {
	tests := []struct{ name, text, wrong string }{
		{"good", "weir: error: there is no key\nweir: hint: weir key list shows the ids\n", ""},
		{"a log line before", "weir: warning: X.\nweir: error: no\nweir: hint: see weir --help\n", ""},
		{"nothing", "", "there is no line with weir: error:"},
		{"no hint", "weir: error: there is no key\n", "there is no hint"},
		{"upper case", "weir: error: There is no key\nweir: hint: x\n", "the error does not begin in lower case"},
		{"full stop", "weir: error: there is no key.\nweir: hint: x\n", "the error ends with a full stop"},
		{"hint with a full stop", "weir: error: no\nweir: hint: see weir --help.\n", "the hint ends with a full stop"},
		{"twice", "weir: error: a\nweir: error: b\nweir: hint: x\n", "the error is told more than once"},
	}
	for _, tt := range tests {
		if got := misworded(tt.text); !strings.HasPrefix(got, tt.wrong) || (got == "") != (tt.wrong == "") {
			t.Errorf("%s: %q, not %q", tt.name, got, tt.wrong)
		}
	}
}
