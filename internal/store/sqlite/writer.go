package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
)

// writer appends batches over one driver connection by statements that are prepared once. Used by one goroutine.
type writer struct {
	conn                                    preparer
	begin, commit, rollback                 *statement
	attempt, intent, resolve                *statement
	spend, ceiling, void, adjustment, marks *statement
	written                                 *statement
	dims                                    *dims
	lines                                   []byte
	spent                                   map[account]money.Nano
	last                                    ledger.LSN // the highest row that this writer has written
	sure                                    bool       // no row beyond last is in the file
}

// account is a counter of what was spent.
type account struct {
	node string
	slot int64
}

// preparer is what the driver's connections offer.
type preparer interface {
	PrepareContext(context.Context, string) (driver.Stmt, error)
}

// statement is a prepared statement with room for its arguments.
type statement struct {
	stmt driver.Stmt
	args []driver.NamedValue
}

func prepare(c preparer, query string, params int) (*statement, error) {
	st, err := c.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare %.40q: %w", query, err)
	}
	s := &statement{stmt: st, args: make([]driver.NamedValue, params)}
	for i := range s.args {
		s.args[i].Ordinal = i + 1
	}
	return s, nil
}

// exec runs the statement; without values it takes what lies in args.
func (s *statement) exec(values ...driver.Value) (driver.Result, error) {
	for i, v := range values {
		s.args[i].Value = v
	}
	// The context never ends: an interrupted commit would leave its outcome open.
	return s.stmt.(driver.StmtExecContext).ExecContext(context.Background(), s.args)
}

// first runs a query and gives the first column of its first row.
func (s *statement) first(values ...driver.Value) (v int64, found bool, err error) {
	for i, v := range values {
		s.args[i].Value = v
	}
	rows, err := s.stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	dest := make([]driver.Value, len(rows.Columns()))
	if rows.Next(dest) != nil {
		return 0, false, nil
	}
	v, found = dest[0].(int64)
	return v, found, nil
}

const insertAttempt = `INSERT INTO attempts (lsn, call, n, flags, start, booked, caller, target, served, manner,
	session, prompt, max_out, input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost, held,
	baseline, lines, sent, ttf, first_byte, accepted, ended, reason, notes, said, bytes, tools, broken)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

func newWriter(dc any) (*writer, error) {
	c, ok := dc.(preparer)
	if !ok {
		return nil, fmt.Errorf("driver connection %T cannot prepare", dc)
	}
	w := &writer{conn: c, lines: make([]byte, 0, 256), spent: map[account]money.Nano{}}
	for _, p := range []struct {
		to     **statement
		params int
		query  string
	}{
		{&w.begin, 0, `BEGIN IMMEDIATE`},
		{&w.commit, 0, `COMMIT`},
		{&w.rollback, 0, `ROLLBACK`},
		{&w.attempt, 34, insertAttempt},
		{&w.intent, 11, `INSERT OR REPLACE INTO intents (lsn, call, n, flags, start, at, caller, target, manner, session,
			held) VALUES (?,?,?,?,?,?,?,?,?,?,?)`},
		{&w.resolve, 1, `DELETE FROM intents WHERE lsn = ?`},
		{&w.spend, 3, `INSERT INTO spent (node, slot, nano) VALUES (?,?,?)
			ON CONFLICT DO UPDATE SET nano = nano + excluded.nano`},
		{&w.ceiling, 4, `INSERT OR REPLACE INTO ceilings (node, first, past, nano) VALUES (?,?,?,?)`},
		{&w.void, 0, `DELETE FROM ceilings`},
		{&w.adjustment, 6, `INSERT INTO adjustments (lsn, node, at, nano, reason, booked) VALUES (?,?,?,?,?,?)`},
		{&w.marks, 1, `UPDATE marks SET clean = ?`},
		{&w.written, 2, `SELECT 1 FROM attempts WHERE lsn = ? UNION ALL SELECT 1 FROM adjustments WHERE lsn = ?`},
	} {
		st, err := prepare(c, p.query, p.params)
		if err != nil {
			return nil, err
		}
		*p.to = st
	}
	var err error
	w.dims, err = newDims(c)
	return w, err
}

func (w *writer) close() {
	for _, s := range []*statement{
		w.begin, w.commit, w.rollback, w.attempt, w.intent, w.resolve, w.spend, w.ceiling, w.void, w.adjustment, w.marks,
		w.written,
	} {
		_ = s.stmt.Close() // the connection goes next
	}
	w.dims.close()
}

// append writes a batch as one transaction.
func (w *writer) append(b *ledger.Batch) error {
	done, err := w.has(b)
	if err != nil || done {
		return err
	}
	if err := w.transact(b); err != nil {
		_, _ = w.rollback.exec() // fails when the error has rolled back already
		w.dims.forget()
		w.sure = false
		return err
	}
	w.wrote(b)
	return nil
}

// wrote notes that a batch is on disk.
func (w *writer) wrote(b *ledger.Batch) {
	if n := len(b.Entries); n > 0 {
		w.last, w.sure = max(w.last, b.Entries[n-1].LSN), true
	}
	if n := len(b.Adjustments); n > 0 {
		w.last, w.sure = max(w.last, b.Adjustments[n-1].LSN), true
	}
}

// has tells whether a batch was written before: a commit that failed may yet have reached the disk. What a batch
// without rows says may be written twice. The file is asked only about rows that may be in it: those of the first batch
// of a process, of one after a failure, and those up to the last that were written.
func (w *writer) has(b *ledger.Batch) (bool, error) {
	var lsn ledger.LSN
	switch {
	case len(b.Entries) > 0:
		lsn = b.Entries[0].LSN
	case len(b.Adjustments) > 0:
		lsn = b.Adjustments[0].LSN
	default:
		return false, nil
	}
	if w.sure && lsn > w.last {
		return false, nil
	}
	_, found, err := w.written.first(int64(lsn), int64(lsn))
	return found, err
}

func (w *writer) transact(b *ledger.Batch) error {
	if _, err := w.begin.exec(); err != nil {
		return err
	}
	for i := range b.Intents {
		if err := w.putIntent(&b.Intents[i]); err != nil {
			return err
		}
	}
	for _, lsn := range b.Resolved {
		if _, err := w.resolve.exec(int64(lsn)); err != nil {
			return err
		}
	}
	clear(w.spent)
	for i := range b.Entries {
		if err := w.putEntry(&b.Entries[i]); err != nil {
			return err
		}
	}
	if err := w.putRest(b); err != nil {
		return err
	}
	_, err := w.commit.exec()
	return err
}

// putRest writes all of a batch but intents and rows.
func (w *writer) putRest(b *ledger.Batch) error {
	if b.Mark == ledger.Running {
		if _, err := w.void.exec(); err != nil {
			return err
		}
	}
	for _, c := range b.Ceilings {
		if _, err := w.ceiling.exec(c.Node, c.Period.Start.Unix(), c.Period.End.Unix(), int64(c.To)); err != nil {
			return err
		}
	}
	for _, a := range b.Adjustments {
		w.spent[account{a.Node, ledger.SlotOf(a.At)}] += a.Amount
		_, err := w.adjustment.exec(int64(a.LSN), a.Node, nanos(a.At), int64(a.Amount), a.Reason, a.Booked.UnixMilli())
		if err != nil {
			return err
		}
	}
	for k, n := range w.spent {
		if _, err := w.spend.exec(k.node, k.slot, int64(n)); err != nil {
			return err
		}
	}
	if b.Mark != ledger.Keep {
		clean := int64(0)
		if b.Mark == ledger.Clean {
			clean = 1
		}
		if _, err := w.marks.exec(clean); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) putIntent(o *ledger.OpenIntent) error {
	in := &o.Intent
	caller, err := w.dims.callers.id(callerOf(&in.Facts))
	if err != nil {
		return err
	}
	target, err := w.dims.targets.id(targetOf(&in.Target))
	if err != nil {
		return err
	}
	man, err := w.dims.manners.id(mannerOfIntent(in))
	if err != nil {
		return err
	}
	id := in.Facts.ID
	_, err = w.intent.exec(int64(o.LSN), id[:], int64(in.N), factFlags(&in.Facts), nanos(in.Facts.Start),
		nanos(in.At), caller, target, man, in.Facts.Caller.Session, int64(in.Held))
	return err
}

func (w *writer) putEntry(e *ledger.Entry) error {
	a := &e.Attempt
	if a.Budget != "" && a.Cost != 0 {
		w.spent[account{a.Budget, ledger.SlotOf(a.Facts.Start)}] += a.Cost
	}
	caller, err := w.dims.callers.id(callerOf(&a.Facts))
	if err != nil {
		return err
	}
	target, err := w.dims.targets.id(targetOf(&a.Order.Target))
	if err != nil {
		return err
	}
	served, err := w.dims.served.id(servedKey{a.Served, a.Fingerprint})
	if err != nil {
		return err
	}
	man, err := w.dims.manners.id(mannerOf(e))
	if err != nil {
		return err
	}
	said := int64(0)
	if a.Output.Seen {
		if said, err = w.dims.outputs.id(outputOf(a)); err != nil {
			return err
		}
	}
	w.lines = appendLines(w.lines[:0], a.Lines)
	v := w.attempt.args
	v[0].Value, v[1].Value, v[2].Value = int64(e.LSN), a.Facts.ID[:], int64(a.N)
	v[3].Value, v[4].Value, v[5].Value = attemptFlags(a), nanos(a.Facts.Start), e.Booked.UnixMilli()
	v[6].Value, v[7].Value, v[8].Value, v[9].Value = caller, target, served, man
	v[10].Value = a.Facts.Caller.Session
	v[11].Value, v[12].Value = int64(a.Order.Prompt), int64(a.Order.MaxOut)
	v[13].Value, v[14].Value = a.Usage.Input, a.Usage.CacheRead
	v[15].Value, v[16].Value = a.Usage.CacheWrite5m, a.Usage.CacheWrite1h
	v[17].Value, v[18].Value = a.Usage.Output, a.Usage.Reasoning
	v[19].Value, v[20].Value, v[21].Value = int64(a.Cost), int64(a.Held), int64(a.Baseline)
	v[22].Value = w.lines
	v[23].Value, v[24].Value = micros(a.Clocks.Sent), micros(a.Clocks.ProviderTTF)
	v[25].Value, v[26].Value = micros(a.Clocks.FirstByte), micros(a.Clocks.Accepted)
	v[27].Value = micros(a.Clocks.End)
	v[28].Value, v[29].Value = a.Verdict.Reason, a.Verdict.Notes
	v[30].Value, v[31].Value = said, int64(a.Output.Bytes)
	v[32].Value, v[33].Value = int64(a.Output.Tools), int64(a.Output.Broken)
	_, err = w.attempt.exec()
	return err
}

func micros(d time.Duration) int64 { return d.Microseconds() }
