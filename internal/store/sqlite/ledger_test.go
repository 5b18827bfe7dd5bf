package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/store/sqlite"
	"github.com/weirhq/weir/internal/store/storetest"
)

func open(tb testing.TB, dir string) storetest.Backend {
	tb.Helper()
	db, err := sqlite.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

func TestLedgerConforms(t *testing.T) { storetest.Run(t, open) }

// filled opens a ledger of n rows booked one a second from storetest.Noon on.
func filled(t *testing.T, dir string, n int) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	var b ledger.Batch
	for i := range n {
		at := storetest.Noon.Add(time.Duration(i) * time.Second)
		a := storetest.Sample(uint64(i), at)
		b.Entries = append(b.Entries, ledger.Entry{LSN: ledger.LSN(i + 1), Booked: at, Attempt: a})
	}
	if err := db.Append(&b); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestTheTrialBalanceFindsWhatWasChangedInTheFile(t *testing.T) {
	for name, tt := range map[string]struct{ change, account string }{
		"a cost":           {"UPDATE attempts SET cost = cost + 1 WHERE lsn = 3", "clearing"},
		"a row":            {"DELETE FROM attempts WHERE lsn = 4", "budget:use-case/procurement"},
		"a counter":        {"UPDATE spent SET nano = nano - 5", "budget:use-case/procurement"},
		"the lines":        {"UPDATE attempts SET lines = x'' WHERE lsn = 2", "clearing"},
		"a line's content": {"UPDATE attempts SET lines = x'01020408' WHERE lsn = 2", "provider:google:input"},
	} {
		t.Run(name, func(t *testing.T) {
			db := filled(t, t.TempDir(), 5)
			storetest.Balanced(t, db)
			if err := db.Exec(tt.change); err != nil {
				t.Fatal(err)
			}
			tr, err := ledger.ReadTrial(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range tr.Off {
				if o.Account == tt.account {
					return
				}
			}
			t.Errorf("found %+v, want %s", tr.Off, tt.account)
		})
	}
	db := filled(t, t.TempDir(), 5)
	if err := db.Exec("UPDATE attempts SET lines = x'ff' WHERE lsn = 2"); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.ReadTrial(t.Context(), db); err == nil || !strings.Contains(err.Error(), "row 2") {
		t.Errorf("damaged lines: %v, want an error that names the row", err)
	}
}

func TestAReaderOfAnotherProcessReadsBesideTheServerAndAfterIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "weir data?#%") // names that a URI must escape
	db := filled(t, dir, 7)
	read := func(when string) {
		t.Helper()
		r, err := sqlite.OpenReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		u, err := ledger.ReadUsage(t.Context(), r, ledger.Query{By: "tier"})
		if err != nil || u.Total.Calls != 7 {
			t.Errorf("%s: %d calls, %v", when, u.Total.Calls, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	read("beside the server")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	read("after the server")
	again, err := sqlite.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	*db = *again // for the cleanup
}

func TestAFullDiskLosesNothing(t *testing.T) {
	db := filled(t, t.TempDir(), 100)
	j, _, err := ledger.Open(db, ledger.Options{MaxLag: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := db.Count("PRAGMA page_count")
	if err != nil {
		t.Fatal(err)
	}
	limit := func(pages int64) {
		t.Helper()
		if err := db.Exec(fmt.Sprintf("PRAGMA max_page_count=%d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(pages)
	last := ledger.LSN(0)
	for i := range 1000 {
		last = j.End(storetest.Sample(uint64(1000+i), storetest.Noon))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := j.Durable(ctx, last); err == nil {
		t.Fatal("durable on a full disk")
	}
	if err := j.Health(); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("health: %v", err)
	}
	limit(1 << 30)
	if err := j.Durable(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if err := j.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	if tr := storetest.Balanced(t, db); tr.Rows != 1100 {
		t.Errorf("%d rows, want 1100", tr.Rows)
	}
	if err := j.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPeopleCanReadTheFile(t *testing.T) {
	db := filled(t, t.TempDir(), 3)
	n, err := db.Count(`SELECT count(*) FROM ledger WHERE model = 'gemini-flash-lite' AND team = 'ap-team' AND final = 1
		AND start LIKE '2026-06-01T12:00:0%Z' AND length(call) = 32 AND cost_nano = 303330 AND layer_name = 'edge'`)
	if err != nil || n != 3 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestOneServerADirectory(t *testing.T) {
	dir := t.TempDir()
	filled(t, dir, 1)
	_, err := sqlite.Open(dir)
	var e *llm.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "another weir process") || e.Hint == "" {
		t.Errorf("a second server: %v", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	garbage := t.TempDir()
	content := []byte(strings.Repeat("garbage", 1000))
	if err := os.WriteFile(filepath.Join(garbage, sqlite.LedgerFile), content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, garbage} {
		db, err := sqlite.Open(dir)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeLedger || e.Hint == "" || !strings.Contains(e.Message, dir) {
			t.Errorf("open %s: %v, %v", dir, db, err)
		}
	}
	_, err := sqlite.OpenReader(t.TempDir())
	var e *llm.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "no ledger") {
		t.Errorf("read an empty directory: %v", err)
	}
}

func TestAFailedTransactionLeavesNothingBehind(t *testing.T) {
	db := filled(t, t.TempDir(), 3)
	a := storetest.Sample(9, storetest.Noon)
	a.Facts.Caller.Team, a.Order.Target.Deployment = "new-team", "new-deployment"
	first := ledger.Entry{LSN: 10, Booked: storetest.Noon, Attempt: a}
	taken := ledger.Entry{LSN: 2, Booked: storetest.Noon, Attempt: a} // the place is taken
	if err := db.Append(&ledger.Batch{Entries: []ledger.Entry{first, taken}}); err == nil {
		t.Fatal("a place was taken twice")
	}
	if tr := storetest.Balanced(t, db); tr.Rows != 3 {
		t.Errorf("%d rows, want the 3 from before", tr.Rows)
	}
	// The words that the failed transaction added are not remembered as written.
	if err := db.Append(&ledger.Batch{Entries: []ledger.Entry{first}}); err != nil {
		t.Fatal(err)
	}
	as, err := ledger.Call(t.Context(), db, a.Facts.ID)
	if err != nil || len(as) != 1 || as[0].Facts.Caller.Team != "new-team" ||
		as[0].Order.Target.Deployment != "new-deployment" {
		t.Errorf("got %+v, %v", as, err)
	}
}

func TestManyWordsStayBoundedInMemoryAndCorrectOnDisk(t *testing.T) {
	dir := t.TempDir()
	db := filled(t, dir, 1)
	const n = 17_000 // more than are remembered
	var b ledger.Batch
	for i := range n {
		a := storetest.Sample(uint64(i+1), storetest.Noon)
		a.Facts.Caller.Agent = "agent-" + strings.Repeat("x", i%7) + time.Duration(i).String()
		b.Entries = append(b.Entries, ledger.Entry{LSN: ledger.LSN(i + 2), Booked: storetest.Noon, Attempt: a})
	}
	if err := db.Append(&b); err != nil {
		t.Fatal(err)
	}
	i := -1
	err := db.Scan(t.Context(), ledger.Window{}, func(e *ledger.Entry) error {
		if i >= 0 && e.Attempt.Facts.Caller.Agent != b.Entries[i].Attempt.Facts.Caller.Agent {
			t.Fatalf("row %d belongs to %q", e.LSN, e.Attempt.Facts.Caller.Agent)
		}
		i++
		return nil
	})
	if err != nil || i != n {
		t.Errorf("%d rows, %v", i, err)
	}
}

func TestAScanStopsWithItsContextAndItsCaller(t *testing.T) {
	db := filled(t, t.TempDir(), 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Scan(ctx, ledger.Window{}, func(*ledger.Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	enough := errors.New("enough")
	seen := 0
	err := db.Scan(t.Context(), ledger.Window{}, func(*ledger.Entry) error {
		seen++
		return enough
	})
	if !errors.Is(err, enough) || seen != 1 {
		t.Errorf("stopped after %d rows: %v", seen, err)
	}
	// A cancelled reader does not hurt the writer.
	next := ledger.Entry{LSN: 11, Booked: storetest.Noon, Attempt: storetest.Sample(11, storetest.Noon)}
	if err := db.Append(&ledger.Batch{Entries: []ledger.Entry{next}}); err != nil {
		t.Error(err)
	}
}

func TestACorrectionIsBookedAndBalances(t *testing.T) {
	db := filled(t, t.TempDir(), 1)
	j, _, err := ledger.Open(db, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	was := storetest.Sample(50, storetest.Noon)
	was.Settlement = call.Estimated
	j.End(was)
	is := was
	is.Settlement = call.Settled
	is.Usage.Output += 100
	is.Lines = append(is.Lines[:2:2], money.NewLine(money.Output, is.Usage.Output, 400_000))
	is.Cost = money.Sum(is.Lines)
	if err := j.Durable(t.Context(), j.Correct(was, is)); err != nil {
		t.Fatal(err)
	}
	storetest.Balanced(t, db)
	as, err := ledger.Call(t.Context(), db, was.Facts.ID)
	if err != nil || len(as) != 1 || as[0].Cost != is.Cost || as[0].Usage != is.Usage || as[0].Settlement != call.Settled {
		t.Errorf("got %+v, %v", as, err)
	}
	if err := j.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// FuzzLines holds that damaged lines are an error and never a panic, and that good ones come back.
func FuzzLines(f *testing.F) {
	f.Add(sqlite.AppendLines(nil, storetest.Sample(1, storetest.Noon).Lines))
	f.Add([]byte{0, 3, 'a', 'b', 'c', 2, 4, 6})
	f.Add([]byte{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := sqlite.ParseLines(nil, b)
		if err != nil {
			return
		}
		again, err := sqlite.ParseLines(nil, sqlite.AppendLines(nil, lines))
		if err != nil || len(again) != len(lines) {
			t.Fatalf("%v, %v", again, err)
		}
		for i := range lines {
			if lines[i] != again[i] {
				t.Fatalf("%+v came back as %+v", lines[i], again[i])
			}
		}
	})
}
