package eval

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/price"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/sim"
	"github.com/weirhq/weir/internal/wire/openai"
)

// offline runs the cascade in process, by the layers that a gateway would make of the configuration.
type offline struct {
	p       *pair
	plans   map[string]cascade.Plan // by route
	prices  price.Prices
	cascade cascade.Cascade
	remove  func() error
}

var _ player = (*offline)(nil)

func (o Options) offline(p *pair, dir string, remove func() error) (*offline, error) {
	conf, err := o.configure(p, dir, nowhere)
	if err != nil {
		return nil, err
	}
	snap, err := server.Snapshot(conf, time.Now())
	if err != nil {
		return nil, err
	}
	off := &offline{p: p, plans: map[string]cascade.Plan{}, prices: snap.Prices, remove: remove}
	for _, r := range snap.Routes {
		off.plans[r.Name] = cascade.Plan{Layers: r.Layers, Attempts: snap.Attempts, N: 1}
	}
	return off, nil
}

func (off *offline) workers() int { return runtime.GOMAXPROCS(0) }

func (off *offline) close() error { return off.remove() }

func (off *offline) ask(ctx context.Context, route string, row int, prompt string) (told, error) {
	body, err := json.Marshal(map[string]any{
		"model": route, "messages": []map[string]string{{"role": "user", "content": prompt}},
	}, json.Deterministic(true))
	if err != nil {
		return told{}, err
	}
	front := openai.Front{}
	env, err := front.Scan(body)
	if err != nil {
		return told{}, err
	}
	d, sink := &recording{off: off, row: row}, &kept{}
	facts := call.Facts{Route: route, Dialect: llm.OpenAI}
	if err := off.cascade.Run(ctx, d, facts, off.plans[route], call.NewRaw(body, env, front.Decode), sink); err != nil {
		return told{}, err
	}
	return told{sink.order.Target.Model.ID, sink.text, report.CallOf(d.attempts)}, nil
}

// kept is a sink that keeps the answer.
type kept struct {
	order     call.Order
	text      string
	committed bool
}

var _ cascade.Sink = (*kept)(nil)

// Answer notes whose answer follows.
func (k *kept) Answer(o call.Order) error {
	k.order = o
	return nil
}

// Frame keeps the text.
func (k *kept) Frame(d llm.Delta) error {
	k.committed = true
	if d.Final != nil {
		k.text = d.Final.Text(0)
	}
	return nil
}

// Committed reports whether anything was kept.
func (k *kept) Committed() bool { return k.committed }

// recording dispatches the attempts of one call to what was recorded for its row.
type recording struct {
	off      *offline
	row      int
	attempts []call.Attempt
}

var _ call.Dispatcher = (*recording)(nil)

// Open answers an order from the recording.
func (d *recording) Open(_ context.Context, f call.Facts, o call.Order) (call.Exchange, error) {
	raw, ok := o.Payload.(*call.Raw)
	if !ok {
		return nil, fmt.Errorf("the recording answers whole requests only")
	}
	q, err := raw.Request()
	if err != nil {
		return nil, err
	}
	which := 0
	if o.Target.Model.ID == strongName {
		which = 1
	}
	text := d.off.p.answers[d.row][which].Text
	usage := llm.Usage{
		Input:  int64(sim.ChatTokens(q.Messages[len(q.Messages)-1].Parts[0].Text)),
		Output: int64(sim.AnswerTokens(text)),
	}
	return &spoken{d: d, facts: f, order: o, text: text, usage: usage}, nil
}

// Deliver has nothing to book: no order here is refused for money.
func (d *recording) Deliver(call.Attempt, string) {}

// spoken is one recorded answer under way.
type spoken struct {
	d       *recording
	facts   call.Facts
	order   call.Order
	text    string
	usage   llm.Usage
	said    bool
	verdict call.Verdict
}

var _ call.Exchange = (*spoken)(nil)

// Recv gives the whole answer, then io.EOF.
func (s *spoken) Recv() (llm.Delta, error) {
	if s.said {
		return llm.Delta{}, io.EOF
	}
	s.said = true
	parts := []llm.Part{{Text: s.text}}
	if s.text == "" {
		parts = nil
	}
	answer := &llm.Response{
		Model: s.order.Target.WireID, Choices: []llm.Choice{{Parts: parts, Stop: llm.StopEnd}}, Usage: &s.usage,
	}
	return llm.Delta{Raw: []byte(s.text), Bytes: len(s.text), Terminal: true, Final: answer}, nil
}

// Judge keeps the verdict; notes that it does not tell are the order's.
func (s *spoken) Judge(v call.Verdict) {
	if v.Notes == "" {
		v.Notes = s.order.Notes
	}
	s.verdict = v
}

// Close prices the attempt and keeps it.
func (s *spoken) Close() (call.Attempt, error) {
	priced, err := s.d.off.prices.Price(s.order.Target, s.usage, time.Now())
	if err != nil {
		return call.Attempt{}, err
	}
	a := call.Attempt{
		Facts: s.facts, N: len(s.d.attempts) + 1, Order: s.order, Served: s.order.Target.WireID, Usage: s.usage,
		Lines: priced.Lines, Cost: priced.Cost(), PriceRow: priced.Row, Outcome: call.OK, Settlement: call.Settled, Verdict: s.verdict,
	}
	s.d.attempts = append(s.d.attempts, a)
	return a, nil
}
