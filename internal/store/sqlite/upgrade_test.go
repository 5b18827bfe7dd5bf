package sqlite_test

import (
	"testing"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/store/sqlite"
	"github.com/weirhq/weir/internal/store/storetest"
)

// firstSchema is what a server of the first schema left when it was killed: a call with a row that cost 9, an attempt
// under way that holds 500, and a ceiling of 600.
const firstSchema = `
INSERT INTO callers VALUES (1, 'k1', 'ap-team', 'invoice-status', '', '');
INSERT INTO targets VALUES (1, 'flash', 'google', 'gemini', 'flash-wire', 'gemini-flash-lite', 'edge', 'api', 'eu', 1, 'edge');
INSERT INTO served VALUES (1, 'flash-001', '');
INSERT INTO manners VALUES (1, 'procurement', 'openai', 'internal', 1, 'answer', 'rule', 'row', 'day', 'ok', 'settled', '',
	'rejected', 'truncated', '');
INSERT INTO manners VALUES (2, 'procurement', 'openai', 'internal', 1, 'answer', '', '', 'day', '', '', '', '', '', '');
INSERT INTO attempts VALUES (1, x'01000000000000000000000000000000', 1, 65537, 1780315200000000000, 1780315200500, 1, 1, 1, 1,
	's-1', 100, 300, 40, 0, 0, 0, 7, 0, 9, 12, 50, x'07020012', 10, 20, 30, 40, 50, 'cut off', '{"skipped":[]}');
INSERT INTO intents VALUES (2, x'02000000000000000000000000000000', 1, 0, 1780315200000000000, 1780315200000000000, 1, 1, 2, '',
	500);
INSERT INTO spent VALUES ('day', 1978128, 9);
INSERT INTO ceilings VALUES ('day', 1780272000, 1780358400, 600);
UPDATE marks SET clean = 0;`

// wantOld checks the row that firstSchema has.
func wantOld(t *testing.T, when string, r ledger.Reader) {
	t.Helper()
	as, err := ledger.Call(t.Context(), r, call.OpID{1})
	if err != nil || len(as) != 1 {
		t.Fatalf("%s: %d attempts, %v", when, len(as), err)
	}
	a := as[0]
	if a.Cost != 9 || a.Usage.Output != 7 || a.Verdict.Check != "truncated" || a.Order.Target.Model.ID != "gemini-flash-lite" ||
		a.Facts.Caller.Session != "s-1" || a.Verdict.Notes != `{"skipped":[]}` {
		t.Errorf("%s: the row has become %+v", when, a)
	}
	if a.Output != (call.Output{}) || a.Verdict.Passed != "" || a.Verdict.Repaired != call.Unknown {
		t.Errorf("%s: a row from before outputs were kept tells of one: %+v", when, a.Output)
	}
}

// A ledger of the first schema is read as it is, and brought up to date by the next server, which mends its unclean stop.
func TestALedgerOfTheFirstSchemaIsBroughtUpToDate(t *testing.T) {
	dir := t.TempDir()
	if err := sqlite.OldLedger(dir, 1, firstSchema); err != nil {
		t.Fatal(err)
	}
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	wantOld(t, "read as it is", r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}

	db := filled(t, dir, 0)
	wantOld(t, "brought up to date", db)
	j, mended, err := ledger.Open(db, ledger.Options{})
	if err != nil || len(mended.Presumed) != 1 || len(mended.Adjusted) != 1 || mended.Adjusted[0].Amount != 600-9-500 {
		t.Fatalf("mended %+v, %v", mended, err)
	}
	a := storetest.Sample(3, storetest.Noon)
	if err := j.Durable(t.Context(), j.End(a)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	as, err := ledger.Call(t.Context(), db, a.Facts.ID)
	if err != nil || len(as) != 1 || as[0].Output != a.Output || as[0].Verdict != a.Verdict {
		t.Errorf("a new row came back as %+v, %v", as, err)
	}
	storetest.Balanced(t, db)
	for query, want := range map[string]int64{
		"SELECT count(*) FROM ledger": 3,
		"SELECT count(*) FROM ledger WHERE stop IS NULL AND answer_bytes IS NULL AND tool_calls IS NULL": 2,
		"SELECT answer_bytes + tool_calls + broken_calls FROM ledger WHERE stop = 'tool_use'":            1187 + 2 + 1,
		"SELECT count(*) FROM ledger WHERE language = 'en' AND passed = 'empty,invoice-shape'":           1,
	} {
		if got, err := db.Count(query); err != nil || got != want {
			t.Errorf("%s = %d, %v, want %d", query, got, err, want)
		}
	}
}
