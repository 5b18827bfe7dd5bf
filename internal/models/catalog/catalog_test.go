package catalog

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func rate(t *testing.T, s string) money.Pico {
	t.Helper()
	r, err := money.ParseRate(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryModelIsPricedInEveryBookThatClaimsIt(t *testing.T) {
	c := Embedded()
	inList := map[string]bool{}
	for _, b := range c.Books() {
		if b.ID == "" || b.Title == "" || b.Source == "" || b.Date == "" {
			t.Errorf("book %+v misses id, title, source or date", b)
		}
		for _, p := range c.Prices(b.ID) {
			if p.Source == "" || p.Checked == "" {
				t.Errorf("price %s has no source or date", p.ID)
			}
			for _, size := range []int64{0, 1, 200_000, 1_000_000} {
				got, ok := c.Price(b.ID, p.Model, day("2026-09-01"), size)
				if !ok {
					t.Fatalf("%s: no price at %d tokens", p.Model, size)
				}
				for _, m := range []money.Meter{money.Input, money.Output, money.CacheRead, money.Reasoning} {
					if r, ok := got.Rate(m); !ok || r <= 0 {
						t.Errorf("price %s: meter %s has rate %d, %t", got.ID, m, r, ok)
					}
				}
			}
			inList[p.Model] = inList[p.Model] || b.ID == "list-2026-08"
		}
	}
	for _, m := range c.Models() {
		if !inList[m.ID] {
			t.Errorf("model %s has no list price", m.ID)
		}
	}
}

func TestModelsAreComplete(t *testing.T) {
	lifecycles := []string{"preview", "active", "deprecated", "retired"}
	for _, m := range Embedded().Models() {
		if m.Vendor == "" || len(m.Intelligences) == 0 || len(m.Wire) == 0 || len(m.Windows) == 0 {
			t.Errorf("model %s misses vendor, intelligence, wire ids or window sources", m.ID)
		}
		if !strings.Contains(strings.Join(lifecycles, " "), m.Lifecycle) || m.Lifecycle == "" {
			t.Errorf("model %s: lifecycle %q", m.ID, m.Lifecycle)
		}
		for _, w := range m.Wire {
			if w.Source == "" || w.ID == "" || w.Preset == "" {
				t.Errorf("model %s: wire id %+v misses a field", m.ID, w)
			}
			if strings.HasSuffix(w.ID, "-latest") && !w.Moving {
				t.Errorf("model %s: %s moves", m.ID, w.ID)
			}
		}
		found := false
		for _, c := range m.Windows {
			found = found || c.Tokens == m.Window
		}
		if !found {
			t.Errorf("model %s: no source claims the window of %d", m.ID, m.Window)
		}
		if want := Effective(m.Window); m.EffectiveWindow != want {
			t.Errorf("model %s: effective window %d, the rule says %d", m.ID, m.EffectiveWindow, want)
		}
	}
}

func TestRateSwitchIsOnTheWholeRequest(t *testing.T) {
	tests := []struct {
		model         string
		at            string
		prompt        int64
		input, output string
		cached        string
		row           string
	}{
		{"gpt-5.5", "2026-09-01", 272_000, "5", "30", "0.5", "list-2026-08/gpt-5.5/first"},
		{"gpt-5.5", "2026-09-01", 272_001, "10", "45", "1", "list-2026-08/gpt-5.5/first/272000"},
		{"gemini-3.1-pro", "2026-09-01", 200_000, "2", "12", "0.2", "list-2026-08/gemini-3.1-pro/first"},
		{"gemini-3.1-pro", "2026-09-01", 200_001, "4", "18", "0.4", "list-2026-08/gemini-3.1-pro/first/200000"},
		{"claude-opus-4.6", "2026-03-12", 300_000, "10", "37.5", "1", "list-2026-08/claude-opus-4.6/first/200000"},
		{"claude-opus-4.6", "2026-03-12", 100_000, "5", "25", "0.5", "list-2026-08/claude-opus-4.6/first"},
		{"claude-opus-4.6", "2026-03-13", 300_000, "5", "25", "0.5", "list-2026-08/claude-opus-4.6/2026-03-13"},
		{"claude-sonnet-4.6", "2026-03-12", 200_001, "6", "22.5", "0.6", "list-2026-08/claude-sonnet-4.6/first/200000"},
		{"deepseek-v4-pro", "2026-09-01", 1, "0.435", "0.87", "0.003625", "list-2026-08/deepseek-v4-pro/first"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %d", tt.model, tt.at, tt.prompt), func(t *testing.T) {
			p, ok := Embedded().Price("list-2026-08", tt.model, day(tt.at), tt.prompt)
			if !ok || p.ID != tt.row {
				t.Fatalf("row %q, %t; want %q", p.ID, ok, tt.row)
			}
			got := [3]money.Pico{p.Rates[money.Input], p.Rates[money.Output], p.Rates[money.CacheRead]}
			want := [3]money.Pico{rate(t, tt.input), rate(t, tt.output), rate(t, tt.cached)}
			if got != want {
				t.Errorf("rates %v, want %v", got, want)
			}
		})
	}
}

func TestCacheWritesHaveTheirOwnRates(t *testing.T) {
	p, _ := Embedded().Price("list-2026-08", "claude-opus-4.6", day("2026-09-01"), 1)
	for m, want := range map[money.Meter]string{money.CacheWrite5m: "6.25", money.CacheWrite1h: "10"} {
		if got, _ := p.Rate(m); got != rate(t, want) {
			t.Errorf("%s = %d, want %s", m, got, want)
		}
	}
	p, _ = Embedded().Price("list-2026-08", "gpt-5.5", day("2026-09-01"), 1)
	if got, _ := p.Rate(money.CacheWrite1h); got != rate(t, "5") {
		t.Errorf("a cache write without a rate = %d, want the input rate", got)
	}
	if _, ok := p.Rate(money.Requests); ok {
		t.Error("a rate for requests out of nothing")
	}
}

func TestSelfHostedIsAllocated(t *testing.T) {
	for _, book := range []string{"article-2026-06", "list-2026-08"} {
		for _, id := range []string{"llama-4-maverick", "mistral-large"} {
			p, ok := Embedded().Price(book, id, day("2026-09-01"), 1)
			m, _ := Embedded().Model(id)
			if !ok || !p.Allocated || !m.SelfHosted {
				t.Fatalf("%s in %s: priced %t, allocated %t, self-hosted %t", id, book, ok, p.Allocated, m.SelfHosted)
			}
			// $3.13 / 1.44M tokens = 2,173,611.1 pico-dollars a token.
			if p.GPUHour != 3_130_000_000 || p.TokensPerHour != 1_440_000 || p.Rates[money.Output] != 2_173_611 {
				t.Errorf("%s: %d nano an hour / %d tokens = %d", id, p.GPUHour, p.TokensPerHour, p.Rates[money.Output])
			}
		}
	}
}

func TestWireIDs(t *testing.T) {
	tests := []struct {
		model, preset string
		pinned        bool
		want          string
	}{
		{"claude-opus-4.6", "anthropic", true, "claude-opus-4-6"},
		{"gpt-5.5", "openai", true, "gpt-5.5-2026-04-23"},
		{"gpt-5.5", "openrouter", false, "openai/gpt-5.5"},
		{"gpt-5.5", "openrouter", true, ""},
		{"gpt-5.5", "anthropic", false, ""},
		{"gemini-3.1-pro", "gemini", false, "gemini-3.1-pro-preview"},
	}
	for _, tt := range tests {
		m, _ := Embedded().Model(tt.model)
		w, ok := m.WireID(tt.preset, tt.pinned)
		if w.ID != tt.want || ok != (tt.want != "") {
			t.Errorf("%s at %s, pinned %t: %q, %t; want %q", tt.model, tt.preset, tt.pinned, w.ID, ok, tt.want)
		}
	}
}

func own(id string) Model {
	return Model{ID: id, Tier: Edge, Window: 8000, EffectiveWindow: 4000, MaxOutput: 1000}
}

func flat(model string, r money.Pico) Price {
	return Price{Book: "list-2026-08", Model: model, Rates: map[money.Meter]money.Pico{money.Input: r, money.Output: r}}
}

func TestWithLaysOverAndLeavesTheEmbeddedAlone(t *testing.T) {
	c, err := Embedded().With([]Model{own("ours")}, []Price{flat("ours", 7), flat("claude-opus-4.6", 9)})
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := c.Price("list-2026-08", "ours", day("2026-01-01"), 1); !ok || p.Rates[money.Input] != 7 {
		t.Errorf("own price %v, %t", p, ok)
	}
	if p, _ := c.Price("list-2026-08", "claude-opus-4.6", day("2026-09-01"), 1); p.Rates[money.Input] != 9 {
		t.Errorf("the file's price does not win: %v", p)
	}
	if _, ok := Embedded().Model("ours"); ok {
		t.Error("the embedded catalogue changed")
	}
	if p, _ := Embedded().Price("list-2026-08", "claude-opus-4.6", day("2026-09-01"), 1); p.Rates[money.Input] == 9 {
		t.Error("the embedded prices changed")
	}
	if ms := c.Models(); ms[len(ms)-1].ID != "ours" || ms[0].ID != "gpt-5.5" {
		t.Errorf("order: %s ... %s", ms[0].ID, ms[len(ms)-1].ID)
	}
}

func TestWithRefuses(t *testing.T) {
	above := flat("ours", 1)
	above.Above = 100
	half := Price{Book: "list-2026-08", Model: "ours", Rates: map[money.Meter]money.Pico{money.Input: 1}}
	negative := flat("ours", -1)
	lost := flat("ours", 1)
	lost.Book = "nowhere"
	wide := own("ours")
	wide.EffectiveWindow = 9000
	odd := own("ours")
	odd.Tier = "huge"
	tests := []struct {
		name   string
		model  Model
		prices []Price
		want   string
	}{
		{"unknown model", own("other"), []Price{flat("ours", 1)}, `unknown model "ours"`},
		{"unknown book", own("ours"), []Price{lost}, `unknown book "nowhere"`},
		{"no output rate", own("ours"), []Price{half}, "no output rate"},
		{"negative rate", own("ours"), []Price{negative}, "negative"},
		{"two rows for one moment", own("ours"), []Price{flat("ours", 1), flat("ours", 2)}, "there twice"},
		{"switch without a base row", own("ours"), []Price{above}, "no base row"},
		{"effective window too wide", wide, nil, "effective window"},
		{"unknown tier", odd, nil, `unknown tier "huge"`},
		{"no id", Model{}, nil, "without an id"},
		{"no window", Model{ID: "ours", Tier: Edge}, nil, "must be positive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Embedded().With([]Model{tt.model}, tt.prices)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// The row that Price picks is the one that the definition picks, for any set of rows.
func TestPriceFollowsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := []Price(nil)
		for _, d := range rapid.SliceOfNDistinct(rapid.IntRange(0, 30), 1, 4, rapid.ID).Draw(t, "days") {
			sizes := rapid.SliceOfNDistinct(rapid.Int64Range(1, 50), 0, 3, rapid.ID).Draw(t, "sizes")
			for _, above := range append(sizes, 0) {
				p := flat("ours", money.Pico(len(rows)))
				p.From, p.Above = day("2026-01-01").AddDate(0, 0, d), above
				rows = append(rows, p)
			}
		}
		c, err := Embedded().With([]Model{own("ours")}, rows)
		if err != nil {
			t.Fatal(err)
		}
		at := day("2026-01-01").AddDate(0, 0, rapid.IntRange(-1, 31).Draw(t, "at"))
		prompt := rapid.Int64Range(0, 60).Draw(t, "prompt")
		best := -1
		for i, r := range rows {
			if r.From.After(at) || (r.Above > 0 && prompt <= r.Above) {
				continue
			}
			if best < 0 || r.From.After(rows[best].From) || (r.From.Equal(rows[best].From) && r.Above > rows[best].Above) {
				best = i
			}
		}
		got, ok := c.Price("list-2026-08", "ours", at, prompt)
		if ok != (best >= 0) || (ok && got.Rates[money.Input] != money.Pico(best)) {
			t.Fatalf("row %s, %t; want row %d", got.ID, ok, best)
		}
	})
}

func TestBrokenDataIsRefused(t *testing.T) {
	model := `{"models":[{"id":"m","tier":"edge","window":10,"max_output":1,"can":["tools"]}]}`
	book := func(row string) string { return `{"id":"b","prices":[` + row + `]}` }
	tests := []struct{ name, models, book, want string }{
		{"not JSON", `{`, book(""), "models.json"},
		{"unknown member", `{"models":[{"id":"m","teir":"edge"}]}`, book(""), "teir"},
		{"unknown capability", strings.Replace(model, "tools", "smell", 1), book(""), `unknown capability "smell"`},
		{"price that is no number", model, book(`{"model":"m","input":"cheap","output":"1"}`), "input"},
		{"price with a date that is none", model, book(`{"model":"m","from":"June","input":"1","output":"1"}`), "from"},
		{"GPU hour without tokens", model, book(`{"model":"m","gpu_hour_usd":"3"}`), "tokens_per_hour"},
		{"GPU hour that is no amount", model, book(`{"model":"m","gpu_hour_usd":"x","tokens_per_hour":1}`), "gpu_hour_usd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := read(fstest.MapFS{
				"models.json": {Data: []byte(tt.models)}, "books/b.json": {Data: []byte(tt.book)},
			})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestCapabilities(t *testing.T) {
	got, err := Capabilities(CapabilityNames())
	want := llm.Needs{Vision: true, Audio: true, Documents: true, Tools: true, Schema: true}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestPriceDoesNotAllocate(t *testing.T) {
	c, at := Embedded(), day("2026-09-01")
	allocs := testing.AllocsPerRun(100, func() {
		p, _ := c.Price("list-2026-08", "claude-opus-4.6", at, 300_000)
		if r, ok := p.Rate(money.CacheRead); !ok || r == 0 {
			t.Fatal("no rate")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a lookup", allocs)
	}
}

func BenchmarkPrice(b *testing.B) {
	c, at := Embedded(), day("2026-09-01")
	for b.Loop() {
		p, _ := c.Price("list-2026-08", "claude-opus-4.6", at, 300_000)
		p.Rate(money.Input)
	}
}

// TestModelsThatRefuseSampling holds the flag to models.dev f3fc692, whose "temperature" is false for them alone among
// the catalogue's models.
func TestModelsThatRefuseSampling(t *testing.T) {
	var got []string
	for _, m := range Embedded().Models() {
		if m.FixedSampling {
			got = append(got, m.ID)
		}
	}
	if d := cmp.Diff([]string{"gpt-5.5", "gpt-5.4-mini"}, got); d != "" {
		t.Errorf("models (-want +got):\n%s", d)
	}
}
