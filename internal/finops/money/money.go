// Package money is integer money. Amounts are nano-dollars (1e-9 USD) in an int64; rates are pico-dollars (1e-12 USD) a
// unit in an int64, so a list price of "$0.003625 per 1M tokens" is exactly 3,625 pico-dollars a token. A product is
// rounded once, half to even. There is no float here and none may come in.
//
// It knows neither models nor budgets.
package money

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// Nano is an amount in nano-dollars (1e-9 USD).
type Nano int64

// Pico is a rate in pico-dollars (1e-12 USD) a unit.
type Pico int64

// USD is one dollar.
const USD Nano = 1_000_000_000

// Meter names what a line counts.
type Meter string

// Meters. Units are tokens unless said otherwise.
const (
	Input        Meter = "input"
	CacheRead    Meter = "cache_read"
	CacheWrite5m Meter = "cache_write_5m"
	CacheWrite1h Meter = "cache_write_1h"
	Output       Meter = "output"
	Reasoning    Meter = "reasoning"
	Requests     Meter = "requests" // unit: one request
)

// Line is one priced meter of one attempt.
type Line struct {
	Meter  Meter
	Units  int64
	Rate   Pico
	Amount Nano // Units x Rate, rounded half to even
}

// NewLine prices units of a meter.
func NewLine(m Meter, units int64, rate Pico) Line {
	return Line{Meter: m, Units: units, Rate: rate, Amount: Mul(units, rate)}
}

// Sum adds the lines' amounts. It saturates at the ends of int64.
func Sum(lines []Line) Nano {
	var t Nano
	for _, l := range lines {
		t = Add(t, l.Amount)
	}
	return t
}

// Add is a + b. It saturates at the ends of int64, so that a sum of what is too dear never turns negative.
func Add(a, b Nano) Nano {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// Mul is units x rate in nano-dollars, rounded once, half to even. It saturates at the ends of int64.
func Mul(units int64, rate Pico) Nano {
	neg := (units < 0) != (rate < 0)
	hi, lo := bits.Mul64(mag(units), mag(int64(rate)))
	if hi >= 1000 {
		return saturate(neg)
	}
	q, r := bits.Div64(hi, lo, 1000)
	if r > 500 || (r == 500 && q&1 == 1) {
		q++
	}
	if q > math.MaxInt64 {
		return saturate(neg)
	}
	if neg {
		return -Nano(q)
	}
	return Nano(q)
}

func mag(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

func saturate(neg bool) Nano {
	if neg {
		return math.MinInt64
	}
	return math.MaxInt64
}

// MulDiv is a x num / den, rounded half to even, without overflow in between. den must be positive; num not negative.
func MulDiv(a Nano, num, den int64) Nano {
	hi, lo := bits.Mul64(mag(int64(a)), uint64(num))
	if hi >= uint64(den) {
		return saturate(a < 0)
	}
	q, r := bits.Div64(hi, lo, uint64(den))
	if rest := uint64(den) - r; r > rest || (r == rest && q&1 == 1) {
		q++
	}
	if q > math.MaxInt64 {
		return saturate(a < 0)
	}
	if a < 0 {
		return -Nano(q)
	}
	return Nano(q)
}

// PerMillion is amount / units x 1,000,000: the rate TC/1M (also CPMT), in nano-dollars per million units. 0 units = 0.
func PerMillion(amount Nano, units int64) Nano {
	if units <= 0 {
		return 0
	}
	return MulDiv(amount, 1_000_000, units)
}

// ParseRate reads a list price in dollars per 1,000,000 units ("0.10", "15", "0.003625") as a rate. At most 6 decimals.
func ParseRate(s string) (Pico, error) {
	v, err := decimal(s, 6)
	if err != nil {
		return 0, fmt.Errorf("price %q per 1M units: %w", s, err)
	}
	return Pico(v), nil
}

// ParseUSD reads "$1,400", "1400.50" or "$0.000000001" exactly, up to $9,223,372,036.854775807. At most 9 decimals; commas
// only between groups of three digits, so that "1,5" is not taken for fifteen dollars.
func ParseUSD(s string) (Nano, error) {
	plain, err := ungroup(strings.TrimPrefix(strings.TrimSpace(s), "$"))
	if err != nil {
		return 0, fmt.Errorf("amount %q: %w", s, err)
	}
	v, err := decimal(plain, 9)
	if err != nil {
		return 0, fmt.Errorf("amount %q: %w", s, err)
	}
	return Nano(v), nil
}

// ungroup takes the commas out of 1,234,567.
func ungroup(s string) (string, error) {
	whole, frac, _ := strings.Cut(s, ".")
	groups := strings.Split(whole, ",")
	for i, g := range groups[1:] {
		if len(g) != 3 || i == 0 && (groups[0] == "" || len(groups[0]) > 3) {
			return "", fmt.Errorf("a comma stands only between groups of three digits; decimals follow a point")
		}
	}
	if strings.Contains(frac, ",") {
		return "", fmt.Errorf("a comma in the decimals")
	}
	return strings.ReplaceAll(s, ",", ""), nil
}

// decimal reads a non-negative decimal number as an integer scaled by 10^places.
func decimal(s string, places int) (int64, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(frac) > places {
		return 0, fmt.Errorf("more than %d decimals", places)
	}
	digits := whole + frac + strings.Repeat("0", places-len(frac))
	if whole == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("not a decimal number")
	}
	var v int64
	for _, c := range []byte(digits) {
		d := int64(c - '0')
		if v > (math.MaxInt64-d)/10 {
			most := fmt.Sprint(math.MaxInt64)
			return 0, fmt.Errorf("above %s.%s, the most that there can be", most[:len(most)-places], most[len(most)-places:])
		}
		v = v*10 + d
	}
	return v, nil
}

// String shows the exact amount: "$0.000213", trailing zeros cut, at least two decimals.
func (n Nano) String() string {
	s := show(n < 0, mag(int64(n)), 9)
	for strings.HasSuffix(s, "0") && len(s)-strings.IndexByte(s, '.') > 3 {
		s = s[:len(s)-1]
	}
	return s
}

// Round shows the amount with the given number of decimals (0..9), rounded half to even: n.Round(2) = "$413.30".
func (n Nano) Round(places int) string {
	step := uint64(1)
	for range 9 - places {
		step *= 10
	}
	v := mag(int64(n))
	q, r := v/step, v%step
	if rest := step - r; r > rest || (r == rest && q&1 == 1) {
		q++
	}
	return show(n < 0 && q > 0, q*step, places)
}

// show writes v nano-dollars with so many decimals; the others are cut.
func show(neg bool, v uint64, places int) string {
	sign := ""
	if neg {
		sign = "-"
	}
	whole, frac := v/uint64(USD), fmt.Sprintf("%09d", v%uint64(USD))
	if places == 0 {
		return fmt.Sprintf("%s$%s", sign, group(whole))
	}
	return fmt.Sprintf("%s$%s.%s", sign, group(whole), frac[:places])
}

// group writes 1234567 as 1,234,567.
func group(v uint64) string {
	s := fmt.Sprint(v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Decimal shows the exact amount as a bare number of dollars for machines: "0.000213".
func (n Nano) Decimal() string {
	return strings.ReplaceAll(strings.Replace(n.String(), "$", "", 1), ",", "")
}

// PerMillionUnits shows a rate as its list price: "$0.10 per 1M".
func (p Pico) PerMillionUnits() string {
	return Mul(1_000_000, p).String()
}
