package openai

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

// answerBody is a whole answer with that usage object.
func answerBody(usage string) string {
	return `{"id":"c1","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{` +
		`"role":"assistant",` +
		`"content":"hi"},"finish_reason":"stop"}],"usage":` + usage + `}`
}

// metered are the usages that one body tells on its three ways: whole, peeked at, and as a chunk.
func metered(t testing.TB, usage string) (out [3]*llm.Usage) {
	t.Helper()
	body := []byte(answerBody(usage))
	r, err := Back{}.Response(body)
	if err != nil {
		t.Fatal(err)
	}
	out[0] = r.Usage
	events, _, err := Back{}.Peek(body)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Back{}.Stream(wire.StreamOptions{}).Read([]byte("data: {\"choices\":[],\"usage\":" + usage + "}\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i, evs := range [][]llm.Event{events, d.Events} {
		for _, ev := range evs {
			if ev.Kind == llm.EvMeter {
				out[i+1] = ev.Usage
			}
		}
	}
	return out
}

func TestUsageOfRealProviders(t *testing.T) {
	raw, err := os.ReadFile("testdata/usages.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Model string         `json:"model"`
		Usage jsontext.Value `json:"usage"`
		Want  llm.Usage      `json:"want"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 15 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, row := range rows {
		for i, u := range metered(t, string(row.Usage)) {
			if u == nil || *u != row.Want {
				t.Errorf("%s, way %d: got %+v, want %+v", row.Model, i, u, row.Want)
			}
		}
	}
}

func TestUsageMeters(t *testing.T) {
	for _, tc := range []struct {
		name, usage string
		want        *llm.Usage
	}{
		{"null", `null`, nil},
		{"empty", `{}`, nil},
		{"not an object", `"none"`, nil},
		{"other counts only", `{"seconds":3}`, nil},
		{"prompt only", `{"prompt_tokens":4,"total_tokens":4}`, &llm.Usage{Input: 4}},
		{
			"reasoning beside, as its total tells",
			`{"prompt_tokens":10,"completion_tokens":20,"total_tokens":45,"completion_tokens_details":{"reasoning` +
				`_tokens":15}}`, &llm.Usage{Input: 10, Output: 20, Reasoning: 15},
		},
		{
			"more reasoning than completion",
			`{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":15}}`,
			&llm.Usage{Input: 10, Output: 5, Reasoning: 15},
		},
		{"cached beside", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details"` +
			`:{"cached_tokens":90}}`, &llm.Usage{Input: 10, CacheRead: 90, Output: 5}},
		{
			"cached told twice",
			`{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":4,"prompt_tokens_details":{"cach` +
				`ed_tokens":4}}`, &llm.Usage{Input: 6, CacheRead: 4, Output: 5},
		},
		{
			"nulls and nonsense",
			`{"prompt_tokens":3,"completion_tokens":null,"prompt_tokens_details":null,"completion_tokens_details"` +
				`:[],"total_tokens":"x"}`, &llm.Usage{Input: 3},
		},
		{"fractions and signs", `{"prompt_tokens":3.2,"completion_tokens":-5}`, &llm.Usage{Input: 4}},
		{
			"absurd", `{"prompt_tokens":1e300,"completion_tokens":99999999999999999999}`,
			&llm.Usage{Input: maxCount, Output: maxCount},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i, u := range metered(t, tc.usage) {
				if (u == nil) != (tc.want == nil) || u != nil && *u != *tc.want {
					t.Errorf("way %d: got %+v, want %+v", i, u, tc.want)
				}
			}
		})
	}
}

func TestUsageIsWrittenAsItsSums(t *testing.T) {
	u := llm.Usage{Input: 5, CacheRead: 10, CacheWrite5m: 20, CacheWrite1h: 40, Output: 3, Reasoning: 4}
	const want = `{"prompt_tokens":75,"completion_tokens":7,"total_tokens":82,"prompt_tokens_details":{"cac` +
		`hed_tokens":10},` +
		`"completion_tokens_details":{"reasoning_tokens":4}}`
	if got := string(appendUsage(nil, u)); got != want {
		t.Errorf("got %s", got)
	}
	back := metered(t, want)[0]
	if *back != (llm.Usage{Input: 65, CacheRead: 10, Output: 3, Reasoning: 4}) {
		t.Errorf("read back as %+v", back)
	}
}

// The whole published collection, where it is at hand: every count a provider names is kept, and nothing counts twice.
func TestUsageOfThePublishedCollection(t *testing.T) {
	dir := os.Getenv("WEIR_SHARED")
	if dir == "" {
		t.Skip("WEIR_SHARED is not set")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "data/prices/genai-prices/usages.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Body struct {
			Model string         `json:"model"`
			Usage jsontext.Value `json:"usage"`
		} `json:"body"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, row := range rows {
		var sums struct {
			Prompt     *int64 `json:"prompt_tokens"`
			Completion int64  `json:"completion_tokens"`
			Total      int64  `json:"total_tokens"`
		}
		if row.Body.Usage.Kind() != '{' || json.Unmarshal(row.Body.Usage, &sums) != nil || sums.Prompt == nil {
			continue
		}
		read++
		u := metered(t, string(row.Body.Usage))[0]
		if u == nil || u.Prompt() != *sums.Prompt || u.Total() != sums.Total || u.Completion() < sums.Completion ||
			min(u.Input, u.CacheRead, u.CacheWrite5m, u.Output, u.Reasoning) < 0 {
			t.Errorf("%s: %s read as %+v", row.Body.Model, row.Body.Usage, u)
		}
	}
	if read < 200 {
		t.Errorf("only %d rows in this dialect", read)
	}
}

func TestCountReadsAnyValue(t *testing.T) {
	for text, want := range map[string]int64{
		`7`: 7, `-7`: 0, `0.1`: 1, `1e3`: 1000, `null`: 0, `"7"`: 0, `{}`: 0,
		`-0.5`: 0, `1e999`: 0,
	} {
		c := scan.Open([]byte(text))
		if got := count(c, []byte(text)); got != want || c.End() != nil {
			t.Errorf("%s: got %d, %v", text, got, c.Err())
		}
		c.Close()
	}
}
