package budget

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// vault stands for the ledger: an ordered log of ceilings and rows, of which a prefix is on disk.
type vault struct {
	mu      sync.Mutex
	log     []record
	durable int  // records on disk
	manual  bool // only flush moves durable
	moved   chan struct{}
	fails   error
	spent   map[string]money.Nano // by node and period start, on disk before the test
}

// record is a ceiling, or a row when row is set.
type record struct {
	node   string
	period ledger.Period
	to     money.Nano
	row    bool
}

func newVault() *vault { return &vault{moved: make(chan struct{}), spent: map[string]money.Nano{}} }

func (v *vault) add(r record) ledger.LSN {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.log = append(v.log, r)
	if !v.manual {
		v.durable = len(v.log)
	}
	return ledger.LSN(len(v.log))
}

func (v *vault) Raise(node string, p ledger.Period, to money.Nano) ledger.LSN {
	return v.add(record{node: node, period: p, to: to})
}

func (v *vault) Durable(ctx context.Context, lsn ledger.LSN) error {
	for {
		v.mu.Lock()
		done, moved, err := v.durable >= int(lsn), v.moved, v.fails
		v.mu.Unlock()
		if err != nil || done {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// flush brings n more records to disk; negative = all.
func (v *vault) flush(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n < 0 || v.durable+n > len(v.log) {
		n = len(v.log) - v.durable
	}
	v.durable += n
	close(v.moved)
	v.moved = make(chan struct{})
}

// end brings everything to disk from now on, so that nobody waits any more.
func (v *vault) end() {
	v.mu.Lock()
	v.manual = false
	v.mu.Unlock()
	v.flush(-1)
}

func (v *vault) fail(err error) {
	v.mu.Lock()
	v.fails = err
	v.mu.Unlock()
	v.flush(0)
}

func (v *vault) Spent(node string, p ledger.Period) (money.Nano, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fails != nil {
		return 0, v.fails
	}
	return v.spent[node+p.Start.String()], nil
}

// ceiling is the last one on disk.
func (v *vault) ceiling(node string, p ledger.Period) (to money.Nano) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.log[:v.durable] {
		if !r.row && r.node == node && r.period == p {
			to = r.to
		}
	}
	return to
}

const node = "use-case/procurement"

func one(limit money.Nano, p Period) Config {
	return Config{
		Nodes:  []Node{{Name: node, Limit: limit, Period: p}},
		NodeOf: func(f call.Facts) string { return f.Caller.UseCase },
	}
}

func facts(start time.Time) call.Facts {
	return call.Facts{Caller: call.Caller{UseCase: node}, Start: start}
}

// inBubble runs a test in virtual time on the books of c over v.
func inBubble(t *testing.T, v *vault, c Config, test func(t *testing.T, b *Book)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v.moved = make(chan struct{}) // channels belong to their bubble
		b, err := New(c, v, nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		test(t, b)
		v.end()
	})
}

func hold(t *testing.T, b *Book, amount money.Nano) *Hold {
	t.Helper()
	h, err := b.Hold(t.Context(), facts(time.Now()), amount)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func state(b *Book) NodeState { return b.Snapshot()[0] }

func TestAHoldCountsUntilItEndsAndOnlyItsFirstEndCounts(t *testing.T) {
	inBubble(t, newVault(), one(1000, Day), func(t *testing.T, b *Book) {
		h := hold(t, b, 300)
		if s := state(b); s.Held != 300 || s.Spent != 0 || h.Node() != node {
			t.Errorf("held: %+v", s)
		}
		h.Settle(120)
		h.Settle(500)
		h.Void()
		if s := state(b); s.Held != 0 || s.Spent != 120 {
			t.Errorf("settled: %+v", s)
		}
		v := hold(t, b, 880)
		v.Void()
		v.Settle(880)
		if s := state(b); s.Held != 0 || s.Spent != 120 {
			t.Errorf("voided: %+v", s)
		}
	})
}

func TestARefusalNamesTheBudgetAndWhatToDo(t *testing.T) {
	c := one(1400*money.USD, Day)
	c.Nodes[0].Zone = must(t, "Europe/Berlin")
	inBubble(t, newVault(), c, func(t *testing.T, b *Book) {
		hold(t, b, 1000*money.USD).Settle(900 * money.USD)
		hold(t, b, 400*money.USD)
		_, err := b.Hold(t.Context(), facts(time.Now()), 100*money.USD+1)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeBudget || e.Status() != 402 || e.Hint == "" || e.Param != node {
			t.Fatalf("got %v", err)
		}
		for _, want := range []string{node, "$1,400.00 a day", "$900.00 spent", "$400.00 held", "$100.000000001", "+01:00"} {
			if !strings.Contains(e.Message, want) {
				t.Errorf("%q does not say %q", e.Message, want)
			}
		}
		hold(t, b, 100*money.USD) // exactly what is left
	})
}

// The largest limit that can be written down holds to the nano-dollar: nothing wraps around on the way.
func TestTheLargestLimitHolds(t *testing.T) {
	inBubble(t, newVault(), one(math.MaxInt64, Total), func(t *testing.T, b *Book) {
		hold(t, b, math.MaxInt64-1000).Settle(math.MaxInt64 - 1000)
		h := hold(t, b, 400)
		if _, err := b.Hold(t.Context(), facts(time.Now()), 601); llm.AsError(err).Code != llm.CodeBudget {
			t.Errorf("more than is left: %v", err)
		}
		hold(t, b, 600)
		h.Void()
		if s := state(b); s.Spent != math.MaxInt64-1000 || s.Held != 600 || s.Ceiling > s.Limit {
			t.Errorf("%+v", s)
		}
	})
}

func TestACallWithoutABudgetIsNotLimited(t *testing.T) {
	inBubble(t, newVault(), one(10, Day), func(t *testing.T, b *Book) {
		h, err := b.Hold(t.Context(), call.Facts{}, 1<<62)
		if err != nil || h.Node() != "" {
			t.Fatalf("%v, node %q", err, h.Node())
		}
		h.Settle(1 << 62)
		h.Void()
		if s := state(b); s.Spent != 0 || s.Held != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnUnlimitedNodeRefusesNothingAndIsCovered(t *testing.T) {
	v := newVault()
	c := Config{Nodes: []Node{{Name: "open", Unlimited: true}}, NodeOf: func(call.Facts) string { return "open" }}
	inBubble(t, v, c, func(t *testing.T, b *Book) {
		for range 50 {
			h := hold(t, b, money.USD)
			synctest.Wait()
			a := b.nodes["open"]
			b.mu.Lock()
			used, period := a.current.settled+a.current.held, a.current.period
			b.mu.Unlock()
			if durable := v.ceiling("open", period); used > durable || durable > used+21*money.USD {
				t.Fatalf("%s in use, %s covered", used, durable)
			}
			h.Settle(money.USD)
		}
		if shown := b.Snapshot(); len(shown) != 0 {
			t.Errorf("shown as a budget: %v", shown)
		}
	})
}

func TestABudgetThatDoesNotExistRefuses(t *testing.T) {
	inBubble(t, newVault(), one(10, Day), func(t *testing.T, b *Book) {
		_, err := b.Hold(t.Context(), call.Facts{Caller: call.Caller{UseCase: "use-case/typo"}}, 1)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeBudget || !strings.Contains(e.Message, "use-case/typo") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAHoldWaitsOnlyWhenTheCeilingIsUsedUp(t *testing.T) {
	v := newVault()
	inBubble(t, v, one(10_000, Day), func(t *testing.T, b *Book) {
		if s := state(b); s.Ceiling != 100 {
			t.Fatalf("the first ceiling is %d, want 1 %% of the limit", s.Ceiling)
		}
		v.manual = true
		hold(t, b, 60) // granted at once, and asks for more
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := b.Hold(ctx, facts(time.Now()), 60)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeLedger || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("hold above a ceiling that is not on disk: %v", err)
		}
		go func() {
			time.Sleep(5 * time.Millisecond)
			v.flush(-1)
		}()
		t0 := time.Now()
		hold(t, b, 60)
		if took := time.Since(t0); took != 5*time.Millisecond {
			t.Errorf("waited %v for the disk, want 5ms", took)
		}
	})
}

func TestAHoldWaitsASecondForAStalledDisk(t *testing.T) {
	v := newVault()
	inBubble(t, v, one(10_000, Day), func(t *testing.T, b *Book) {
		v.manual = true
		t0 := time.Now()
		_, err := b.Hold(t.Context(), facts(t0), 5_000)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeLedger || e.Status() != 503 || !strings.Contains(e.Hint, "storage.dir") {
			t.Errorf("a hold on a disk that does not answer: %v", err)
		}
		if took := time.Since(t0); took != time.Second {
			t.Errorf("waited %v, want 1s", took)
		}
		if s := state(b); s.Held != 0 {
			t.Errorf("what was given up is still held: %+v", s)
		}
		v.end()
		synctest.Wait()
		hold(t, b, 5_000) // the disk answers again
	})
}

func TestAHoldFarAboveTheChunkIsCovered(t *testing.T) {
	inBubble(t, newVault(), one(10_000, Day), func(t *testing.T, b *Book) {
		hold(t, b, 9_999)
		hold(t, b, 1)
		if s := state(b); s.Held != 10_000 || s.Ceiling != 10_000 {
			t.Errorf("%+v", s)
		}
	})
}

func TestADiskThatDoesNotAnswerRefuses(t *testing.T) {
	v := newVault()
	v.fail(errors.New("journal closed"))
	if _, err := New(one(10_000, Day), v, nil); err == nil {
		t.Error("the books open although the ledger cannot tell what was spent")
	}
	v.fail(nil)
	inBubble(t, v, one(10_000, Day), func(t *testing.T, b *Book) {
		v.fail(errors.New("journal closed"))
		if _, err := b.Hold(t.Context(), facts(time.Now()), 5_000); err == nil {
			t.Error("held without a ceiling on disk")
		}
		v.fail(nil)
		hold(t, b, 5_000)
	})
}

func TestAnOverspentAttemptCountsWhole(t *testing.T) {
	v := newVault()
	inBubble(t, v, one(1000, Day), func(t *testing.T, b *Book) {
		h := hold(t, b, 900)
		h.Settle(1200)
		synctest.Wait()
		s := state(b)
		if s.Spent != 1200 || s.Ceiling < 1200 {
			t.Errorf("%+v", s)
		}
		if _, err := b.Hold(t.Context(), facts(time.Now()), 1); err == nil {
			t.Error("held above the limit")
		}
	})
}

func TestANewPeriodStartsAnewAndOldHoldsSettleInTheirOwn(t *testing.T) {
	v := newVault()
	inBubble(t, v, one(1000, Day), func(t *testing.T, b *Book) {
		start := time.Now()
		old := hold(t, b, 700)
		time.Sleep(24 * time.Hour)
		hold(t, b, 900).Settle(800)
		old.Settle(650)
		if s := state(b); s.Spent != 800 || s.Held != 0 {
			t.Errorf("today: %+v", s)
		}
		// A second attempt of yesterday's call counts yesterday too.
		_, err := b.Hold(t.Context(), facts(start), 400)
		var e *llm.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, "$0.00000065 spent") {
			t.Errorf("yesterday has %v", err)
		}
		late, err := b.Hold(t.Context(), facts(start), 300)
		if err != nil {
			t.Fatal(err)
		}
		late.Settle(1)
		v.flush(-1)
		p := Node{Period: Day, Zone: time.UTC}.at(start)
		if got := v.ceiling(node, p); got != 651 {
			t.Errorf("yesterday's ceiling is %d, want what it came to, 651", got)
		}
	})
}

func TestWhatWasSpentBeforeTheStartCounts(t *testing.T) {
	v := newVault()
	bubble := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where its clock starts
	p := Node{Period: Month, Zone: time.UTC}.at(bubble)
	v.spent[node+p.Start.String()] = 990
	inBubble(t, v, one(1000, Month), func(t *testing.T, b *Book) {
		if _, err := b.Hold(t.Context(), facts(time.Now()), 11); err == nil {
			t.Error("held above what is left")
		}
		hold(t, b, 10)
	})
}

func TestACorrectionAdjustsWhatWasSpent(t *testing.T) {
	inBubble(t, newVault(), one(1000, Day), func(t *testing.T, b *Book) {
		hold(t, b, 500).Settle(400)
		if err := b.Adjust(node, facts(time.Now()), -150); err != nil {
			t.Fatal(err)
		}
		if err := b.Adjust("use-case/gone", facts(time.Now()), 1); err != nil {
			t.Fatal(err)
		}
		if s := state(b); s.Spent != 250 {
			t.Errorf("%+v", s)
		}
	})
}

// BenchmarkHoldSettle is what a budget costs an attempt.
func BenchmarkHoldSettle(b *testing.B) {
	b.ReportAllocs()
	book, err := New(one(1<<60, Total), newVault(), nil)
	if err != nil {
		b.Fatal(err)
	}
	f := facts(time.Now())
	for b.Loop() {
		h, err := book.Hold(context.Background(), f, 10)
		if err != nil {
			b.Fatal(err)
		}
		h.Settle(7)
	}
}
