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
	"sync"
	"time"

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
	// migrateFile is held while a schema is brought up to date.
	migrateFile = "migrate.lock"
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
	migrating.Lock()
	defer migrating.Unlock()
	alone, err := turn(filepath.Dir(abs), turnWait)
	if err != nil {
		return nil, err
	}
	defer func() { _ = alone.Close() }() // nothing was written to it
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
// puts beside it take its mode. One that exists is not opened: closing it again would drop the locks that this process
// has on it.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// migrate brings a schema up to date. Between looking at its version and the first statement another process may have
// done the same, so the caller has the directory's turn.
func migrate(db *sql.DB, schema string) error {
	p, err := provider(db, schema)
	if err != nil {
		return err
	}
	_, err = p.Up(context.Background())
	return err
}

// provider knows the versions of a schema.
func provider(db *sql.DB, schema string) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+schema)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files)
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

// lock holds the storage directory for this process until it is closed or dies.
func lock(dir string) (*sql.DB, error) {
	db, err := exclusive(filepath.Join(dir, lockFile), "locking_mode(EXCLUSIVE)")
	if errors.Is(err, errHeld) {
		return nil, &llm.Error{
			Code:    llm.CodeLedger,
			Message: "another weir process uses " + dir,
			Hint:    "stop it, or give this one a storage.dir of its own",
			Err:     fmt.Errorf("%w: %w", ErrInUse, err),
		}
	}
	return db, err
}

// turnWait is how long a process waits for another one that brings a schema up to date.
const turnWait = time.Minute

// migrating is what turn is between processes, within this one: SQLite's locks are the process's.
var migrating sync.Mutex

// turn waits until no other process opens a file of the directory to write it, and keeps others from doing so until it
// is closed or this process dies. A new file is made, switched to WAL and given its schema by one process alone.
func turn(dir string, wait time.Duration) (*sql.DB, error) {
	db, err := exclusive(filepath.Join(dir, migrateFile), fmt.Sprintf("busy_timeout(%d)", wait.Milliseconds()))
	if errors.Is(err, errHeld) {
		return nil, &llm.Error{
			Code:    llm.CodeLedger,
			Message: fmt.Sprintf("another weir process has been preparing %s for %v", dir, wait),
			Hint:    "wait for it; if it hangs, stop it and try again",
			Err:     err,
		}
	}
	return db, err
}

// errHeld marks the error of a lock file that another process holds.
var errHeld = errors.New("the lock is held")

// exclusive begins an exclusive transaction on an empty file, which works on every system that SQLite works on. It ends
// with the connection or the process.
func exclusive(path, pragma string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, unusable(path, err)
	}
	if err := private(abs); err != nil {
		return nil, unusable(path, err)
	}
	db, err := sql.Open("sqlite", dsn(abs, "rwc", []string{pragma, "journal_mode(MEMORY)"}))
	if err != nil {
		return nil, unusable(path, err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		err = errors.Join(err, db.Close())
		if strings.Contains(err.Error(), "locked") {
			return nil, fmt.Errorf("%w: %w", errHeld, err)
		}
		return nil, unusable(path, err)
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
