package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/config"
)

func (a *app) check() *cobra.Command {
	var schema, probe bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check weir.yaml and say what it makes of calls",
		Long: `Reads weir.yaml as serve would and prints its routes, layers and policy, or every error with file, line and
column. --probe makes one tiny call to each deployment and says what it cost; probes are booked in the ledger.`,
		Example: `  weir check
  weir check --probe
  weir check --schema > weir.schema.json`,
		Args: exact(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if schema {
				_, err := a.Out.Write(config.Schema())
				return err
			}
			conf, err := a.load()
			if err != nil {
				return err
			}
			if probe {
				return a.probe(cmd.Context(), conf)
			}
			return a.summary(conf)
		},
	}
	c.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of weir.yaml")
	c.Flags().BoolVar(&probe, "probe", false, "call every deployment once")
	c.Flags().BoolVar(&a.json, "json", false, "as JSON")
	return c
}

// routeRow is one layer of a route as check prints it.
type routeRow struct {
	Route       string   `json:"route"`
	Match       []string `json:"match"`
	Mode        string   `json:"mode"`
	Layer       string   `json:"layer"`
	Deployments []string `json:"deployments"`
	Checks      []string `json:"checks"`
	Context     string   `json:"context"`
}

// sizeRow is a deployment's bounds of size as check prints them, in tokens; 0 = there is none.
type sizeRow struct {
	Deployment string `json:"deployment"`
	Window     int    `json:"window"`
	Trusted    int    `json:"trusted_to"`
	Step       int    `json:"other_rates_above,omitzero"`
}

func sizesOf(c *config.Config) (rows []sizeRow) {
	for _, name := range slices.Sorted(maps.Keys(c.Deployments)) {
		d := c.Deployments[name]
		rows = append(rows, sizeRow{name, d.Model.Window, d.Model.EffectiveWindow, d.Step})
	}
	return rows
}

func printSizes(out io.Writer, rows []sizeRow) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nDEPLOYMENT\tWINDOW\tTRUSTED TO\tOTHER RATES ABOVE")
	for _, r := range rows {
		step := "-"
		if r.Step > 0 {
			step = strconv.Itoa(r.Step)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", r.Deployment, r.Window, r.Trusted, step)
	}
	return w.Flush()
}

func (a *app) summary(c *config.Config) error {
	var rows []routeRow
	for _, r := range c.Routes {
		for _, l := range r.Layers {
			row := routeRow{
				Route: r.Name, Match: r.Match, Mode: string(r.Mode), Layer: l.Name, Deployments: l.Use, Checks: l.Checks, Context: "raw",
			}
			if l.Brief {
				row.Context = "brief"
			}
			rows = append(rows, row)
		}
	}
	policy, sizes := policyOf(c.Data), sizesOf(c)
	if a.json {
		return a.printJSON(map[string]any{
			"file": c.Path, "prices": c.Prices, "layers": rows, "sizes": sizes, "data": policy, "warnings": c.Warnings,
		})
	}
	fmt.Fprintf(a.Out, "%s is fine: %s, %s, %s, %s, prices %s\n\n", a.file, count(len(c.Providers), "provider"),
		count(len(c.Deployments), "deployment"), count(len(c.Routes), "route"), count(len(c.UseCases), "use case"), c.Prices)
	w := tabwriter.NewWriter(a.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ROUTE\tMATCHES\tMODE\tLAYER\tDEPLOYMENTS\tCHECKS\tCONTEXT")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Route, strings.Join(r.Match, " "), r.Mode, r.Layer,
			strings.Join(r.Deployments, ", "), strings.Join(r.Checks, ", "), r.Context)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := printSizes(a.Out, sizes); err != nil {
		return err
	}
	return policy.print(a.Out)
}

// policyTable is the permit table as check prints it.
type policyTable struct {
	Unlabelled string      `json:"unlabelled"`
	MayReach   []policyRow `json:"may_reach"` // from the least to the most sensitive class
}

// policyRow is one data class: where it may go is any, none, or what meets every list that is there.
type policyRow struct {
	Class    string   `json:"class"`
	MayReach string   `json:"may_reach,omitzero"`
	Hosting  []string `json:"hosting,omitzero"`
	Region   []string `json:"region,omitzero"`
	Tier     []string `json:"tier,omitzero"`
}

func policyOf(d config.Data) policyTable {
	t := policyTable{Unlabelled: d.Unlabelled}
	for _, r := range d.Rows {
		row := policyRow{Class: r.Class, Region: r.Region}
		for _, h := range r.Hosting {
			row.Hosting = append(row.Hosting, string(h))
		}
		for _, tier := range r.Tier {
			row.Tier = append(row.Tier, string(tier))
		}
		switch {
		case r.Nowhere:
			row.MayReach = "none"
		case len(row.Hosting)+len(row.Region)+len(row.Tier) == 0:
			row.MayReach = "any"
		}
		t.MayReach = append(t.MayReach, row)
	}
	return t
}

// words says where a class may go.
func (r policyRow) words() string {
	if r.MayReach != "" {
		return r.MayReach
	}
	var all []string
	for _, c := range []struct {
		what string
		any  []string
	}{{"hosting", r.Hosting}, {"region", r.Region}, {"tier", r.Tier}} {
		if len(c.any) > 0 {
			all = append(all, c.what+" "+strings.Join(c.any, " or "))
		}
	}
	return strings.Join(all, "; ")
}

func (t policyTable) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nDATA CLASS\tMAY REACH")
	for _, r := range t.MayReach {
		fmt.Fprintf(w, "%s\t%s\n", r.Class, r.words())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "(a call without a class: %s)\n", t.Unlabelled)
	return err
}
