package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/sim"
	"github.com/weirhq/weir/internal/testkit/agent"
)

// sessionLayout has two cheap deployments and two layers above them.
const sessionLayout = `
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: %DIR%}
prices: list-2026-08
providers:
  openai: {preset: openai, key: env:SIM_KEY, url: "%SIM%/openai/v1"}
  claude: {preset: anthropic, key: env:SIM_KEY, url: "%SIM%/anthropic/v1"}
deployments:
  haiku:  {model: claude-haiku-4.5, provider: claude, wire_id: haiku-wire}
  mini:   {model: gpt-4o-mini, provider: openai, wire_id: mini-wire}
  sonnet: {model: claude-sonnet-4.6, provider: claude, wire_id: sonnet-wire}
  gpt:    {model: gpt-5.5, provider: openai, wire_id: gpt-wire}
routes:
  coding:
    layers: [{name: edge, use: [haiku, mini]}, {name: mid, use: [sonnet]}, {name: top, use: [gpt]}]
    session: {memory: 1h, probe_every: 2, stall_after: 3}
data: {unlabelled: internal, may_reach: {internal: any}}
`

// coder is an agent before a gateway with sessionLayout.
type coder struct {
	*house
	*agent.Agent
	refuse *atomic.Int32 // requests to Anthropic's side that are refused, after the first
	others *atomic.Int32 // the same of OpenAI's side
}

// coding starts it; so many of the first requests to the providers are refused.
func coding(t *testing.T, messages bool, answers sim.Answerer, first int32) coder {
	t.Helper()
	s, err := sim.New(sim.Config{Answers: answers, Models: []sim.Model{
		{ID: "haiku-wire", Dialect: sim.Anthropic, Cache: true, Thinks: true},
		{ID: "sonnet-wire", Dialect: sim.Anthropic, Cache: true, Thinks: true},
		{ID: "mini-wire", Dialect: sim.OpenAI, Cache: true},
		{ID: "gpt-wire", Dialect: sim.OpenAI, Cache: true, Reasoning: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var seen, refuse, others atomic.Int32
	providers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		left := &refuse
		if strings.HasPrefix(r.URL.Path, "/openai") {
			left = &others
		}
		if n := seen.Add(1); n <= first || n > 1 && left.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(providers.Close)
	h := &house{t: t, sim: s, dir: t.TempDir(), providers: providers.URL}
	h.start(h.config(sessionLayout, providers.URL))
	session := agent.Coding(0)
	return coder{h, &agent.Agent{
		URL: h.url, Key: h.key, Client: &http.Client{Timeout: time.Minute}, Model: "coding", Messages: messages, Stream: true,
		Thinking: messages, System: session.System, Tools: session.Tools, Do: session.Do,
	}, &refuse, &others}
}

// ask plays one user turn and returns the story of each of its requests.
func (c coder) ask(t *testing.T, question string) (stories []story) {
	t.Helper()
	answers, err := c.Ask(t.Context(), question)
	if err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	for _, a := range answers {
		stories = append(stories, c.story(answer{header: a.Header}))
	}
	return stories
}

func (c coder) expect(t *testing.T, stories []story, want ...string) {
	t.Helper()
	for i, s := range stories {
		if i >= len(want) || s.path() != want[i] {
			t.Errorf("request %d: %s, want %q", i, s.path(), want)
		}
	}
	if len(stories) != len(want) {
		t.Errorf("%d requests, want %d", len(stories), len(want))
	}
}

func notes(s story, attempt int) string { return string(s.Attempts[attempt].Notes) }

// circling answers every question by the same call, so many times, unless a model is asked that knows better.
type circling struct{ times int }

func (c circling) Answer(q sim.Query) (sim.Answer, error) {
	_, answers := q.Place()
	if answers >= c.times || q.Model == "sonnet-wire" {
		return sim.Answer{Text: "done"}, nil
	}
	return sim.Answer{Thinking: "look again", Calls: []sim.Call{{Name: "grep", Args: jsontext.Value(`{"pattern":"x"}`)}}}, nil
}

func TestAnAgentThatGoesInCirclesEscalates(t *testing.T) {
	t.Parallel()
	for _, messages := range []bool{true, false} {
		t.Run(fmt.Sprintf("messages=%t", messages), func(t *testing.T) {
			t.Parallel()
			const haiku, sonnet = "haiku:ok:accepted", "sonnet:ok:accepted"
			c := coding(t, messages, circling{3}, 0)
			stories := c.ask(t, "why?")
			c.expect(t, stories, haiku, haiku, haiku, haiku)
			if n := notes(stories[3], 0); !strings.Contains(n, `"stalled":"the call of grep came 3 times in the last 3 calls"`) {
				t.Errorf("the story of the stall: %s", n)
			}
			stories = c.ask(t, "and now?")
			c.expect(t, stories, sonnet)
			if n := notes(stories[0], 0); !strings.Contains(n, `"start":2`) || !strings.Contains(n, "stalled: ") {
				t.Errorf("the story of the escalation: %s", n)
			}

			c = coding(t, messages, circling{40}, 0)
			stories = c.ask(t, "why?")
			c.expect(t, stories, haiku, haiku, haiku, haiku, haiku, haiku, sonnet)
			if n := notes(stories[6], 0); !strings.Contains(n, `"bent":"stalled`) || messages && !strings.Contains(n, `"dropped":6`) {
				t.Errorf("the story of the loop that did not end: %s", n)
			}
			scraped := c.get(c.admin+"/metrics", "Authorization", "Bearer "+c.token()).body
			for _, event := range []string{"pinned", "stalled", "bent"} {
				if !strings.Contains(scraped, `weir_session_events_total{event="`+event+`",route="coding"}`) {
					t.Errorf("no metric of %s", event)
				}
			}
		})
	}
}

// TestAFallbackThatIsWarmGoesFirst holds that a conversation stays with the deployment that has read it.
func TestAFallbackThatIsWarmGoesFirst(t *testing.T) {
	t.Parallel()
	s := agent.Coding(2)
	c := coding(t, true, s.Script, 1)
	c.expect(t, c.ask(t, s.Questions[0]),
		"haiku:failed:errored mini:ok:accepted", "mini:ok:accepted", "mini:ok:accepted", "mini:ok:accepted")
	stories := c.ask(t, s.Questions[1])
	c.expect(t, stories, "mini:ok:accepted", "mini:ok:accepted", "mini:ok:accepted", "mini:ok:accepted")
	if n := notes(stories[0], 0); !strings.Contains(n, `"warm":"mini"`) {
		t.Errorf("why mini went first: %s", n)
	}
}

// TestAPinnedModelIsTriedTwice holds that one refusal of a provider does not take an open loop from its model, and that
// another gets nothing of what that one signed.
func TestAPinnedModelIsTriedTwice(t *testing.T) {
	t.Parallel()
	s := agent.Coding(1)
	c := coding(t, true, s.Script, 0)
	const good = "haiku:ok:accepted"
	c.refuse.Store(1) // after the first
	stories := c.ask(t, s.Questions[0])
	c.expect(t, stories, good, "haiku:failed:errored "+good, good, good)
	c = coding(t, true, s.Script, 0)
	c.refuse.Store(2)
	const mini = "mini:ok:accepted"
	stories = c.ask(t, s.Questions[0])
	c.expect(t, stories, good, "haiku:failed:errored haiku:failed:errored "+mini, mini, mini)
	if n := notes(stories[1], 2); !strings.Contains(n, `"bent":"its model failed: `) || !strings.Contains(n, `"dropped":1`) {
		t.Errorf("the story of the bend: %s", n)
	}
}

// TestASessionBelongsToItsKey holds that a name which another key sends reaches nothing.
func TestASessionBelongsToItsKey(t *testing.T) {
	t.Parallel()
	c := coding(t, false, circling{3}, 0)
	c.Header = http.Header{"X-Weir-Session": {"shared"}}
	c.ask(t, "why?")
	made := c.do(http.MethodPost, c.admin+"/api/v1/keys", `{"name":"other"}`, "Authorization", "Bearer "+c.token())
	other := *c.Agent
	other.Key = made.json(t, "key")
	key := c.key
	for name, tc := range map[string]struct{ key, want string }{
		"another key": {other.Key, "haiku:ok:accepted"}, "its own": {key, "sonnet:ok:accepted"},
	} {
		a := c.do(http.MethodPost, c.url+"/v1/chat/completions", chat("coding", "hello", false), "Authorization", "Bearer "+tc.key,
			"X-Weir-Session", "shared")
		c.house.key = tc.key
		if got := c.story(a).path(); a.status != 200 || got != tc.want {
			t.Errorf("%s: %d %s, want %s: %s", name, a.status, got, tc.want, a.body)
		}
	}
}

// TestALoopWithoutThoughtsGoesToAModelThatThinks holds that a loop which a model of another dialect began can be ended by one
// that would demand thoughts before its calls.
func TestALoopWithoutThoughtsGoesToAModelThatThinks(t *testing.T) {
	t.Parallel()
	s := agent.Coding(2)
	c := coding(t, true, s.Script, 1)
	c.others.Store(0)
	const haiku, mini = "haiku:ok:accepted", "mini:ok:accepted"
	c.Do = func(name string, args jsontext.Value) (string, bool) {
		if name == "edit_file" { // before the third request
			c.others.Store(2)
		}
		return s.Do(name, args)
	}
	c.expect(t, c.ask(t, s.Questions[0]), "haiku:failed:errored "+mini, mini,
		"mini:failed:errored mini:failed:errored "+haiku, haiku)
	c.Do = s.Do
	c.expect(t, c.ask(t, s.Questions[1]), haiku, haiku, haiku, haiku)
}

// paying are tool calls with ids, as they stand in an answer and in the request after it.
func paying(name string, n int) string {
	calls := make([]string, n)
	for i := range calls {
		calls[i] = fmt.Sprintf(`{"id":"%s-%d","type":"function","function":{"name":"pay","arguments":"{}"}}`, name, i)
	}
	return `"tool_calls":[` + strings.Join(calls, ",") + "]"
}

// TestAgentsOfOneNameKeepTheirModels has one agent wait for a tool while another of its name makes many calls: its loop
// goes on at its model, and what that one signed goes to nobody else.
func TestAgentsOfOneNameKeepTheirModels(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	sealed := map[bool]int{} // requests with what mini signed, by whether mini got them
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		b := bodyOf(t, r)
		mini := strings.Contains(b, "mini-wire")
		if strings.Contains(b, "SEALED-BY-MINI") {
			mu.Lock()
			sealed[mini]++
			mu.Unlock()
		}
		calls := paying("b", 13)
		switch {
		case strings.Contains(b, "agent A"):
			calls = paying("a", 40)
		case mini:
			whole(w, "", 10, 5) // rejected: empty
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":`+
			`{"role":"assistant","content":null,%s},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`, calls)
	}, "use: [mini], checks: [number]", "use: [mini]")
	ask := func(want, messages string) {
		t.Helper()
		const tools = `"tools":[{"type":"function","function":{"name":"pay","parameters":{"type":"object"}}}],`
		a := h.post("/v1/chat/completions", `{"model":"counting",`+tools+`"messages":[`+messages+`]}`, "x-session-id", "shared")
		if got := h.story(a).path(); got != want {
			t.Errorf("%s, want %s: %.200s", got, want, a.body)
		}
	}
	const mini, gpt = "mini:ok:accepted", "gpt:ok:accepted"
	result := func(id string) string { return fmt.Sprintf(`,{"role":"tool","tool_call_id":%q,"content":"done"}`, id) }
	ask(mini, `{"role":"user","content":"agent A"}`)
	ask("mini:ok:rejected "+gpt, `{"role":"user","content":"agent B"}`)
	for range 3 {
		ask(gpt, `{"role":"user","content":"agent B"},{"role":"assistant","content":null,`+paying("b", 13)+`}`+result("b-0"))
	}
	ask(mini, `{"role":"user","content":"agent A"},{"role":"assistant","content":null,"reasoning_details":[{"data":"SEALED-BY-MINI"}],`+
		paying("a", 40)+`}`+result("a-39"))
	if sealed[true] != 1 || sealed[false] != 0 {
		t.Errorf("requests with what mini signed: %d to mini, %d to others", sealed[true], sealed[false])
	}
}

// learning goes in circles at the first question, and is good from then on.
type learning struct{}

func (learning) Answer(q sim.Query) (sim.Answer, error) {
	if question, _ := q.Place(); question == 0 {
		return circling{3}.Answer(q)
	}
	return sim.Answer{Text: "done"}, nil
}

// TestASessionProbesDownward holds that a session which escalated comes down again when the layer below has become good.
func TestASessionProbesDownward(t *testing.T) {
	t.Parallel()
	c := coding(t, false, learning{}, 0)
	const haiku, sonnet = "haiku:ok:accepted", "sonnet:ok:accepted"
	c.ask(t, "q0")
	for i, want := range []string{sonnet, sonnet, haiku, haiku} {
		stories := c.ask(t, fmt.Sprint("q", i+1))
		c.expect(t, stories, want)
		if n := notes(stories[0], 0); (i == 2) != strings.Contains(n, "a probe") {
			t.Errorf("question %d: %s", i+1, n)
		}
	}
}
