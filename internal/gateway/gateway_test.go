package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/price"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/governance/policy"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/wire/openai"
)

// books records every hold and row, and what happened in which order.
type books struct {
	mu       sync.Mutex // of order: keep-alives come from a timer
	order    []string
	holds    map[string]int // open holds by name
	settled  []money.Nano
	rows     []call.Attempt
	noBudget bool
	full     bool // the journal refuses
	lost     bool // rows never become durable
	sick     error
	told     []gateway.Done
}

// note adds to what happened.
func (b *books) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.order = append(b.order, what)
}

type hold struct {
	b    *books
	done bool
}

func (h *hold) Node() string { return "node" }
func (h *hold) Void()        { h.end("void", 0) }
func (h *hold) Settle(n money.Nano) {
	h.b.settled = append(h.b.settled, n)
	h.end("settle", n)
}

func (h *hold) end(how string, _ money.Nano) {
	if h.done {
		panic("a hold ended twice")
	}
	h.done = true
	h.b.note(how)
	h.b.holds["open"]--
}

func (b *books) Hold(context.Context, call.Facts, money.Nano) (gateway.Hold, error) {
	if b.noBudget {
		return nil, &llm.Error{Code: llm.CodeBudget, Message: "spent"}
	}
	b.note("hold")
	b.holds["open"]++
	return &hold{b: b}, nil
}

func (b *books) Begin(ledger.Intent) error {
	if b.full {
		return &llm.Error{Code: llm.CodeLedger, Message: "stalled"}
	}
	b.note("intent")
	return nil
}

func (b *books) End(a call.Attempt) ledger.LSN {
	b.note("row")
	b.rows = append(b.rows, a)
	return ledger.LSN(len(b.rows))
}

func (b *books) Durable(context.Context, ledger.LSN) error {
	b.note("durable")
	if b.lost {
		return errors.New("the disk is full")
	}
	return nil
}

func (b *books) Health() error        { return b.sick }
func (b *books) Attempt(call.Attempt) {}
func (b *books) Call(d gateway.Done)  { b.told = append(b.told, d) }

// provider answers one attempt from a script.
type provider struct {
	b      *books
	err    error
	status int
	kind   string
	body   io.Reader
	closed bool
}

func (p *provider) Send(context.Context, call.Target, call.Wire) (*call.Reply, error) {
	p.b.note("send")
	if p.err != nil {
		return nil, p.err
	}
	h := http.Header{"Content-Type": {p.kind}}
	return &call.Reply{Status: p.status, Header: h, Body: p}, nil
}

func (p *provider) Read(b []byte) (int, error) { return p.body.Read(b) }
func (p *provider) Close() error               { p.closed = true; return nil }

// client keeps what it was sent, and when.
type client struct {
	b    *books
	got  bytes.Buffer
	gone bool
	head gateway.Head
}

func (c *client) Head(h gateway.Head) { c.head = h }

func (c *client) Write(b []byte, _ bool) error {
	if c.gone {
		return errors.New("broken pipe")
	}
	if len(b) == 0 {
		c.b.note("flush")
		return nil
	}
	c.b.note("write")
	c.got.Write(b)
	return nil
}

func snapshot(t *testing.T) *gateway.Snapshot {
	t.Helper()
	table, err := policy.New("internal", []policy.Row{{Class: "internal"}})
	if err != nil {
		t.Fatal(err)
	}
	c := catalog.Embedded()
	m, ok := c.Model("gpt-4o-mini")
	if !ok {
		t.Fatal("no gpt-4o-mini in the catalogue")
	}
	target := call.Target{Deployment: "mini", Provider: "openai", Dialect: llm.OpenAI, WireID: "mini-wire", Model: m}
	return &gateway.Snapshot{
		Policy: table, Prices: price.Prices{Catalog: c, Book: "article-2026-06"}, Attempts: 1, Deadline: time.Minute,
		Direct: map[string]cascade.Layer{"mini": {Targets: []call.Target{target}}},
	}
}

const (
	whole = `{"id":"c","model":"mini-wire-1","choices":[{"index":0,"message":{"role":"assistant","content":"42"},` +
		`"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}`
	frame = `data: {"id":"c","model":"mini-wire-1","choices":[{"index":0,"delta":{"content":"forty"},"finish_reason":null}]}` + "\n\n"
	stop  = `data: {"id":"c","model":"mini-wire-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	usage = `data: {"id":"c","model":"mini-wire-1","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}` + "\n\n"
	done  = "data: [DONE]\n\n"
)

// TestEveryAttemptIsBookedOnce walks every way in which an attempt may end: one hold, ended once, one row, and nothing
// terminal before it is durable.
func TestEveryAttemptIsBookedOnce(t *testing.T) {
	notSent := fmt.Errorf("dial: %w", call.ErrNotSent)
	for _, tc := range []struct {
		name     string
		stream   bool
		p        provider
		set      func(*books, *client)
		order    string
		outcome  call.Outcome
		settled  call.Settlement
		cost     money.Nano // 100 in at $0.15/M, 10 out at $0.60/M = $0.000021
		code     llm.Code
		got      string // the client's last bytes
		partIn   bool   // an error in band
		estimate bool
	}{{
		name: "whole answer", p: provider{status: 200, kind: "application/json", body: strings.NewReader(whole)},
		order: "hold intent send settle row durable write", outcome: call.OK, settled: call.Settled, cost: 21_000, got: whole,
	}, {
		name: "stream", stream: true, p: provider{status: 200, kind: "text/event-stream", body: strings.NewReader(frame + stop + usage + done)},
		order: "hold intent send write flush settle row durable write", outcome: call.OK, settled: call.Settled, cost: 21_000, got: stop + done,
	}, {
		name: "stream without usage", stream: true, p: provider{status: 200, kind: "text/event-stream", body: strings.NewReader(frame + stop + done)},
		order: "hold intent send write flush settle row durable write", outcome: call.OK, settled: call.Estimated, estimate: true, got: stop + done,
	}, {
		name: "stream that is cut", stream: true, p: provider{status: 200, kind: "text/event-stream", body: strings.NewReader(frame)},
		order: "hold intent send write settle row durable write", outcome: call.Cut, settled: call.Estimated, estimate: true, partIn: true,
	}, {
		name: "client gone", stream: true, p: provider{status: 200, kind: "text/event-stream", body: strings.NewReader(frame + stop + usage + done)},
		set: func(_ *books, c *client) { c.gone = true }, order: "hold intent send settle row durable",
		outcome: call.Canceled, settled: call.Estimated, estimate: true,
	}, {
		name: "provider says no", p: provider{status: 500, body: strings.NewReader(`{"error":{"message":"oops"}}`)},
		order: "hold intent send settle row durable", outcome: call.Failed, settled: call.Settled, code: llm.CodeUpstream,
	}, {
		name: "200 with an error in its body", p: provider{status: 200, kind: "application/json", body: strings.NewReader(`{"error":{"message":"oops"}}`)},
		order: "hold intent send settle row durable", outcome: call.Cut, settled: call.Estimated, estimate: true, code: llm.CodeUpstream,
	}, {
		name: "a body where a stream was asked for", stream: true, p: provider{status: 200, kind: "application/json", body: strings.NewReader(`{"error":{"message":"oops"}}`)},
		order: "hold intent send settle row durable", outcome: call.Cut, settled: call.Estimated, estimate: true, code: llm.CodeUpstream,
	}, {
		name: "never connected", p: provider{err: &llm.Error{Code: llm.CodeUpstream, Message: "refused", Err: notSent}},
		order: "hold intent send settle row durable", outcome: call.Failed, settled: call.NotSent, code: llm.CodeUpstream,
	}, {
		name: "silent after the request was sent", p: provider{err: &llm.Error{Code: llm.CodeTimeout, Message: "ttft"}},
		order: "hold intent send settle row durable", outcome: call.Failed, settled: call.Estimated, estimate: true, code: llm.CodeTimeout,
	}, {
		name: "no budget", set: func(b *books, _ *client) { b.noBudget = true },
		order: "row durable", outcome: call.Refused, settled: call.NotSent, code: llm.CodeBudget,
	}, {
		name: "journal refuses", set: func(b *books, _ *client) { b.full = true }, order: "hold void", code: llm.CodeLedger,
	}, {
		name: "rows do not become durable", p: provider{status: 200, kind: "application/json", body: strings.NewReader(whole)},
		set: func(b *books, _ *client) { b.lost = true }, order: "hold intent send settle row durable", outcome: call.OK,
		settled: call.Settled, cost: 21_000, code: llm.CodeLedger,
	}} {
		t.Run(tc.name, func(t *testing.T) {
			b := &books{holds: map[string]int{}}
			c := &client{b: b}
			tc.p.b = b
			if tc.set != nil {
				tc.set(b, c)
			}
			err := handle(t, b, &tc.p, c, tc.stream)
			if (err != nil) != (tc.code != "") || (err != nil && llm.AsError(err).Code != tc.code) {
				t.Errorf("error %v, want code %q", err, tc.code)
			}
			if diff := cmp.Diff(tc.order, strings.Join(b.order, " ")); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if b.holds["open"] != 0 {
				t.Errorf("%d holds are still open", b.holds["open"])
			}
			if tc.outcome == "" {
				return
			}
			row := b.rows[len(b.rows)-1]
			if row.Outcome != tc.outcome || row.Settlement != tc.settled || (!tc.estimate && row.Cost != tc.cost) {
				t.Errorf("row: %s %s %s, want %s %s %s", row.Outcome, row.Settlement, row.Cost, tc.outcome, tc.settled, tc.cost)
			}
			if money.Sum(row.Lines) != row.Cost || (tc.estimate && row.Cost <= 0) {
				t.Errorf("cost %s, lines %v", row.Cost, row.Lines)
			}
			if row.Order.Payload != nil {
				t.Error("the row keeps the request's body")
			}
			if tc.p.body != nil && !tc.p.closed {
				t.Error("the provider's body was left open")
			}
			got := c.got.String()
			if !strings.HasSuffix(got, tc.got) || strings.Contains(got, `"error"`) != tc.partIn || (tc.partIn && strings.Contains(got, "[DONE]")) {
				t.Errorf("the client got:\n%s", got)
			}
		})
	}
}

func handle(t *testing.T, b *books, p *provider, c *client, stream bool) error {
	t.Helper()
	return answer(t, b, p, c, fmt.Sprintf(`{"model":"mini","stream":%v,"messages":[{"role":"user","content":`+
		`"how many words are there in this question, which is longer than most?"}]}`, stream))
}

type sender interface {
	Send(context.Context, call.Target, call.Wire) (*call.Reply, error)
}

func answer(t *testing.T, b *books, p sender, c gateway.Out, body string) error {
	t.Helper()
	return ask(t, gatewayOf(t, b, p), c, llm.Hints{}, body)
}

func gatewayOf(t *testing.T, b *books, p sender) *gateway.Gateway {
	t.Helper()
	g := &gateway.Gateway{
		Fronts: map[llm.Dialect]gateway.Front{llm.OpenAI: openai.Front{}},
		Backs:  map[llm.Dialect]gateway.Back{llm.OpenAI: {RequestWriter: openai.Back{}, AnswerReader: openai.Back{}}},
		Holder: b, Sender: p, Journal: b, Watch: b, Cascade: &cascade.Cascade{}, Now: time.Now,
	}
	g.Load(snapshot(t))
	return g
}

func ask(t *testing.T, g *gateway.Gateway, c gateway.Out, h llm.Hints, body string) error {
	t.Helper()
	return g.Handle(t.Context(), gateway.Inbound{
		Dialect: llm.OpenAI, Key: &identity.Key{ID: "key"}, Body: []byte(body), Hints: h, Start: time.Now(),
	}, c)
}

// slow is a stream whose usage never comes: after its text it says nothing until it is closed.
type slow struct {
	*books
	text   *strings.Reader
	closed chan struct{}
}

func (s *slow) Send(context.Context, call.Target, call.Wire) (*call.Reply, error) {
	return &call.Reply{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: s}, nil
}

func (s *slow) Read(b []byte) (int, error) {
	if s.text.Len() > 0 {
		return s.text.Read(b)
	}
	<-s.closed
	return 0, errors.New("closed")
}

func (s *slow) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

func TestUsageIsAwaitedTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &books{holds: map[string]int{}}
		c := &client{b: b}
		begun := time.Now()
		err := answer(t, b, &slow{b, strings.NewReader(frame + stop), make(chan struct{})}, c,
			`{"model":"mini","stream":true,"messages":[{"role":"user","content":"q"}]}`)
		if err != nil || time.Since(begun) != 2*time.Second {
			t.Errorf("err %v after %v, want none after 2s", err, time.Since(begun))
		}
		if r := b.rows[0]; r.Outcome != call.OK || r.Settlement != call.Estimated || !strings.HasSuffix(c.got.String(), stop+done) {
			t.Errorf("row %s %s; client got %q", r.Outcome, r.Settlement, c.got.String())
		}
	})
}

func TestOutputIsCappedByTheModel(t *testing.T) {
	b := &books{holds: map[string]int{}}
	var sent string
	p := spy{&provider{b: b, status: 200, kind: "application/json", body: strings.NewReader(whole)}, &sent}
	if err := answer(t, b, p, &client{b: b}, `{"model":"mini","messages":[{"role":"user","content":"q"}],"x_unknown":{"kept":1}}`); err != nil {
		t.Fatal(err)
	}
	m, _ := catalog.Embedded().Model("gpt-4o-mini")
	for _, want := range []string{`"model":"mini-wire"`, fmt.Sprintf(`"max_tokens":%d`, m.MaxOutput), `"x_unknown":{"kept":1}`} {
		if !strings.Contains(sent, want) {
			t.Errorf("the provider got %s, want %s in it", sent, want)
		}
	}
}

type spy struct {
	*provider
	sent *string
}

func (s spy) Send(ctx context.Context, t call.Target, w call.Wire) (*call.Reply, error) {
	*s.sent = string(bytes.Join(w.Body, nil))
	return s.provider.Send(ctx, t, w)
}
