// Package cli is the command line: one file a command. A command reads flags, calls a room, prints; figures also come as
// JSON with --json. Errors are printed as "weir: error: ..." and "weir: hint: ..." on standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/llm"
)

// Exit codes.
const (
	exitOK     = 0
	exitError  = 1 // the command did not do what it was asked to
	exitUsage  = 2 // wrong flags or arguments
	exitConfig = 3 // weir.yaml has errors
)

// Process is what a command has of the process it runs in.
type Process struct {
	Args     []string
	Env      func(string) (string, bool)
	In       io.Reader
	Out, Err io.Writer
}

// app is what the commands share.
type app struct {
	Process
	file string // --config
	json bool   // --json
}

// Run runs one command line and returns its exit code.
func Run(ctx context.Context, p Process) int {
	a := &app{Process: p}
	root := a.root()
	root.SetArgs(p.Args)
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	return a.fail(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "One binary between your applications and every model you pay for",
		Long: `Weir routes each call to the cheapest model that is allowed and good enough, measures and accounts for
every attempt to the nano-dollar, and proves which data may reach which model.

Exit codes: 0 done; 1 not done; 2 wrong flags or arguments; 3 the configuration has errors.`,
		Example: `  weir demo                     watch a procurement agent's day, before and after
  weir init && weir serve       put Weir in front of the providers whose keys you have
  weir usage --by model         what was spent, on what`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.PersistentFlags().StringVarP(&a.file, "config", "c", "weir.yaml", "configuration file")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{err: err, command: c.CommandPath()}
	})
	root.AddCommand(
		a.serve(), a.check(), a.init(), a.demo(), a.sim(), a.call(), a.usage(), a.key(), a.version(),
	)
	return root
}

// usageError is a command line that cannot be carried out.
type usageError struct {
	err     error
	command string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// hinted is an error with what to do about it.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }

// fail prints an error and its hint and returns the exit code.
func (a *app) fail(err error) int {
	var (
		usage    *usageError
		hint     *hinted
		problems *config.Errors
		typed    *llm.Error
	)
	switch {
	case errors.As(err, &problems):
		fmt.Fprintln(a.Err, problems.Error())
		fmt.Fprintf(a.Err, "weir: error: %d problems in %s\n", len(problems.Problems), a.file)
		fmt.Fprintln(a.Err, "weir: hint: weir check --schema prints what the file may hold; docs/configuration.md explains it")
		return exitConfig
	case errors.As(err, &usage):
		fmt.Fprintf(a.Err, "weir: error: %s\nweir: hint: see %s --help\n", err, usage.command)
		return exitUsage
	case errors.As(err, &hint):
		fmt.Fprintf(a.Err, "weir: error: %s\nweir: hint: %s\n", err, hint.hint)
	case errors.As(err, &typed) && typed.Hint != "":
		fmt.Fprintf(a.Err, "weir: error: %s\nweir: hint: %s\n", typed.Message, typed.Hint)
	default:
		fmt.Fprintf(a.Err, "weir: error: %s\n", err)
	}
	return exitError
}

// load reads the configuration file.
func (a *app) load() (*config.Config, error) {
	c, err := config.Load(a.file, a.Env)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &hinted{
			fmt.Errorf("there is no %s here", a.file),
			"weir init writes one from the provider keys in the environment; weir demo needs none",
		}
	}
	if err != nil {
		return nil, err
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(a.Err, "weir: warning: %s\n", w)
	}
	return c, nil
}

// exact refuses arguments.
func exact(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return &usageError{fmt.Errorf("%s takes %s", c.CommandPath(), what), c.CommandPath()}
	}
}

// print writes a value as JSON.
func (a *app) printJSON(v any) error {
	b, err := json.Marshal(v, jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Out, "%s\n", b)
	return err
}

// versionString is the module's version and commit as the build recorded them.
func versionString() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && v == "(devel)" {
			v += " " + s.Value[:12]
		}
	}
	return v
}
