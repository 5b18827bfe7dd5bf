package cli_test

import (
	"context"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weirhq/weir/internal/demo"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/store/sqlite"
)

// sampled demands that what weir demo --json says of its runs is, to the nano-dollar, what weir usage --by use-case
// --json says of its ledger: sampled DEMO USAGE INTERACTIONS.
func sampled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sampled demo usage interactions")
	}
	var played demo.Result
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &played))
	var booked report.UsageTable
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &booked))
	calls, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	rows := map[string]report.UsageRow{}
	for _, g := range booked.Groups {
		rows[g.Name] = g
	}
	compared := 0
	for _, s := range played.Sampled {
		if s.Book != "article-2026-06" { // the ledger was written with the article's prices
			continue
		}
		for useCase, side := range map[string]demo.Side{s.Profile + "-before": s.Before, s.Profile + "-after": s.After} {
			row := rows[useCase]
			if row.Cost != side.Cost || row.Attempts != side.Attempts || row.Calls != calls {
				ts.Fatalf("%s: the demo says $%s in %d attempts, the ledger %+v", useCase, side.Cost, side.Attempts, row)
			}
			compared++
		}
	}
	if compared != 4 {
		ts.Fatalf("%s has %d sides of the article's prices, not 4", args[0], compared)
	}
}

// balances demands that a ledger's postings add up to nothing: balances FOLDER.
func balances(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: balances folder")
	}
	r, err := sqlite.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer func() { _ = r.Close() }() // read only: nothing to lose
	trial, err := ledger.ReadTrial(context.Background(), r)
	ts.Check(err)
	if !trial.Balances() {
		ts.Fatalf("%s does not balance: %+v", args[0], trial)
	}
}
