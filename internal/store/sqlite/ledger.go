package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// DB is a storage directory in use by this process: the store of one journal and a reader of it, and the keys.
type DB struct {
	*Reader
	keys   *Keys
	lock   *sql.DB
	db     *sql.DB
	conn   *sql.Conn // the one that writes the ledger
	writer *writer
}

var (
	_ ledger.Store  = (*DB)(nil)
	_ ledger.Reader = (*DB)(nil)
)

// Open opens a storage directory, makes what is missing, and holds it against other processes until Close; they may
// still use OpenReader and OpenKeys. Errors are *llm.Error with a hint for the operator.
func Open(dir string) (*DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(dir, err)
	}
	held, err := lock(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, LedgerFile)
	db, err := openWriter(path, "ledger")
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	l := &DB{lock: held, db: db}
	if err := l.prepare(path); err != nil {
		return nil, unusable(path, errors.Join(err, db.Close(), held.Close()))
	}
	if l.keys, err = OpenKeys(dir); err != nil {
		return nil, errors.Join(err, l.closeLedger(), held.Close())
	}
	return l, nil
}

// Keys are the keys of the directory; Close closes them too.
func (l *DB) Keys() *Keys { return l.keys }

func (l *DB) prepare(path string) (err error) {
	if l.conn, err = l.db.Conn(context.Background()); err != nil {
		return err
	}
	if err := l.conn.Raw(func(dc any) error {
		l.writer, err = newWriter(dc)
		return err
	}); err != nil {
		return errors.Join(err, l.conn.Close())
	}
	r, err := openReaders(path)
	if err != nil {
		return errors.Join(err, l.conn.Close())
	}
	if l.Reader, err = newReader(r); err != nil {
		return errors.Join(err, r.Close(), l.conn.Close())
	}
	return nil
}

// Append implements ledger.Store.
func (l *DB) Append(b *ledger.Batch) error {
	if err := l.conn.Raw(func(any) error { return l.writer.append(b) }); err != nil {
		return fmt.Errorf("append to %s: %w", LedgerFile, err)
	}
	return nil
}

// State implements ledger.Store.
func (l *DB) State() (ledger.State, error) {
	ctx := context.Background()
	var s ledger.State
	var last, booked int64
	err := l.ro.QueryRowContext(ctx, `SELECT clean,
		max((SELECT coalesce(max(lsn), 0) FROM attempts), (SELECT coalesce(max(lsn), 0) FROM intents),
			(SELECT coalesce(max(lsn), 0) FROM adjustments)),
		(SELECT coalesce(max(booked), 0) FROM (SELECT booked FROM attempts ORDER BY lsn DESC LIMIT 1))
		FROM marks`).Scan(&s.Clean, &last, &booked)
	if err != nil {
		return s, fmt.Errorf("read the ledger's state: %w", err)
	}
	s.Last, s.Booked = ledger.LSN(last), time.UnixMilli(booked).UTC()
	if s.Open, err = l.intents(ctx); err != nil {
		return s, fmt.Errorf("read open intents: %w", err)
	}
	if s.Ceilings, err = l.ceilings(ctx); err != nil {
		return s, fmt.Errorf("read ceilings: %w", err)
	}
	return s, nil
}

func (l *DB) ceilings(ctx context.Context) (cs []ledger.Ceiling, err error) {
	rows, err := l.ro.QueryContext(ctx, `SELECT node, first, past, nano FROM ceilings ORDER BY node, first`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c ledger.Ceiling
		var first, past int64
		if err := rows.Scan(&c.Node, &first, &past, &c.To); err != nil {
			return nil, err
		}
		c.Period = ledger.Period{Start: time.Unix(first, 0).UTC(), End: time.Unix(past, 0).UTC()}
		cs = append(cs, c)
	}
	return cs, rows.Err()
}

// Spent implements ledger.Store.
func (l *DB) Spent(node string, p ledger.Period) (money.Nano, error) {
	var n money.Nano
	err := l.ro.QueryRow(`SELECT coalesce(sum(nano), 0) FROM spent WHERE node = ? AND slot >= ? AND slot < ?`,
		node, ledger.SlotOf(p.Start), ledger.SlotOf(p.End)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read what %s has spent: %w", node, err)
	}
	return n, nil
}

// Close closes the files and lets the directory go. Close the journal first.
func (l *DB) Close() error {
	return errors.Join(l.keys.Close(), l.closeLedger(), l.lock.Close())
}

func (l *DB) closeLedger() error {
	l.writer.close()
	return errors.Join(l.Reader.Close(), l.conn.Close(), l.db.Close())
}

// OpenReader opens a ledger for reading only, whether or not a server writes it. A ledger that does not exist is an
// *llm.Error.
func OpenReader(dir string) (*Reader, error) {
	path := filepath.Join(dir, LedgerFile)
	if _, err := os.Stat(path); err != nil {
		return nil, &llm.Error{
			Code:    llm.CodeLedger,
			Message: "there is no ledger at " + path,
			Hint:    "it appears with the first `weir serve`; name its directory by storage.dir in weir.yaml or with --dir",
			Err:     err,
		}
	}
	db, err := openReaders(path)
	if err != nil {
		return nil, err
	}
	r, err := newReader(db)
	if err != nil {
		return nil, unusable(path, errors.Join(err, db.Close()))
	}
	return r, nil
}
