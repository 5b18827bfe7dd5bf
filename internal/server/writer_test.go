package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/internal/gateway"
)

// clocked is a ResponseWriter that keeps the last write deadline.
type clocked struct {
	http.ResponseWriter
	deadline *time.Time
}

func (c clocked) SetWriteDeadline(t time.Time) error { *c.deadline = t; return nil }
func (c clocked) FlushError() error                  { return nil }

// TestAnAnswerIsWrittenByItsEnd holds that a client that takes each piece just in time is not waited for without end: no
// write's deadline is after that of the whole, and while the whole has time, each write has all of its own.
func TestAnAnswerIsWrittenByItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stall, all, slow = 30 * time.Second, 100 * time.Second, 20 * time.Second
		var deadline time.Time
		until := time.Now().Add(all)
		w := &answerWriter{w: clocked{httptest.NewRecorder(), &deadline}, stall: stall, until: until}
		w.Head(gateway.Head{Stream: true})
		for range int(all / slow) {
			if err := w.Write([]byte("data: a word\n\n"), false); err != nil {
				t.Fatal(err)
			}
			left := time.Until(until)
			if own := time.Until(deadline); own < min(stall/2, left) || own > min(stall, left) {
				t.Errorf("%v before the end a write may take %v", left, own)
			}
			time.Sleep(slow)
		}
	})
}
