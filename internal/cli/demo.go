package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/demo"
	"github.com/weirhq/weir/internal/server"
)

func (a *app) demo() *cobra.Command {
	o := demo.Options{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch a procurement agent's day: all-frontier and through the cascade; no keys, no network",
		Long: `Starts simulated providers and a real gateway with a real ledger on loopback, walks through one call and one
dispute, works the day out on paper and plays a sample of it over HTTP, before and after, for both profiles of the
scenario and both price books. Results go to standard output and are the same for the same seed; clocks, paths and
progress go to standard error. It ends by itself; --keep leaves the gateway up.`,
		Example: `  weir demo
  weir demo --sample 200 --seed 7
  weir demo --keep --listen 127.0.0.1:8080`,
		Args: exact(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDemo(cmd.Context(), o) },
	}
	f := c.Flags()
	f.Uint64Var(&o.Seed, "seed", demo.DefaultSeed, "seed of everything drawn")
	f.IntVar(&o.Sample, "sample", demo.DefaultSample, "interactions a run")
	f.BoolVar(&o.Keep, "keep", false, "leave the gateway up, with a key, until Ctrl-C")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "address of the gateway")
	f.StringVar(&o.Dir, "dir", "", "folder for weir.yaml and the ledger; default a new one among the temporary files")
	f.BoolVar(&o.JSON, "json", false, "results as one JSON object")
	return c
}

func (a *app) runDemo(ctx context.Context, o demo.Options) error {
	if o.Sample < 1 || o.Sample > 100_000 {
		return &usageError{fmt.Errorf("--sample %d: choose 1 to 100000", o.Sample), "weir demo"}
	}
	var err error
	if o.Dir == "" {
		o.Dir, err = os.MkdirTemp("", "weir-demo-")
	} else {
		err = os.MkdirAll(o.Dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	tune()
	o.Out, o.Err, o.Terminal, o.Version = a.Out, a.Err, isTerminal(a.Err), versionString()
	o.Program = program()
	err = demo.Run(ctx, o)
	if listen := (*server.ListenError)(nil); errors.As(err, &listen) {
		return &hinted{err, "weir demo --listen HOST:PORT chooses another address; port 0, the default, takes a free one"}
	}
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
