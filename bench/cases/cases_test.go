package cases

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

func TestBarsSayWhetherTheyHold(t *testing.T) {
	tests := []struct {
		bar  Bar
		want string
	}{
		{most("a, MB", 34.999, 35, nil), "a, MB 35 <= 35 true"},
		{most("a, MB", 35.01, 35, nil), "a, MB 35.01 <= 35 false"},
		{most("a, times", math.NaN(), 1.5, nil), "a, times NaN <= 1.5 false"},
		{least("b, per second", 15_000, 15_000, nil), "b, per second 15000 >= 15000 true"},
		{least("b, per second", 14_990, 15_000, nil), "b, per second 14990 >= 15000 false"},
		{report("c, us", 12.3456, nil), "c, us 12.35 reported true"},
	}
	for _, tt := range tests {
		b := tt.bar
		if got := fmt.Sprint(b.Name, " ", b.Value, " ", b.Bar, " ", b.OK); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

func TestEveryBarHasTheCommandThatMeasuresIt(t *testing.T) {
	own := Bar{Name: "own", Command: "go test ./x"}
	run := func(*Settings) ([]Bar, error) { return []Bar{{Name: "plain"}, own}, nil }
	for _, tt := range []struct {
		c    Case
		want string
	}{
		{Case{Name: "a", Run: run}, "go run ./bench/show -only a"},
		{Case{Name: "b", Run: run, Long: true}, "go run ./bench/show -only b -long"},
		{Case{Name: "c", Run: run, Command: "go run ./bench/ratio -case c"}, "go run ./bench/ratio -case c"},
	} {
		bars, err := tt.c.Measure(nil)
		if err != nil || bars[0].Command != tt.want || bars[1].Command != own.Command {
			t.Errorf("%+v, %v; want %s", bars, err, tt.want)
		}
	}
}

func TestWhatIsAbsentIsABarThatDoesNotHold(t *testing.T) {
	gone := Case{Name: "gone", Run: func(*Settings) ([]Bar, error) { return nil, fmt.Errorf("test/gone %w", ErrAbsent) }}
	bars, err := gone.Measure(nil)
	if err != nil || len(bars) != 1 || bars[0].OK || bars[0].Detail != "test/gone is not there" {
		t.Errorf("%+v, %v", bars, err)
	}
	broken := Case{Name: "broken", Run: func(*Settings) ([]Bar, error) { return nil, errors.New("no compiler") }}
	if _, err := broken.Measure(nil); err == nil || !strings.HasPrefix(err.Error(), "broken: ") {
		t.Errorf("a failure is hidden: %v", err)
	}
}

func TestCasesHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range All {
		if c.Name == "" || c.About == "" || c.Run == nil || seen[c.Name] || strings.ContainsAny(c.Name, " ,") {
			t.Errorf("case %q", c.Name)
		}
		seen[c.Name] = true
	}
}

func TestMetricsOfBenchmarks(t *testing.T) {
	const out = `goos: linux
BenchmarkDurable256-2   	   60000	      8123 ns/op	         7.5 cpu-us/attempt	     80920 rows/s	     512 B/op
BenchmarkDurable256-2   	   60000	      9000 ns/op	         8.5 cpu-us/attempt	     70000 rows/s
BenchmarkDurable256At1M 	   60000	      1 ns/op	         99 cpu-us/attempt
PASS
`
	if diff := cmp.Diff([]float64{7.5, 8.5}, metric([]byte(out), "BenchmarkDurable256", "cpu-us/attempt")); diff != "" {
		t.Error(diff)
	}
	if got := metric([]byte(out), "BenchmarkDurable", "rows/s"); got != nil {
		t.Errorf("another benchmark's: %v", got)
	}
}

func TestBarsAreFoundInWhateverProgramsPrint(t *testing.T) {
	const out = `go: downloading
    kill_test.go:9: {"name":"kills, count","value":0,"bar":"<= 0","ok":true,"command":"c","figures":{"kills":25}}
{"name":"no bar","value":1}
{"name":"broken
{"name":"gap, percent","value":75.5,"bar":">= 50","ok":true,"command":"go run ./x"}
`
	var got []string
	for _, b := range told([]byte(out)) {
		line, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(line))
	}
	want := []string{
		`{"name":"kills, count","value":0,"bar":"<= 0","ok":true,"command":"c","detail":{"kills":25}}`,
		`{"name":"gap, percent","value":75.5,"bar":">= 50","ok":true,"command":"go run ./x"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyARunThatProvedSomethingHolds(t *testing.T) {
	for name, tt := range map[string]struct {
		r  ran
		ok bool
	}{
		"passed":        {ran{out: []byte("--- PASS: TestKill\nok")}, true},
		"failed":        {ran{out: []byte("--- FAIL: TestKill"), code: 1}, false},
		"skipped":       {ran{out: []byte("--- SKIP: TestKill\nok")}, false},
		"nothing to do": {ran{out: []byte("ok  x [no tests to run]")}, false},
	} {
		bars := outcome(name, tt.r)
		if b := bars[len(bars)-1]; b.OK != tt.ok || (b.Value == 0) != tt.ok {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

func TestRefusalsAreJudged(t *testing.T) {
	const told = `{"error":{"message":"the body is no JSON","type":"invalid_request_error"}}`
	b := bad{want: []int{400, 431}}
	for _, tt := range []struct {
		status int
		body   string
		ok     bool
	}{
		{400, told, true},
		{431, "too large", true},
		{200, "{}", false},
		{500, told, false},
		{400, "Bad Request", false},
		{400, `{"error":{"message":"","type":"x"}}`, false},
		{400, `{"error":{"message":"m"}}`, false},
	} {
		if err := b.judge(tt.status, []byte(tt.body)); (err == nil) != tt.ok {
			t.Errorf("%d %s: %v", tt.status, tt.body, err)
		}
	}
}

func TestTheDemosFiguresAreHeldAgainstTheScenario(t *testing.T) {
	const text = `{"analytic":[
 {"Profile":"uniform","Book":"article-2026-06","Before":{"Day":4999500000000},
  "Honest":{"gemini-3.1-pro":{"Day":413300000000},"gemini-flash-lite":{"Day":362110000000}}},
 {"Profile":"uniform","Book":"list-2026-08","Before":{"Day":1966500000000},
  "Honest":{"gemini-3.1-pro":{"Day":341640000000},"gemini-flash-lite":{"Day":293344400000}}},
 {"Profile":"mixed","Book":"list-2026-08"}]}`
	var r result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	off, detail, err := r.deviation()
	if err != nil || off != 1 || detail["list-2026-08: after, flash-lite"] != 1 || detail["article-2026-06: before"] != 0 {
		t.Errorf("%g %v %v", off, detail, err)
	}
	r.Analytic = r.Analytic[:1]
	if _, _, err := r.deviation(); err == nil {
		t.Error("half of the figures are enough")
	}
	if n := differing([]byte("a\nb\nc"), []byte("a\nx\nc\nd")); n != 2 {
		t.Errorf("%d lines differ, want 2", n)
	}
}
