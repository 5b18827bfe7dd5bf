package catalog

import (
	"time"

	"github.com/weirhq/weir/internal/finops/money"
)

// Catalog is a set of models and price books. Immutable, safe for concurrent use.
type Catalog struct {
	models map[string]*Model
	order  []string
	prices map[priceKey][]Price // by book and model, sorted by From, then Above
}

type priceKey struct{ book, model string }

// Model finds a model by its id.
func (c *Catalog) Model(id string) (*Model, bool) {
	m, ok := c.models[id]
	return m, ok
}

// Price finds the row in force for a model at a time, for a prompt of so many tokens (cached ones included).
func (c *Catalog) Price(book, model string, at time.Time, prompt int64) (Price, bool) {
	rows := c.prices[priceKey{book, model}]
	best, found := Price{}, false
	for _, r := range rows {
		if r.From.After(at) || (r.Above > 0 && prompt <= r.Above) {
			continue
		}
		if !found || r.From.After(best.From) || (r.From.Equal(best.From) && r.Above > best.Above) {
			best, found = r, true
		}
	}
	return best, found
}

// Rate is the price of one unit of a meter. A meter without a rate of its own falls back: cached reads and cache writes to
// input, reasoning to output. The second result is false when no rate is known at all.
func (p Price) Rate(m money.Meter) (money.Pico, bool) {
	if r, ok := p.Rates[m]; ok {
		return r, true
	}
	switch m {
	case money.CacheRead, money.CacheWrite5m, money.CacheWrite1h:
		r, ok := p.Rates[money.Input]
		return r, ok
	case money.Reasoning:
		r, ok := p.Rates[money.Output]
		return r, ok
	}
	return 0, false
}
