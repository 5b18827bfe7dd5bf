package gateway

import (
	"context"
	"errors"
	"io"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// probeMaxOut keeps a probe cheap, and still lets models answer that refuse a cap of one token.
const probeMaxOut = 16

// probeBody is the smallest request that every provider answers.
const probeBody = `{"model":"probe","max_tokens":16,"messages":[{"role":"user","content":"Reply with: ok"}]}`

// Probe makes one tiny call to a deployment, permitted for the least sensitive class, held and booked like any other, and
// tells what came of it. The attempt is returned with its error when one was made.
func (g *Gateway) Probe(ctx context.Context, id call.OpID, deployment string) (call.Attempt, error) {
	snap := g.snap.Load()
	l, ok := snap.Direct[deployment]
	if !ok {
		return call.Attempt{}, &llm.Error{Code: llm.CodeModel, Message: "unknown deployment " + quoteShort(deployment)}
	}
	front := g.Fronts[llm.OpenAI]
	env, err := front.Scan([]byte(probeBody))
	if err != nil {
		return call.Attempt{}, err
	}
	f := call.Facts{
		ID: id, Caller: call.Caller{KeyID: "probe"}, Class: snap.Policy.Lowest(), Route: deployment, Dialect: llm.OpenAI,
		Start: g.Now(),
	}
	var row call.Attempt
	d := &dispatch{g: g, snap: snap, baseline: l.Targets[0], booked: func(a call.Attempt) { row = a }}
	defer d.release()
	o := call.Order{
		Purpose: call.Probe, Target: l.Targets[0], Payload: call.NewRaw([]byte(probeBody), env, front.Decode),
		MaxOut: probeMaxOut, N: 1, Judge: true,
	}
	ctx, cancel := context.WithTimeout(ctx, snap.Deadline)
	defer cancel()
	err = d.probe(ctx, f, o)
	return row, g.durable(ctx, d, ended(ctx, err))
}

// probe makes the one attempt and reads its answer to the end.
func (d *dispatch) probe(ctx context.Context, f call.Facts, o call.Order) error {
	x, err := d.Open(ctx, f, o)
	if err != nil {
		return err
	}
	for err == nil {
		_, err = x.Recv()
	}
	v := call.Verdict{Result: call.Accepted, Final: true}
	if !errors.Is(err, io.EOF) {
		v = call.Verdict{Result: call.Errored, Reason: llm.AsError(err).Message}
	}
	x.Judge(v)
	if _, closeErr := x.Close(); closeErr != nil {
		return closeErr
	}
	if v.Result == call.Accepted {
		return nil
	}
	return err
}
