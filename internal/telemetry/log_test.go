package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
)

// page is a writer whose text can be read meanwhile. While stuck is set it does not return.
type page struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	stuck chan struct{}
}

func (p *page) Write(b []byte) (int, error) {
	if p.stuck != nil {
		<-p.stuck
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

func (p *page) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// bubble runs a test on a clock of its own, with lines that go to a page until end is called.
func bubble(t *testing.T, p *page, test func(t *testing.T, l *Lines, end func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if p.stuck != nil {
			p.stuck = make(chan struct{}) // of the bubble
		}
		ctx, end := context.WithCancel(context.Background())
		defer end()
		test(t, NewLines(ctx, p), end)
	})
}

func TestLinesAppearByThemselves(t *testing.T) {
	p := new(page)
	bubble(t, p, func(t *testing.T, l *Lines, _ func()) {
		for _, want := range []string{"one\n", "one\ntwo\n"} {
			before := p.text()
			fmt.Fprintln(l, strings.TrimSpace(want[len(before):]))
			if got := p.text(); got != before {
				t.Errorf("the caller waited for the terminal: %q", got)
			}
			time.Sleep(flushEvery)
			synctest.Wait()
			if got := p.text(); got != want {
				t.Errorf("after %s: %q, want %q", flushEvery, got, want)
			}
		}
	})
}

func TestLastLinesAreWrittenAtTheEnd(t *testing.T) {
	p := new(page)
	bubble(t, p, func(t *testing.T, l *Lines, end func()) {
		fmt.Fprintln(l, "last words")
		start := time.Now()
		end()
		l.Wait()
		if took := time.Since(start); took != 0 || p.text() != "last words\n" {
			t.Errorf("after %s: %q", took, p.text())
		}
		l.Wait() // the second time too
	})
}

// TestNobodyReadsTheLog holds that calls go on, memory stays bounded and what is lost is counted.
func TestNobodyReadsTheLog(t *testing.T) {
	p := &page{stuck: make(chan struct{})}
	bubble(t, p, func(t *testing.T, l *Lines, end func()) {
		fmt.Fprintln(l, "first")
		time.Sleep(flushEvery)
		synctest.Wait() // the writer hangs now
		line := bytes.Repeat([]byte("x"), 1<<20)
		for range 7 {
			if n, err := l.Write(line); n != len(line) || err != nil {
				t.Fatalf("a line that cannot be kept fails its caller: %d, %v", n, err)
			}
		}
		if got := l.Dropped(); got != 3 {
			t.Errorf("%d lines dropped, want 3 of 7: %d bytes may wait", got, mostLog)
		}
		end()
		start := time.Now()
		l.Wait()
		if took := time.Since(start); took != lastFlush {
			t.Errorf("the end waited %s for a reader that is stuck, want %s", took, lastFlush)
		}
		close(p.stuck)
		l.Wait()
		if got := len(p.text()); got != len("first\n")+mostLog {
			t.Errorf("%d bytes arrived in the end, want what was kept", got)
		}
	})
}

func TestLinesOfManyCallsDoNotMix(t *testing.T) {
	p := new(page)
	bubble(t, p, func(t *testing.T, l *Lines, end func()) {
		log := Logger(l, slog.LevelInfo)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 200 {
					log.LogAttrs(context.Background(), slog.LevelInfo, "call",
						slog.Int("n", g*200+i), slog.String("pad", strings.Repeat("é", i)))
					if i%50 == 0 {
						time.Sleep(flushEvery / 3)
					}
				}
			})
		}
		wg.Wait()
		end()
		l.Wait()
		seen := map[int]bool{}
		for line := range strings.Lines(p.text()) {
			var row struct {
				N   int    `json:"n"`
				Pad string `json:"pad"`
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil || row.Pad != strings.Repeat("é", row.N%200) {
				t.Fatalf("%v: %q", err, line)
			}
			seen[row.N] = true
		}
		if len(seen) != 1600 || l.Dropped() != 0 {
			t.Errorf("%d lines arrived whole, want 1600; %d dropped", len(seen), l.Dropped())
		}
	})
}

func TestLoggerLevel(t *testing.T) {
	var b bytes.Buffer
	log := Logger(&b, slog.LevelWarn)
	log.Info("quiet")
	log.Warn("loud", slog.Int("n", 1))
	if got := b.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud","n":1`) {
		t.Errorf("got %q", got)
	}
}
