package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

func TestDiff(t *testing.T) {
	whole := load(t, "testdata/full.yaml")
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, old, now string
		want           []string
	}{
		{"nothing", "", "", nil},
		{"a comment", "# Every key", "# Each key", nil},
		{"a mode", "mode: observe", "mode: enforce", []string{"routes.procurement.mode: observe -> enforce"}},
		{"a limit", "attempts: 4", "attempts: 5", []string{"limits.attempts: 4 -> 5"}},
		{
			"a deployment gone", "  alias: {model: gpt-5.4-mini, provider: openai}\n", "",
			[]string{"deployments.alias removed"},
		},
		{
			"two names, one the other's beginning", "  alias:", "  new-2: {model: gpt-5.5, provider: openai}\n" +
				"  new: {model: gpt-5.5, provider: openai}\n  alias:",
			[]string{"deployments.new added", "deployments.new-2 added"},
		},
		{
			"a route more", "  plain:", "  extra: {layers: [{name: only, use: gpu}]}\n  plain:",
			[]string{"routes: [procurement, plain] -> [procurement, extra, plain]", "routes.extra added"},
		},
		{"a class that reaches less", "confidential: {region: [eu, de]}", "confidential: {region: [eu]}", []string{
			"data.rows.confidential.region: [eu, de] -> [eu]",
		}},
		{"a budget", "$1,400.50/day", "$1,500/day", []string{"budgets.use-case/procurement.limit: $1,400.50 -> $1,500.00"}},
		{"a price", "input: 0.24,", "input: 0.25,", []string{
			"models.house-7b.price.article-2026-06/house-7b/first: " +
				"map[cache_read:3625 cache_write_1h:480000 cache_write_5m:300000 input:240000 output:241000] -> " +
				"map[cache_read:3625 cache_write_1h:480000 cache_write_5m:300000 input:250000 output:241000]",
		}},
		{"where a key comes from", "key: file:key.txt", "key: env:GEMINI_KEY", []string{
			"providers.openai.key: file:key.txt -> env:GEMINI_KEY",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			next := parsed(t, "testdata/full.yaml", strings.Replace(string(data), tt.old, tt.now, 1))
			if diff := cmp.Diff(tt.want, Diff(whole, next)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDiffTellsOfANewKeyWithoutShowingIt(t *testing.T) {
	a, b := load(t, "testdata/small.yaml"), load(t, "testdata/small.yaml")
	p := b.Providers["google"]
	p.Key = Secret{value: "AIzaRotatedValue0002", ref: p.Key.ref}
	b.Providers["google"] = p
	want := []string{"providers.google.key: env:GEMINI_KEY changed"}
	if diff := cmp.Diff(want, Diff(a, b)); diff != "" {
		t.Error(diff)
	}
	if a.Providers["google"].Key.Same(p.Key) {
		t.Error("two keys are the same")
	}
}

// watched starts Watch on a copy of small.yaml and returns its folder and what it tells.
func watched(t *testing.T) (dir string, told <-chan any) {
	t.Helper()
	dir = t.TempDir()
	data, err := os.ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "regex: '20\\d\\d'", "schema: s.json", 1)
	write(t, filepath.Join(dir, "s.json"), `{"type":"object"}`)
	path := filepath.Join(dir, "weir.yaml")
	write(t, path, text)
	ctx, stop := context.WithCancel(t.Context())
	out, ended := make(chan any, 8), make(chan error, 1)
	ready := make(chan struct{}, 8)
	go func() {
		ended <- Watch(ctx, path, 5*time.Millisecond, func() (*Config, error) {
			c, err := Load(path, environment)
			ready <- struct{}{}
			return c, err
		}, func(c *Config, err error) {
			if err != nil {
				out <- err
				return
			}
			out <- c
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-ready // the folders are watched from here on
	return dir, out
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// edit rewrites weir.yaml until Watch tells something: an edit before its first look is not a change.
func edit(t *testing.T, dir, old, now string, how func(path, text string)) {
	t.Helper()
	path := filepath.Join(dir, "weir.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	how(path, strings.Replace(string(data), old, now, 1))
}

func TestWatchSeesEditsRenamesAndSchemas(t *testing.T) {
	dir, told := watched(t)
	inPlace := func(path, text string) { write(t, path, text) }
	replaced := func(path, text string) {
		write(t, path+".tmp", text)
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Fatal(err)
		}
	}
	next := func(what string) any {
		t.Helper()
		select {
		case v := <-told:
			return v
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing told after %s", what)
			return nil
		}
	}
	edit(t, dir, "version: 1", "version: 1\nlimits: {attempts: 3}", replaced)
	if c, ok := next("a rename").(*Config); !ok || c.Limits.Attempts != 3 {
		t.Errorf("after a rename: %+v", c)
	}
	edit(t, dir, "attempts: 3", "attempts: 7", inPlace)
	for { // writing in place is two steps: the empty file may be seen first
		v := next("an edit in place")
		if c, ok := v.(*Config); ok {
			if c.Limits.Attempts != 7 {
				t.Errorf("after an edit: %+v", c.Limits)
			}
			break
		}
	}
	edit(t, dir, "use: [pro]", "use: [por]", replaced)
	var all *Errors
	if err, ok := next("a bad edit").(error); !ok || !errors.As(err, &all) {
		t.Errorf("after a bad edit: %v", err)
	}
	edit(t, dir, "use: [por]", "use: [pro]", replaced)
	if _, ok := next("mending").(*Config); !ok {
		t.Error("mended, and still bad")
	}
	write(t, filepath.Join(dir, "new.json"), `{"type":"array"}`)
	if err := os.Rename(filepath.Join(dir, "new.json"), filepath.Join(dir, "s.json")); err != nil {
		t.Fatal(err)
	}
	if c, ok := next("a new schema").(*Config); !ok || string(c.Checks["dated"].Schema) != `{"type":"array"}` {
		t.Error("the schema's change is not seen")
	}
}

func TestWatchOfNowhere(t *testing.T) {
	err := Watch(t.Context(), filepath.Join(t.TempDir(), "no", "weir.yaml"), time.Millisecond, nil, nil)
	if err == nil {
		t.Error("a folder that does not exist is watched")
	}
}

func TestInit(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want [][]string // deployments by layer
	}{
		{
			"Anthropic alone",
			map[string]string{"ANTHROPIC_API_KEY": "sk-ant-aaaabbbbcccc"},
			[][]string{{"claude-haiku-4.5"}, {"claude-sonnet-4.6"}, {"claude-opus-4.6"}},
		},
		{
			"OpenAI alone",
			map[string]string{"OPENAI_API_KEY": "sk-proj-aaaabbbbcccc"},
			[][]string{{"gpt-4o-mini"}, {"gpt-5.4-mini"}, {"gpt-5.5"}},
		},
		{
			"Google alone, by its older variable",
			map[string]string{"GOOGLE_API_KEY": "AIzaaaabbbbcccc"},
			[][]string{{"gemini-flash-lite"}, {"gemini-3.1-pro"}},
		},
		{"DeepSeek alone", map[string]string{"DEEPSEEK_API_KEY": "sk-aaaabbbbcccc"}, [][]string{
			{"deepseek-v4-flash"},
			{"deepseek-v4-pro"},
		}},
		{"Mistral alone", map[string]string{"MISTRAL_API_KEY": "aaaabbbbcccc"}, [][]string{
			{"mistral-small-2603"},
			{"mistral-large-2512"},
		}},
		{"Qwen alone", map[string]string{"DASHSCOPE_API_KEY": "sk-aaaabbbbcccc"}, [][]string{{"qwen-3.5"}}},
		{"Groq alone", map[string]string{"GROQ_API_KEY": "gsk_aaaabbbbcccc"}, [][]string{{"gpt-oss-20b"}, {"gpt-oss-120b"}}},
		{"xAI alone", map[string]string{"XAI_API_KEY": "xai-aaaabbbbcccc"}, [][]string{{"grok-4.3"}}},
		{"Together alone", map[string]string{"TOGETHER_API_KEY": "aaaabbbbcccc"}, [][]string{{"qwen-3.5"}, {"gpt-oss-120b"}}},
		{
			"OpenRouter alone",
			map[string]string{"OPENROUTER_API_KEY": "sk-or-aaaabbbbcccc"},
			[][]string{
				{"gemini-flash-lite", "gpt-4o-mini"},
				{"gpt-5.4-mini", "gemini-3.1-pro", "claude-sonnet-4.6"},
				{"gpt-5.5", "claude-opus-4.6"},
			},
		},
		{
			"the article's three vendors",
			map[string]string{
				"OPENAI_API_KEY": "sk-aaaabbbbcccc", "ANTHROPIC_API_KEY": "sk-ant-aaaabbbb",
				"GEMINI_API_KEY": "AIzaaaabbbb",
			},
			[][]string{
				{"gemini-flash-lite", "gpt-4o-mini"},
				{"gpt-5.4-mini", "gemini-3.1-pro", "claude-sonnet-4.6"},
				{"gpt-5.5", "claude-opus-4.6"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }
			text, err := Init(env, september)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse("weir.yaml", text, env, september)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if len(c.Warnings) > 0 {
				t.Errorf("warnings %q", c.Warnings)
			}
			var got [][]string
			for _, l := range c.Routes[0].Layers {
				got = append(got, l.Use)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s\n%s", diff, text)
			}
			if c.Routes[0].Mode != Observe || len(c.Providers) != len(tt.env) ||
				c.UseCases["default"].Budget != "use-case/default" {
				t.Errorf("mode %s, providers %v", c.Routes[0].Mode, c.Providers)
			}
			for _, secret := range tt.env {
				if strings.Contains(string(text), secret) {
					t.Error("the file holds a key")
				}
			}
		})
	}
}

func TestInitWithoutAnyKey(t *testing.T) {
	for _, value := range []string{"", "changeme"} {
		_, err := Init(func(string) (string, bool) { return value, value != "" }, september)
		e := llm.AsError(err)
		if err == nil || !strings.Contains(e.Message, "ANTHROPIC_API_KEY") || !strings.Contains(e.Hint, "weir demo") {
			t.Errorf("%v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(names, "testdata/full.yaml", "testdata/small.yaml") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("testdata/x.yaml", data, environment, september)
		if (c == nil) == (err == nil) {
			t.Fatal("neither a configuration nor an error")
		}
		if err == nil {
			if d := Diff(c, c); len(d) > 0 {
				t.Errorf("differs from itself: %v", d)
			}
			return
		}
		for _, secret := range []string{geminiKey, "from-a-file-1234"} {
			if strings.Contains(err.Error(), secret) && !strings.Contains(string(data), secret) {
				t.Error("the error shows a secret")
			}
		}
	})
}
