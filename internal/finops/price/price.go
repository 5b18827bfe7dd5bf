// Package price turns usage into priced lines by the catalogue's price row in force, and an order into the most that it
// can cost. Unpriced is an error, never zero. It holds no amounts of its own.
package price

import (
	"fmt"
	"math"
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

// Meters of a usage, by side.
var (
	inputs  = []money.Meter{money.Input, money.CacheRead, money.CacheWrite5m, money.CacheWrite1h}
	outputs = []money.Meter{money.Output, money.Reasoning}
)

// Worst is the most that an order can cost in nano-dollars: all input at the dearest input meter, all output at the
// dearest output meter, for every answer asked for, by the dearest row that a prompt of at most this size can take.
func (p Prices) Worst(o call.Order, at time.Time) (money.Nano, error) {
	var most money.Nano
	output := int64(math.MaxInt64)
	if n := int64(max(o.N, 1)); int64(o.MaxOut) <= output/n {
		output = int64(o.MaxOut) * n
	}
	for prompt := int64(o.Prompt); ; {
		row, err := p.row(o.Target, at, prompt)
		if err != nil {
			return 0, err
		}
		in, err := side(row, inputs, int64(o.Prompt))
		if err != nil {
			return 0, err
		}
		out, err := side(row, outputs, output)
		if err != nil {
			return 0, err
		}
		most = max(most, money.Add(in, out))
		if row.Above == 0 {
			return most, nil
		}
		prompt = row.Above // a smaller prompt takes the row below
	}
}

// side is the most that units can cost when they fall on any of the meters. Every meter's line is rounded by itself: at
// rates below a whole nano-dollar their sum can pass the rounded product by half a nano-dollar a meter.
func side(row catalog.Price, meters []money.Meter, units int64) (money.Nano, error) {
	rate, err := dearest(row, meters)
	if err != nil {
		return 0, err
	}
	most := money.Mul(units, rate)
	if rate%1000 != 0 {
		most = money.Add(most, money.Nano(len(meters)/2))
	}
	return most, nil
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

// Step is the least size of a prompt, in tokens, above which a target's whole request takes other rates; 0 = its rates do
// not depend on the size, or are not known.
func (p Prices) Step(t call.Target, at time.Time) int64 {
	var step int64
	for prompt := int64(math.MaxInt64); ; prompt = step {
		row, err := p.row(t, at, prompt)
		if err != nil || row.Above == 0 {
			return step
		}
		step = row.Above
	}
}

func (p Prices) row(t call.Target, at time.Time, prompt int64) (catalog.Price, error) {
	if t.Model != nil {
		if row, ok := p.Catalog.Price(p.Book, t.Model.ID, at, prompt); ok {
			return row, nil
		}
	}
	return catalog.Price{}, unpriced(t, p.Book, "")
}

func dearest(row catalog.Price, meters []money.Meter) (money.Pico, error) {
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
