package scenario

import (
	"fmt"
	"time"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/models/catalog"
)

// The models of the article's scenario, by catalogue id.
const (
	layer1 = "gemini-flash-lite"
	layer2 = "gemini-3.1-pro"
	layer3 = "gpt-5.5"
)

// The compressors that the analytic section compares.
const (
	CompressorPro       = layer2
	CompressorFlashLite = layer1
)

// Book is a price book as the analytic section reads it.
type Book struct {
	ID string
	// Price is the row in force for a prompt of so many tokens.
	Price func(model string, prompt int64) (catalog.Price, bool)
}

// BookOf is a book of a catalogue at a time.
func BookOf(c *catalog.Catalog, id string, at time.Time) Book {
	return Book{id, func(model string, prompt int64) (catalog.Price, bool) { return c.Price(id, model, at, prompt) }}
}

// Cost is what an interaction (the mean), a day of PerDay and a year of 365 days cost.
type Cost struct{ Interaction, Day, Year money.Nano }

func costOf(day money.Nano) Cost {
	return Cost{money.MulDiv(day, 1, PerDay), day, day * workingYear}
}

// Cascade is a routed day.
type Cascade struct {
	Cost
	SavedBP int64 // saving against all-frontier, in basis points
}

// Analytic is the day worked out from means, exact in integers.
//
// Naive accounting bills each interaction only at the layer that needs it, with the raw prompt. Honest accounting bills
// every attempt: all pay layer 1, those that go on also layer 2, those that go on again also the compressor (which
// reads the whole prompt and writes a quarter of it) and layer 3 (which reads that quarter).
type Analytic struct {
	Profile, Book string
	Before        Cost // every interaction on GPT-5.5
	Naive         Cascade
	Honest        map[string]Cascade // by compressor
	Shares        [4]int64           // of interactions answered at layer 1..3, in 1/10,000 (index 0 unused)
	Attempts      [4]int64           // attempts a day at layer 1..3
}

// flow is interactions of one size and need: num/den of the day's interactions.
type flow struct {
	input, output int64
	needs         int
	num, den      int64
}

// flows splits a profile's day; long manifests stand apart, since their price may be another.
func (s *Scenario) flows(profile string) []flow {
	var out []flow
	for _, k := range s.Profiles[profile].Kinds {
		for layer := 1; layer <= 3; layer++ {
			f := flow{k.Input, k.Output, layer, int64(k.Share) * int64(k.Needs[layer]), int64(whole) * int64(whole)}
			if k.Name == manifestKind {
				f.num, f.den = f.num*(longIn-1), f.den*longIn
				out = append(out, flow{longTokens, k.Output, layer, f.num / (longIn - 1), f.den})
			}
			out = append(out, f)
		}
	}
	return out
}

// perDay is a day's money for a flow at a cost an interaction.
func (f flow) perDay(each money.Nano) money.Nano { return money.MulDiv(each*PerDay, f.num, f.den) }

// attempt is the price of one call. The prompt is input/divide tokens, not rounded to whole ones.
func (b Book) attempt(model string, input, divide, output int64) (money.Nano, error) {
	p, ok := b.Price(model, input/divide)
	if !ok {
		return 0, fmt.Errorf("price book %s has no price for %s", b.ID, model)
	}
	in, okIn := p.Rate(money.Input)
	out, okOut := p.Rate(money.Output)
	if !okIn || !okOut {
		return 0, fmt.Errorf("price book %s: %s lacks an input or output rate", b.ID, model)
	}
	return money.MulDiv(money.Mul(input, in), 1, divide) + money.Mul(output, out), nil
}

// compression is the price of reading a prompt and writing a quarter of it.
func (b Book) compression(model string, input int64) (money.Nano, error) {
	read, err := b.attempt(model, input, 1, 0)
	if err != nil {
		return 0, err
	}
	p, _ := b.Price(model, input) // found above
	out, _ := p.Rate(money.Output)
	return read + money.MulDiv(money.Mul(input, out), 1, briefShare), nil
}

// bill adds prices up and keeps the first error.
type bill struct {
	book  Book
	total money.Nano
	err   error
}

func (b *bill) call(model string, input, divide, output int64) *bill {
	n, err := b.book.attempt(model, input, divide, output)
	return b.plus(n, err)
}

func (b *bill) compress(model string, input int64) *bill {
	n, err := b.book.compression(model, input)
	return b.plus(n, err)
}

func (b *bill) plus(n money.Nano, err error) *bill {
	if b.err == nil {
		b.total, b.err = b.total+n, err
	}
	return b
}

// honest is one interaction with every attempt billed.
func (f flow) honest(book Book, compressor string) (money.Nano, error) {
	b := &bill{book: book}
	b.call(layer1, f.input, 1, f.output)
	if f.needs >= 2 {
		b.call(layer2, f.input, 1, f.output)
	}
	if f.needs == 3 {
		b.compress(compressor, f.input).call(layer3, f.input, briefShare, f.output)
	}
	return b.total, b.err
}

// day adds up a cost over all flows.
func day(flows []flow, each func(flow) (money.Nano, error)) (money.Nano, error) {
	var total money.Nano
	for _, f := range flows {
		n, err := each(f)
		if err != nil {
			return 0, err
		}
		total += f.perDay(n)
	}
	return total, nil
}

// Analytic works a profile out with a price book.
func (s *Scenario) Analytic(profile string, book Book) (Analytic, error) {
	if _, err := s.Day(profile, 0); err != nil {
		return Analytic{}, err
	}
	flows := s.flows(profile)
	out := Analytic{Profile: profile, Book: book.ID, Honest: map[string]Cascade{}}
	before, err := day(flows, func(f flow) (money.Nano, error) { return book.attempt(layer3, f.input, 1, f.output) })
	if err != nil {
		return Analytic{}, err
	}
	out.Before = costOf(before)
	models := [4]string{1: layer1, 2: layer2, 3: layer3}
	naive, err := day(flows, func(f flow) (money.Nano, error) {
		return book.attempt(models[f.needs], f.input, 1,
			f.output)
	})
	if err != nil {
		return Analytic{}, err
	}
	out.Naive = cascade(before, naive)
	for _, c := range []string{CompressorPro, CompressorFlashLite} {
		total, err := day(flows, func(f flow) (money.Nano, error) { return f.honest(book, c) })
		if err != nil {
			return Analytic{}, err
		}
		out.Honest[c] = cascade(before, total)
	}
	out.Shares = layerShares(flows)
	out.Attempts = [4]int64{
		1: PerDay, 2: PerDay * (out.Shares[2] + out.Shares[3]) / int64(whole),
		3: PerDay * out.Shares[3] / int64(whole),
	}
	return out, nil
}

func cascade(before, after money.Nano) Cascade {
	return Cascade{costOf(after), int64(money.MulDiv(before-after, int64(whole), int64(before)))}
}

// layerShares is the share of interactions that need each layer, in 1/10,000.
func layerShares(flows []flow) [4]int64 {
	var num [4]int64
	const den = int64(whole) * int64(whole) * longIn
	for _, f := range flows {
		num[f.needs] += f.num * (den / f.den)
	}
	for i := range num {
		num[i] = int64(money.MulDiv(money.Nano(num[i]), int64(whole), den))
	}
	return num
}
