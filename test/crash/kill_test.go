package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/price"
	"github.com/weirhq/weir/test/smoke/process"
)

const (
	killsInCI = 25
	perLedger = 25 // kills of one ledger, before the next one begins
	// fresh is by how much the tight budget's limit grows with every start: enough for some calls of a round, not all.
	fresh    = money.USD / 200
	patience = 60 * time.Second
)

// TestKilledUnderLoad kills a serving process at a random moment, restarts it on the same storage and audits. WEIR_KILLS
// sets how often, WEIR_SEED what is random; WEIR_RESULT names a file that gets the figures as one more JSON line.
func TestKilledUnderLoad(t *testing.T) {
	kills, seed := number(t, "WEIR_KILLS", killsInCI), uint64(number(t, "WEIR_SEED", 2026))
	if testing.Short() {
		kills = min(kills, 5)
	}
	binary, err := process.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var f figures
	for epoch := 0; f.Kills < kills; epoch++ {
		h := newHouse(t, binary, &f, seed, epoch)
		for range min(perLedger, kills-f.Kills) {
			h.kill()
		}
		h.stop()
		if t.Failed() {
			t.Logf("seed %d, ledger %d", seed, epoch)
			break
		}
	}
	t.Log(f)
	writeResult(t, f)
	if f.Released == 0 || f.Presumed == 0 || f.Refused == 0 && kills >= killsInCI {
		t.Error("the load was too light to prove anything: nothing was released, in flight or refused")
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number above 0", name, text)
	}
	return n
}

// writeResult appends the bar as one JSON line.
func writeResult(t *testing.T, f figures) {
	t.Helper()
	path := os.Getenv("WEIR_RESULT")
	if path == "" {
		return
	}
	line, err := json.Marshal(struct {
		Name    string  `json:"name"`
		Value   int     `json:"value"`
		Bar     string  `json:"bar"`
		OK      bool    `json:"ok"`
		Command string  `json:"command"`
		Figures figures `json:"figures"`
	}{
		"crash: released answers without rows, after kill -9 under load", f.Missing,
		"0; also duplicates, unbalanced, strange, garbled, misbilled, uncovered, lost, over_limit = 0", f.worst() == "",
		fmt.Sprintf("WEIR_KILLS=%d go test -count=1 ./test/crash", f.Kills), f,
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		t.Error(err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}

// house is one ledger with the processes that serve it, one after the other.
type house struct {
	t       *testing.T
	binary  process.Binary
	dir     string
	dice    *rand.Rand
	epoch   int
	rounds  int
	key     string
	running *process.Running
	*providers
	*auditor
}

func newHouse(t *testing.T, b process.Binary, f *figures, seed uint64, epoch int) *house {
	h := &house{
		t: t, binary: b, dir: t.TempDir(), dice: rand.New(rand.NewPCG(seed, uint64(epoch))), epoch: epoch,
		providers: startProviders(t, seed+uint64(epoch)),
		auditor:   &auditor{figures: f},
	}
	h.start()
	h.key = h.running.Key
	return h
}

// limit is the tight budget's: it grows with every start.
func (h *house) limit() money.Nano { return fresh * money.Nano(h.rounds+1) }

// start starts a process on the storage.
func (h *house) start() {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "weir.yaml"))
	if err != nil {
		h.t.Fatal(err)
	}
	path := filepath.Join(h.dir, "weir.yaml")
	text = []byte(strings.NewReplacer("SIMULATOR", strings.TrimPrefix(h.url, "http://"),
		"$LIMIT", "$"+h.limit().Decimal()).Replace(string(text)))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		h.t.Fatal(err)
	}
	c, err := config.Load(path, func(string) (string, bool) { return "simulated", true })
	if err != nil {
		h.t.Fatal(err)
	}
	h.models, h.prices = c, price.Prices{Catalog: c.Models, Book: c.Prices}
	h.running, err = h.binary.Start(h.t.Context(), []string{"CRASH_KEY=simulated"}, "serve", "--quiet", "--config", path,
		"--listen-api", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
}

// kill is one round: load, kill -9, restart, audit.
func (h *house) kill() {
	h.t.Helper()
	l := &load{api: h.running.API, key: h.key, round: fmt.Sprintf("call-%d-%d", h.epoch, h.rounds)}
	l.event = h.moment(l)
	h.mu.Lock()
	h.event = l.event
	h.mu.Unlock()
	l.start(h.t, h.dice.Uint64())
	await(h.t, l.dead, "the moment of the kill")
	calls := l.wait()
	h.quiet()
	limits := map[string]money.Nano{"use-case/tight": h.limit(), "use-case/wide": 100 * money.USD}
	h.rounds++
	h.figures.Kills++
	h.start()
	before := h.worst()
	if err := h.round(h.t.Context(), filepath.Join(h.dir, "weir-data"), calls, h.providers, limits); err != nil {
		h.t.Fatal(err)
	}
	if bad := h.worst(); bad != before {
		h.t.Errorf("kill %d:%s\n%s", h.figures.Kills, bad, strings.Join(h.told, "\n"))
	}
}

// moment draws when the process dies and returns what is to be told of every arrival at a provider and every release to
// a client. In two of three rounds it dies the instant an answer is released, while the row of that answer is as young
// as it can be; else up to 3 ms after any event.
func (h *house) moment(l *load) func(release bool) {
	l.dead = make(chan struct{})
	var events atomic.Int64
	target, atRelease := int64(5+h.dice.IntN(120)), h.dice.IntN(3) > 0
	delay := time.Duration(h.dice.IntN(3000)) * time.Microsecond
	running := h.running
	kill := sync.OnceFunc(func() {
		l.stop.Store(true) // a client whose call breaks does not knock again
		running.Kill()
		close(l.dead)
	})
	later := sync.OnceFunc(func() { time.AfterFunc(delay, kill) })
	return func(release bool) {
		switch {
		case events.Add(1) < target:
		case !atRelease:
			later()
		case release:
			kill()
		}
	}
}

// stop ends the last process as an operator would and looks at the ledger once more.
func (h *house) stop() {
	h.t.Helper()
	if err := h.running.Stop(); err != nil {
		h.t.Error(err)
	}
	if err := h.round(h.t.Context(), filepath.Join(h.dir, "weir-data"), nil, h.providers, nil); err != nil {
		h.t.Error(err)
	}
}

func await[T any](t *testing.T, c <-chan T, what string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		t.Fatalf("%s did not come within %s", what, patience)
	}
}

// quiet waits until the providers have seen that their clients are gone.
func (h *house) quiet() {
	h.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !h.idle(); {
		<-tick.C
		if time.Now().After(deadline) {
			h.t.Fatal("the providers are still answering a dead gateway")
		}
	}
}
