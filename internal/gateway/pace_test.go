package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhq/weir/internal/call"
)

// paced is a stream whose pieces come after a pause each, until it is closed.
type paced struct {
	pause  time.Duration
	pieces []string
	closed chan struct{}
}

func (p *paced) Send(context.Context, call.Target, call.Wire) (*call.Reply, error) {
	return &call.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: p}, nil
}

func (p *paced) Read(b []byte) (int, error) {
	if len(p.pieces) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(p.pause):
	case <-p.closed:
		return 0, errors.New("closed")
	}
	n := copy(b, p.pieces[0])
	if p.pieces[0] = p.pieces[0][n:]; p.pieces[0] == "" {
		p.pieces = p.pieces[1:]
	}
	return n, nil
}

func (p *paced) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

// TestTheWaitForUsageBeginsWithTheLastAnswersEnd asks for two answers of which one ends early: the other, which goes on
// for longer than the wait for usage, is not cut.
func TestTheWaitForUsageBeginsWithTheLastAnswersEnd(t *testing.T) {
	second := strings.NewReplacer(`"index":0`, `"index":1`)
	synctest.Test(t, func(t *testing.T) {
		b := &books{holds: map[string]int{}}
		c := &client{b: b}
		p := &paced{pause: 1500 * time.Millisecond, closed: make(chan struct{}), pieces: []string{
			frame, stop, second.Replace(frame), second.Replace(frame), second.Replace(frame), second.Replace(stop), usage + done,
		}}
		err := answer(t, b, p, c, `{"model":"mini","n":2,"stream":true,"messages":[{"role":"user","content":"q"}]}`)
		if err != nil || len(b.rows) != 1 || b.rows[0].Settlement != call.Settled || b.rows[0].Outcome != call.OK {
			t.Fatalf("%v, booked as %+v", err, b.rows)
		}
		if got := bytes.Count(c.got.Bytes(), []byte("forty")); got != 4 || !strings.HasSuffix(c.got.String(), done) {
			t.Errorf("%d of 4 pieces came:\n%s", got, c.got.String())
		}
	})
}
