package validate

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// sums are texts with the number of calculations in them that can be judged and those of these that do not hold.
var sums = map[string]struct {
	judged int
	wrong  []int
}{
	// holds
	"16 - 3 - 4 = 9 eggs":                                       {1, nil},
	"She has 16 eggs - 3 eggs = 13 eggs left.":                  {1, nil},
	"9 * $2 = $<<9*2=18>>18 a day":                              {2, nil},
	"2 + 3 * 4 = 14, (2 + 3) * 4 = 20":                          {2, nil},
	"80,000 + 50,000 = 130,000":                                 {1, nil},
	"20% of 50 = 10, 1/2 of the 60 = 30":                        {2, nil},
	"150 * 20% = 30; 3/4 = 75%; 100% - 40% = 60%":               {3, nil},
	"10 / 3 = 3.33 or 20 / 3 = 6.67 or 20 / 3 = 6.66":           {3, nil},
	"140 / 3 = 46.666666666666664":                              {1, nil},
	"0.1 + 0.2 = 0.3":                                           {1, nil},
	"4 × 5 = 20, 20 ÷ 4 = 5, 7 − 9 = −2":                        {3, nil},
	"3 x 4 = 12, 3x4 = 12, 4 times 5 = 20":                      {3, nil},
	`\(3 \times 4 = 12\) and \frac{12}{4} = 3`:                  {2, nil},
	`25 - (8 \* 1) = 17`:                                        {1, nil},
	"3 * 5 = 15 + 2 = 17":                                       {2, nil},
	"5 / 2 = 10 / 4 = 2.5":                                      {2, nil},
	"12.8 / (1 - 3/5) = 12.8 / 2/5 = 12.8 * 2.5 = 32":           {3, nil},
	"**3 + 4 = 7** and 3 + 4 = **7**":                           {2, nil},
	"- 3 + 4 = 7\n* 2 * 3 = 6\n1. 5 - 2 = 3\n2) 1+1=2":          {4, nil},
	"60 miles / hour * 2 hours = 120 miles":                     {1, nil},
	"5 (dogs) + 3 (cats) = 8 pets":                              {1, nil},
	"Step 1 - 16 - 3 = 13":                                      {1, nil},
	"$350 - $150 - $80 = $120!":                                 {1, nil},
	"1,234,567,890,123,456,789 + 1 = 1,234,567,890,123,456,790": {1, nil},
	"a total of 24 + 12 = 36, equal to 10 x 2 = 20":             {2, nil},
	"36 / 2 = 18 times. 5 times a day * 7 days = 35":            {2, nil},
	"20 - 7 = 13 more eggs":                                     {1, nil},
	// does not hold
	"a total of 24 + 12 = 37": {1, []int{1}},
	"16 - 3 = 12":             {1, []int{1}},

	"16 - 3 = 13, then 13 * 2 = 25 and 1 + 1 = 2": {3, []int{2}},

	"<<16-3=12>>12":               {1, []int{1}},
	"16 - 3 = <<16-3=13>>12 eggs": {2, []int{1}},
	"$3.50 + $4.25 = $7.70":       {1, []int{1}},
	"2 + 3 * 4 = 20":              {1, []int{1}},
	"10 / 3 = 3.4":                {1, []int{1}},
	"1,234,567,890,123,456,789 + 1 = 1,234,567,890,123,456,789": {1, []int{1}},
	"0.1 + 0.2 = 0.30000000000000001":                           {1, nil}, // the noise of floating point
	"7 - 9 = 2":                                                 {1, []int{1}},
	// not read with confidence
	"x + 3 = 10, 3x + 4 = 11, 10 - 3x = 4":                   {0, nil},
	"2^3 + 4 = 13, 3! = 7, √16 + 1 = 6":                      {0, nil},
	"5 * 12 = 2":                                             {1, []int{1}},
	"2 hours * 60 = 2 minutes":                               {0, nil},
	"$2 * 3 = 600 cents":                                     {0, nil},
	"2 + 3 million = 5":                                      {0, nil},
	"half of 10 + 2 = 7":                                     {0, nil},
	"a third of 9 + 9 = 6, 5 to 3 + 4 = 1, 20% of x + 1 = 2": {0, nil},
	"5 more than 3 + 4 = 12":                                 {0, nil},
	"10:30 + 2 = 5, 1.2.3 + 1 = 9, 5,6 + 1 = 9":              {0, nil},
	"50 + 10% = 55":                                          {0, nil},
	"a == 3 + 4, 3 + 4 != 8, 3 + 4 >= 8, 3 + 4 => 8":         {0, nil},
	"1 dozen = 12, total = 12":                               {0, nil},
	"5 / 0 = 7":                                              {0, nil},
	"17 / 5 = 3 remainder 2":                                 {0, nil},
	"3 + 4 = x, 3 + 4 = ?, 3 + = 4, = 4, 3 + 4 =":            {0, nil},
	"240 * 100% = 40 * students":                             {0, nil},
	"INV-402 + 1 = 7, COVID19 + 1 = 5":                       {0, nil},
	// dates, ranges, notations and quantities of other kinds
	"2026-11-24 - 2026-11-20 = 4 days": {0, nil},
	"24-11-2026 - 20-11-2026 = 4 days, 11/24/2026 - 11/20/2026 = 4 days, 2026/11/24 - 2026/11/20 = 4 days": {0, nil},
	"12/31 - 12/01 = 30 days, 12/31 - 12/1 = 30 days":                                                      {0, nil},
	"€1.200 + €300 = €1.500":                                                                               {0, nil},
	"1.200 € + 300 € = 1.500 €":                                                                            {0, nil},
	"1.200 Euro + 300 Euro = 1.500 Euro, EUR 1.200 + EUR 300 = EUR 1.500":                                  {0, nil},
	"$1,200 + $300 = $1,500, $1.20 + $0.30 = $1.50":                                                        {2, nil},
	"sqrt(16) + 1 = 5, max(2, 3) + 1 = 4, 1 + sqrt(16) = 5":                                                {0, nil},
	"a[0] + 1 = 2, b[1]+1=3":                                                                               {0, nil},
	"0x10 + 1 = 17, 0xff + 1 = 256, 1 + 0x10 = 17":                                                         {0, nil},
	"0 x 10 + 1 = 1, 10x10 = 100":                                                                          {2, nil},
	"pages 7-10 = 4 pages":                                                                                 {0, nil},
	"items 3-5 = 3 items, items 3–5 = 3 items":                                                             {0, nil},
	"2023-24 = 5 wins":                                                                                     {0, nil},
	"13 + 5 = 6 (mod 12), 13 + 5 = 6 mod 12, 13 + 5 = 6 (modulo 12)":                                       {0, nil},
	"5 ft 10 in + 2 in = 6 ft":                                                                             {0, nil},
	"2 hours 30 minutes + 15 minutes = 165 minutes":                                                        {0, nil},
	"2 hours and 30 minutes + 15 minutes = 165 minutes":                                                    {0, nil},
	// what looks like them and is a calculation
	"16-3-4=9, 16-3-4 = 10, 1000-20-30 = 950, 2000-10-15-5 = 1970": {4, []int{2}},
	"<<10-4=5>> <<10-4=6>>":                 {2, []int{1}},
	"8 - (7-3) = 4, 10-4 + 1 = 8":           {2, []int{2}},
	"1/2 - 1/3 = 1/6, 1/2 - 1/4 = 1/8 mile": {2, []int{2}},
	"10 - 4 = 5 (see page 2)":               {1, []int{1}},
	"2 * (3 + 4) = 15":                      {1, []int{1}},
}

func TestCalculations(t *testing.T) {
	for text, want := range sums {
		n, wrong := calculations(text)
		if n != want.judged || !slices.Equal(wrong, want.wrong) {
			t.Errorf("%q: judged %d, wrong %v; want %d, %v", text, n, wrong, want.judged, want.wrong)
		}
	}
}

func TestArithmeticReasonQuotesNothing(t *testing.T) {
	c, err := Compile(Spec{Name: "sums", Arithmetic: true})
	if err != nil {
		t.Fatal(err)
	}
	f := c.Judge(answer("q", "1234 + 1 = 9999 and 2 + 2 = 4"))
	if f.OK || f.Check != "sums" || f.Reason != "calculation 1 of the 2 that the answer states does not hold" {
		t.Errorf("finding %+v", f)
	}
	if f := c.Judge(answer("q", "2 + 2 = 4")); !f.OK || f.Reason != "" {
		t.Errorf("finding %+v, want OK", f)
	}
}

func TestArithmeticIsLinear(t *testing.T) {
	for name, text := range map[string]string{
		"sum": strings.Repeat("1 + ", 40_000) + "1 = 5", "equals": strings.Repeat("1+1=", 20_000),
		"parens": strings.Repeat("(", 40_000) + "1 + 1 = 2", "closers": strings.Repeat("1)", 20_000) + " = 5",
		"notes": strings.Repeat("<<", 40_000) + "1=1>>", "frac": strings.Repeat(`\frac{1`, 20_000) + "=",
		"words": strings.Repeat("a ", 40_000) + "1 + 1 = 2", "nested": strings.Repeat("1+(",
			10_000) + "1" + strings.Repeat(")", 10_000) + "=5",
	} {
		began := time.Now()
		if n, _ := calculations(text); n > maxCalculations {
			t.Errorf("%s: %d calculations", name, n)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: %v for %d bytes", name, took, len(text))
		}
	}
}

// FuzzArithmetic: no text may make the reader panic, and what it judges is within what the text has room for.
func FuzzArithmetic(f *testing.F) {
	for _, s := range []string{
		"16 - 3 - 4 = 9 eggs", "<<9*2=18>>18", `\frac{12}{4} = 3`, "20% of 50 = 10", "2^3 = 8", "((1+2)*3)/4 = 2.25",
		"-- 1 = - 1",
		"x = 3 x 4 = 12", "1,2,3 = 6", "= = =", "(a) 1 (b) + 2 (c) = 3", "1/2/3 = 4/5/6", "$ .5 + ¢5 = €1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, wrong := calculations(s)
		if n > strings.Count(s, "=") || len(wrong) > n || !slices.IsSorted(wrong) {
			t.Fatalf("judged %d, wrong %v of %d equals signs", n, wrong, strings.Count(s, "="))
		}
	})
}
