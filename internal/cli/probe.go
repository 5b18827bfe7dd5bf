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

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/store/sqlite"
)

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
	// The server gives a probe no longer than any call. The token goes straight to the address, through no proxy.
	client := &http.Client{Timeout: c.Limits.Deadline + c.Limits.Drain, Transport: &http.Transport{}}
	return func(ctx context.Context, deployment string) (report.Probe, error) {
		token, err := os.ReadFile(filepath.Join(c.Storage.Dir, server.TokenFile))
		if err != nil {
			return report.Probe{}, &hinted{
				fmt.Errorf("read the admin token: %w", err),
				"run it as the user that runs weir serve, on the same machine; the token is in storage.dir",
			}
		}
		url := "http://" + c.Listen.Admin + "/api/v1/deployments/" + deployment + "/probe"
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			return report.Probe{}, err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		resp, err := client.Do(req)
		if err != nil {
			return report.Probe{}, &hinted{
				fmt.Errorf("ask the running server: %w", err),
				"it listens elsewhere than listen.admin says; name its configuration with --config, or stop it",
			}
		}
		defer func() { _ = resp.Body.Close() }() // read to its end
		return readProbe(resp, c.Listen.Admin)
	}
}

// stranger is what to do about an answer that is not weir's.
const stranger = "it does not look like weir serve of this version; set listen.admin to the address that the running one uses"

// readProbe reads what the server at an admin address answered.
func readProbe(resp *http.Response, admin string) (p report.Probe, err error) {
	answered := fmt.Errorf("the server at listen.admin %s answered %s to a probe", admin, resp.Status)
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return p, &hinted{
			answered, "another server listens there: its token is not that of storage.dir; name the right file with --config",
		}
	default:
		return p, &hinted{answered, stranger}
	}
	if err := json.UnmarshalRead(resp.Body, &p); err != nil {
		return p, &hinted{fmt.Errorf("read the probe's answer from listen.admin %s: %w", admin, err), stranger}
	}
	return p, nil
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
