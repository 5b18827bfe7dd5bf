package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// page is how many rows one read takes: short, so that a long report never keeps the WAL from being folded back.
const page = 4096

// Reader reads ledger.db over connections of its own.
type Reader struct {
	ro *sql.DB

	// attempts selects the columns of a row, as far as the file has them.
	attempts string

	mu    sync.Mutex
	words words
}

var _ ledger.Reader = (*Reader)(nil)

// words are the tuples read so far. Tuples never change, so they may be kept.
type words struct {
	callers map[int64]callerKey
	served  map[int64]servedKey
	targets map[int64]target
	manners map[int64]mannerKey
	outputs map[int64]outputKey
}

// ids are what a row names its tuples by; 0 = it has none.
type ids struct{ caller, target, served, manner, said int64 }

// target is a targetKey with the model it names.
type target struct {
	key   targetKey
	model *catalog.Model
}

func newReader(ro *sql.DB) (*Reader, error) {
	query, err := selectAttempts(ro)
	if err != nil {
		return nil, err
	}
	return &Reader{ro: ro, attempts: query, words: words{
		callers: map[int64]callerKey{}, served: map[int64]servedKey{}, targets: map[int64]target{},
		manners: map[int64]mannerKey{}, outputs: map[int64]outputKey{},
	}}, nil
}

// Close closes the connections.
func (r *Reader) Close() error { return r.ro.Close() }

const attemptColumns = `lsn, call, n, flags, start, booked, caller, target, served, manner, session,
	prompt, max_out, input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost, held, baseline, lines,
	sent, ttf, first_byte, accepted, ended, reason, notes`

// lateColumns came after the first schema, in the order in which they are read. A reader never changes a file: in one
// that no newer server has opened yet, a backup perhaps, they are 0, which says nothing.
var lateColumns = []string{"said", "bytes", "tools", "broken"}

// selectAttempts is the query of rows as far as the file has their columns.
func selectAttempts(ro *sql.DB) (query string, err error) {
	rows, err := ro.Query("SELECT name FROM pragma_table_info('attempts')")
	if err != nil {
		return "", fmt.Errorf("read the ledger's columns: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	has := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", fmt.Errorf("read the ledger's columns: %w", err)
		}
		has[name] = true
	}
	query = "SELECT " + attemptColumns
	for _, name := range lateColumns {
		if !has[name] {
			name = "0"
		}
		query += ", " + name
	}
	return query + " FROM attempts ", rows.Err()
}

// Entries implements ledger.Reader.
func (r *Reader) Entries(ctx context.Context, id call.OpID) (es []ledger.Entry, err error) {
	keep := func(e *ledger.Entry) error {
		c := *e
		c.Attempt.Lines = append([]money.Line(nil), e.Attempt.Lines...)
		es = append(es, c)
		return nil
	}
	_, err = r.rows(ctx, r.attempts+"WHERE call = ? ORDER BY lsn", []any{id[:]}, keep)
	if err != nil {
		return nil, fmt.Errorf("read call %s: %w", id, err)
	}
	return es, nil
}

// Scan implements ledger.Reader.
func (r *Reader) Scan(ctx context.Context, w ledger.Window, each func(*ledger.Entry) error) error {
	from, to, err := r.span(ctx, w)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	query := r.attempts + "WHERE lsn >= ? AND lsn < ? ORDER BY lsn LIMIT ?"
	for from < to {
		last, err := r.rows(ctx, query, []any{int64(from), int64(to), int64(page)}, each)
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		if last == 0 {
			return nil
		}
		from = last + 1
	}
	return nil
}

// span turns a window into places [from, to). Rows are booked in order, so both ends are found by halving.
func (r *Reader) span(ctx context.Context, w ledger.Window) (from, to ledger.LSN, err error) {
	var last int64
	if err := r.ro.QueryRowContext(ctx, `SELECT coalesce(max(lsn), 0) FROM attempts`).Scan(&last); err != nil {
		return 0, 0, err
	}
	from, to = 1, ledger.LSN(last)+1
	if w.Last != 0 {
		to = min(to, w.Last+1)
	}
	end := to
	if !w.Since.IsZero() {
		if from, err = r.place(ctx, w.Since, end); err != nil {
			return 0, 0, err
		}
	}
	if !w.Until.IsZero() {
		to, err = r.place(ctx, w.Until, end)
	}
	return from, to, err
}

// place is the first LSN below end whose row, or the row after it, was booked at t or later; end if none.
func (r *Reader) place(ctx context.Context, t time.Time, end ledger.LSN) (ledger.LSN, error) {
	lo, hi := ledger.LSN(1), end
	for lo < hi {
		mid := lo + (hi-lo)/2
		var booked int64
		err := r.ro.QueryRowContext(ctx, `SELECT booked FROM attempts WHERE lsn >= ? ORDER BY lsn LIMIT 1`,
			int64(mid)).Scan(&booked)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		if err != nil || !time.UnixMilli(booked).Before(t) {
			hi = mid
			continue
		}
		lo = mid + 1
	}
	return lo, nil
}

// rows runs a query of rows, gives each row and returns the last one's place; 0 = there was none.
// It uses the driver's rows: database/sql converts each column through reflection, which doubles the time.
func (r *Reader) rows(
	ctx context.Context, query string, args []any, each func(*ledger.Entry) error,
) (last ledger.LSN, err error) {
	conn, err := r.ro.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var tuples [][]driver.Value
	err = conn.Raw(func(dc any) error {
		tuples, err = fetch(ctx, dc, query, args)
		return err
	})
	if err != nil {
		return 0, err
	}
	var e ledger.Entry
	for _, v := range tuples {
		if err := r.decode(ctx, conn, v, &e); err != nil {
			return 0, err
		}
		last = e.LSN
		if err := each(&e); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// fetch runs a query on a driver connection and gives all rows.
func fetch(ctx context.Context, dc any, query string, args []any) (all [][]driver.Value, err error) {
	q, ok := dc.(driver.QueryerContext)
	if !ok {
		return nil, fmt.Errorf("driver connection %T cannot query", dc)
	}
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	rows, err := q.QueryContext(ctx, query, named)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	width := len(rows.Columns())
	for {
		v := make([]driver.Value, width)
		switch err := rows.Next(v); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, v)
	}
}

// decode makes an entry of a row.
func (r *Reader) decode(ctx context.Context, conn *sql.Conn, v []driver.Value, e *ledger.Entry) error {
	c := columns{values: v}
	lines := e.Attempt.Lines[:0]
	*e = ledger.Entry{LSN: ledger.LSN(c.int())}
	a := &e.Attempt
	copy(a.Facts.ID[:], c.bytes())
	a.N = int(c.int())
	flags := c.int()
	a.Facts.Start = instant(c.int())
	e.Booked = time.UnixMilli(c.int()).UTC()
	k := ids{caller: c.int(), target: c.int(), served: c.int(), manner: c.int()}
	a.Facts.Caller.Session = c.text()
	a.Order.Prompt, a.Order.MaxOut = int(c.int()), int(c.int())
	a.Usage = llm.Usage{
		Input: c.int(), CacheRead: c.int(), CacheWrite5m: c.int(), CacheWrite1h: c.int(), Output: c.int(),
		Reasoning: c.int(),
	}
	a.Cost, a.Held, a.Baseline = money.Nano(c.int()), money.Nano(c.int()), money.Nano(c.int())
	packed := c.bytes()
	a.Clocks = call.Clocks{
		Sent: c.micros(), ProviderTTF: c.micros(), FirstByte: c.micros(), Accepted: c.micros(), End: c.micros(),
	}
	a.Verdict.Reason, a.Verdict.Notes = c.text(), c.text()
	k.said = c.int()
	a.Output = call.Output{Seen: k.said != 0, Bytes: int(c.int()), Tools: int(c.int()), Broken: int(c.int())}
	if c.err != nil {
		return fmt.Errorf("row %d: %w", e.LSN, c.err)
	}
	var err error
	if a.Lines, err = parseLines(lines, packed); err != nil {
		return fmt.Errorf("row %d: %w", e.LSN, err)
	}
	factsFlagged(&a.Facts, flags)
	a.Verdict.Final = flags&flagFinal != 0
	a.Order.Stream, a.Order.Judge = flags&flagStream != 0, flags&flagJudge != 0
	a.Order.N = int(flags >> answersShift)
	if err := r.say(ctx, conn, e, k); err != nil {
		return fmt.Errorf("row %d: %w", e.LSN, err)
	}
	return nil
}

// say fills in the words behind a row's ids.
func (r *Reader) say(ctx context.Context, conn *sql.Conn, e *ledger.Entry, is ids) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := &e.Attempt
	k, err := look(ctx, conn, r.words.callers, "callers", callerColumns, is.caller)
	if err != nil {
		return err
	}
	k.fill(&a.Facts)
	t, err := look(ctx, conn, r.words.targets, "targets", targetColumns, is.target)
	if err != nil {
		return err
	}
	a.Order.Target = t.fill()
	m, err := look(ctx, conn, r.words.manners, "manners", mannerColumns, is.manner)
	if err != nil {
		return err
	}
	m.fill(e)
	if is.said != 0 {
		o, err := look(ctx, conn, r.words.outputs, "outputs", outputColumns, is.said)
		if err != nil {
			return err
		}
		o.fill(a)
	}
	if is.served == 0 {
		return nil
	}
	s, err := look(ctx, conn, r.words.served, "served", servedColumns, is.served)
	a.Served, a.Fingerprint = s.model, s.fingerprint
	return err
}

// columns reads a row from left to right and keeps the first mismatch.
type columns struct {
	values []driver.Value
	at     int
	err    error
}

func (c *columns) next() driver.Value {
	c.at++
	return c.values[c.at-1]
}

func (c *columns) mismatch(v driver.Value) {
	if c.err == nil {
		c.err = fmt.Errorf("column %d holds a %T", c.at, v)
	}
}

func (c *columns) int() int64 {
	v := c.next()
	n, ok := v.(int64)
	if !ok {
		c.mismatch(v)
	}
	return n
}

func (c *columns) text() string {
	v := c.next()
	s, ok := v.(string)
	if !ok {
		c.mismatch(v)
	}
	return s
}

func (c *columns) bytes() []byte {
	v := c.next()
	b, ok := v.([]byte)
	if !ok && v != nil {
		c.mismatch(v)
	}
	return b
}

func (c *columns) micros() time.Duration { return time.Duration(c.int()) * time.Microsecond }

// nanos and instant keep a time as nanoseconds since 1970, 0 = the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
