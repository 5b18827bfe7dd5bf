package sqlite_test

import (
	"testing"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/store/sqlite"
	"github.com/weirhq/weir/internal/store/storetest"
)

func rowAt(lsn ledger.LSN) *ledger.Batch {
	e := ledger.Entry{LSN: lsn, Booked: storetest.Noon, Attempt: storetest.Sample(uint64(lsn), storetest.Noon)}
	return &ledger.Batch{Entries: []ledger.Entry{e}}
}

func wantRows(t *testing.T, db *sqlite.DB, when string, want int64) {
	t.Helper()
	if n, err := db.Count("SELECT count(*) FROM attempts"); err != nil || n != want {
		t.Fatalf("%s: %d rows, want %d (%v)", when, n, want, err)
	}
}

// A batch that comes again is known as written: at once, in the next process, and after a commit that failed for this
// process but reached the disk.
func TestWhatReachedTheDiskIsNeverWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	first, err := sqlite.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, lsn := range []ledger.LSN{4, 5, 5, 4} {
		if err := first.Append(rowAt(lsn)); err != nil {
			t.Fatalf("row %d: %v", lsn, err)
		}
	}
	wantRows(t, first, "written twice", 2)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	db := filled(t, dir, 0)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.Append(rowAt(5)))
	wantRows(t, db, "in the next process", 2)
	must(db.Append(rowAt(6)))

	must(db.Exec("PRAGMA query_only=1"))
	if err := db.Append(rowAt(7)); err == nil {
		t.Fatal("a row was written to a file that only reads")
	}
	must(db.Exec("PRAGMA query_only=0"))
	// What the failed commit would have left, had it reached the disk all the same.
	must(db.Exec("CREATE TEMP TABLE late AS SELECT * FROM attempts WHERE lsn = 6"))
	must(db.Exec("UPDATE late SET lsn = 7"))
	must(db.Exec("INSERT INTO attempts SELECT * FROM late"))
	must(db.Append(rowAt(7)))
	wantRows(t, db, "after a commit that seemed to fail", 4)
	must(db.Append(rowAt(8)))
	must(db.Append(rowAt(8)))
	wantRows(t, db, "the next one", 5)
}
