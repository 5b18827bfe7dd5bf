package sqlite_test

import (
	"testing"

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
