package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (a *app) version() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  weir version --json", Args: exact(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"version": versionString(), "go": runtime.Version()})
			}
			_, err := fmt.Fprintf(a.Out, "weir %s (%s)\n", versionString(), runtime.Version())
			return err
		},
	}
	c.Flags().BoolVar(&a.json, "json", false, "as JSON")
	return c
}
