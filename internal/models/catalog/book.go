// Package catalog is the workforce as data: models with tier, layers, intelligence, capabilities, windows and
// lifecycle, and effective-dated prices in named books. It is embedded; nothing is fetched. A tier is a policy label,
// never a price sort; tier, layers and intelligence are independent fields. It knows no provider connection and no
// policy.
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

// Tiers lists the tiers, the dearest kind first.
func Tiers() []Tier { return []Tier{Frontier, Mid, OpenWeight, Edge} }

// Model is one catalogue entry. ID is Weir's; what a provider calls it is in Wire, each with its source.
type Model struct {
	ID              string
	Vendor          string
	Tier            Tier
	Layers          []int    // cascade layers it is meant for, 1..3
	Intelligences   []string // strategic, operational, domain, volume
	Window          int      // tokens the provider accepts
	EffectiveWindow int      // tokens up to which quality is trusted; <= Window; see Effective
	MaxOutput       int      // tokens
	Can             llm.Needs
	SelfHosted      bool
	FixedSampling   bool   // refuses any temperature or top_p but 1
	Lifecycle       string // preview | active | deprecated | retired
	Sunset          string // YYYY-MM-DD, "" = none announced
	Wire            []WireID
	Windows         []Claim // what the sources say of the window, where they differ too
	Note            string  // for people
}

// Claim is one source's word on a window.
type Claim struct {
	Tokens int    `json:"tokens"`
	Source string `json:"source"`
}

// WireID is what one provider preset calls a model. The first of a preset's is the one to use.
type WireID struct {
	Preset string `json:"preset"` // openai, anthropic, gemini, deepseek, ...
	ID     string `json:"id"`
	Source string `json:"source"`
	Moving bool   `json:"moving"` // an alias that the provider may point at another version
}

// WireID is what a provider preset calls the model; false when the catalogue knows no name for it there. With pinned,
// aliases that move are passed over.
func (m *Model) WireID(preset string, pinned bool) (WireID, bool) {
	for _, w := range m.Wire {
		if w.Preset == preset && (!pinned || !w.Moving) {
			return w, true
		}
	}
	return WireID{}, false
}

// Effective is the part of a window in which quality is trusted when nobody has measured it: half of the window, at
// most 200,000 tokens. Models lose accuracy on what stands in the middle of a long context well before the window ends
// (Liu et al., "Lost in the Middle", 2023; Hsieh et al., "RULER", 2024, found about half of the claimed length or
// less).
func Effective(window int) int { return min(window/2, 200_000) }

// Book says what a price book is and where its figures come from.
type Book struct {
	ID     string // e.g. list-2026-08
	Title  string
	Source string
	Date   string // YYYY-MM-DD, of the newest source
	Note   string
}

// Price is one effective-dated row of a book: every meter's rate for one model. It holds from From until another row of
// the same model and book with a later From. A request whose prompt exceeds Above tokens takes the row with the highest
// Above below it, whole request (a rate switch, not a bracket).
type Price struct {
	ID      string // immutable: book/model/from[/above]; from is "first" for a row without From
	Book    string
	Model   string
	From    time.Time // zero = since the model exists
	Above   int64     // prompt tokens, cached ones included; 0 = the base row
	Rates   map[money.Meter]money.Pico
	Source  string
	Checked string // YYYY-MM-DD, when someone last looked
	Note    string // where sources disagree, and other things to know
	// Allocated marks a self-hosted price: GPU-hour price / tokens an hour, an allocation and not a bill. The two
	// inputs follow; they are zero otherwise.
	Allocated     bool
	GPUHour       money.Nano
	TokensPerHour int64
}

// Allocate is the rate at which a GPU's hourly price is spread over the tokens it serves in an hour, rounded half to
// even. tokensPerHour must be positive.
func Allocate(gpuHour money.Nano, tokensPerHour int64) money.Pico {
	return money.Pico(money.MulDiv(gpuHour, 1000, tokensPerHour))
}
