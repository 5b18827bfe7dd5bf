package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

func load(t testing.TB, path string) *Config {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, path, string(data))
}

func parsed(t testing.TB, path, data string) *Config {
	t.Helper()
	c, err := Parse(path, []byte(data), environment, september)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// small is testdata/small.yaml with replacements: an old text, what stands there now, the next old text and so on.
func small(t testing.TB, oldNow ...string) (*Config, error) {
	t.Helper()
	data, err := os.ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for pair := range slices.Chunk(oldNow, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("small.yaml has no %q", pair[0])
		}
		text = strings.Replace(text, pair[0], pair[1], 1)
	}
	return Parse("testdata/small.yaml", []byte(text), environment, september)
}

func TestTheFullFile(t *testing.T) {
	c := load(t, "testdata/full.yaml")
	if c.Listen != (Listen{"0.0.0.0:9090", "[::1]:9091"}) || c.Storage.Dir != "/var/lib/weir" ||
		c.Prices != "article-2026-06" {
		t.Errorf("process: %+v %+v %s", c.Listen, c.Storage, c.Prices)
	}
	if want := (Limits{8 << 20, 1 << 30, 500, 900, 4, 90 * time.Second, 90 * time.Second, 500}); c.Limits != want {
		t.Errorf("limits %+v", c.Limits)
	}
	google := c.Providers["google"]
	if google.Dialect != llm.Gemini || google.AuthHeader != "x-goog-api-key" || google.Hosting != call.API ||
		google.Key.Reveal() != geminiKey ||
		google.Timeout != (Timeouts{2 * time.Second, 20 * time.Second, 10 * time.Second}) {
		t.Errorf("google %+v", google)
	}
	openai := c.Providers["openai"]
	if openai.Key.Reveal() != "from-a-file-1234" || openai.AuthPrefix != "Bearer " ||
		openai.OutputKey != "max_completion_tokens" ||
		openai.URL != "https://api.openai.com/v1" ||
		openai.Timeout != (Timeouts{5 * time.Second, time.Minute, 30 * time.Second}) {
		t.Errorf("openai %+v", openai)
	}
	if p := c.Providers["onprem"]; p.URL != "http://10.0.0.7:8000/v1" ||
		p.Hosting != call.Cloud || p.OutputKey != "max_tokens" {
		t.Errorf("onprem %+v", p)
	}
}

func TestTheFullFilesDeploymentsAndRoutes(t *testing.T) {
	c := load(t, "testdata/full.yaml")
	wires := map[string]string{
		"flash": "gemini-2.5-flash-lite", "pro": "gemini-3.1-pro-preview-customtools", "gpt": "gpt-5.5-2026-04-23",
		"house": "house-7b", "gpu": "llama-70b", "alias": "gpt-5.4-mini-2026-03-17",
	}
	for name, want := range wires {
		if got := c.Deployments[name].WireID; got != want {
			t.Errorf("deployment %s: wire id %q, want %q", name, got, want)
		}
	}
	wantRoute := Route{
		Name: "procurement", Match: []string{"procurement", "gpt-4o*", "claude-sonnet-4-6"}, Mode: Observe,
		Sample: 25_000, Shadows: "observe/procurement", OnBudget: "best_effort",
		Layers: []Layer{
			{Name: "edge", Use: []string{"house", "flash"}, MaxOutput: 300, Checks: []string{"invoice-shape", "ids-in-context"}},
			{Name: "mid", Use: []string{"pro"}, Checks: []string{"dated", "sums", "sure"}},
			{Name: "top", Use: []string{"gpt"}, Brief: true, Compress: []string{"extractive", "flash"}, BriefTokens: 6000},
		},
		Stream:  Stream{KeepaliveAfter: 3 * time.Second, GiveUpAfter: 120 * time.Second},
		Targets: map[string]int{"edge": 75, "mid": 20, "top": 5},
		Session: Session{30 * time.Minute, 4, 5},
	}
	wantStream := Stream{KeepaliveAfter: 2 * time.Second, GiveUpAfter: 45 * time.Second, Prefix: true}
	if got := c.Routes[1].Stream; got != wantStream {
		t.Errorf("stream %+v, want %+v", got, wantStream)
	}
	if diff := cmp.Diff(wantRoute, c.Routes[0], cmp.Transformer("empty",
		func(s []string) string { return fmt.Sprint(s) })); diff != "" {
		t.Error(diff)
	}
}

func TestTheFullFilesGovernance(t *testing.T) {
	c := load(t, "testdata/full.yaml")
	wantRows := []DataRow{
		{Class: "public"},
		{Class: "internal", Tier: []catalog.Tier{"mid", "edge", "open-weight", "frontier"}},
		{Class: "confidential", Region: []string{"eu", "de"}},
		{Class: "restricted", Hosting: []call.Hosting{call.Cloud}},
		{Class: "secret", Nowhere: true},
	}
	if diff := cmp.Diff(wantRows, c.Data.Rows, cmp.Transformer("nil",
		func(s []string) string { return fmt.Sprint(s) })); diff != "" {
		t.Error(diff)
	}
	b := c.Budgets[0]
	if b.Limit != 1_400_500_000_000 || b.Period != "day" || b.Zone.String() != "Europe/Berlin" ||
		fmt.Sprint(b.AlertAt) != "[50 80 95]" {
		t.Errorf("budget %+v", b)
	}
	if b := c.Budgets[1]; b.Limit != 20_000*money.USD || b.Period != "month" || b.Zone != time.UTC ||
		b.OnLimit != "refuse" {
		t.Errorf("budget %+v", b)
	}
	if u := c.UseCases["hiring"]; u.Budget != "use-case/hiring" || u.Stakes != "medium" {
		t.Errorf("a use case finds the budget of its own name: %+v", u)
	}
	if len(c.Checks["invoice-shape"].Schema) == 0 || !c.Checks["sums"].Arithmetic || c.Checks["sure"].Doubt != 60 || len(c.Files) != 2 ||
		len(c.Warnings) != 0 {
		t.Errorf("checks %+v files %v warnings %v", c.Checks, c.Files, c.Warnings)
	}
}

// Prices are what stands in the file, to the last digit, whether quoted or not.
func TestPricesAreReadFromTheirText(t *testing.T) {
	c := load(t, "testdata/full.yaml")
	p, ok := c.Models.Price("article-2026-06", "house-7b", september, 1)
	want := map[money.Meter]money.Pico{
		money.Input: 240_000, money.Output: 241_000, money.CacheRead: 3_625, money.CacheWrite5m: 300_000,
		money.CacheWrite1h: 480_000,
	}
	if diff := cmp.Diff(want, p.Rates); !ok || diff != "" {
		t.Error(diff)
	}
	g, _ := c.Models.Price("article-2026-06", "gpu-70b", september, 1)
	if !g.Allocated || g.Rates[money.Output] != 2_173_611 {
		t.Errorf("GPU-hour price %+v", g)
	}
	m, _ := c.Models.Model("gpu-70b")
	if m.EffectiveWindow != 65536 || !m.Can.Vision || m.Can.Tools {
		t.Errorf("model %+v", m)
	}
}

func TestAModelOfTheCatalogueTakesOtherValues(t *testing.T) {
	c, err := small(t, "version: 1",
		"version: 1\nmodels:\n  gemini-flash-lite: {window: 500000, price: {input: 0.2, output: 0.8}}")
	if err != nil {
		t.Fatal(err)
	}
	m := c.Deployments["flash"].Model
	if m.Window != 500000 || m.EffectiveWindow != 200000 || m.MaxOutput != 65535 || m.Tier != catalog.Mid || !m.Can.Audio {
		t.Errorf("model %+v", m)
	}
	if p, _ := c.Models.Price("list-2026-08", m.ID, september, 1); p.Rates[money.Output] != 800_000 {
		t.Errorf("price %+v", p)
	}
	if m, _ := catalog.Embedded().Model("gemini-flash-lite"); m.Window == 500000 {
		t.Error("the embedded catalogue changed")
	}
}

func TestDefaults(t *testing.T) {
	c := load(t, "testdata/small.yaml")
	if c.Listen != (Listen{"127.0.0.1:8080", "127.0.0.1:8081"}) ||
		c.Storage.Dir != filepath.Join("testdata", "weir-data") {
		t.Errorf("%+v %+v", c.Listen, c.Storage)
	}
	if want := (Limits{64 << 20, 256 << 20, 2048, 4096, 6, 300 * time.Second, 30 * time.Second, 10_000}); c.Limits != want {
		t.Errorf("limits %+v", c.Limits)
	}
	if want := (Session{time.Hour, 10, 3}); c.Routes[0].Session != want {
		t.Errorf("session %+v", c.Routes[0].Session)
	}
	if r := c.Routes[0]; r.Mode != Enforce || r.OnBudget != "refuse" || c.Prices != "list-2026-08" {
		t.Errorf("route %+v, book %s", r, c.Prices)
	}
}

func TestABriefLayerCompressesByDefault(t *testing.T) {
	c, err := small(t, "use: [pro]", "use: [pro], context: brief")
	if err != nil || !c.Routes[0].Layers[1].Brief || fmt.Sprint(c.Routes[0].Layers[1].Compress) != "[extractive]" {
		t.Errorf("%v, %+v", err, c)
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct{ old, now, want string }{
		{"use: [pro]", "use: [pro], context: brief, brief_tokens: 900000", "brief_tokens 900000 is more than pro (model gemini-3.1-pro) is trusted with"},
		{"use: [pro]", "use: [pro], context: brief, brief_tokens: 200001", "passes the 200000 tokens above which pro (model gemini-3.1-pro) charges"},
		{"version: 1", "version: 1\nuse_cases: {a: {owner: x, review: 2026-08-31}}", "its review was due on 2026-08-31"},
		{"internal: any", "internal: any, confidential: {region: mars}", "confidential reaches no deployment"},
		{"key: env:GEMINI_KEY", "key: env:GEMINI_KEY, url: 'http://llm.example.com/v1'", "unencrypted"},
		{"model: gemini-flash-lite", "model: llama-4-maverick, wire_id: llama", "priced by the GPU-hour"},
		{
			"data:", "  later:\n    match: [gpt-4o-mini]\n    layers: [{name: x, use: [pro]}]\ndata:",
			"whose pattern \"gpt-4o*\" comes first",
		},
	}
	for _, tt := range tests {
		c, err := small(t, tt.old, tt.now)
		if err != nil {
			t.Errorf("%s: %v", tt.want, err)
			continue
		}
		if !strings.Contains(strings.Join(c.Warnings, "\n"), tt.want) {
			t.Errorf("warnings %q, want one with %q", c.Warnings, tt.want)
		}
	}
	c, err := small(t, "version: 1", "version: 1\nuse_cases: {a: {owner: x, review: 2026-09-01}}")
	if err != nil || len(c.Warnings) > 0 {
		t.Errorf("a review today: %v %v", err, c.Warnings)
	}
}

// $12 per 1M tokens of 65,536 are $0.786432, and $0.40 per 1M of 65,535 are $0.026214.
func TestALayerThatHoldsMoreThanABudgetIsWarnedOf(t *testing.T) {
	const budgets = "version: 1\nuse_cases: {a: {owner: x}, b: {owner: x}}\n" +
		"budgets: [{node: use-case/b, limit: 100/day}, {node: use-case/a, limit: %s/day}]"
	tests := []struct {
		limit, layer string
		want         []string // what each warning holds
	}{
		{"0.79", "use: [pro]", nil},
		{"0.78", "use: [pro]", []string{
			"layer top: a call that sends no max_tokens holds $0.786432 for up to 65536 tokens from pro, " +
				"more than all of budget use-case/a ($0.78)",
		}},
		{"0.03", "use: [pro], max_output: 2000", nil},
		{"0.02", "use: [pro], max_output: 2000", []string{
			"layer edge: a call that sends no max_tokens holds $0.026214 for up to 65535 tokens from flash",
			"layer top: a call that sends no max_tokens holds $0.024 for up to 2000 tokens from pro",
		}},
		{"0.03", "use: [pro], max_output: 2000}\n    mode: observe #", []string{"holds $0.786432 for up to 65536 tokens"}},
	}
	for _, tt := range tests {
		c, err := small(t, "version: 1", fmt.Sprintf(budgets, tt.limit), "use: [pro]", tt.layer)
		if err != nil {
			t.Errorf("%s, %s: %v", tt.limit, tt.layer, err)
			continue
		}
		if len(c.Warnings) != len(tt.want) {
			t.Errorf("%s, %s: warnings %q", tt.limit, tt.layer, c.Warnings)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(c.Warnings[i], want) {
				t.Errorf("%s, %s: warning %q, want %q", tt.limit, tt.layer, c.Warnings[i], want)
			}
		}
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	c := load(t, "testdata/full.yaml")
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c.Providers), fmt.Sprintf("%v",
		c.Providers["google"].Key)} {
		for _, secret := range secretsInTests {
			if strings.Contains(s, secret) {
				t.Errorf("%q is printed", secret)
			}
		}
	}
	if ref := c.Providers["openai"].Key.Ref(); ref != "file:key.txt" {
		t.Errorf("reference %q", ref)
	}
}

func TestLoadNamesWhatToDo(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "weir.yaml"), environment)
	if e := llm.AsError(err); err == nil || !strings.Contains(e.Hint, "weir init") ||
		!strings.Contains(e.Message, "no such file") {
		t.Errorf("%v", err)
	}
	if c, err := Load("testdata/small.yaml", environment); err != nil || c.Path != "testdata/small.yaml" {
		t.Errorf("%v", err)
	}
}

func TestPresets(t *testing.T) {
	tests := []struct {
		name, header, prefix, url string
		dialect                   llm.Dialect
		hosting                   call.Hosting
	}{
		{"openai", "Authorization", "Bearer ", "https://api.openai.com/v1", llm.OpenAI, call.API},
		{"anthropic", "x-api-key", "", "https://api.anthropic.com/v1", llm.Anthropic, call.API},
		{"gemini", "x-goog-api-key", "", "https://generativelanguage.googleapis.com/v1beta", llm.Gemini, call.API},
		{"vllm", "Authorization", "Bearer ", "http://127.0.0.1:8000/v1", llm.OpenAI, call.Own},
		{"openai-compatible", "Authorization", "Bearer ", "", llm.OpenAI, call.API},
	}
	for _, tt := range tests {
		p, ok := presetNamed(tt.name)
		if !ok || p.AuthHeader != tt.header || p.AuthPrefix != tt.prefix || p.URL != tt.url || p.Dialect != tt.dialect ||
			p.Hosting != tt.hosting {
			t.Errorf("%+v", p)
		}
	}
	if n := len(Presets()); n != 14 {
		t.Errorf("%d presets", n)
	}
	known := map[string]bool{}
	for _, p := range Presets() {
		known[p.Name] = true
		if strings.HasSuffix(p.URL, "/") || (p.Dialect == llm.OpenAI) != (p.OutputKey != "") {
			t.Errorf("preset %+v", p)
		}
	}
	for _, m := range catalog.Embedded().Models() {
		for _, w := range m.Wire {
			if !known[w.Preset] {
				t.Errorf("model %s: wire id at unknown preset %s", m.ID, w.Preset)
			}
		}
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"gpt-4o*", "gpt-4o", true},
		{"gpt-4o*", "gpt-4o-mini", true},
		{"gpt-4o*", "gpt-4", false},
		{"*", "", true},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "a1c2b", false},
		{"a*a", "a", false},
		{"exact", "exact", true},
		{"exact", "exactly", false},
		{"*-mini", "gpt-4o-mini", true},
	} {
		if got := glob(tt.pattern, tt.name); got != tt.want {
			t.Errorf("glob(%q, %q) = %t", tt.pattern, tt.name, got)
		}
	}
}

func TestMask(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"key: hunter2", "key: *******"},
		{`key: "hunter2", x: 1`, `key: *********, x: 1`},
		{"key: env:NAME", "key: env:NAME"},
		{"{url: https://u:p@host/v1}", "{url: https://***@host/v1}"},
		{"name: sk-ant-abcdefghijkl", "name: *******************"},
		{"preset: gemini", "preset: gemini"},
		{"tokens_per_hour: 1440000", "tokens_per_hour: 1440000"},
		{"key: 'open", "key: *****"},
	} {
		if got := mask(tt.line); got != tt.want {
			t.Errorf("mask(%q) = %q, want %q", tt.line, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"teir", "tier", 1}, {"tier", "tier", 0}, {"", "abc", 3}, {"route", "routes", 1}, {"cat", "dog", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestAFileOfMistakesIsShownInPart(t *testing.T) {
	data := "version: 1\n"
	for i := range 300 {
		data += fmt.Sprintf("wrong%d: 1\n", i)
	}
	_, err := Parse("weir.yaml", []byte(data), environment, september)
	var all *Errors
	if !errors.As(err, &all) || len(all.Problems) < 300 {
		t.Fatalf("%v", err)
	}
	if text := err.Error(); strings.Count(text, "\n") > 500 || !strings.HasSuffix(text, " more") {
		t.Errorf("%d lines", strings.Count(text, "\n"))
	}
}

func TestAFileTooLargeOrNotText(t *testing.T) {
	for _, tt := range []struct{ data, want string }{
		{strings.Repeat("# padding\n", 30_000), "larger than 256 KiB"},
		{"version: \xff\xfe", "not UTF-8"},
		{strings.Repeat("{a: ", 100) + "1" + strings.Repeat("}", 100), "unknown key"},
		{"version: 1\nbudgets: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "wants a set of keys"},
	} {
		if _, err := Parse("weir.yaml", []byte(tt.data), environment, september); err == nil ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.20q: %v", tt.data, err)
		}
	}
}

func TestALongLineIsShownAroundThePlace(t *testing.T) {
	_, err := Parse("weir.yaml", []byte("version: 1 #"+strings.Repeat(" ", 300)+"\nx: {"+strings.Repeat("a: 1, ",
		60)+"}"), environment, september)
	for line := range strings.Lines(err.Error()) {
		if len(line) > 250 {
			t.Errorf("a line of %d characters", len(line))
		}
	}
}
