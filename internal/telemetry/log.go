package telemetry

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// flushEvery is how long lines of the access log may lie in memory.
const flushEvery = 200 * time.Millisecond

// Lines is a buffered writer of log lines that flushes by itself, so that a call does not wait for a terminal. Safe for
// concurrent use.
type Lines struct {
	mu    sync.Mutex
	buf   *bufio.Writer
	dirty bool
}

// NewLines buffers lines for w until ctx ends; then it flushes and passes lines through unbuffered.
func NewLines(ctx context.Context, w io.Writer) *Lines {
	l := &Lines{buf: bufio.NewWriterSize(w, 64<<10)}
	go l.run(ctx)
	return l
}

func (l *Lines) run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.Flush()
		case <-ctx.Done():
			l.Flush()
			return
		}
	}
}

// Write takes one line.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = true
	return l.buf.Write(p)
}

// Flush writes what is buffered.
func (l *Lines) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dirty {
		l.dirty = false
		_ = l.buf.Flush() // a log that cannot be written must not stop calls
	}
}

// Logger writes JSON lines to w.
func Logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
