// Package sqlite keeps the ledger and the keys in SQLite files: ledger.db (one row an attempt, written by the journal's
// one goroutine) and state.db (keys), apart, so that nothing else ever waits for the ledger's writer or makes it wait.
// Both use WAL and synchronous=FULL: what Append returned survives kill -9 and, on disks that honour flush, power loss.
// Readers have connections of their own and read beside a writing server, also from another process. Amounts are
// integers; there is no float here. It decides nothing: budgets, recovery and reports are the rooms' that call it.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"

	"github.com/weirhq/weir/internal/llm"
)

//go:embed migrations
var migrations embed.FS

// Names of the files in the storage directory.
const (
	LedgerFile = "ledger.db"
	StateFile  = "state.db"
	lockFile   = "weir.lock"
)

// readers is how many connections read beside the writer.
const readers = 4

// pragmas of every writing connection. The WAL is folded back every 16 MB, so that hot pages are written once for many
// commits.
var pragmas = []string{
	"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(4000)", "cache_size(-16000)",
	"temp_store(MEMORY)",
}

// dsn names a file with a mode ("rwc", "ro") and pragmas.
func dsn(path, mode string, pragmas []string) string {
	q := url.Values{"mode": {mode}, "_pragma": pragmas, "_txlock": {"immediate"}}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	return u.String()
}

// openWriter opens a file with one connection, makes it when it is missing, and brings its schema up to date.
func openWriter(path, schema string) (*sql.DB, error) {
	// fdatasync leaves out only the time stamps; without support the driver goes on with fsync.
	if _, err := driver.Fdatasync(true); err != nil && !errors.Is(err, driver.ErrFdatasyncUnavailable) {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, unusable(path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, unusable(path, err)
	}
	if err := private(abs); err != nil {
		return nil, unusable(path, err)
	}
	db, err := sql.Open("sqlite", dsn(abs, "rwc", pragmas))
	if err != nil {
		return nil, unusable(path, err)
	}
	db.SetMaxOpenConns(1)
	if err := migrate(db, schema); err != nil {
		return nil, unusable(path, errors.Join(err, db.Close()))
	}
	return db, nil
}

// private makes a file that only its owner can read, before SQLite would make one that others can; the files that SQLite
// puts beside it take its mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func migrate(db *sql.DB, schema string) error {
	files, err := fs.Sub(migrations, "migrations/"+schema)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	_, err = p.Up(context.Background())
	return err
}

// openReaders opens a file that exists, for reading only.
func openReaders(path string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, unusable(path, err)
	}
	db, err := sql.Open("sqlite", dsn(abs, "ro", []string{"busy_timeout(5000)", "query_only(1)", "cache_size(-8000)"}))
	if err != nil {
		return nil, unusable(path, err)
	}
	db.SetMaxOpenConns(readers)
	return db, nil
}

// ErrInUse marks the error of a storage directory that another process holds.
var ErrInUse = errors.New("the storage directory is in use")

// lock holds the storage directory for this process until it is closed or dies. It is an exclusive transaction on an
// empty file, which works on every system that SQLite works on.
func lock(dir string) (*sql.DB, error) {
	abs, err := filepath.Abs(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	if err := private(abs); err != nil {
		return nil, unusable(dir, err)
	}
	db, err := sql.Open("sqlite", dsn(abs, "rwc", []string{"locking_mode(EXCLUSIVE)", "journal_mode(MEMORY)"}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		err = errors.Join(err, db.Close())
		if strings.Contains(err.Error(), "locked") {
			return nil, &llm.Error{
				Code:    llm.CodeLedger,
				Message: "another weir process uses " + dir,
				Hint:    "stop it, or give this one a storage.dir of its own",
				Err:     fmt.Errorf("%w: %w", ErrInUse, err),
			}
		}
		return nil, unusable(dir, err)
	}
	return db, nil
}

func unusable(path string, err error) error {
	return &llm.Error{
		Code:    llm.CodeLedger,
		Message: "cannot use " + path,
		Hint:    "storage.dir must be a writable directory on a local disk with room",
		Err:     fmt.Errorf("open %s: %w", path, err),
	}
}
