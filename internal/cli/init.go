package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/config"
)

func (a *app) init() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a weir.yaml from the provider keys in the environment",
		Long: `Writes a working weir.yaml from whichever provider keys the environment has; one vendor is enough. It starts
in mode: observe, where a model that is deployed there answers for itself. A name that only matches the route, because
the model is not deployed, is answered by the top layer's model: look at match: and deployments: before you switch.`,
		Example: `  OPENAI_API_KEY=... weir init
  weir init --config /etc/weir/weir.yaml`,
		Args: exact(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := config.Init(a.Env, time.Now())
			if err != nil {
				return err
			}
			if err := a.write(text, force); err != nil {
				return err
			}
			with := ""
			if cmd.Flags().Changed("config") {
				with = " --config " + a.file
			}
			_, err = fmt.Fprintf(a.Out, "wrote %s; next: weir check --probe%s, then weir serve%s\n", a.file, with, with)
			return err
		},
	}
	c.Flags().BoolVar(&force, "force", false, "write over an existing file")
	return c
}

// write makes the configuration file; an existing one stays unless force is given.
func (a *app) write(text []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(a.file, flags, 0o644)
	switch {
	case errors.Is(err, os.ErrExist):
		return &hinted{fmt.Errorf("%s exists", a.file), "weir check says what it does; weir init --force writes over it"}
	case err != nil:
		return &hinted{
			fmt.Errorf("write the configuration: %w", err),
			"weir init --config PATH writes it elsewhere; the folder must exist",
		}
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}
