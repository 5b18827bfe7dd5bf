package ledger

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// disk is a store in memory: it keeps what was appended, takes its time and fails when told to.
type disk struct {
	mu      sync.Mutex
	takes   time.Duration
	fails   error
	stuck   chan struct{} // Append waits until it is closed
	batches []Batch
	state   State
	spent   map[string]money.Nano
}

func (d *disk) State() (State, error) { return d.state, nil }

func (d *disk) Spent(node string, _ Period) (money.Nano, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.spent[node], nil
}

func (d *disk) Append(b *Batch) error {
	d.mu.Lock()
	takes, fails, stuck := d.takes, d.fails, d.stuck
	d.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	time.Sleep(takes) // virtual time in a synctest bubble
	d.mu.Lock()
	defer d.mu.Unlock()
	if fails != nil {
		return fails
	}
	d.batches = append(d.batches, Batch{
		Intents: append([]OpenIntent(nil), b.Intents...), Resolved: append([]LSN(nil), b.Resolved...),
		Entries: append([]Entry(nil), b.Entries...), Ceilings: append([]Ceiling(nil), b.Ceilings...),
		Adjustments: append([]Adjustment(nil), b.Adjustments...), Mark: b.Mark,
	})
	if d.spent == nil {
		d.spent = map[string]money.Nano{}
	}
	for _, e := range b.Entries {
		d.spent[e.Attempt.Budget] += e.Attempt.Cost
	}
	return nil
}

func (d *disk) set(change func(*disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// written is every batch after the one that opened the ledger.
func (d *disk) written() []Batch {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Batch(nil), d.batches[1:]...)
}

func id(n int) call.OpID { return call.OpID{15: byte(n), 14: byte(n >> 8)} }

func attempt(n int) call.Attempt {
	return call.Attempt{
		Facts: call.Facts{ID: id(n), Start: time.Now()}, N: 1, Cost: 7, Budget: "team/ap", Settlement: call.Settled,
		Order: call.Order{Payload: &call.Raw{Body: []byte("secret")}},
	}
}

func intent(n int) Intent {
	return Intent{Facts: call.Facts{ID: id(n)}, N: 1, Held: 10, Budget: "team/ap"}
}

// inBubble runs a test in virtual time on a journal over d.
func inBubble(t *testing.T, d *disk, opt Options, test func(t *testing.T, j *Journal)) {
	synctest.Test(t, func(t *testing.T) {
		j, _, err := Open(d, opt)
		if err != nil {
			t.Fatal(err)
		}
		test(t, j)
		if err := j.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func begin(t *testing.T, j *Journal, n int) {
	t.Helper()
	if err := j.Begin(intent(n)); err != nil {
		t.Fatal(err)
	}
}

func TestACallThatWaitsIsCommittedAtOnce(t *testing.T) {
	d := &disk{takes: time.Millisecond}
	inBubble(t, d, Options{}, func(t *testing.T, j *Journal) {
		t0 := time.Now()
		begin(t, j, 1)
		if err := j.Durable(t.Context(), j.End(attempt(1))); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(t0); took != time.Millisecond {
			t.Errorf("durable after %v, want the disk's 1ms", took)
		}
	})
}

func TestRowsThatNobodyWaitsForAreGathered(t *testing.T) {
	d := &disk{}
	inBubble(t, d, Options{}, func(t *testing.T, j *Journal) {
		for n := range 5 {
			begin(t, j, n)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		b := d.written()
		if len(b) != 1 || len(b[0].Intents) != 5 {
			t.Fatalf("got %d batches, want one of 5 intents after 5ms", len(b))
		}
	})
}

func TestAnIntentWhoseEndIsInTheSameBatchIsNotWritten(t *testing.T) {
	d := &disk{}
	inBubble(t, d, Options{}, func(t *testing.T, j *Journal) {
		begin(t, j, 1)
		begin(t, j, 2)
		if err := j.Durable(t.Context(), j.End(attempt(1))); err != nil {
			t.Fatal(err)
		}
		b := d.written()
		if len(b) != 1 || len(b[0].Intents) != 1 || b[0].Intents[0].Intent.Facts.ID != id(2) || len(b[0].Resolved) != 0 {
			t.Fatalf("got %+v, want only the open intent of call 2", b)
		}
		if err := j.Durable(t.Context(), j.End(attempt(2))); err != nil {
			t.Fatal(err)
		}
		b = d.written()
		if got := b[1].Resolved; len(got) != 1 || got[0] != b[0].Intents[0].LSN {
			t.Errorf("resolved %v, want the written intent %d", got, b[0].Intents[0].LSN)
		}
	})
}

func TestAnIntentInAnEarlierBatchOfTheQueueIsResolvedByALaterOne(t *testing.T) {
	d := &disk{}
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		j, _, err := Open(d, Options{MaxLag: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		d.set(func(d *disk) { d.stuck = stuck })
		j.End(attempt(9000)) // keeps the writer busy
		time.Sleep(10 * time.Millisecond)
		begin(t, j, 1)
		for n := 2; n < 2+batchRows; n++ {
			j.End(attempt(n))
		}
		lsn := j.End(attempt(1))
		close(stuck)
		if err := j.Durable(t.Context(), lsn); err != nil {
			t.Fatal(err)
		}
		var open, resolved int
		for _, b := range d.written() {
			if n := len(b.Entries) + len(b.Intents); n > batchRows {
				t.Errorf("a commit of %d rows, want at most %d", n, batchRows)
			}
			open += len(b.Intents)
			resolved += len(b.Resolved)
		}
		if open != 1 || resolved != 1 {
			t.Errorf("%d intents written, %d resolved, want 1 and 1", open, resolved)
		}
		if err := j.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBatchesKeepTheOrderOfTheLog(t *testing.T) {
	d := &disk{takes: 100 * time.Microsecond}
	inBubble(t, d, Options{}, func(t *testing.T, j *Journal) {
		var wg sync.WaitGroup
		for w := range 64 {
			wg.Go(func() {
				for i := range 20 {
					n := w*20 + i
					begin(t, j, n)
					if err := j.Durable(t.Context(), j.End(attempt(n))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		last, booked, rows := LSN(0), time.Time{}, 0
		for _, b := range d.written() {
			for _, e := range b.Entries {
				if e.LSN <= last || e.Booked.Before(booked) {
					t.Fatalf("row %d booked %v after row %d booked %v", e.LSN, e.Booked, last, booked)
				}
				if e.Attempt.Order.Payload != nil {
					t.Fatal("a payload reached the store")
				}
				last, booked = e.LSN, e.Booked
				rows++
			}
		}
		if rows != 64*20 {
			t.Errorf("%d rows, want %d", rows, 64*20)
		}
	})
}

func TestAStalledDiskRefusesNewAttemptsAndDropsNothing(t *testing.T) {
	d := &disk{}
	inBubble(t, d, Options{}, func(t *testing.T, j *Journal) {
		stuck := make(chan struct{})
		d.set(func(d *disk) { d.stuck = stuck })
		begin(t, j, 1)
		lsn := j.End(attempt(1))
		time.Sleep(1001 * time.Millisecond)
		var e *llm.Error
		if err := j.Begin(intent(2)); !errors.As(err, &e) || e.Code != llm.CodeLedger || e.Hint == "" {
			t.Fatalf("begin on a stalled disk: %v", err)
		}
		if j.Lag() <= time.Second || j.Health() == nil {
			t.Errorf("lag %v, health %v", j.Lag(), j.Health())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := j.Durable(ctx, lsn); !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("durable: %v", err)
		}
		close(stuck)
		if err := j.Durable(t.Context(), lsn); err != nil {
			t.Error(err)
		}
		begin(t, j, 3)
		j.End(attempt(3))
		if j.Health() != nil {
			t.Errorf("health %v after the disk writes again", j.Health())
		}
	})
}

func TestAFailingCommitIsTriedAgainWithTheSameBatch(t *testing.T) {
	d := &disk{}
	full := errors.New("no space left on device")
	inBubble(t, d, Options{MaxLag: time.Hour}, func(t *testing.T, j *Journal) {
		d.set(func(d *disk) { d.fails = full })
		begin(t, j, 1)
		lsn := j.End(attempt(1))
		time.Sleep(3 * time.Second)
		if err := j.Health(); !errors.Is(err, full) {
			t.Errorf("health %v, want the disk's error", err)
		}
		d.set(func(d *disk) { d.fails = nil })
		if err := j.Durable(t.Context(), lsn); err != nil {
			t.Fatal(err)
		}
		if b := d.written(); len(b) != 1 || len(b[0].Entries) != 1 {
			t.Errorf("written %+v, want the one row once", b)
		}
		if err := j.Health(); err != nil {
			t.Errorf("health %v", err)
		}
	})
}

func TestAFullQueueRefusesBeginsButNeverEnds(t *testing.T) {
	d := &disk{}
	inBubble(t, d, Options{MaxRows: 100, MaxLag: time.Hour}, func(t *testing.T, j *Journal) {
		stuck := make(chan struct{})
		d.set(func(d *disk) { d.stuck = stuck })
		for n := range 100 {
			begin(t, j, n)
		}
		var e *llm.Error
		if err := j.Begin(intent(100)); !errors.As(err, &e) || e.Status() != 503 {
			t.Fatalf("begin on a full queue: %v", err)
		}
		time.Sleep(10 * time.Millisecond) // the intents are with the writer now
		var last LSN
		for n := range 300 {
			last = j.End(attempt(n))
		}
		close(stuck)
		if err := j.Durable(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, b := range d.written() {
			rows += len(b.Entries)
		}
		if rows != 300 {
			t.Errorf("%d rows written, want 300", rows)
		}
	})
}

func TestCloseWritesWhatIsQueuedAndMarksClean(t *testing.T) {
	d := &disk{takes: 2 * time.Millisecond}
	synctest.Test(t, func(t *testing.T) {
		j, _, err := Open(d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		j.End(attempt(1))
		if err := j.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := d.written()
		if len(b) != 2 || len(b[0].Entries) != 1 || b[1].Mark != Clean {
			t.Errorf("written %+v, want the row and then the mark", b)
		}
		var e *llm.Error
		if err := j.Begin(intent(2)); !errors.As(err, &e) {
			t.Errorf("begin after close: %v", err)
		}
		if err := j.Durable(t.Context(), j.End(attempt(3))); !errors.As(err, &e) {
			t.Errorf("durable after close: %v", err)
		}
	})
}

func TestCloseGivesUpOnAFailingDiskAndSaysWhatIsLost(t *testing.T) {
	d := &disk{}
	synctest.Test(t, func(t *testing.T) {
		j, _, err := Open(d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		d.set(func(d *disk) { d.fails = errors.New("read-only file system") })
		j.End(attempt(1))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err = j.Close(ctx)
		if err == nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("close: %v", err)
		}
		if want := "1 rows are not on disk"; !strings.Contains(err.Error(), want) {
			t.Errorf("close: %v, want it to say %q", err, want)
		}
		for _, b := range d.written() {
			if b.Mark == Clean {
				t.Error("marked clean with a row lost")
			}
		}
	})
}

func TestDurableOfACancelledCallerDoesNotHurtTheOthers(t *testing.T) {
	d := &disk{takes: 10 * time.Millisecond}
	inBubble(t, d, Options{}, func(t *testing.T, j *Journal) {
		ctx, cancel := context.WithCancel(t.Context())
		lsn := j.End(attempt(1))
		other := j.End(attempt(2))
		go func() {
			time.Sleep(time.Millisecond)
			cancel()
		}()
		if err := j.Durable(ctx, lsn); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled caller: %v", err)
		}
		if err := j.Durable(t.Context(), other); err != nil {
			t.Error(err)
		}
	})
}

func TestRaiseIsOrderedWithTheRows(t *testing.T) {
	d := &disk{}
	inBubble(t, d, Options{}, func(t *testing.T, j *Journal) {
		p := Period{Start: time.Unix(0, 0), End: time.Unix(900, 0)}
		j.Raise("team/ap", p, 100)
		lsn := j.Raise("team/ap", p, 200)
		if err := j.Durable(t.Context(), lsn); err != nil {
			t.Fatal(err)
		}
		b := d.written()
		if len(b) != 1 || len(b[0].Ceilings) != 2 || b[0].Ceilings[1].To != 200 {
			t.Errorf("written %+v", b)
		}
	})
}

// BenchmarkBeginEnd is what enqueueing costs a call.
func BenchmarkBeginEnd(b *testing.B) {
	b.ReportAllocs()
	j, _, err := Open(&null{}, Options{MaxRows: 1 << 30, MaxLag: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	a := attempt(1)
	for n := 0; b.Loop(); n++ {
		in := intent(n)
		if err := j.Begin(in); err != nil {
			b.Fatal(err)
		}
		a.Facts.ID = in.Facts.ID
		j.End(a)
	}
	if err := j.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

type null struct{ disk }

func (*null) Append(*Batch) error { return nil }
