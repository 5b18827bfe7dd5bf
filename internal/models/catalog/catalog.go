package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weirhq/weir/internal/finops/money"
)

// Catalog is a set of models and price books. Immutable, safe for concurrent use.
type Catalog struct {
	models map[string]*Model
	order  []string
	books  []Book
	prices map[priceKey][]Price // by book and model, the latest From first, then the highest Above
}

type priceKey struct{ book, model string }

// Model finds a model by its id.
func (c *Catalog) Model(id string) (*Model, bool) {
	m, ok := c.models[id]
	return m, ok
}

// Models lists the models in the catalogue's order. They are shared: do not change them.
func (c *Catalog) Models() []*Model {
	out := make([]*Model, len(c.order))
	for i, id := range c.order {
		out[i] = c.models[id]
	}
	return out
}

// Books lists the price books, oldest first.
func (c *Catalog) Books() []Book { return slices.Clone(c.books) }

// Book finds a price book by its id.
func (c *Catalog) Book(id string) (Book, bool) {
	i := slices.IndexFunc(c.books, func(b Book) bool { return b.ID == id })
	if i < 0 {
		return Book{}, false
	}
	return c.books[i], true
}

// Prices lists the rows of a book, by model in the catalogue's order, the earliest From first, then the lowest Above.
func (c *Catalog) Prices(book string) []Price {
	var out []Price
	for _, id := range c.order {
		rows := slices.Clone(c.prices[priceKey{book, id}])
		slices.Reverse(rows)
		out = append(out, rows...)
	}
	return out
}

// Price finds the row in force for a model at a time, for a prompt of so many tokens (cached ones included). It does
// not allocate.
func (c *Catalog) Price(book, model string, at time.Time, prompt int64) (Price, bool) {
	rows := c.prices[priceKey{book, model}]
	for i := range rows {
		if r := &rows[i]; (r.Above == 0 || prompt > r.Above) && !r.From.After(at) {
			return *r, true
		}
	}
	return Price{}, false
}

// Rate is the price of one unit of a meter. A meter without a rate of its own falls back: cached reads and cache writes
// to input, reasoning to output. The second result is false when no rate is known at all.
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

// With lays models and prices over the catalogue and returns the result; the receiver does not change. A model replaces
// the one with its id; prices replace all rows that the same book has for the same model. It fails on a row whose model
// or book is unknown, on a row without input and output rate, on two rows for the same moment and size, and on a row
// above a size that has no base row of the same date.
func (c *Catalog) With(models []Model, prices []Price) (*Catalog, error) {
	out := &Catalog{
		models: maps.Clone(c.models), order: slices.Clone(c.order), books: c.books, prices: maps.Clone(c.prices),
	}
	if out.models == nil {
		out.models, out.prices = map[string]*Model{}, map[priceKey][]Price{}
	}
	for _, m := range models {
		if err := m.check(); err != nil {
			return nil, err
		}
		if _, known := out.models[m.ID]; !known {
			out.order = append(out.order, m.ID)
		}
		out.models[m.ID] = &m
	}
	laid := map[priceKey][]Price{}
	for _, p := range prices {
		if err := out.checkPrice(p); err != nil {
			return nil, err
		}
		p.ID = priceID(p)
		k := priceKey{p.Book, p.Model}
		laid[k] = append(laid[k], p)
	}
	for k, rows := range laid {
		slices.SortFunc(rows, func(a, b Price) int {
			return cmp.Or(b.From.Compare(a.From), cmp.Compare(b.Above, a.Above))
		})
		if err := checkRows(rows); err != nil {
			return nil, err
		}
		out.prices[k] = rows
	}
	return out, nil
}

func (m *Model) check() error {
	switch {
	case m.ID == "":
		return fmt.Errorf("model without an id")
	case !slices.Contains(Tiers(), m.Tier):
		return fmt.Errorf("model %s: unknown tier %q: one of %v", m.ID, m.Tier, Tiers())
	case m.Window <= 0 || m.MaxOutput <= 0:
		return fmt.Errorf("model %s: window and largest output must be positive", m.ID)
	case m.EffectiveWindow <= 0 || m.EffectiveWindow > m.Window:
		return fmt.Errorf("model %s: effective window %d is not within the window of %d", m.ID, m.EffectiveWindow, m.Window)
	}
	return nil
}

func (c *Catalog) checkPrice(p Price) error {
	if _, ok := c.models[p.Model]; !ok {
		return fmt.Errorf("price for unknown model %q", p.Model)
	}
	if _, ok := c.Book(p.Book); !ok {
		return fmt.Errorf("price of model %s in unknown book %q", p.Model, p.Book)
	}
	for _, m := range []money.Meter{money.Input, money.Output} {
		if _, ok := p.Rates[m]; !ok {
			return fmt.Errorf("price of model %s in book %s has no %s rate", p.Model, p.Book, m)
		}
	}
	for m, r := range p.Rates {
		if r < 0 {
			return fmt.Errorf("price of model %s in book %s: negative %s rate", p.Model, p.Book, m)
		}
	}
	return nil
}

// checkRows holds that every date has exactly one base row: what a small prompt pays must never depend on an older
// date.
func checkRows(rows []Price) error {
	for i, r := range rows {
		if i > 0 && r.ID == rows[i-1].ID {
			return fmt.Errorf("price %s is there twice", r.ID)
		}
		last := i == len(rows)-1 || !rows[i+1].From.Equal(r.From)
		if last && r.Above != 0 {
			return fmt.Errorf("price %s has no base row of the same date", r.ID)
		}
	}
	return nil
}

func priceID(p Price) string {
	from := "first"
	if !p.From.IsZero() {
		from = p.From.UTC().Format(time.DateOnly)
	}
	id := p.Book + "/" + p.Model + "/" + from
	if p.Above > 0 {
		id = fmt.Sprintf("%s/%d", id, p.Above)
	}
	return id
}
