package eval

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/models/catalog"
)

// pair is a set cut down to two models.
type pair struct {
	set     Set
	names   [2]string // weak, strong
	prompts []string
	answers [][2]Answer
	out     outcomes
	left    map[string]int
	prices  [2]*Price // nil = unknown
}

// UnknownModel says that a set has no answers of the model that was asked for.
type UnknownModel struct {
	Model, Set string
	Has        []string
}

func (e *UnknownModel) Error() string {
	return fmt.Sprintf("%s has no answers of %q, but of %s", e.Set, e.Model, strings.Join(e.Has, ", "))
}

// heldBack reports whether a row belongs to the fifth that is kept back while something is designed.
func heldBack(set, prompt string) bool {
	const fifth = 51 // of 256
	sum := sha256.Sum256([]byte(set + "\x00" + prompt))
	return sum[0] < fifth
}

// pair chooses the two models by what the options say, else by accuracy, and the rows by the part.
func (o Options) pair(s Set) (*pair, error) {
	p := &pair{set: s, left: map[string]int{}}
	for why, n := range s.Left {
		p.left[why] = n
	}
	mean := map[string]float64{}
	for _, r := range s.Rows {
		for m, a := range r.Answers {
			mean[m] += a.Grade
		}
	}
	ranked := slices.Clone(s.Models)
	slices.SortStableFunc(ranked, func(a, b string) int {
		return int(math.Copysign(1, mean[a]-mean[b])) * b2i(mean[a] != mean[b])
	})
	p.names = [2]string{ranked[0], ranked[len(ranked)-1]}
	for i, want := range []string{o.Weak, o.Strong} {
		if want == "" {
			continue
		}
		if !slices.Contains(s.Models, want) {
			return nil, &UnknownModel{want, s.Name, s.Models}
		}
		p.names[i] = want
	}
	if p.names[0] == p.names[1] {
		return nil, &UnknownModel{p.names[0] + " beside itself", s.Name, s.Models}
	}
	p.take(o.Part)
	return p, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// take keeps the rows of a part, and of rows that ask the same with answers the first.
func (p *pair) take(part Part) {
	asked := map[string]bool{}
	for _, r := range p.set.Rows {
		a := [2]Answer{r.Answers[p.names[0]], r.Answers[p.names[1]]}
		key := strings.TrimSpace(r.Prompt)
		switch {
		case part != All && heldBack(p.set.Name, r.Prompt) != (part == Held):
			p.left[otherPart]++
			continue
		case a[0].Said && key == "":
			p.left[incomplete]++
			continue
		case a[0].Said && asked[key]:
			p.left[doubled]++
			continue
		}
		asked[key] = true
		p.prompts = append(p.prompts, r.Prompt)
		p.answers = append(p.answers, a)
		p.out.weak = append(p.out.weak, a[0].Grade)
		p.out.strong = append(p.out.strong, a[1].Grade)
	}
}

// pricesOf finds what the two models cost: as the options say, as the data says, or as the catalogue's book has it.
func (o Options) pricesOf(p *pair, data map[string]Price) [2]*Price {
	var found [2]*Price
	for i, name := range p.names {
		for _, from := range []map[string]Price{o.Prices, data} {
			if price, ok := from[name]; ok && found[i] == nil {
				found[i] = &price
			}
		}
		if found[i] == nil {
			found[i] = listed(name)
		}
	}
	return found
}

// book is the price book that counts where neither flags nor data say a price.
const book = "list-2026-08"

// listed is the list price of a model of the catalogue, by its name or by what a provider calls it.
func listed(name string) *Price {
	c := catalog.Embedded()
	tail := name[strings.LastIndexByte(name, '/')+1:]
	for _, m := range c.Models() {
		known := m.ID == name || m.ID == tail || slices.ContainsFunc(m.Wire, func(w catalog.WireID) bool {
			return w.ID == name || w.ID == tail
		})
		if !known {
			continue
		}
		for _, row := range c.Prices(book) {
			if row.Model == m.ID && row.Above == 0 {
				return &Price{plain(row.Rates[money.Input]), plain(row.Rates[money.Output])}
			}
		}
	}
	return nil
}

// plain is a rate as a configuration takes it.
func plain(rate money.Pico) string { return money.Mul(1_000_000, rate).Decimal() }

// ranking is a way to say which calls should go to the strong model first.
type ranking struct {
	name   string
	about  string
	learnt bool
	score  []float64
}

// baselines need no answer.
func (p *pair) baselines() []ranking {
	n := len(p.prompts)
	length, gain := make([]float64, n), make([]float64, n)
	for i, q := range p.prompts {
		length[i] = float64(len(q))
		gain[i] = p.out.strong[i] - p.out.weak[i]
	}
	return []ranking{
		{name: "random", about: "what chance is expected to reach", score: make([]float64, n)},
		{name: "question length", about: "the longest questions first", score: length},
		{name: "oracle", about: "where the strong model is better, first", score: gain},
	}
}
