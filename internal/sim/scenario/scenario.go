// Package scenario is the procurement day: 100,000 interactions of an enterprise procurement agent, drawn by fixed
// shares, sizes and error rates from procurement.yaml, and what a model of each layer answers to them. It plays the
// providers' models behind sim (Agent), judges answers, and works out on paper what the day costs (Analytic).
//
// It tunes nothing: all figures come from the file, and those that stand there as comments or notes are the constants
// below. It knows nothing of gateways; prices come from the catalogue.
//
// Invariants: the same profile, seed and index give the same interaction, byte for byte, and with the same model the
// same answer; an interaction is found again from the reference in its question, so that nothing is kept between calls.
package scenario

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/weirhq/weir/internal/finops/money"
)

// What procurement.yaml says in its comments and notes.
const (
	PerDay        = 100_000 // interactions
	Seed          = 2026
	sizeSigma     = 0.35    // log-normal sigma of token sizes
	latencySigma  = 0.3     // log-normal sigma of TTFT and tokens a second
	longIn        = 200     // one manifest in so many is a long one
	longTokens    = 180_000 // of a long manifest
	longPages     = 300
	briefShare    = 4 // a brief has 1/4 of its input's tokens
	workingYear   = 365
	uniformName   = "uniform"
	mixedName     = "mixed"
	manifestKind  = "manifest"
	disputeKind   = "payment-dispute"
	statusKind    = "invoice-status"
	anyKind       = "any"
	firstQuestion = 402 // the first interaction asks for this invoice
)

// Bounds of a kind, so that a mistyped file does not write books.
const (
	mostTokens = 1_000_000
	mostTurns  = 1000
)

//go:embed procurement.yaml
var procurement []byte

// Scenario is procurement.yaml.
type Scenario struct {
	Profiles map[string]Profile `yaml:"profiles"`
	Answers  Answers            `yaml:"answers"`
	Latency  map[string]Latency `yaml:"latency"` // by catalogue id
}

// Profile is a mix of kinds of interactions.
type Profile struct {
	Kinds  []Kind  `yaml:"kinds"`
	Expect *Expect `yaml:"expect_analytic"`
}

// Kind is one kind of interaction. Input and Output are mean tokens.
type Kind struct {
	Name    string        `yaml:"name"`
	Share   Share         `yaml:"share"`
	Input   int64         `yaml:"input"`
	Output  int64         `yaml:"output"`
	Turns   int           `yaml:"history_turns"` // exchanges before the question
	Needs   map[int]Share `yaml:"needs_layer"`   // share that needs a model of that layer
	Example string        `yaml:"example"`
	Note    string        `yaml:"note"`
	Action  *Action       `yaml:"action"`
}

// Action is a tool that the right answer to a kind may call.
type Action struct {
	Tool         string  `yaml:"tool"`
	Irreversible bool    `yaml:"irreversible"`
	Amount       []int64 `yaml:"amount_usd"` // lowest and highest
}

// Answers says how models answer.
type Answers struct {
	BelowNeeded Below             `yaml:"below_needed"`
	BaseError   BaseError         `yaml:"base_error"`
	Confidence  map[string]Spread `yaml:"confidence"`
}

// Below is what a model below the needed layer does.
type Below struct {
	SchemaViolation    Share `yaml:"schema_violation"`
	RefusalOrHedge     Share `yaml:"refusal_or_hedge"`
	Truncated          Share `yaml:"truncated"`
	LowConfidenceWrong Share `yaml:"low_confidence_wrong"`
	PlausibleWrong     Share `yaml:"plausible_wrong"`
}

// BaseError is how often a model is wrong although able.
type BaseError struct {
	Layer1 Share `yaml:"layer1"`
	Layer2 Share `yaml:"layer2"`
	Layer3 Share `yaml:"layer3"`
}

// Of is the base error of a layer.
func (b BaseError) Of(layer int) Share {
	switch layer {
	case 1:
		return b.Layer1
	case 2:
		return b.Layer2
	}
	return b.Layer3
}

// Spread is a normal distribution.
type Spread struct {
	Mean float64 `yaml:"mean"`
	SD   float64 `yaml:"sd"`
}

// Latency is a model's median time to the first token (ms) and tokens a second.
type Latency struct {
	TTFT int `yaml:"ttft"`
	TPS  int `yaml:"tps"`
}

// Expect is what the analytic section must come to.
type Expect struct {
	Before Amount      `yaml:"before_per_day"`
	After  ExpectAfter `yaml:"after_per_day"`
	Real   struct {
		Before Amount      `yaml:"before"`
		After  ExpectAfter `yaml:"after"`
	} `yaml:"real_prices"`
}

// ExpectAfter is the cascade's day by compressor.
type ExpectAfter struct {
	Pro       Amount `yaml:"compressor_gemini_pro"`
	FlashLite Amount `yaml:"compressor_flash_lite"`
}

// Share is a share in basis points (1/10,000), read from a decimal such as 0.75 without a float in between.
type Share int64

// whole is the share of everything.
const whole Share = 10_000

// UnmarshalYAML reads a decimal between 0 and 1 with at most four places.
func (s *Share) UnmarshalYAML(b []byte) error {
	units, frac, _ := strings.Cut(strings.TrimSpace(string(b)), ".")
	if len(frac) > 4 {
		return fmt.Errorf("share %q has more than four places", b)
	}
	n, err := strconv.ParseUint(units+frac+strings.Repeat("0", 4-len(frac)), 10, 32)
	if err != nil || Share(n) > whole {
		return fmt.Errorf("share %q is not a decimal between 0 and 1", b)
	}
	*s = Share(n)
	return nil
}

// Amount is dollars, read from a decimal without a float in between.
type Amount money.Nano

// UnmarshalYAML reads dollars.
func (a *Amount) UnmarshalYAML(b []byte) error {
	n, err := money.ParseUSD(strings.TrimSpace(string(b)))
	*a = Amount(n)
	return err
}

// Procurement is the embedded scenario. It panics when the embedded file is broken, which a test rules out.
func Procurement() *Scenario {
	s, err := Load(procurement)
	if err != nil {
		panic(err.Error())
	}
	return s
}

// Load reads a scenario; an unknown key and shares that do not add up to 1 are errors.
func Load(file []byte) (*Scenario, error) {
	var s Scenario
	if err := yaml.NewDecoder(bytes.NewReader(file), yaml.Strict()).Decode(&s); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	for name, p := range s.Profiles {
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("scenario: profile %s: %w", name, err)
		}
	}
	if s.Profiles[uniformName].Kinds == nil || s.Profiles[mixedName].Kinds == nil {
		return nil, fmt.Errorf("scenario: the profiles %s and %s are required", uniformName, mixedName)
	}
	return &s, s.Answers.check()
}

func (p Profile) check() error {
	var sum Share
	for _, k := range p.Kinds {
		sum += k.Share
		if k.Needs[1]+k.Needs[2]+k.Needs[3] != whole || len(k.Needs) != 3 {
			return fmt.Errorf("kind %s: needs_layer must share 1 among the layers 1, 2 and 3", k.Name)
		}
		if k.Input < 1 || k.Output < 1 || k.Input > mostTokens || k.Output > mostTokens {
			return fmt.Errorf("kind %s: input and output must be positive and at most %d", k.Name, mostTokens)
		}
		if k.Turns < 0 || k.Turns > mostTurns {
			return fmt.Errorf("kind %s: history_turns must be between 0 and %d", k.Name, mostTurns)
		}
		if topics[k.Name] == nil && k.Name != anyKind {
			return fmt.Errorf("unknown kind %q", k.Name)
		}
		if a := k.Action; a != nil && (len(a.Amount) != 2 || a.Amount[0] < 1 || a.Amount[1] < a.Amount[0]) {
			return fmt.Errorf("kind %s: amount_usd must be the lowest and the highest amount", k.Name)
		}
	}
	if sum != whole {
		return fmt.Errorf("the kinds' shares add up to %d of 10,000", sum)
	}
	return nil
}

func (a Answers) check() error {
	b := a.BelowNeeded
	if b.SchemaViolation+b.RefusalOrHedge+b.Truncated+b.LowConfidenceWrong+b.PlausibleWrong != whole {
		return fmt.Errorf("scenario: answers.below_needed must add up to 1")
	}
	for _, name := range []string{"right", "low_confidence_wrong", "plausible_wrong"} {
		if _, ok := a.Confidence[name]; !ok {
			return fmt.Errorf("scenario: answers.confidence.%s is missing", name)
		}
	}
	return nil
}

// Names are the profiles' names, sorted.
func (s *Scenario) Names() []string {
	var out []string
	for name := range s.Profiles {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// ttft is the median time to the first token.
func (l Latency) ttft() time.Duration { return time.Duration(l.TTFT) * time.Millisecond }
