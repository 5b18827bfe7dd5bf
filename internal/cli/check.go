package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/store/sqlite"
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

// probe calls every deployment once: through the server that runs on the storage folder, else through a gateway of its
// own on the same ledger.
func (a *app) probe(ctx context.Context, c *config.Config) error {
	one, done, err := a.prober(c)
	if err != nil {
		return err
	}
	var rows []report.Probe
	failed := 0
	for _, name := range slices.Sorted(maps.Keys(c.Deployments)) {
		row, err := one(ctx, name)
		if err != nil {
			return errors.Join(err, done())
		}
		if rows = append(rows, row); !row.OK {
			failed++
		}
	}
	if err := errors.Join(done(), a.printProbes(rows)); err != nil {
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

type probe func(ctx context.Context, deployment string) (report.Probe, error)

func (a *app) prober(c *config.Config) (one probe, done func() error, err error) {
	own := *c
	own.Listen = config.Listen{API: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	s, err := server.New(server.Options{Config: &own, Version: versionString(), NoFirstKey: true})
	if errors.Is(err, sqlite.ErrInUse) {
		return remoteProbe(c), func() error { return nil }, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, deployment string) (report.Probe, error) {
		row, err := s.Probe(ctx, deployment)
		return report.ProbeOf(deployment, row, err), nil
	}, s.Close, nil
}

// remoteProbe asks the server that uses the storage folder, by its control API.
func remoteProbe(c *config.Config) probe {
	return func(ctx context.Context, deployment string) (report.Probe, error) {
		var p report.Probe
		token, err := os.ReadFile(filepath.Join(c.Storage.Dir, server.TokenFile))
		if err != nil {
			return p, fmt.Errorf("read the admin token: %w", err)
		}
		url := "http://" + c.Listen.Admin + "/api/v1/deployments/" + deployment + "/probe"
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			return p, err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return p, &hinted{
				fmt.Errorf("ask the running server: %w", err),
				"it listens elsewhere than listen.admin says; name its configuration with --config, or stop it",
			}
		}
		defer func() { _ = resp.Body.Close() }() // read to its end
		if resp.StatusCode != http.StatusOK {
			return p, fmt.Errorf("the running server answered %s to a probe", resp.Status)
		}
		return p, json.UnmarshalRead(resp.Body, &p)
	}
}

func (a *app) printProbes(rows []report.Probe) error {
	if a.json {
		return a.printJSON(rows)
	}
	w := tabwriter.NewWriter(a.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "DEPLOYMENT\tSERVED\tANSWERED\tCOST\tRESULT")
	for _, p := range rows {
		took, result := fmt.Sprintf("%.1f ms", p.Answered), "ok"
		if !p.OK {
			took, result = "-", p.Error
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t$%s\t%s\n", p.Deployment, p.Served, took, p.Cost, result)
	}
	return w.Flush()
}
