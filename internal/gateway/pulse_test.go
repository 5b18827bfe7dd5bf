package gateway

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/openai"
)

// script is an Out that notes what is written and when, and may fail.
type script struct {
	start time.Time
	said  []string
	heads int
	err   error
}

func (s *script) Head(Head) { s.heads++ }

func (s *script) Write(b []byte, _ bool) error {
	s.said = append(s.said, time.Since(s.start).String()+" "+string(b))
	return s.err
}

func TestAPulseBeatsOnlyIntoSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &script{start: time.Now()}
		p := &pulse{out: out, every: time.Second, alive: []byte("alive"), gone: func() { t.Error("gone") }}
		p.start()
		p.start()
		wait(2500 * time.Millisecond)
		if err := p.write([]byte("word"), false, func() { t.Error("the headers left twice") }); err != nil {
			t.Fatal(err)
		}
		wait(2 * time.Second)
		p.stop()
		wait(time.Minute)
		if diff := cmp.Diff([]string{"1s alive", "2s alive", "2.5s word", "4s alive"}, out.said); diff != "" || out.heads != 1 {
			t.Errorf("%d heads\n%s", out.heads, diff)
		}
	})
}

func TestAPulseNobodyReadsEndsTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &script{start: time.Now(), err: errors.New("broken pipe")}
		gone := 0
		p := &pulse{out: out, every: time.Second, alive: []byte("alive"), gone: func() { gone++ }}
		p.start()
		wait(time.Minute)
		if p.stop(); gone != 1 || len(out.said) != 1 {
			t.Errorf("gone %d times, %v", gone, out.said)
		}
	})
}

// TestNoKeepAliveComesBetweenAnErrorAndItsStatus ends a call that has said nothing, with the timer about to fire.
func TestNoKeepAliveComesBetweenAnErrorAndItsStatus(t *testing.T) {
	t.Parallel()
	out := &script{start: time.Now()}
	s := &sink{out: out, front: openai.Front{}, env: &llm.Envelope{Stream: true}, d: &dispatch{}}
	s.pulse = pulse{out: out, every: time.Hour, alive: []byte("alive"), gone: func() {}}
	s.pulse.start()
	err := s.end(&llm.Error{Code: llm.CodeUpstream, Message: "down"})
	s.pulse.beat()
	if err == nil || s.pulse.begun() || len(out.said) > 0 {
		t.Errorf("%v; the client was told %q with status 200, and the error to nobody", err, out.said)
	}
}

// wait lets the bubble's clock go on.
func wait(d time.Duration) { <-time.After(d) }
