package gateway

import (
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/price"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/cascade"
)

// costs tell a cascade what the tokens of one call are and cost.
type costs struct {
	prices price.Prices
	tokens *estimator
	bytes  int // of the request's text
	media  int
}

var _ cascade.Costs = costs{}

func (g *Gateway) costs(snap *Snapshot, env *llm.Envelope) cascade.Costs {
	return costs{snap.Prices, &g.tokens, env.BodyBytes - env.MediaBytes, env.MediaBytes}
}

// Cost prices a prompt and an output at a target.
func (c costs) Cost(t call.Target, prompt, cached, output int, at time.Time) (money.Nano, error) {
	cached = min(cached, prompt)
	p, err := c.prices.Price(t, llm.Usage{Input: int64(prompt - cached), CacheRead: int64(cached), Output: int64(output)}, at)
	if err != nil {
		return 0, err
	}
	return p.Cost(), nil
}

// Step is the size of a prompt above which a target's rates change; 0 = they do not.
func (c costs) Step(t call.Target, at time.Time) int { return int(c.prices.Step(t, at)) }

// Prompt is the likely tokens of the caller's request for a model.
func (c costs) Prompt(t call.Target) int { return c.tokens.expected(t.Model.ID, c.bytes, c.media) }
