package gateway_test

import (
	"context"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/observe"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/cascade"
)

// observer is told of shadows beside all else.
type observer struct {
	*books
	ends   []observe.Result
	faults []error
	ended  chan struct{}
}

func (o *observer) Observed(call.Facts, bool, money.Nano, money.Nano) {}

func (o *observer) Shadow(_ call.Facts, r observe.Result, fault error) {
	o.ends, o.faults = append(o.ends, r), append(o.faults, fault)
	close(o.ended)
}

// once answers the first time and then panics.
type once struct {
	first *provider
	then  crashing
}

func (o *once) Send(ctx context.Context, t call.Target, w call.Wire) (*call.Reply, error) {
	if p := o.first; p != nil {
		o.first = nil
		return p.Send(ctx, t, w)
	}
	return o.then.Send(ctx, t, w)
}

// TestAPanicCostsTheShadowAndNothingElse holds that a crash below a shadow ends its hold, books its row, is told for the
// log, and leaves the answer and the worker alone.
func TestAPanicCostsTheShadowAndNothingElse(t *testing.T) {
	b := &books{holds: map[string]int{}}
	o := &observer{books: b, ended: make(chan struct{})}
	p := &provider{b: b, status: 200, kind: "application/json", body: strings.NewReader(whole)}
	g := gatewayOf(t, b, &once{p, crashing{b}})
	g.Watch, g.Draw = o, func(int) int { return 0 }
	snap := snapshot(t)
	layer := snap.Direct["mini"]
	layer.Name = "edge"
	snap.Routes = []gateway.Route{{
		Name: "watched", Match: []string{"watched"}, Observe: true, Layers: []cascade.Layer{layer}, Sample: 1, Shadows: "observe/watched",
	}}
	g.Load(snap)
	out := &client{b: b}
	const question = `{"model":"watched","messages":[{"role":"user","content":"how many?"}]}`
	if err := ask(t, g, out, llm.Hints{}, question); err != nil || out.got.String() != whole {
		t.Fatalf("%v, got %s", err, out.got.String())
	}
	<-o.ended
	g.Drain(t.Context())
	g.Drain(t.Context()) // twice does no harm
	if len(o.ends) != 1 || o.ends[0].Outcome != observe.Cut {
		t.Fatalf("shadows ended as %+v", o.ends)
	}
	if b.holds["open"] != 0 {
		t.Errorf("%d holds are still open", b.holds["open"])
	}
	if o.faults[0] == nil || !strings.Contains(o.faults[0].Error(), "a socket like no other") {
		t.Errorf("the fault that is told: %v", o.faults[0])
	}
	if len(b.rows) != 3 || b.rows[1].Order.Purpose != call.Shadow || b.rows[1].Settlement != call.Estimated ||
		b.rows[2].Order.Purpose != call.Observed || b.rows[2].Cost != 0 {
		t.Errorf("booked %+v", b.rows)
	}
}
