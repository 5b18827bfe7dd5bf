package money

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// parseable are the amounts that ParseUSD reads: all that are not negative.
var parseable = rapid.OneOf(rapid.Int64Range(0, math.MaxInt64), rapid.Int64Range(0, 1e10))

func TestParseUSD(t *testing.T) {
	for s, want := range map[string]Nano{
		"0":                     0,
		"$1,400":                1400 * USD,
		"1400.50":               1_400_500_000_000,
		"$0.000000001":          1,
		" $5 ":                  5 * USD,
		"1.":                    USD,
		"999,999,999.999999999": 999_999_999_999_999_999,
		"$1,234,567.5":          1_234_567_500_000_000,
		"1234567":               1_234_567 * USD,
		"$1000000000":           1_000_000_000 * USD,
		"9223372036.854775807":  math.MaxInt64,
		"00000000000000000001":  USD,
	} {
		if got, err := ParseUSD(s); err != nil || got != want {
			t.Errorf("ParseUSD(%q) = %d, %v; want %d", s, int64(got), err, int64(want))
		}
	}
	for s, want := range map[string]string{
		"":                     "not a decimal number",
		"$":                    "not a decimal number",
		".5":                   "not a decimal number",
		"-5":                   "not a decimal number",
		"$-5":                  "not a decimal number",
		"$$5":                  "not a decimal number",
		"5 USD":                "not a decimal number",
		"1e3":                  "not a decimal number",
		"٣":                    "not a decimal number",
		"1,5":                  "comma",
		"12,34":                "comma",
		"1,4000":               "comma",
		"1234,567":             "comma",
		",123":                 "comma",
		"1,234,":               "comma",
		"1.234,5":              "comma",
		"0.0000000001":         "more than 9 decimals",
		"9223372036.854775808": "above 9223372036.854775807, the most that there can be",
		"9,300,000,000":        "above 9223372036.854775807",
		"10000000000":          "above 9223372036.854775807",
		"99999999999999999999": "above 9223372036.854775807",
		"9999999999999999999x": "not a decimal number",
	} {
		if got, err := ParseUSD(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseUSD(%q) = %d, %v; want an error with %q", s, int64(got), err, want)
		}
	}
}

func TestAmountsReadBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := Nano(parseable.Draw(t, "n"))
		for _, s := range []string{n.String(), n.Decimal()} {
			if got, err := ParseUSD(s); err != nil || got != n {
				t.Fatalf("%d is written as %s and reads back as %d (%v)", int64(n), s, int64(got), err)
			}
		}
	})
}

func TestAmountsAreShownExactly(t *testing.T) {
	for n, want := range map[Nano]string{
		0:               "$0.00",
		213_000:         "$0.000213",
		USD / 2:         "$0.50",
		413_300_000_000: "$413.30",
		1_234_567 * USD: "$1,234,567.00",
		-1:              "-$0.000000001",
		-1_500 * USD:    "-$1,500.00",
		math.MaxInt64:   "$9,223,372,036.854775807",
		math.MinInt64:   "-$9,223,372,036.854775808",
	} {
		if got := n.String(); got != want {
			t.Errorf("%d is shown as %s, want %s", int64(n), got, want)
		}
		if got, want := n.Decimal(), strings.NewReplacer("$", "", ",", "").Replace(want); got != want {
			t.Errorf("%d for machines is %s, want %s", int64(n), got, want)
		}
	}
}

// TestDecimalIsTheAmount compares with arithmetic without bounds: no digit is lost anywhere in int64.
func TestDecimalIsTheAmount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := amounts.Draw(t, "n")
		got, ok := new(big.Rat).SetString(Nano(n).Decimal())
		if want := big.NewRat(n, int64(USD)); !ok || got.Cmp(want) != 0 {
			t.Fatalf("%d is written as %s", n, Nano(n).Decimal())
		}
	})
}

func TestRound(t *testing.T) {
	for _, tt := range []struct {
		n      Nano
		places int
		want   string
	}{
		{413_304_999_999, 2, "$413.30"},
		{5_000_000, 2, "$0.00"},  // half a cent: to the even 0
		{15_000_000, 2, "$0.02"}, // one and a half: to the even 2
		{25_000_000, 2, "$0.02"},
		{-15_000_000, 2, "-$0.02"},
		{-1, 2, "$0.00"}, // no negative nothing
		{1_500 * USD, 0, "$1,500"},
		{999_999_999_999, 0, "$1,000"},
		{1, 9, "$0.000000001"},
		{math.MaxInt64, 0, "$9,223,372,037"}, // rounds beyond int64
		{math.MinInt64, 0, "-$9,223,372,037"},
	} {
		if got := tt.n.Round(tt.places); got != tt.want {
			t.Errorf("%d rounded to %d places = %s, want %s", int64(tt.n), tt.places, got, tt.want)
		}
	}
}

func TestRoundIsExactArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, places := amounts.Draw(t, "n"), rapid.IntRange(0, 9).Draw(t, "places")
		shown := Nano(n).Round(places)
		got, ok := new(big.Rat).SetString(strings.NewReplacer("$", "", ",", "").Replace(shown))
		if !ok {
			t.Fatalf("%d rounded to %d places is no number: %s", n, places, shown)
		}
		step := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(9-places)), nil)
		steps := exact(big.NewInt(n), step)
		want := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(int64(steps)), step), big.NewInt(int64(USD)))
		if got.Cmp(want) != 0 {
			t.Fatalf("%d rounded to %d places = %s, want %s", n, places, shown, want.FloatString(9))
		}
		if _, frac, _ := strings.Cut(shown, "."); len(frac) != places {
			t.Fatalf("%s has not %d decimals", shown, places)
		}
	})
}

func FuzzParseUSD(f *testing.F) {
	for _, s := range []string{"$1,400", "1400.50", "$0.000000001", "1,5", ".", "$", "-1", "999999999.999999999", "1..2", "1.2,3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseUSD(s)
		if err != nil {
			if n != 0 {
				t.Fatalf("%q is refused and yet worth %s", s, n)
			}
			return
		}
		plain := strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(s), "$"), ",", "")
		want, ok := new(big.Rat).SetString(plain)
		if !ok || want.Cmp(big.NewRat(int64(n), int64(USD))) != 0 {
			t.Fatalf("%q was read as %s", s, n)
		}
		if again, err := ParseUSD(n.String()); err != nil || again != n {
			t.Fatalf("%s reads back as %s (%v)", n, again, err)
		}
	})
}
