package sqlite_test

import (
	"context"
	"encoding/binary"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/budget"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/store/sqlite"
)

// cpu is the user and system time of this process.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spine is the way of money: budget, journal, real SQLite.
type spine struct {
	store   *sqlite.DB
	journal *ledger.Journal
	book    *budget.Book
	seq     atomic.Uint64
	after   time.Duration // how long the provider takes
}

func openSpine(tb testing.TB, dir string) *spine {
	tb.Helper()
	st, err := sqlite.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	j, _, err := ledger.Open(st, ledger.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	b, err := budget.New(budget.Config{
		Nodes:  []budget.Node{{Name: "use-case/procurement", Limit: 1_000_000 * money.USD, Period: budget.Day}},
		NodeOf: func(call.Facts) string { return "use-case/procurement" },
	}, j, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := j.Close(context.Background()); err != nil {
			tb.Error(err)
		}
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &spine{store: st, journal: j, book: b}
}

var flash = &catalog.Model{ID: "gemini-flash-lite", Tier: catalog.Edge}

// sample is an attempt as a call through the cascade's first layer leaves it.
func sample(id call.OpID, now time.Time) call.Attempt {
	u := llm.Usage{Input: 1800, CacheRead: 333, Output: 300}
	lines := []money.Line{
		money.NewLine(money.Input, u.Input, 100_000), money.NewLine(money.CacheRead, u.CacheRead, 10_000),
		money.NewLine(money.Output, u.Output, 400_000),
	}
	return call.Attempt{
		Facts: call.Facts{
			ID:     id,
			Caller: call.Caller{KeyID: "k7d2f0a91b3c", Team: "ap-team", UseCase: "invoice-status", Session: "s-4711"},
			Class:  call.NewClass(1, "internal"), Route: "procurement", Dialect: llm.OpenAI, Start: now,
		},
		N: 1,
		Order: call.Order{
			Purpose: call.Answer, Prompt: 2500, MaxOut: 300, N: 1,
			Target: call.Target{
				Deployment: "flash", Provider: "google", Dialect: llm.Gemini, WireID: "gemini-2.5-flash-lite", Model: flash,
				Hosting: call.API, Region: "eu", Layer: 1, LayerName: "edge",
			},
		},
		Rule: "data.may_reach.internal", Served: "gemini-2.5-flash-lite", Usage: u, Lines: lines, Cost: money.Sum(lines),
		Held: 400_000, Budget: "use-case/procurement", Baseline: 50_000_000,
		PriceRow: "article-2026-06/gemini-flash-lite/2026-06-01",
		Clocks: call.Clocks{
			Sent: 210 * time.Microsecond, ProviderTTF: 190 * time.Millisecond, FirstByte: time.Second, Accepted: time.Second,
			End: 998 * time.Millisecond,
		},
		Outcome: call.OK, Settlement: call.Settled,
		Verdict: call.Verdict{
			Result: call.Accepted, Passed: "empty,truncated,refusal,tool-arguments,format,invoice-shape", Repaired: call.No, Final: true,
		},
		Output: call.Output{
			Seen: true, Stop: llm.StopEnd, Bytes: 1187, Args: call.No, Empty: call.No, Refusal: call.NotRefused, Language: "en",
		},
	}
}

// newID is a UUIDv7 shaped id of a moment and a number.
func newID(now time.Time, seq uint64) (id call.OpID) {
	binary.BigEndian.PutUint64(id[:], uint64(now.UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], seq*0x9E3779B97F4A7C15)
	return id
}

// attempt takes one attempt through hold, begin, settle, end and the wait for the disk.
func (s *spine) attempt(ctx context.Context) error {
	now := time.Now()
	a := sample(newID(now, s.seq.Add(1)), now)
	h, err := s.book.Hold(ctx, a.Facts, a.Held)
	if err != nil {
		return err
	}
	err = s.journal.Begin(ledger.Intent{
		Facts: a.Facts, N: 1, Purpose: a.Order.Purpose, Target: a.Order.Target, Held: a.Held, Budget: h.Node(), At: now,
	})
	if err != nil {
		return err
	}
	if s.after > 0 {
		<-time.After(s.after) // the provider's answer
	}
	h.Settle(a.Cost)
	return s.journal.Durable(ctx, s.journal.End(a))
}

// load runs n attempts by so many goroutines and reports rate and CPU.
func (s *spine) load(b *testing.B, waiters, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	before, t0 := cpu(b), time.Now()
	var wg sync.WaitGroup
	for range waiters {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := s.attempt(context.Background()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	wall, used := time.Since(t0), cpu(b)-before
	b.ReportMetric(float64(n)/wall.Seconds(), "rows/s")
	b.ReportMetric(float64(used.Microseconds())/float64(n), "cpu-us/attempt")
}

// BenchmarkDurable256 is the bar of the money spine: at least 15,000 durable attempts/s and at most 40 us CPU each.
func BenchmarkDurable256(b *testing.B) {
	b.ReportAllocs()
	s := openSpine(b, b.TempDir())
	b.ResetTimer()
	s.load(b, 256, b.N)
}

// BenchmarkDurable256Slow is the same where each provider takes its time, so that every intent reaches the disk and is
// taken out again: three statements an attempt.
func BenchmarkDurable256Slow(b *testing.B) {
	s := openSpine(b, b.TempDir())
	s.after = 10 * time.Millisecond
	b.ResetTimer()
	s.load(b, 256, b.N)
}

// BenchmarkDurable1 is the latency of one call at a time: the disk's own flush and little else.
func BenchmarkDurable1(b *testing.B) {
	s := openSpine(b, b.TempDir())
	b.ResetTimer()
	s.load(b, 1, b.N)
}

// BenchmarkAt1M measures a ledger of 10^6 rows: durable attempts, a restart, a report and a trial balance.
// WEIR_BENCH_ROWS=1 runs it.
func BenchmarkAt1M(b *testing.B) {
	if os.Getenv("WEIR_BENCH_ROWS") == "" {
		b.Skip("set WEIR_BENCH_ROWS=1: it first writes 10^6 rows")
	}
	dir := b.TempDir()
	fill(b, dir, 1_000_000)
	b.Run("Durable256", func(b *testing.B) {
		s := openSpine(b, dir)
		b.ResetTimer()
		s.load(b, 256, b.N)
	})
	b.Run("Restart", func(b *testing.B) {
		for b.Loop() {
			st, err := sqlite.Open(dir)
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := ledger.Open(st, ledger.Options{}); err != nil { // not closed: the next one recovers
				b.Fatal(err)
			}
			if err := st.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("UsageAll", func(b *testing.B) { usage(b, r, ledger.Query{By: "model"}) })
	b.Run("UsageLastMinute", func(b *testing.B) {
		usage(b, r, ledger.Query{By: "model", Since: time.Now().Add(-time.Minute)})
	})
	b.Run("OutputsAll", func(b *testing.B) {
		outputs(b, r, ledger.OutputQuery{By: []string{"layer", "model"}, Every: time.Minute})
	})
	b.Run("Trial", func(b *testing.B) {
		for b.Loop() {
			if tr, err := ledger.ReadTrial(context.Background(), r); err != nil || !tr.Balances() {
				b.Fatal(tr.Off, err)
			}
		}
	})
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}

func usage(b *testing.B, r ledger.Reader, q ledger.Query) {
	for b.Loop() {
		if _, err := ledger.ReadUsage(context.Background(), r, q); err != nil {
			b.Fatal(err)
		}
	}
}

// outputs reports, beside the time, what the heap holds of the answer while it is told.
func outputs(b *testing.B, r ledger.Reader, q ledger.OutputQuery) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		o, err := ledger.ReadOutputs(context.Background(), r, q)
		if err != nil || o.Total.N == 0 {
			b.Fatal(o.Total.N, err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(o)
	}
	b.ReportMetric(float64(max(after.HeapAlloc, before.HeapAlloc)-before.HeapAlloc)/1024, "KiB-held")
}

// fill writes n rows in big batches.
func fill(tb testing.TB, dir string, n int) {
	tb.Helper()
	st, err := sqlite.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now().Add(-time.Duration(n) * time.Millisecond)
	const size = 5000
	for at := 0; at < n; at += size {
		b := ledger.Batch{Entries: make([]ledger.Entry, size)}
		for i := range b.Entries {
			k := at + i
			t := now.Add(time.Duration(k) * time.Millisecond)
			b.Entries[i] = ledger.Entry{LSN: ledger.LSN(k + 1), Booked: t, Attempt: sample(newID(t, uint64(k)), t)}
		}
		if err := st.Append(&b); err != nil {
			tb.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		tb.Fatal(err)
	}
}
