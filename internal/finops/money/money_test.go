package money

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// amounts are all of int64, with its ends and the small numbers more often than chance would have them.
var amounts = rapid.OneOf(rapid.Int64(), rapid.Int64Range(-10_000, 10_000),
	rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64 - 1, math.MaxInt64, 0, 500, 1500, -500}))

// exact is num / den, rounded half to even and cut at the ends of int64, by arithmetic without bounds.
func exact(num, den *big.Int) Nano {
	q, r := new(big.Int).QuoRem(new(big.Int).Abs(num), den, new(big.Int))
	twice := new(big.Int).Lsh(r, 1)
	if c := twice.Cmp(den); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	if num.Sign() < 0 {
		q.Neg(q)
	}
	switch {
	case q.IsInt64():
		return Nano(q.Int64())
	case q.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

func product(a, b int64) *big.Int { return new(big.Int).Mul(big.NewInt(a), big.NewInt(b)) }

func TestMulRoundsOnceHalfToEven(t *testing.T) {
	for _, tt := range []struct {
		units int64
		rate  Pico
		want  Nano
	}{
		{0, 2_500_000, 0},
		{1, 500, 0},                  // half a nano-dollar: to the even 0
		{1, 1500, 2},                 // one and a half: to the even 2
		{1, 2500, 2},                 // two and a half: to the even 2
		{1, 501, 1},                  // over a half: up
		{-1, 1500, -2},               // a correction mirrors what it corrects
		{1_000_000, 3625, 3_625_000}, // $0.003625 per 1M tokens
		{1_234, 100_000, 123_400},    // $0.10 per 1M
		{math.MaxInt64, 1000, math.MaxInt64},
		{math.MaxInt64, 1001, math.MaxInt64}, // too large: cut
		{math.MinInt64, 1000, math.MinInt64},
		{math.MinInt64, math.MinInt64, math.MaxInt64},
	} {
		if got := Mul(tt.units, tt.rate); got != tt.want {
			t.Errorf("Mul(%d, %d) = %d, want %d", tt.units, tt.rate, int64(got), int64(tt.want))
		}
	}
}

func TestMulIsExactArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units, rate := amounts.Draw(t, "units"), amounts.Draw(t, "rate")
		want := exact(product(units, rate), big.NewInt(1000))
		if got := Mul(units, Pico(rate)); got != want {
			t.Fatalf("Mul(%d, %d) = %d, want %d", units, rate, int64(got), int64(want))
		}
	})
}

func TestMulDivIsExactArithmetic(t *testing.T) {
	whole := rapid.OneOf(rapid.Int64Range(0, math.MaxInt64), rapid.Int64Range(0, 1000))
	rapid.Check(t, func(t *rapid.T) {
		a, num, den := amounts.Draw(t, "a"), whole.Draw(t, "num"), max(1, whole.Draw(t, "den"))
		want := exact(product(a, num), big.NewInt(den))
		if got := MulDiv(Nano(a), num, den); got != want {
			t.Fatalf("MulDiv(%d, %d, %d) = %d, want %d", a, num, den, int64(got), int64(want))
		}
	})
}

func TestPerMillion(t *testing.T) {
	for _, tt := range []struct {
		amount Nano
		units  int64
		want   string
	}{
		{413_300_000_000, 1_000_000, "$413.30"},
		{3 * USD, 4_000_000, "$0.75"},
		{1, 3, "$0.000333333"},
		{5 * USD, 0, "$0.00"}, // nothing was used: no rate
		{0, 7, "$0.00"},
	} {
		if got := PerMillion(tt.amount, tt.units).String(); got != tt.want {
			t.Errorf("PerMillion(%d, %d) = %s, want %s", int64(tt.amount), tt.units, got, tt.want)
		}
	}
}

func TestAddSaturates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := amounts.Draw(t, "a"), amounts.Draw(t, "b")
		want := exact(new(big.Int).Add(big.NewInt(a), big.NewInt(b)), big.NewInt(1))
		if got := Add(Nano(a), Nano(b)); got != want {
			t.Fatalf("%d + %d = %d, want %d", a, b, int64(got), int64(want))
		}
	})
}

func TestSumOfLines(t *testing.T) {
	lines := []Line{NewLine(Input, 1000, 2_500_000), NewLine(CacheRead, 3, 500), NewLine(Output, 10, 15_000_000)}
	if want := (Line{CacheRead, 3, 500, 2}); lines[1] != want {
		t.Errorf("a line of 1.5 nano-dollars = %+v, want %+v", lines[1], want)
	}
	if got, want := Sum(lines), Nano(2_500_000+2+150_000); got != want {
		t.Errorf("sum = %d, want %d", int64(got), int64(want))
	}
	huge := Line{Amount: math.MaxInt64}
	if got := Sum([]Line{huge, huge}); got != math.MaxInt64 {
		t.Errorf("a sum beyond int64 = %d: it must not turn negative", int64(got))
	}
	if Sum(nil) != 0 {
		t.Error("no lines cost something")
	}
}

// TestMeterLinesAddUp holds that cutting a usage into lines moves its cost by less than a nano-dollar a line.
func TestMeterLinesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := Pico(rapid.Int64Range(0, 100_000_000).Draw(t, "rate"))
		units := rapid.SliceOfN(rapid.Int64Range(0, 1_000_000), 1, 6).Draw(t, "units")
		var lines []Line
		var all int64
		for _, u := range units {
			lines, all = append(lines, NewLine(Input, u, rate)), all+u
		}
		if d := Sum(lines) - Mul(all, rate); int(max(d, -d)) > len(units) {
			t.Fatalf("%d lines are %d nano-dollars off", len(units), int64(d))
		}
	})
}

func TestRatesAreListPrices(t *testing.T) {
	for _, tt := range []struct {
		price string
		rate  Pico
		shown string
	}{
		{"0.10", 100_000, "$0.10"},
		{"15", 15_000_000, "$15.00"},
		{"0.003625", 3625, "$0.003625"},
		{"0.000001", 1, "$0.000001"},
		{"0", 0, "$0.00"},
		{"9223372036.5", 9_223_372_036_500_000, "$9,223,372,036.50"},
	} {
		got, err := ParseRate(tt.price)
		if err != nil || got != tt.rate || got.PerMillionUnits() != tt.shown {
			t.Errorf("ParseRate(%q) = %d, %v, shown as %s; want %d, %s", tt.price, got, err, got.PerMillionUnits(), tt.rate, tt.shown)
		}
	}
	for _, bad := range []string{"", ".", "-1", "0.0000001", "1e3", "1,5", "$1", "1.2.3", " 1", "9223372036854.775808"} {
		if got, err := ParseRate(bad); err == nil || !strings.Contains(err.Error(), "per 1M units") {
			t.Errorf("ParseRate(%q) = %d, %v; want an error that says what it is the price of", bad, got, err)
		}
	}
}
