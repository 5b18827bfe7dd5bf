package budget

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// machine drives the books at random beside a model of what was really spent.
type machine struct {
	t     *rapid.T
	v     *vault
	b     *Book
	limit money.Nano
	clock time.Time // handed to the books: the bubble's own would run past rapid's deadline
	open  []*held
	real  map[ledger.Period]money.Nano // settled
}

// held is an open hold with the period that it must settle in.
type held struct {
	h      *Hold
	period ledger.Period
	start  time.Time
	amount money.Nano
}

func (m *machine) hold() {
	amount := money.Nano(rapid.Int64Range(0, 400).Draw(m.t, "amount"))
	start := m.clock
	if rapid.IntRange(0, 3).Draw(m.t, "late") == 0 {
		start = start.Add(-time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(m.t, "age")))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	h, err := m.b.Hold(ctx, facts(start), amount)
	var e *llm.Error
	switch {
	case err == nil:
		m.belongs(h.win.period, start)
		m.open = append(m.open, &held{h, h.win.period, start, amount})
	case !errors.As(err, &e) || (e.Code != llm.CodeBudget && e.Code != llm.CodeLedger):
		m.t.Fatalf("hold: %v", err)
	}
}

// belongs holds that a call counts in the period in which it started, as long as that one or the next is current.
func (m *machine) belongs(p ledger.Period, start time.Time) {
	want := Node{Period: Day, Zone: time.UTC}.at(start)
	a := m.b.nodes[node]
	if p != want && (a.current.period == want || a.before != nil && a.before.period == want) {
		m.t.Fatalf("a call of %v counts in %v", start, p)
	}
}

// end settles or voids an open hold as the gateway does: first the book, then the row.
func (m *machine) end() {
	if len(m.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.open)-1).Draw(m.t, "which")
	o := m.open[i]
	m.open = append(m.open[:i], m.open[i+1:]...)
	if rapid.Bool().Draw(m.t, "void") {
		o.h.Void()
		return
	}
	cost := money.Nano(rapid.Int64Range(0, int64(o.amount)).Draw(m.t, "cost"))
	o.h.Settle(cost)
	m.real[o.period] += cost
	m.v.add(record{node: node, period: o.period, to: cost, row: true})
}

// pass lets time go by, often to just after the next midnight, where periods roll over.
func (m *machine) pass() {
	if rapid.Bool().Draw(m.t, "to midnight") {
		m.clock = m.clock.Truncate(24 * time.Hour).Add(24*time.Hour + time.Minute)
		return
	}
	m.clock = m.clock.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(m.t, "pause")))
}

func (m *machine) flush() {
	m.v.flush(rapid.IntRange(-1, 5).Draw(m.t, "records"))
	synctest.Wait()
}

// check holds after every step: no limit is broken, and a crash now would leave spent at or above what was spent or may
// yet be, and never above the limit.
func (m *machine) check() {
	may := map[ledger.Period]money.Nano{}
	for p, n := range m.real {
		may[p] += n
	}
	for _, o := range m.open {
		may[o.period] += o.amount
	}
	for p, n := range may {
		rows := money.Nano(0)
		m.v.mu.Lock()
		for _, r := range m.v.log[:m.v.durable] {
			if r.row && r.period == p {
				rows += r.to
			}
		}
		m.v.mu.Unlock()
		recovered := max(rows, m.v.ceiling(node, p))
		switch {
		case n > m.limit:
			m.t.Fatalf("%v: %d spent and held, limit %d", p, n, m.limit)
		case recovered < n:
			m.t.Fatalf("%v: a crash now forgets: %d spent and held, %d recovered", p, n, recovered)
		case recovered > m.limit:
			m.t.Fatalf("%v: a crash now counts %d, limit %d", p, recovered, m.limit)
		}
	}
}

// bubbled hides what must not be asked in a bubble: the test's deadline, which is in real time.
type bubbled struct{ rapid.TB }

func TestNoSequenceBreaksALimitOrForgetsMoneyInACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubbled{t}, func(rt *rapid.T) {
			v := newVault()
			v.manual = true
			m := &machine{t: rt, v: v, real: map[ledger.Period]money.Nano{}, clock: time.Now()}
			m.limit = money.Nano(rapid.Int64Range(0, 2000).Draw(rt, "limit"))
			var err error
			if m.b, err = New(one(m.limit, Day), v, func() time.Time { return m.clock }); err != nil {
				rt.Fatal(err)
			}
			for range 5 {
				rt.Repeat(map[string]func(*rapid.T){
					"hold":  func(*rapid.T) { m.hold() },
					"hold2": func(*rapid.T) { m.hold() },
					"end":   func(*rapid.T) { m.end() },
					"pass":  func(*rapid.T) { m.pass() },
					"flush": func(*rapid.T) { m.flush() },
					"":      func(*rapid.T) { m.check() },
				})
			}
			v.end()
			synctest.Wait()
		})
	})
}

func TestManyCallersAtOnceNeverOvershoot(t *testing.T) {
	v := newVault()
	const limit = 5_000_000
	inBubble(t, v, one(limit, Day), func(t *testing.T, b *Book) {
		done := make(chan money.Nano)
		for range 512 {
			go func() {
				spent := money.Nano(0)
				for {
					h, err := b.Hold(context.Background(), facts(time.Now()), 884)
					if err != nil {
						done <- spent
						return
					}
					time.Sleep(time.Millisecond)
					h.Settle(884)
					spent += 884
				}
			}()
		}
		total := money.Nano(0)
		for range 512 {
			total += <-done
		}
		if total > limit || total <= limit-884 {
			t.Errorf("512 callers spent %d of %d", total, limit)
		}
		if s := state(b); s.Spent != total || s.Held != 0 {
			t.Errorf("%+v, want %d spent", s, total)
		}
	})
}
