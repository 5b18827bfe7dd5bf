package scenario

import (
	"fmt"
	"io"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/models/catalog"
)

// What the article says of the day.
const (
	claimedBefore = 5000 * money.USD
	claimedAfter  = 1250 * money.USD
	claimedLayer2 = 20_000 // interactions a day that layer 2 answers
)

// pageTokens are the tokens of a page, by the scenario's 300-page manifest of 180,000 tokens.
const pageTokens = longTokens / longPages

// Claim is where the article's $1,250 a day does not follow from its own prices, and what does.
type Claim struct {
	Book, Compressor string
	Input, Output    int64 // the uniform profile's sizes
	// Equivalents are the input tokens an interaction may cost in all to come to $5,000 a day on GPT-5.5, an output
	// token counting as many times as it is dearer: input + Ratio x output.
	Equivalents, Ratio int64
	// Uniform is the honest day at the uniform profile's sizes, which do make $5,000 true.
	Uniform Cascade
	// Layer2Input are the mean input tokens that layer 2 and what follows it would have to see to come to $1,250, by the
	// output tokens of an answer. Layer 1 is left at its cost for the uniform sizes.
	Layer2Input map[int64]int64
	// Manifest is one 300-page manifest on layer 2; ManifestAlt the same at 225,000 tokens (750 a page); Frontier is the
	// first on GPT-5.5.
	Manifest, ManifestAlt, Frontier money.Nano
	// ManifestDay are 20,000 of the first a day; Affordable is how many a day $1,250 pays for, nothing else bought.
	ManifestDay money.Nano
	Affordable  int64
}

// denseTokens are a 300-page manifest's tokens at 750 a page.
const denseTokens = 750 * longPages

// claimOutputs are the answers' sizes for which Layer2Input is worked out: the uniform profile's, and the larger one
// that also makes $5,000 true (1,333 in, 500 out).
var claimOutputs = []int64{300, 500}

// Claim works out what becomes of the article's $1,250 with a price book and a compressor.
func (s *Scenario) Claim(book Book, compressor string) (Claim, error) {
	uniform, err := s.Analytic(uniformName, book)
	if err != nil {
		return Claim{}, err
	}
	kind := s.Profiles[uniformName].Kinds[0]
	c := Claim{
		Book: book.ID, Compressor: compressor, Input: kind.Input, Output: kind.Output,
		Uniform: uniform.Honest[compressor], Layer2Input: map[int64]int64{},
	}
	b := &bill{book: book}
	one := func(model string, in, out int64) money.Nano {
		before := b.total
		return b.call(model, in, 1, out).total - before
	}
	const million = 1_000_000
	perIn, perOut := basePrice(book, layer3)
	c.Equivalents = int64(money.MulDiv(claimedBefore/PerDay, million, int64(max(money.Mul(million, perIn), 1))))
	c.Ratio = int64(perOut) / max(int64(perIn), 1)
	c.Manifest, c.ManifestAlt = one(layer2, longTokens, 0), one(layer2, denseTokens, 0)
	c.Frontier = one(layer3, longTokens, 0)
	if b.err != nil {
		return Claim{}, b.err
	}
	c.ManifestDay = c.Manifest * claimedLayer2
	c.Affordable = int64(claimedAfter / max(c.Manifest, 1))
	for _, out := range claimOutputs {
		if c.Layer2Input[out], err = s.layer2Input(book, compressor, out); err != nil {
			return Claim{}, err
		}
	}
	return c, nil
}

func basePrice(book Book, model string) (in, out money.Pico) {
	p, _ := book.Price(model, 0)
	in, _ = p.Rate(money.Input)
	out, _ = p.Rate(money.Output)
	return in, out
}

// layer2Input solves claimedAfter = fixed + x * slope for x, the mean input tokens at layer 2. A day costs a straight
// line in x as long as no price switches at long prompts, so base prices are taken.
func (s *Scenario) layer2Input(book Book, compressor string, output int64) (int64, error) {
	base := Book{book.ID, func(m string, _ int64) (catalog.Price, bool) { return book.Price(m, 0) }}
	kind := s.Profiles[uniformName].Kinds[0]
	at := func(x int64) (money.Nano, error) {
		total, err := day(s.flows(uniformName), func(f flow) (money.Nano, error) {
			b := (&bill{book: base}).call(layer1, kind.Input, 1, kind.Output)
			if f.needs >= 2 {
				b.call(layer2, x, 1, output)
			}
			if f.needs == 3 {
				b.compress(compressor, x).call(layer3, x, briefShare, output)
			}
			return b.total, b.err
		})
		return total, err
	}
	const step = 100_000
	fixed, err := at(0)
	if err != nil {
		return 0, err
	}
	sloped, err := at(step)
	if err != nil {
		return 0, err
	}
	return int64(money.MulDiv(claimedAfter-fixed, step, int64(sloped-fixed))), nil
}

// Report writes the analytic section: inputs first, then what follows, for one profile and book.
func (a Analytic) Report(w io.Writer) error {
	p := &printer{w: w}
	p.line("Analytic, profile %s, prices %s, %s interactions a day, mean sizes", a.Profile, a.Book, thousands(PerDay))
	p.line("  needs layer 1 / 2 / 3        %s / %s / %s", percent(a.Shares[1]), percent(a.Shares[2]), percent(a.Shares[3]))
	p.line("  attempts at layer 1 / 2 / 3  %s / %s / %s", thousands(a.Attempts[1]), thousands(a.Attempts[2]),
		thousands(a.Attempts[3]))
	p.line("  %-50s %12s %14s %16s %8s", "", "interaction", "day", "year", "saving")
	p.cost("all on "+layer3, a.Before, "")
	p.cost("cascade, naive (only the last attempt billed)", a.Naive.Cost, percent(a.Naive.SavedBP))
	for _, c := range []string{CompressorPro, CompressorFlashLite} {
		p.cost("cascade, honest, compressed by "+c, a.Honest[c].Cost, percent(a.Honest[c].SavedBP))
	}
	return p.err
}

// Report writes where the article's $1,250 does not follow and what does.
func (c Claim) Report(w io.Writer) error {
	p := &printer{w: w}
	p.line("The article's $5,000 -> $1,250 a day, prices %s, compressor %s", c.Book, c.Compressor)
	p.line("  $5,000 a day is %s an interaction: input + %d x output = %s tokens on %s.",
		(claimedBefore / PerDay).String(), c.Ratio, thousands(c.Equivalents), layer3)
	p.line("  At %s in and %d out the routed day costs %s: a saving of %s, not 75 %%.", thousands(c.Input), c.Output,
		c.Uniform.Day.Round(2), percent(c.Uniform.SavedBP))
	for _, out := range claimOutputs {
		p.line("  $1,250 follows when what reaches layer 2 has %s input tokens in the mean (%d pages) and %d out.",
			thousands(c.Layer2Input[out]), c.Layer2Input[out]/pageTokens, out)
	}
	p.line("  It does not follow from 300-page manifests: one costs %s on %s (%s at 225,000 tokens),", c.Manifest.Round(2),
		layer2, c.ManifestAlt.Round(2))
	p.line("  20,000 a day cost %s, $1,250 pays for %s and nothing else; on %s one costs %s, so the",
		c.ManifestDay.Round(0),
		thousands(c.Affordable), layer3, c.Frontier.Round(2))
	p.line("  $5,000 of before cannot hold them either.")
	return p.err
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) cost(name string, c Cost, saving string) {
	p.line("  %-50s %12s %14s %16s %8s", name, c.Interaction.Round(6), c.Day.Round(2), c.Year.Round(0), saving)
}

// percent shows basis points as a percentage with one place.
func percent(bp int64) string {
	tenths := (bp + 5) / 10
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}

// thousands shows 1234567 as 1,234,567.
func thousands(n int64) string { return money.Nano(n * int64(money.USD)).Round(0)[1:] }
