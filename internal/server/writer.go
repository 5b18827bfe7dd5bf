package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/llm"
)

// answerWriter writes one answer to an HTTP client.
type answerWriter struct {
	w        http.ResponseWriter
	stall    time.Duration // the most that one write may take
	until    time.Time     // when all must be written: a client that takes its answer byte by byte ends here
	deadline time.Time     // of writes, as last set
	h2       bool          // a write deadline in HTTP/2 resets the stream when it passes, also between writes
	stream   bool
	began    bool
	set      uint8      // how many of values are
	values   [11]string // of as many headers as an answer has: their lists lie here, not in an allocation each
}

var _ gateway.Out = (*answerWriter)(nil)

// list is a header's list of one value. It cannot grow into the next one's.
func (a *answerWriter) list(value string) []string {
	i := int(a.set)
	if i == len(a.values) {
		return []string{value}
	}
	a.values[i] = value
	a.set++
	return a.values[i : i+1 : i+1]
}

// Head sets the headers; they leave with the first bytes.
func (a *answerWriter) Head(head gateway.Head) {
	h := a.w.Header()
	a.stream = head.Stream
	if head.Stream {
		h["Content-Type"] = a.list("text/event-stream")
		h["Cache-Control"] = a.list("no-cache")
		h["X-Accel-Buffering"] = a.list("no")
	} else {
		h["Content-Type"] = a.list("application/json")
	}
	h["X-Weir-Data-Class"] = a.list(head.Class)
	if head.Early {
		return
	}
	t := head.Target
	if t.Model != nil {
		h["X-Weir-Model"] = a.list(t.Model.ID)
		h["X-Weir-Tier"] = a.list(string(t.Model.Tier))
	}
	h["X-Weir-Layer"] = a.list(strconv.Itoa(t.Layer))
	h["X-Weir-Attempts"] = a.list(strconv.Itoa(head.Attempts))
	h["X-Weir-Policy"] = a.list(head.Rule)
	if !head.Complete {
		return
	}
	h["X-Weir-Cost-Usd"] = a.list(money.Nano(head.Cost).Decimal())
	h["X-Weir-Cost-Estimated"] = a.list(strconv.FormatBool(head.Estimated))
	h["X-Weir-Overhead-Us"] = a.list(strconv.FormatInt(head.Overhead.Microseconds(), 10))
}

// Write sends bytes. A client that takes none for the stall time is gone.
func (a *answerWriter) Write(b []byte, more bool) error {
	rc := http.NewResponseController(a.w)
	if now := time.Now(); a.h2 || a.deadline.Sub(now) < a.stall/2 {
		a.deadline = now.Add(a.stall)
		if a.until.Before(a.deadline) {
			a.deadline = a.until
		}
		if err := rc.SetWriteDeadline(a.deadline); err != nil {
			return err
		}
	}
	err := a.send(rc, b, more)
	if err != nil || !a.h2 {
		return err
	}
	return rc.SetWriteDeadline(time.Time{})
}

func (a *answerWriter) send(rc *http.ResponseController, b []byte, more bool) error {
	if !a.began && !a.stream {
		a.w.Header()["Content-Length"] = a.list(strconv.Itoa(len(b)))
	}
	a.began = true
	if _, err := a.w.Write(b); err != nil {
		return err
	}
	if more || !a.stream {
		return nil
	}
	return rc.Flush()
}

// writeError answers with an error in the caller's dialect. SDKs retry some statuses by themselves and would pay a failed
// cascade again, so every error says not to, but those of calls that were turned away.
func writeError(w http.ResponseWriter, front gateway.Front, err error) {
	e := llm.AsError(err)
	body := front.Error(e, false)
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	if _, ok := h["X-Should-Retry"]; !ok {
		h["X-Should-Retry"] = []string{"false"}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if e.RetryAfter > 0 {
		h["Retry-After"] = []string{strconv.Itoa(int((e.RetryAfter + time.Second - 1) / time.Second))}
	}
	w.WriteHeader(e.Status())
	_, _ = w.Write(body) // the client may be gone; there is nobody left to tell
}
