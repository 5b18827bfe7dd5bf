package server_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/server"
)

// TestARetriedStreamBringsOneAnswer holds that an attempt that broke after its finish_reason, before any byte was
// released, leaves nothing in the stream of the attempt that follows.
func TestARetriedStreamBringsOneAnswer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	h := played(t, func(w http.ResponseWriter, _ *http.Request) {
		put := sse(w)
		if asked.Add(1) == 1 {
			put(chunk(0, "FIRST", "stop"), `data: {"id":"c","obj`)
			return
		}
		put(chunk(0, "SECOND", ""), chunk(0, "", "stop"), usageChunk, doneChunk)
	})
	a := h.post("/v1/chat/completions", chat("gpt", "q", true))
	if want := "gpt:cut:errored gpt:ok:accepted"; h.story(a).path() != want {
		t.Errorf("attempts %q, want %q", h.story(a).path(), want)
	}
	if strings.Contains(a.body, "FIRST") || strings.Count(a.body, "SECOND") != 1 || strings.Count(a.body, `"stop"`) != 1 {
		t.Errorf("want the second answer and no more:\n%s", a.body)
	}
}

// TestAWholeAnswerToAStreamKeepsItsUsage holds that a provider that ignores stream: true has answered and billed: its
// answer is told as a stream, at the usage that it told.
func TestAWholeAnswerToAStreamKeepsItsUsage(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	h := played(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		whole(w, "42", 1000, 500)
	})
	a := h.post("/v1/chat/completions", chat("gpt", "q", true))
	if asked.Load() != 1 || !strings.Contains(a.body, `"content":"42"`) || !strings.HasSuffix(a.body, doneChunk) {
		t.Errorf("%d requests, answer %d:\n%s", asked.Load(), a.status, a.body)
	}
	x := h.story(a).Attempts[0]
	if x.Usage["input"] != 1000 || x.Usage["output"] != 500 || x.Settlement != "settled" {
		t.Errorf("the provider told 1000 in, 500 out; booked %v %s $%s", x.Usage, x.Settlement, x.Cost)
	}
}

// TestTheFirstByteOfATranslatedStreamIsNotItsEnd turns the clock on by an hour after the first text has come.
func TestTheFirstByteOfATranslatedStreamIsNotItsEnd(t *testing.T) {
	t.Parallel()
	const hour = time.Hour / time.Millisecond
	var late atomic.Int64
	seen := make(chan bool)
	p := func(w http.ResponseWriter, r *http.Request) {
		put := sse(w)
		put(messageStart, blockStart, blockDelta)
		select {
		case <-seen:
		case <-r.Context().Done():
		}
		put(blockStop, messageDelta, messageStop)
	}
	h := playedBy(t, p, server.Options{Now: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }})
	resp := h.stream("/v1/chat/completions", chat("sonnet", "q", true))
	read(t, resp.Body, "HELLO")
	late.Store(int64(time.Hour))
	close(seen)
	read(t, resp.Body, "[DONE]")
	c := h.story(answer{header: resp.Header}).Attempts[0].Clocks
	if c.FirstByte >= float64(hour) || c.End < float64(hour) {
		t.Errorf("the client's first byte is told at %v ms, the end at %v", c.FirstByte, c.End)
	}
}

// TestTextIsNotHeldBackByTheEndOfItsAnswer holds that the last words of an answer do not wait for its usage because the
// finish came in the same packet.
func TestTextIsNotHeldBackByTheEndOfItsAnswer(t *testing.T) {
	t.Parallel()
	seen := make(chan bool)
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		put := sse(w)
		put(chunk(0, "first ", ""))
		put(chunk(0, "LAST WORDS", ""), chunk(0, "", "stop"))
		select {
		case <-seen:
			put(usageChunk, doneChunk)
		case <-r.Context().Done(): // the gateway waits for usage two seconds at most
		}
	})
	resp := h.stream("/v1/chat/completions", chat("gpt", "q", true))
	read(t, resp.Body, "LAST WORDS")
	close(seen)
	read(t, resp.Body, "[DONE]")
	if x := h.story(answer{header: resp.Header}).Attempts[0]; x.Settlement != "settled" {
		t.Errorf("the last words came only after the wait for usage was given up: %s", x.Settlement)
	}
}

// TestTranslatedTextIsNotHeldBack holds that text does not wait because the frame behind it, in the same packet, makes no
// bytes in the caller's dialect.
func TestTranslatedTextIsNotHeldBack(t *testing.T) {
	t.Parallel()
	seen := make(chan bool)
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		put := sse(w)
		put(messageStart, blockStart)
		put(blockDelta, blockStop)
		select {
		case <-seen:
			put(messageDelta, messageStop)
		case <-r.Context().Done():
		}
	})
	resp := h.stream("/v1/chat/completions", chat("sonnet", "q", true))
	read(t, resp.Body, "HELLO") // before the provider goes on, or never
	close(seen)
	read(t, resp.Body, "[DONE]")
}
