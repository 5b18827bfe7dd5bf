// Package price turns usage into priced lines by the catalogue's price row in force, and an order into the most that it
// can cost. Unpriced is an error, never zero. It holds no amounts of its own.
package price

import (
	"fmt"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// Prices prices by one book of one catalogue. Immutable, safe for concurrent use.
type Prices struct {
	Catalog *catalog.Catalog
	Book    string
}

// Priced is a usage's cost, by one price row.
type Priced struct {
	Lines []money.Line
	Row   string // catalog.Price.ID
}

// Cost is the lines' sum.
func (p Priced) Cost() money.Nano { return money.Sum(p.Lines) }

// Worst is the most that an order can cost in nano-dollars: all input at the dearest input meter, all output at the
// dearest output meter, for every answer asked for.
func (p Prices) Worst(o call.Order, at time.Time) (money.Nano, error) {
	row, err := p.row(o.Target, at, int64(o.Prompt))
	if err != nil {
		return 0, err
	}
	in, err := dearest(row, money.Input, money.CacheWrite5m, money.CacheWrite1h)
	if err != nil {
		return 0, err
	}
	out, err := dearest(row, money.Output, money.Reasoning)
	if err != nil {
		return 0, err
	}
	each := money.Mul(int64(o.MaxOut)*int64(max(o.N, 1)), out)
	return money.Mul(int64(o.Prompt), in) + each, nil
}

// Price prices a usage by the row in force at a time.
func (p Prices) Price(t call.Target, u llm.Usage, at time.Time) (Priced, error) {
	row, err := p.row(t, at, u.Prompt())
	if err != nil {
		return Priced{}, err
	}
	meters := [...]struct {
		meter money.Meter
		units int64
	}{
		{money.Input, u.Input},
		{money.CacheRead, u.CacheRead},
		{money.CacheWrite5m, u.CacheWrite5m},
		{money.CacheWrite1h, u.CacheWrite1h},
		{money.Output, u.Output},
		{money.Reasoning, u.Reasoning},
	}
	lines := make([]money.Line, 0, 2)
	for _, m := range meters {
		if m.units == 0 {
			continue
		}
		rate, ok := row.Rate(m.meter)
		if !ok {
			return Priced{}, unpriced(t, p.Book, m.meter)
		}
		lines = append(lines, money.NewLine(m.meter, m.units, rate))
	}
	return Priced{Lines: lines, Row: row.ID}, nil
}

func (p Prices) row(t call.Target, at time.Time, prompt int64) (catalog.Price, error) {
	if t.Model != nil {
		if row, ok := p.Catalog.Price(p.Book, t.Model.ID, at, prompt); ok {
			return row, nil
		}
	}
	return catalog.Price{}, unpriced(t, p.Book, "")
}

func dearest(row catalog.Price, meters ...money.Meter) (money.Pico, error) {
	var most money.Pico
	for _, m := range meters {
		r, ok := row.Rate(m)
		if !ok {
			return 0, fmt.Errorf("price row %s has no rate for %s", row.ID, m)
		}
		most = max(most, r)
	}
	return most, nil
}

func unpriced(t call.Target, book string, m money.Meter) error {
	what := "deployment " + t.Deployment
	if m != "" {
		what += ", meter " + string(m)
	}
	return &llm.Error{
		Code: llm.CodePolicy, Message: what + " has no price in book " + book,
		Hint: "give the model a price under models: in weir.yaml, or choose another book with prices:",
	}
}
