// Package cli is the command line: one file a command. A command reads flags, calls a room, prints; figures also come
// as JSON with --json. Errors are printed as "weir: error: ..." and "weir: hint: ..." on standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/finops/money"
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
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	return a.fail(c, err)
}

func (a *app) root() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "weir",
		Short: "One binary between your applications and every model you pay for",
		Long: `Weir routes each call to the cheapest model that is allowed and good enough, measures and accounts for
every attempt to the nano-dollar, and proves which data may reach which model.

Exit codes: 0 done; 1 not done; 2 wrong flags or arguments; 3 the configuration has errors.`,
		Example: `  weir demo                     watch a procurement agent's day, before and after
  weir init && weir serve       put Weir in front of the providers whose keys you have
  weir usage --by model         what was spent, on what`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true}, // ours, which has examples
	}, a.serve(), a.check(), a.init(), a.demo(), a.sim(), a.eval(), a.call(), a.usage(), a.key(), a.version(), a.completion())
	root.SetHelpCommand(a.help())
	// A group runs only to refuse what it does not know; its usage line would say that it does something by itself.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}",
		"{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	root.PersistentFlags().StringVarP(&a.file, "config", "c", "weir.yaml", "configuration file")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{err: err, command: c.CommandPath()}
	})
	return root
}

// group makes a command of subcommands. Alone it prints its help; a subcommand that it does not have is an error.
func group(c *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	c.AddCommand(subs...)
	c.SuggestionsMinimumDistance = 2
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(c, args[0])
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

func unknownCommand(in *cobra.Command, name string) error {
	err := fmt.Errorf("%s has no command %q", in.CommandPath(), name)
	if like := in.SuggestionsFor(name); len(like) > 0 {
		err = fmt.Errorf("%w; did you mean %s %s?", err, in.CommandPath(), like[0])
	}
	return &usageError{err, in.CommandPath()}
}

// usageError is a command line that cannot be carried out.
type usageError struct {
	err     error
	command string // whose help explains it
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

// fail prints what a command failed with, and what to do next, and returns the exit code.
func (a *app) fail(c *cobra.Command, err error) int {
	var (
		usage    *usageError
		hint     *hinted
		problems *config.Errors
		typed    *llm.Error
	)
	switch {
	case errors.As(err, &problems):
		fmt.Fprintln(a.Err, problems.Error())
		a.tell(fmt.Sprintf("%s in %s", count(len(problems.Problems), "problem"), a.file),
			"weir check --schema prints what the file may hold; docs/configuration.md explains it")
		return exitConfig
	case errors.As(err, &usage):
		a.tell(err.Error(), "see "+usage.command+" --help")
		return exitUsage
	case errors.As(err, &hint):
		a.tell(err.Error(), hint.hint)
	case errors.As(err, &typed) && typed.Hint != "":
		a.tell(typed.Message, typed.Hint)
		a.tellCause(typed)
	default:
		a.tell(err.Error(), c.CommandPath()+" --help says what it needs")
	}
	return exitError
}

func (a *app) tell(what, next string) {
	fmt.Fprintf(a.Err, "weir: error: %s\nweir: hint: %s\n", what, next)
}

// tellCause shows what lies below an error: on the command line it is the operator who reads. A missing file is no
// news.
func (a *app) tellCause(e *llm.Error) {
	if e.Err == nil || errors.Is(e.Err, os.ErrNotExist) || strings.Contains(e.Message, e.Err.Error()) {
		return
	}
	fmt.Fprintf(a.Err, "weir: cause: %s\n", e.Err)
}

// count says how many there are of something: 1 problem, 2 problems.
func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// load reads the configuration file with the secrets that it names.
func (a *app) load() (*config.Config, error) { return a.told(config.Load(a.file, a.Env)) }

// read reads the configuration file for a command that calls no provider: the secrets may be missing here.
func (a *app) read() (*config.Config, error) { return a.told(config.Read(a.file)) }

// told passes a configuration on after its warnings, or says what to do when there is none.
func (a *app) told(c *config.Config, err error) (*config.Config, error) {
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

// usd shows an exact decimal amount as people read it: "-1250.5" = "-$1,250.50".
func usd(decimal string) string {
	n, err := amount(decimal)
	if err != nil {
		return "$" + decimal
	}
	return n.String()
}

// rounded shows an amount for a table: six digits, but never fewer than its cents: "0.5979484" = "$0.597948".
func rounded(decimal string) string {
	n, err := amount(decimal)
	if err != nil {
		return "$" + decimal
	}
	places := 6
	for whole := max(n, -n); whole >= money.USD && places > 2; whole /= 10 {
		places--
	}
	s := n.Round(places)
	for strings.HasSuffix(s, "0") && len(s)-strings.IndexByte(s, '.') > 3 {
		s = s[:len(s)-1]
	}
	return s
}

// amount reads an exact decimal amount.
func amount(decimal string) (money.Nano, error) {
	plain, negative := strings.CutPrefix(decimal, "-")
	n, err := money.ParseUSD(plain)
	if negative {
		n = -n
	}
	return n, err
}

// printJSON writes a value as JSON.
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
