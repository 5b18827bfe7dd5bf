package agent

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/sim"
)

func provider(t *testing.T, answers sim.Answerer, now func() time.Time) (*sim.Sim, string) {
	t.Helper()
	s, err := sim.New(sim.Config{Answers: answers, Now: now, Models: []sim.Model{
		{ID: "claude-x", Dialect: sim.Anthropic, Cache: true, Thinks: true},
		{ID: "claude-y", Dialect: sim.Anthropic, Cache: true, Thinks: true},
		{ID: "gpt-x", Dialect: sim.OpenAI, Cache: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, srv.URL
}

func of(s Session, url, model string, messages, stream bool) *Agent {
	base := map[bool]string{true: url + "/anthropic", false: url + "/openai"}[messages]
	return &Agent{
		URL: base, Key: "generated", Client: &http.Client{Timeout: time.Minute}, Model: model, Messages: messages, Stream: stream, Thinking: messages,
		System: s.System, Tools: s.Tools, Do: s.Do,
	}
}

// share is how much of what was read came from the provider's cache.
func share(rs []sim.Request) float64 {
	read, cached := 0, 0
	for _, r := range rs {
		read += r.Input
		cached += r.Cached
	}
	return float64(cached) / float64(read)
}

// TestASessionWithOneProvider plays a session against each simulated provider: everything that is signed is taken back, and
// nearly all of what is read again comes from the prompt cache.
func TestASessionWithOneProvider(t *testing.T) {
	for _, messages := range []bool{true, false} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprintf("messages=%t/stream=%t", messages, stream), func(t *testing.T) {
				s := Coding(12)
				prov, url := provider(t, s.Script, nil)
				a := of(s, url, map[bool]string{true: "claude-x", false: "gpt-x"}[messages], messages, stream)
				signed, calls := 0, 0
				for _, q := range s.Questions {
					answers, err := a.Ask(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					for _, x := range answers {
						signed, calls = signed+len(x.Signed), calls+x.Calls
					}
				}
				if calls != 12*6 || messages && signed != 12*3 {
					t.Errorf("%d calls, %d signed", calls, signed)
				}
				if got := share(prov.Requests()); got < 0.9 || got > 0.99 {
					t.Errorf("%.3f of the prompts were cached", got)
				}
			})
		}
	}
}

// TestThoughtsThatAreChanged holds what Anthropic demands of the thinking in a tool loop.
func TestThoughtsThatAreChanged(t *testing.T) {
	replace := func(old, now string) func(*Agent) {
		return func(a *Agent) {
			for i := range a.turns {
				for j, b := range a.turns[i].blocks {
					a.turns[i].blocks[j] = jsontext.Value(strings.Replace(string(b), old, now, 1))
				}
			}
		}
	}
	without := func(a *Agent) {
		for i := range a.turns {
			a.turns[i].blocks = slices.DeleteFunc(a.turns[i].blocks, func(b jsontext.Value) bool {
				return strings.Contains(string(b), `"thinking"`)
			})
		}
	}
	for name, tc := range map[string]struct {
		change func(*Agent)
		want   string
	}{
		"as it came":        {func(*Agent) {}, ""},
		"another text":      {replace("both matter", "matter"), "Invalid `signature`"},
		"no signature":      {replace(`"signature":"`, `"signature":"x`), "Invalid `signature`"},
		"left out":          {without, "Expected `thinking` or `redacted_thinking`, but found `text`"},
		"another model":     {func(a *Agent) { a.Model = "claude-y" }, "Invalid `signature`"},
		"without a thought": {func(a *Agent) { without(a); a.Thinking = false }, ""},
	} {
		s := Coding(1)
		_, url := provider(t, s.Script, nil)
		a := of(s, url, "claude-x", true, true)
		a.turns = []turn{{role: "user", blocks: []jsontext.Value{textBlock(s.Questions[0])}}}
		first, _, err := a.request(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.turns = append(a.turns, first.turn)
		a.work(first.calls)
		tc.change(a)
		_, _, err = a.request(t.Context())
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// TestTheCacheForgets holds that a prompt is kept for five minutes after its last use.
func TestTheCacheForgets(t *testing.T) {
	for _, messages := range []bool{true, false} {
		now := time.Unix(1_800_000_000, 0)
		s := Coding(4)
		prov, url := provider(t, s.Script, func() time.Time { return now })
		a := of(s, url, map[bool]string{true: "claude-x", false: "gpt-x"}[messages], messages, false)
		cached := func() int {
			before := len(prov.Requests())
			if _, err := a.Ask(t.Context(), s.Questions[0]); err != nil {
				t.Fatal(err)
			}
			return prov.Requests()[before].Cached
		}
		if first := cached(); first != 0 {
			t.Errorf("messages=%t: the first request found %d tokens", messages, first)
		}
		now = now.Add(4 * time.Minute)
		if again := cached(); again < 1024 {
			t.Errorf("messages=%t: after 4 minutes %d tokens were left", messages, again)
		}
		now = now.Add(4 * time.Minute) // the use in between counts
		if again := cached(); again < 1024 {
			t.Errorf("messages=%t: after 4 more minutes %d tokens were left", messages, again)
		}
		now = now.Add(5*time.Minute + time.Second)
		if late := cached(); late != 0 {
			t.Errorf("messages=%t: after 5 minutes %d tokens were left", messages, late)
		}
	}
}
