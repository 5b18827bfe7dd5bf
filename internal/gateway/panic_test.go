package gateway_test

import (
	"context"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/openai"
)

// puzzled is a reader of answers that meets what it did not expect.
type puzzled struct{ openai.Back }

func (puzzled) Peek([]byte) ([]llm.Event, int, error) { panic("an answer like no other") }

// crashing is a sender that panics before there is an answer.
type crashing struct{ b *books }

func (c crashing) Send(context.Context, call.Target, call.Wire) (*call.Reply, error) {
	c.b.note("send")
	panic("a socket like no other")
}

// torn is a client whose first write panics.
type torn struct {
	client
	once bool
}

func (c *torn) Write(b []byte, more bool) error {
	if !c.once {
		c.once = true
		panic("a writer like no other")
	}
	return c.client.Write(b, more)
}

// TestAPanicCostsTheCallAndNothingElse holds that a crash below a call, wherever it comes, ends its hold, books its row,
// gives its connection back and is told as an internal error without its details.
func TestAPanicCostsTheCallAndNothingElse(t *testing.T) {
	const question = `{"model":"mini","stream":%s,"messages":[{"role":"user","content":"` +
		`how many words are there in this question, which is longer than most?"}]}`
	for _, tc := range []struct {
		name, stream, order string
		outcome             call.Outcome
	}{
		{"in the sender", "false", "hold intent send settle row durable", call.Failed},
		{"in a reader", "false", "hold intent send settle row durable", call.Canceled},
		{"in the client's writer", "true", "hold intent send settle row durable write", call.Canceled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &books{holds: map[string]int{}}
			p := &provider{b: b, status: 200, kind: "application/json", body: strings.NewReader(whole)}
			var to sender = p
			var out gateway.Out = &client{b: b}
			back := gateway.Back{RequestWriter: openai.Back{}, AnswerReader: puzzled{}}
			switch {
			case strings.Contains(tc.name, "sender"):
				to = crashing{b}
			case strings.Contains(tc.name, "writer"):
				p.kind, p.body = "text/event-stream", strings.NewReader(frame+stop+usage+done)
				out = &torn{client: client{b: b}}
			}
			g := gatewayOf(t, b, to)
			g.Backs[llm.OpenAI] = back
			err := ask(t, g, out, llm.Hints{}, strings.Replace(question, "%s", tc.stream, 1))
			if tc.stream == "false" {
				told(t, err)
			}
			if got := strings.Join(b.order, " "); got != tc.order || b.holds["open"] != 0 {
				t.Errorf("order %q, want %q; %d holds are still open", got, tc.order, b.holds["open"])
			}
			if len(b.rows) != 1 || b.rows[0].Settlement != call.Estimated || b.rows[0].Cost <= 0 {
				t.Fatalf("booked as %+v, want one estimate", b.rows)
			}
			if got := b.rows[0].Outcome; got != tc.outcome {
				t.Errorf("booked as %q, want %q", got, tc.outcome)
			}
			if _, sent := to.(*provider); sent && !p.closed {
				t.Error("the provider's body was left open")
			}
			if len(b.told) != 1 || b.told[0].Err == nil || b.told[0].Err.Code != llm.CodeInternal {
				t.Errorf("the watcher was told %+v", b.told)
			}
		})
	}
}

// told checks that a caller learns of a panic, and not where it happened.
func told(t *testing.T, err error) {
	t.Helper()
	e := llm.AsError(err)
	if err == nil || e.Code != llm.CodeInternal || !strings.Contains(e.Error(), "like no other") {
		t.Fatalf("got %v, want an internal error for the log", err)
	}
	if shown := e.Message + e.Hint; strings.Contains(shown, "no other") || strings.Contains(shown, ".go") {
		t.Errorf("the caller is told %q", shown)
	}
}
