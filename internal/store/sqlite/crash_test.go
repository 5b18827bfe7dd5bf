package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/budget"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/store/sqlite"
	"github.com/weirhq/weir/internal/store/storetest"
	"github.com/weirhq/weir/internal/testkit/crash"
)

const (
	childDir      = "WEIR_LEDGER_CHILD"    // the directory that the child works on
	childAttempts = "WEIR_LEDGER_ATTEMPTS" // how many attempts it makes
	crashLimit    = 50 * money.USD
)

// TestMain lets the test binary be the process that crashes, or one that opens directories.
func TestMain(m *testing.M) {
	if os.Getenv(opener) != "" {
		if err := openAll(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child makes attempts as the gateway does, six at a time, and prints a line for each one sent and for each one whose
// row is durable: what a client would have seen. It folds the WAL back often.
func child(dir string) error {
	n, err := strconv.ParseInt(os.Getenv(childAttempts), 10, 64)
	if err != nil {
		return err
	}
	st, err := sqlite.Open(dir)
	if err != nil {
		return err
	}
	if err := st.CheckpointEvery(50); err != nil {
		return err
	}
	j, _, err := ledger.Open(st, ledger.Options{})
	if err != nil {
		return err
	}
	b, err := budget.New(budget.Config{
		Nodes:  []budget.Node{{Name: node, Limit: crashLimit, Period: budget.Total}},
		NodeOf: func(call.Facts) string { return node },
	}, j, nil)
	if err != nil {
		return err
	}
	s := &spine{store: st, journal: j, book: b}
	s.seq.Store(rand.Uint64())
	var left atomic.Int64
	left.Store(n)
	errs := make(chan error, 6)
	var wg sync.WaitGroup
	for w := range cap(errs) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), uint64(time.Now().UnixNano())))
			for left.Add(-1) >= 0 {
				if err := s.crashing(r); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		})
	}
	wg.Wait()
	for range cap(errs) {
		err = errors.Join(err, <-errs)
	}
	return errors.Join(err, j.Close(context.Background()), st.Close())
}

const node = "use-case/procurement"

// crashing takes one attempt through, or leaves it hanging, as a provider that never answers does.
func (s *spine) crashing(r *rand.Rand) error {
	ctx, now := context.Background(), time.Now()
	a := sample(newID(now, s.seq.Add(1)), now)
	a.Usage.Output = r.Int64N(20_000)
	a.Lines = []money.Line{money.NewLine(money.Output, a.Usage.Output, 400_000)}
	a.Cost, a.Held = money.Sum(a.Lines), 8_000_000
	h, err := s.book.Hold(ctx, a.Facts, a.Held)
	if err != nil {
		return err
	}
	fmt.Printf("sent %s %d\n", a.Facts.ID, a.Cost)
	err = s.journal.Begin(ledger.Intent{
		Facts: a.Facts, N: 1, Purpose: a.Order.Purpose, Target: a.Order.Target, Held: a.Held, Budget: node, At: now,
	})
	if err != nil {
		return err
	}
	if r.IntN(3) == 0 { // a provider at work: meanwhile the intent reaches the disk
		if err := s.journal.Durable(ctx, s.journal.Raise("another", ledger.Period{}, 0)); err != nil {
			return err
		}
	}
	if r.IntN(12) == 0 {
		return nil // never answers: the hold stays
	}
	h.Settle(a.Cost)
	if err := s.journal.Durable(ctx, s.journal.End(a)); err != nil {
		return err
	}
	_, err = fmt.Printf("acked %s %d\n", a.Facts.ID, a.Cost)
	return err
}

// promises are what the child printed: what each attempt costs and which ones were released.
type promises struct{ sent, acked map[call.OpID]money.Nano }

func newPromises() promises {
	return promises{map[call.OpID]money.Nano{}, map[call.OpID]money.Nano{}}
}

func (p promises) take(t *testing.T, lines ...string) {
	t.Helper()
	for _, l := range lines {
		var verb, id string
		var cost money.Nano
		if _, err := fmt.Sscan(l, &verb, &id, &cost); err != nil {
			t.Fatalf("line %q: %v", l, err)
		}
		op, err := call.ParseOpID(id)
		if err != nil {
			t.Fatal(err)
		}
		switch verb {
		case "sent":
			p.sent[op] = cost
		case "acked":
			p.acked[op] = cost
		}
	}
}

// keptIn opens the ledger that a crash left and checks every promise.
func (p promises) keptIn(t *testing.T, dir string) {
	t.Helper()
	st, err := sqlite.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, _, err := ledger.Open(st, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(j.Close(t.Context()), st.Close()); err != nil {
			t.Error(err)
		}
	}()
	rows := map[call.OpID]money.Nano{}
	err = st.Scan(t.Context(), ledger.Window{}, func(e *ledger.Entry) error {
		a := &e.Attempt
		if _, twice := rows[a.Facts.ID]; twice {
			t.Errorf("attempt %s has two rows", a.Facts.ID)
		}
		if a.Settlement != call.Settled && a.Settlement != call.Presumed {
			t.Errorf("attempt %s ended as %q", a.Facts.ID, a.Settlement)
		}
		rows[a.Facts.ID] = a.Cost
		if _, sent := p.sent[a.Facts.ID]; !sent {
			t.Errorf("attempt %s was never sent", a.Facts.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for id, cost := range p.acked {
		if got, ok := rows[id]; !ok || got != cost {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d released answers have no row", lost, len(p.acked))
	}
	p.spent(t, st)
	storetest.Balanced(t, st)
	if s, err := st.State(); err != nil || len(s.Open) != 0 {
		t.Errorf("%d intents left open, %v", len(s.Open), err)
	}
	if result, err := st.Integrity(); err != nil || result != "ok" {
		t.Errorf("integrity: %s, %v", result, err)
	}
}

// spent checks that the budget forgets nothing that was sent, and stays below its limit.
func (p promises) spent(t *testing.T, st *sqlite.DB) {
	t.Helper()
	var sent money.Nano
	for _, cost := range p.sent {
		sent += cost
	}
	counters, _, err := st.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := counters[node]; got < sent || got > crashLimit {
		t.Errorf("the budget counts %s, sent were %s, limit %s", got, sent, crashLimit)
	}
}

// times is how often a test repeats, more by environment.
func times(t *testing.T, env string, normally int) int {
	v := os.Getenv(env)
	if v == "" {
		return normally
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return n
}

func start(dir string, attempts int) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childAttempts+"="+strconv.Itoa(attempts))
	cmd.Stderr = os.Stderr
	return cmd
}

// taken checks that a directory which another process uses cannot be opened.
func taken(t *testing.T, dir string) {
	t.Helper()
	_, err := sqlite.Open(dir)
	var e *llm.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "another weir process") {
		t.Errorf("opened beside another process: %v", err)
	}
}

// TestKilledAtRandomNothingReleasedIsLost kills a writing process again and again on one ledger. WEIR_KILLS sets how
// often.
func TestKilledAtRandomNothingReleasedIsLost(t *testing.T) {
	dir, p := t.TempDir(), newPromises()
	r := rand.New(rand.NewPCG(4, 2))
	for round := range times(t, "WEIR_KILLS", 5) {
		if round%20 == 19 { // each crash uses up a reserve of the budget
			dir, p = t.TempDir(), newPromises()
		}
		cmd := start(dir, 1<<40)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		after := 1 + r.IntN(400)
		in := bufio.NewReader(out)
		for n := 0; ; n++ {
			line, err := in.ReadString('\n')
			if err != nil {
				if !errors.Is(err, io.EOF) || n < after {
					t.Fatalf("round %d: the child ended by itself: %v", round, err)
				}
				break
			}
			p.take(t, strings.TrimSuffix(line, "\n"))
			if n == 0 {
				taken(t, dir)
			}
			if n == after {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		p.keptIn(t, dir)
		if t.Failed() {
			t.Fatalf("round %d, killed after %d lines", round, after)
		}
	}
	t.Logf("%d attempts sent, %d released", len(p.sent), len(p.acked))
}

// TestPowerCutAtRandomNothingReleasedIsLost builds the disk as power cuts at random moments could have left it, with
// any subset of the writes lost that were not synced. WEIR_IMAGES sets how many.
func TestPowerCutAtRandomNothingReleasedIsLost(t *testing.T) {
	dir := t.TempDir()
	log := crash.Record(t, start(dir, 200), dir)
	all := newPromises()
	all.take(t, log.Printed(log.Len())...)
	if len(all.acked) < 100 || log.Len() < 500 {
		t.Fatalf("recorded %d events, %d released answers", log.Len(), len(all.acked))
	}
	r := rand.New(rand.NewPCG(7, 11))
	prints := log.Prints()
	for i := range times(t, "WEIR_IMAGES", 20) {
		// Half of the cuts fall right after an answer was released and lose all that can be lost.
		cut, loss := prints[r.IntN(len(prints))], crash.Loss(crash.All)
		if i%2 == 1 {
			cut, loss = r.IntN(log.Len()+1), crash.Some(r, r.Float64())
		}
		at := filepath.Join(t.TempDir(), "image")
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		log.Image(t, cut, loss, at, func(name string) bool { return strings.HasSuffix(name, "-shm") })
		p := newPromises()
		p.take(t, log.Printed(cut)...)
		p.keptIn(t, at)
		if t.Failed() {
			t.Fatalf("image %d, cut after %d of %d events", i, cut, log.Len())
		}
		if err := os.RemoveAll(at); err != nil {
			t.Fatal(err)
		}
	}
}
