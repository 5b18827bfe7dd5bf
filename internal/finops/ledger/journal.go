package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// Options tune a journal. The zero Options are right for production.
type Options struct {
	Now     func() time.Time // default time.Now
	Gather  time.Duration    // how long rows that nobody waits for may lie in memory; default 5ms
	MaxLag  time.Duration    // commit lag at which new attempts are refused; default 1s
	MaxRows int              // rows in memory at which new attempts are refused; default 8192
	Log     *slog.Logger     // where failing commits are told; default none
}

// batchRows is how many rows one commit takes at most.
const batchRows = 512

// Journal is the ordered log in front of a store: Begin, End, Raise and Correct enqueue without I/O, and one goroutine
// commits what is queued, in order, as soon as someone waits for it, it fills a batch or it is Options.Gather old.
// Nothing that was enqueued is ever dropped. Safe for concurrent use.
type Journal struct {
	store Store
	opt   Options

	mu      sync.Mutex
	last    LSN            // last given out
	durable LSN            // all up to here is on disk
	booked  time.Time      // of the last entry
	queue   []*batch       // not yet taken by the writer, in order; the last one takes new rows
	flight  *batch         // being written; nil = the writer is idle
	rows    int            // in queue and flight
	open    map[opKey]spot // intents without an end
	free    []*batch
	failure error // of the last commit; nil once one succeeds
	closing bool

	wake   chan struct{} // pokes an idle writer
	quit   chan struct{} // closed by giveUp: leave a store that fails
	giveUp sync.Once
	exited chan struct{} // closed when the writer is gone
	fatal  error         // why it went without writing all; read after exited
}

type opKey struct {
	id call.OpID
	n  int
}

// spot is where an intent lies: at is its index in the batch whose first LSN is at most lsn.
type spot struct {
	lsn LSN
	at  int
}

// batch is a Batch being filled.
type batch struct {
	Batch
	first, last LSN
	oldest      time.Time
	dead        int           // intents whose end came into the same batch
	wanted      bool          // someone waits for it
	done        chan struct{} // closed when it is on disk; nil until someone waits
}

func (b *batch) rows() int {
	return len(b.Intents) - b.dead + len(b.Entries) + len(b.Ceilings)
}

// start runs a journal over a store whose state is known.
func start(s Store, st State, opt Options) *Journal {
	j := &Journal{
		store: s, opt: opt, last: st.Last, durable: st.Last, booked: st.Booked,
		open: map[opKey]spot{},
		wake: make(chan struct{}, 1), quit: make(chan struct{}), exited: make(chan struct{}),
	}
	j.queue = append(j.queue, new(batch))
	go j.write()
	return j
}

func (o Options) filled() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Gather == 0 {
		o.Gather = 5 * time.Millisecond
	}
	if o.MaxLag == 0 {
		o.MaxLag = time.Second
	}
	if o.MaxRows == 0 {
		o.MaxRows = 8192
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Begin enqueues the intent of an attempt that is about to be sent. It refuses with an *llm.Error (ledger_unavailable)
// when the disk lags more than Options.MaxLag, when the queue is full and after Close: then nothing must be sent.
func (j *Journal) Begin(in Intent) error {
	now := j.opt.Now()
	if in.At.IsZero() {
		in.At = now
	}
	if in.Facts.Start.IsZero() {
		in.Facts.Start = now
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.admit(now); err != nil {
		return err
	}
	b := j.tail(now)
	j.open[opKey{in.Facts.ID, in.N}] = spot{lsn: b.last, at: len(b.Intents)}
	b.Intents = append(b.Intents, OpenIntent{LSN: b.last, Intent: in})
	j.rows++
	return nil
}

// End enqueues the row of an attempt and returns its place. It never refuses: a row is money. The attempt's payload is
// not kept; its Lines must not change afterwards.
func (j *Journal) End(a call.Attempt) LSN {
	return j.entry(Entry{Attempt: a})
}

func (j *Journal) entry(e Entry) LSN {
	now := j.opt.Now()
	e.Attempt.Order.Payload = nil
	if e.Attempt.Facts.Start.IsZero() {
		e.Attempt.Facts.Start = now
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.tail(now)
	if e.Corrects == "" {
		j.resolve(b, opKey{e.Attempt.Facts.ID, e.Attempt.N})
	}
	if ms := now.Truncate(time.Millisecond); ms.After(j.booked) {
		j.booked = ms
	}
	e.LSN, e.Booked = b.last, j.booked
	b.Entries = append(b.Entries, e)
	j.rows++
	return e.LSN
}

// resolve takes the attempt's intent out: out of memory when it lies in the same batch, else out of the store by b.
func (j *Journal) resolve(b *batch, k opKey) {
	s, ok := j.open[k]
	if !ok {
		return
	}
	delete(j.open, k)
	if s.lsn < b.first {
		b.Resolved = append(b.Resolved, s.lsn)
		return
	}
	b.Intents[s.at].LSN = 0
	b.dead++
	j.rows--
}

// Raise enqueues the ceiling of a node, which replaces the one before; it may also be lower.
func (j *Journal) Raise(node string, p Period, to money.Nano) LSN {
	now := j.opt.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.tail(now)
	b.Ceilings = append(b.Ceilings, Ceiling{Node: node, Period: p, To: to})
	j.rows++
	return b.last
}

// Correct enqueues a row that turns what was booked for an attempt into what it is now known to have cost. was is the
// attempt as booked, is the same attempt with the better usage, lines, cost and settlement. Node and start stay.
func (j *Journal) Correct(was, is call.Attempt) LSN {
	return j.entry(correction(was, is))
}

// tail gives the batch that takes the next row, with the row's LSN in last.
func (j *Journal) tail(now time.Time) *batch {
	b := j.queue[len(j.queue)-1]
	if b.rows() >= batchRows {
		b = j.fresh()
		j.queue = append(j.queue, b)
		j.poke()
	}
	j.last++
	if b.first == 0 {
		b.first, b.oldest = j.last, now
		j.poke()
	}
	b.last = j.last
	return b
}

func (j *Journal) fresh() *batch {
	n := len(j.free)
	if n == 0 {
		return new(batch)
	}
	b := j.free[n-1]
	j.free = j.free[:n-1]
	return b
}

// poke wakes the writer if it is idle.
func (j *Journal) poke() {
	if j.flight != nil {
		return
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Durable waits until the row at lsn and all before it are on disk. It returns an *llm.Error (ledger_unavailable) when
// ctx ends first or the journal closed without writing it. The writer never sees ctx.
func (j *Journal) Durable(ctx context.Context, lsn LSN) error {
	done := j.await(lsn)
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return unavailable("the ledger did not confirm the cost of this call in time", ctx.Err())
	case <-j.exited:
		if j.await(lsn) == nil {
			return nil
		}
		return unavailable("the ledger closed before the cost of this call was on disk", j.fatal)
	}
}

// await is a channel that is closed once lsn is on disk; nil when it is.
func (j *Journal) await(lsn LSN) <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if lsn <= j.durable {
		return nil
	}
	if j.flight != nil && lsn <= j.flight.last {
		return j.flight.wait()
	}
	for _, b := range j.queue {
		if lsn <= b.last {
			c := b.wait()
			j.poke()
			return c
		}
	}
	return nil // nothing so high was given out
}

func (b *batch) wait() chan struct{} {
	b.wanted = true
	if b.done == nil {
		b.done = make(chan struct{})
	}
	return b.done
}

func (j *Journal) admit(now time.Time) error {
	switch {
	case j.closing:
		return unavailable("Weir is shutting down", nil)
	case j.rows >= j.opt.MaxRows:
		return unavailable(fmt.Sprintf("the ledger has %d rows waiting for the disk", j.rows), j.failure)
	case j.lag(now) > j.opt.MaxLag:
		return unavailable("the ledger's disk has stalled", j.failure)
	}
	return nil
}

func (j *Journal) lag(now time.Time) time.Duration {
	b := j.flight
	if b == nil {
		b = j.queue[0]
	}
	if b.first == 0 {
		return 0
	}
	return now.Sub(b.oldest)
}

// Lag is the age of the oldest row that is not on disk; 0 = all are.
func (j *Journal) Lag() time.Duration {
	now := j.opt.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lag(now)
}

// Health is nil, or why new attempts are refused or commits fail.
func (j *Journal) Health() error {
	now := j.opt.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failure != nil {
		return fmt.Errorf("ledger: commit fails since %s: %w", j.lag(now), j.failure)
	}
	return j.admit(now)
}

// Spent is what a node has spent in a period, as far as it is on disk.
func (j *Journal) Spent(node string, p Period) (money.Nano, error) { return j.store.Spent(node, p) }

// Close writes what is queued, marks the ledger clean and stops. When ctx ends first it gives up on a store that fails
// and says what was lost. The store is the caller's to close.
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	j.closing = true
	j.poke()
	j.mu.Unlock()
	select {
	case <-j.exited:
		return j.fatal
	case <-ctx.Done():
		j.giveUp.Do(func() { close(j.quit) })
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return fmt.Errorf("close the ledger: %d rows are not on disk: %w", j.rows, errors.Join(ctx.Err(), j.failure))
}

func unavailable(message string, err error) error {
	return &llm.Error{
		Code:    llm.CodeLedger,
		Message: message,
		Hint:    "check the disk that holds storage.dir (full, read-only, stalled?); calls go on once it writes again",
		Err:     err,
	}
}
