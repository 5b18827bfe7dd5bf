package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
)

// CheckpointEvery makes the WAL be folded back after so many pages, so that short tests see many checkpoints.
func (l *DB) CheckpointEvery(pages int) error {
	return l.Exec(fmt.Sprintf("PRAGMA wal_autocheckpoint=%d", pages))
}

// Exec runs a statement on the ledger's writing connection.
func (l *DB) Exec(query string) error {
	return l.conn.Raw(func(dc any) error {
		_, err := dc.(driver.ExecerContext).ExecContext(context.Background(), query, nil)
		return err
	})
}

// Count runs a query that gives one number.
func (r *Reader) Count(query string) (n int64, err error) {
	err = r.ro.QueryRow(query).Scan(&n)
	return n, err
}

// Integrity runs SQLite's own check of the file.
func (r *Reader) Integrity() (result string, err error) {
	err = r.ro.QueryRow("PRAGMA integrity_check").Scan(&result)
	return result, err
}

// AppendLines and ParseLines are the codec of the lines column.
var (
	AppendLines = appendLines
	ParseLines  = parseLines
)

// OldLedger makes the ledger of a directory as a version of its schema has it, and runs statements on it.
func OldLedger(dir string, version int64, statements string) (err error) {
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, LedgerFile), "rwc", pragmas))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := provider(db, "ledger")
	if err != nil {
		return err
	}
	if _, err := p.UpTo(context.Background(), version); err != nil {
		return err
	}
	_, err = db.Exec(statements)
	return err
}

// Turn is the directory's turn to be opened for writing.
var Turn = turn
