package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/server"
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
	if a.json {
		return a.printJSON(map[string]any{"file": c.Path, "prices": c.Prices, "layers": rows, "warnings": c.Warnings})
	}
	fmt.Fprintf(a.Out, "%s is fine: %d providers, %d deployments, %d routes, %d use cases, prices %s\n\n",
		a.file, len(c.Providers), len(c.Deployments), len(c.Routes), len(c.UseCases), c.Prices)
	w := tabwriter.NewWriter(a.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ROUTE\tMATCHES\tMODE\tLAYER\tDEPLOYMENTS\tCHECKS\tCONTEXT")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Route, strings.Join(r.Match, " "), r.Mode, r.Layer,
			strings.Join(r.Deployments, ", "), strings.Join(r.Checks, ", "), r.Context)
	}
	return w.Flush()
}

// probed is what came of one deployment's probe.
type probed struct {
	Deployment string  `json:"deployment"`
	Model      string  `json:"model"`
	OK         bool    `json:"ok"`
	Served     string  `json:"served,omitzero"`
	TTFT       float64 `json:"ttft_ms"`
	Cost       string  `json:"cost_usd"`
	Error      string  `json:"error,omitzero"`
}

// probe calls every deployment once, through a gateway of its own on the configured ledger.
func (a *app) probe(ctx context.Context, c *config.Config) (err error) {
	c.Listen = config.Listen{API: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	s, err := server.New(server.Options{Config: c, Version: versionString(), NoFirstKey: true})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
	}()
	var rows []probed
	failed := 0
	for _, name := range slices.Sorted(maps.Keys(c.Deployments)) {
		row, probeErr := s.Probe(ctx, name)
		rows = append(rows, probedOf(name, c.Deployments[name].Model.ID, row, probeErr))
		if probeErr != nil {
			failed++
		}
	}
	if err := a.printProbes(rows); err != nil {
		return err
	}
	if failed > 0 {
		return &hinted{
			fmt.Errorf("%d of %d deployments did not answer", failed, len(rows)),
			"check the provider's key, url and the deployment's wire_id",
		}
	}
	return nil
}

func probedOf(name, model string, row call.Attempt, err error) probed {
	p := probed{
		Deployment: name, Model: model, OK: err == nil, Served: row.Served, Cost: row.Cost.Decimal(),
		TTFT: float64((row.Clocks.ProviderTTF - row.Clocks.Sent).Microseconds()) / 1000,
	}
	if err != nil {
		p.Error, p.TTFT = llm.AsError(err).Message, 0
	}
	return p
}

func (a *app) printProbes(rows []probed) error {
	if a.json {
		return a.printJSON(rows)
	}
	w := tabwriter.NewWriter(a.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "DEPLOYMENT\tMODEL\tSERVED\tFIRST BYTE\tCOST\tRESULT")
	for _, p := range rows {
		result := "ok"
		if !p.OK {
			result = p.Error
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t$%s\t%s\n", p.Deployment, p.Model, p.Served,
			time.Duration(p.TTFT*float64(time.Millisecond)).Round(time.Millisecond), p.Cost, result)
	}
	return w.Flush()
}
