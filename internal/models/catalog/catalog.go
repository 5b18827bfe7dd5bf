// Package catalog is the workforce as data: models with tier, layers, intelligence, capabilities, windows and lifecycle,
// and effective-dated prices in named books. It is embedded; nothing is fetched. A tier is a policy label, never a
// price sort; tier, layers and intelligence are independent fields. It knows no provider connection and no policy.
package catalog

import (
	"time"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// Tier is a model's class in the workforce.
type Tier string

// The four tiers.
const (
	Frontier   Tier = "frontier"
	Mid        Tier = "mid"
	OpenWeight Tier = "open-weight"
	Edge       Tier = "edge"
)

// Model is one catalogue entry. ID is Weir's; what a provider calls it is in Wire, each with its source.
type Model struct {
	ID              string
	Vendor          string
	Tier            Tier
	Layers          []int    // cascade layers it is meant for, 1..3
	Intelligences   []string // strategic, operational, domain, volume
	Window          int      // tokens the provider accepts
	EffectiveWindow int      // tokens up to which quality is trusted; <= Window
	MaxOutput       int      // tokens
	Can             llm.Needs
	SelfHosted      bool
	Lifecycle       string // preview | active | deprecated | retired
	Sunset          string // YYYY-MM-DD, "" = none announced
	Wire            []WireID
}

// WireID is what one provider preset calls a model.
type WireID struct {
	Preset string // openai, anthropic, gemini, deepseek, ...
	ID     string
	Source string
}

// Price is one effective-dated row of a book: every meter's rate for one model. It holds from From until another row of
// the same model and book with a later From. A request whose prompt exceeds Above tokens takes the row with the highest
// Above below it, whole request (a rate switch, not a bracket).
type Price struct {
	ID      string // immutable: book/model/from[/above]
	Book    string
	Model   string
	From    time.Time
	Above   int64 // prompt tokens, cached ones included; 0 = the base row
	Rates   map[money.Meter]money.Pico
	Source  string
	Checked string // YYYY-MM-DD, when someone last looked
	// Allocated marks a self-hosted price: GPU-hour price / tokens an hour, an allocation and not a bill.
	Allocated bool
}
