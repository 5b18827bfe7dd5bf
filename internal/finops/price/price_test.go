package price

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

const book = "list-2026-08"

var meters = []money.Meter{
	money.Input, money.CacheRead, money.CacheWrite5m, money.CacheWrite1h, money.Output, money.Reasoning,
}

var (
	july   = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	august = july.AddDate(0, 1, 0)
)

// rates is a row's rates by list price.
func rates(t testing.TB, of map[money.Meter]string) map[money.Meter]money.Pico {
	t.Helper()
	out := map[money.Meter]money.Pico{}
	for m, s := range of {
		r, err := money.ParseRate(s)
		if err != nil {
			t.Fatal(err)
		}
		out[m] = r
	}
	return out
}

// priced is a book with one model of our own, by these rows.
func priced(t testing.TB, rows ...catalog.Price) (Prices, call.Target) {
	t.Helper()
	model := catalog.Model{ID: "m", Tier: catalog.Mid, Window: 1_000_000, EffectiveWindow: 200_000, MaxOutput: 64_000}
	for i := range rows {
		rows[i].Book, rows[i].Model = book, "m"
	}
	c, err := catalog.Embedded().With([]catalog.Model{model}, rows)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Model("m")
	return Prices{Catalog: c, Book: book}, call.Target{Deployment: "d", Model: m}
}

// pro has cache rates, a switch above 200,000 tokens and a price cut in August.
func pro(t testing.TB) (Prices, call.Target) {
	t.Helper()
	return priced(t,
		catalog.Price{Rates: rates(t, map[money.Meter]string{
			money.Input: "1.25", money.Output: "10", money.CacheRead: "0.31", money.CacheWrite5m: "1.625",
		})},
		catalog.Price{Above: 200_000, Rates: rates(t, map[money.Meter]string{money.Input: "2.50", money.Output: "15"})},
		catalog.Price{From: august, Rates: rates(t, map[money.Meter]string{money.Input: "1", money.Output: "8"})})
}

func TestPriceByMeter(t *testing.T) {
	p, target := pro(t)
	got, err := p.Price(target, llm.Usage{
		Input: 1000, CacheRead: 2000, CacheWrite5m: 100, CacheWrite1h: 10, Output: 500, Reasoning: 50,
	}, july)
	if err != nil {
		t.Fatal(err)
	}
	want := Priced{Row: book + "/m/first", Lines: []money.Line{
		{Meter: money.Input, Units: 1000, Rate: 1_250_000, Amount: 1_250_000},
		{Meter: money.CacheRead, Units: 2000, Rate: 310_000, Amount: 620_000},
		{Meter: money.CacheWrite5m, Units: 100, Rate: 1_625_000, Amount: 162_500},
		{Meter: money.CacheWrite1h, Units: 10, Rate: 1_250_000, Amount: 12_500}, // no rate of its own: as input
		{Meter: money.Output, Units: 500, Rate: 10_000_000, Amount: 5_000_000},
		{Meter: money.Reasoning, Units: 50, Rate: 10_000_000, Amount: 500_000}, // as output
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("priced (-want +got):\n%s", diff)
	}
	if got.Cost() != 7_545_000 {
		t.Errorf("cost = %s", got.Cost())
	}
}

func TestRowInForce(t *testing.T) {
	p, target := pro(t)
	for _, tt := range []struct {
		name  string
		usage llm.Usage
		at    time.Time
		row   string
		cost  string
	}{
		{"at the switch", llm.Usage{Input: 200_000}, july, "first", "$0.25"},
		{"above it the whole prompt is dearer", llm.Usage{Input: 200_001}, july, "first/200000", "$0.5000025"},
		{"cached tokens count for the switch", llm.Usage{Input: 1, CacheRead: 200_000}, july, "first/200000", "$0.5000025"},
		{"output does not", llm.Usage{Input: 10, Output: 300_000}, july, "first", "$3.0000125"},
		{"the moment before the cut", llm.Usage{Input: 1000}, august.Add(-1), "first", "$0.00125"},
		{"from the cut on", llm.Usage{Input: 1000}, august, "2026-08-01", "$0.001"},
		{"a newer row ends older switches", llm.Usage{Input: 300_000}, august, "2026-08-01", "$0.30"},
		{"nothing used", llm.Usage{}, july, "first", "$0.00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := p.Price(target, tt.usage, tt.at)
			if err != nil || got.Row != book+"/m/"+tt.row || got.Cost().String() != tt.cost {
				t.Errorf("row %s, cost %s, %v; want %s, %s", got.Row, got.Cost(), err, tt.row, tt.cost)
			}
		})
	}
}

func TestStep(t *testing.T) {
	p, target := pro(t)
	if got := p.Step(target, july); got != 200_000 {
		t.Errorf("step = %d, want 200000", got)
	}
	if got := p.Step(target, august); got != 0 {
		t.Errorf("step = %d after the switch is gone, want none", got)
	}
	two, of := priced(t, catalog.Price{Rates: rates(t, map[money.Meter]string{money.Input: "1", money.Output: "2"})},
		catalog.Price{Above: 900, Rates: rates(t, map[money.Meter]string{money.Input: "2", money.Output: "3"})},
		catalog.Price{Above: 500, Rates: rates(t, map[money.Meter]string{money.Input: "3", money.Output: "4"})})
	if got := two.Step(of, july); got != 500 {
		t.Errorf("step = %d, want the first of two", got)
	}
	if got := p.Step(call.Target{Deployment: "d"}, july); got != 0 {
		t.Errorf("step = %d without a model", got)
	}
}

func TestUnpricedIsAnErrorAndNeverFree(t *testing.T) {
	p, target := pro(t)
	other := p
	other.Book = "no-such-book"
	for _, tt := range []struct {
		name   string
		prices Prices
		target call.Target
	}{
		{"book without the model", other, target},
		{"model without a price", p, call.Target{Deployment: "d", Model: &catalog.Model{ID: "unheard-of"}}},
		{"deployment without a model", p, call.Target{Deployment: "d"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, worst := tt.prices.Worst(call.Order{Target: tt.target, Prompt: 10, MaxOut: 10}, july)
			_, cost := tt.prices.Price(tt.target, llm.Usage{Input: 10}, july)
			for _, err := range []error{worst, cost} {
				var e *llm.Error
				if !errors.As(err, &e) || e.Code != llm.CodePolicy || e.Hint == "" {
					t.Fatalf("got %v, want %s with a hint", err, llm.CodePolicy)
				}
				if !strings.Contains(e.Message, "deployment d") || !strings.Contains(e.Message, tt.prices.Book) {
					t.Errorf("%q names neither the deployment nor the book", e.Message)
				}
			}
		})
	}
}

func TestWorst(t *testing.T) {
	p, target := pro(t)
	for _, tt := range []struct {
		name  string
		order call.Order
		at    time.Time
		want  string
	}{
		{"dearest input is the cache write", call.Order{Prompt: 1000, MaxOut: 100}, july, "$0.002625"},
		{"three answers", call.Order{Prompt: 1000, MaxOut: 100, N: 3}, july, "$0.004625"},
		{"above the switch", call.Order{Prompt: 300_000, MaxOut: 1000}, july, "$0.765"},
		{"no output asked for", call.Order{Prompt: 1000}, august, "$0.001"},
		{"beyond all bounds", call.Order{Prompt: math.MaxInt, MaxOut: math.MaxInt, N: 7}, july, "$9,223,372,036.854775807"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.order.Target = target
			got, err := p.Worst(tt.order, tt.at)
			if err != nil || got.String() != tt.want {
				t.Errorf("worst = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestWorstOfAPromptThatTurnsOutSmaller(t *testing.T) {
	p, target := priced(t,
		catalog.Price{Rates: rates(t, map[money.Meter]string{money.Input: "4", money.Output: "20"})},
		catalog.Price{Above: 1000, Rates: rates(t, map[money.Meter]string{money.Input: "1", money.Output: "5"})})
	got, err := p.Worst(call.Order{Target: target, Prompt: 1001, MaxOut: 100}, july)
	if want := money.Mul(1001, 4_000_000) + money.Mul(100, 20_000_000); err != nil || got != want {
		t.Errorf("worst = %s, %v; want %s: below the switch this model is dearer", got, err, want)
	}
}

func TestWorstAllowsForTheRoundingOfEveryLine(t *testing.T) {
	p, target := priced(t, catalog.Price{Rates: map[money.Meter]money.Pico{money.Input: 501, money.Output: 501}})
	u := llm.Usage{Input: 1, CacheRead: 1, CacheWrite5m: 1, CacheWrite1h: 1, Output: 1, Reasoning: 1}
	cost, err := p.Price(target, u, july)
	if err != nil || cost.Cost() != 6 {
		t.Fatalf("six lines of 0.501 nano-dollars cost %s, %v", cost.Cost(), err)
	}
	if worst, err := p.Worst(call.Order{Target: target, Prompt: 4, MaxOut: 2}, july); err != nil || worst < cost.Cost() {
		t.Errorf("worst = %s, %v; the lines cost %s", worst, err, cost.Cost())
	}
}

// TestNoUsageWithinAnOrderCostsMoreThanItsWorst is what a hold rests on.
func TestNoUsageWithinAnOrderCostsMoreThanItsWorst(t *testing.T) {
	rate := rapid.OneOf(rapid.Int64Range(0, 3000), rapid.Int64Range(0, 100_000_000))
	rapid.Check(t, func(r *rapid.T) {
		var rows []catalog.Price
		for _, above := range rapid.SliceOfNDistinct(rapid.Int64Range(1, 100), 0, 2, rapid.ID).Draw(r, "switches") {
			rows = append(rows, catalog.Price{Above: above})
		}
		rows = append(rows, catalog.Price{})
		for i := range rows {
			rows[i].Rates = map[money.Meter]money.Pico{}
			for _, m := range meters {
				if m == money.Input || m == money.Output || rapid.Bool().Draw(r, string(m)+" priced") {
					rows[i].Rates[m] = money.Pico(rate.Draw(r, string(m)))
				}
			}
		}
		p, target := priced(t, rows...)
		for range 40 { // prices are slow to draw
			covers(r, p, target)
		}
	})
}

// covers draws a usage and an order that it lies within, and compares cost and worst.
func covers(r *rapid.T, p Prices, target call.Target) {
	n := rapid.OneOf(rapid.Just(int64(0)), rapid.Just(int64(0)), rapid.Int64Range(0, 50)) // often all falls on one meter
	u := llm.Usage{
		Input: n.Draw(r, "input"), CacheRead: n.Draw(r, "cache read"), CacheWrite5m: n.Draw(r, "cache write 5m"),
		CacheWrite1h: n.Draw(r, "cache write 1h"), Output: n.Draw(r, "output"), Reasoning: n.Draw(r, "reasoning"),
	}
	o := call.Order{
		Target: target, N: rapid.IntRange(0, 3).Draw(r, "answers"),
		Prompt: int(u.Prompt()) + rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 100)).Draw(r, "spare prompt"),
	}
	o.MaxOut = (int(u.Completion()) + max(o.N, 1) - 1) / max(o.N, 1)
	worst, err := p.Worst(o, july)
	if err != nil {
		r.Fatal(err)
	}
	cost, err := p.Price(target, u, july)
	if err != nil {
		r.Fatal(err)
	}
	if cost.Cost() > worst {
		r.Fatalf("%+v costs %s by %s, more than the worst, %s", u, cost.Cost(), cost.Row, worst)
	}
}

// TestWorstIsTight holds that at whole nano-dollar rates the bound is reached, not padded.
func TestWorstIsTight(t *testing.T) {
	p, target := pro(t)
	worst, err := p.Worst(call.Order{Target: target, Prompt: 777, MaxOut: 55}, july)
	if err != nil {
		t.Fatal(err)
	}
	cost, err := p.Price(target, llm.Usage{CacheWrite5m: 777, Reasoning: 55}, july)
	if err != nil || cost.Cost() != worst {
		t.Errorf("the dearest usage costs %s (%v), the worst is %s", cost.Cost(), err, worst)
	}
}
