package telemetry

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Bounds of a log that lies in memory.
const (
	flushEvery = 200 * time.Millisecond
	mostLog    = 4 << 20 // bytes that wait for a slow reader; what comes beyond is dropped and counted
	lastFlush  = time.Second
)

// Lines is a writer of log lines that never waits for whoever reads them: one goroutine writes what has gathered, and
// when it cannot keep up, lines are dropped and counted. Safe for concurrent use.
type Lines struct {
	mu      sync.Mutex
	pending []byte
	dropped uint64
	done    chan struct{}
}

// NewLines writes lines to w until ctx ends; then it writes what is left, once.
func NewLines(ctx context.Context, w io.Writer) *Lines {
	l := &Lines{done: make(chan struct{})}
	go l.run(ctx, w)
	return l
}

func (l *Lines) run(ctx context.Context, w io.Writer) {
	defer close(l.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var spare []byte
	for {
		over := false
		select {
		case <-tick.C:
		case <-ctx.Done():
			over = true
		}
		l.mu.Lock()
		lines := l.pending
		l.pending = spare[:0]
		l.mu.Unlock()
		if len(lines) > 0 {
			_, _ = w.Write(lines) // a log that cannot be written must not stop calls
		}
		spare = lines
		if over {
			return
		}
	}
}

// Write takes one line. It never fails and never waits.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending)+len(p) > mostLog {
		l.dropped++
		return len(p), nil
	}
	l.pending = append(l.pending, p...)
	return len(p), nil
}

// Dropped is how many lines were dropped because nobody read the log fast enough.
func (l *Lines) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Wait waits, for a moment, until the last lines are written after the context has ended.
func (l *Lines) Wait() {
	timer := time.NewTimer(lastFlush)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
	}
}

// Logger writes JSON lines to w.
func Logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
