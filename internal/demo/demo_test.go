package demo_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/demo"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/store/sqlite"
)

const sample = 24

func run(t *testing.T, seed uint64, asJSON bool) (out, errs, dir string) {
	t.Helper()
	var o, e bytes.Buffer
	dir = t.TempDir()
	err := demo.Run(t.Context(), demo.Options{Out: &o, Err: &e, Dir: dir, Seed: seed, Sample: sample, JSON: asJSON, Version: "test"})
	if err != nil {
		t.Fatalf("%v\n%s", err, e.String())
	}
	return o.String(), e.String(), dir
}

func TestSameSeedSameOutput(t *testing.T) {
	one, told, _ := run(t, 7, false)
	two, _, _ := run(t, 7, false)
	if one != two {
		t.Errorf("two runs differ:\n%s\n----\n%s", one, two)
	}
	for _, want := range []string{
		"Has Invoice #402 been approved?", "rejected: invoice-shape", "compressed and checked by the gateway", "$4,999.50", "$413.30",
		"$1,966.50", "$290.44", "accepted wrong", "escalation tax", "profile mixed, prices list-2026-08",
	} {
		if !strings.Contains(one, want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	for _, want := range []string{"first accepted byte", "weir usage --by use-case", "ledger.db"} {
		if !strings.Contains(told, want) {
			t.Errorf("standard error does not say %q", want)
		}
	}
}

// TestSampledFiguresAreTheLedgers compares what the demo says with what the ledger's own report says.
func TestSampledFiguresAreTheLedgers(t *testing.T) {
	out, _, dir := run(t, 2026, true)
	var r demo.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.OpenReader(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	u, err := ledger.ReadUsage(context.Background(), db, ledger.Query{By: "use-case"})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]report.UsageRow{}
	for _, g := range report.UsageOf(u, nil).Groups {
		rows[g.Name] = g
	}
	for _, s := range r.Sampled {
		if s.Book != "article-2026-06" { // the ledger was written with the article's prices
			continue
		}
		for useCase, side := range map[string]demo.Side{s.Profile + "-before": s.Before, s.Profile + "-after": s.After} {
			row := rows[useCase]
			if row.Cost != side.Cost || row.Attempts != side.Attempts || row.Calls != sample {
				t.Errorf("%s: the demo says $%s in %d attempts, the ledger %+v", useCase, side.Cost, side.Attempts, row)
			}
		}
	}
	trial, err := ledger.ReadTrial(context.Background(), db)
	if err != nil || !trial.Balances() {
		t.Errorf("the ledger does not balance: %+v, %v", trial, err)
	}
}
