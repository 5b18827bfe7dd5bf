package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// shells are those that completion knows.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func (a *app) completion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Generate the autocompletion script for the specified shell",
		Long: `Prints a script that completes commands, flags and the values that are known, for ` +
			strings.Join(shells, ", ") + `.`,
		Example: `  source <(weir completion bash)
  weir completion zsh > "${fpath[1]}/_weir"
  weir completion fish > ~/.config/fish/completions/weir.fish`,
		Args: exact(1, "one shell: "+strings.Join(shells, ", ")), ValidArgs: shells, DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			switch root := c.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.Out, true)
			case "zsh":
				return root.GenZshCompletion(a.Out)
			case "fish":
				return root.GenFishCompletion(a.Out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.Out)
			}
			return unknownShell(args[0])
		},
	}
}

func unknownShell(name string) error {
	return &usageError{
		fmt.Errorf("%q is no shell that completion knows: use %s", name, strings.Join(shells, ", ")),
		"weir completion",
	}
}

// offer completes a flag with values.
func offer(c *cobra.Command, flag string, values ...string) {
	known := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := c.RegisterFlagCompletionFunc(flag, known); err != nil {
		panic(err) // the command has no such flag
	}
}
