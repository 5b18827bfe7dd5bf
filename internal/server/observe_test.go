package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/sim"
)

// observed is layout with its first route in observe mode. Without a sample no shadow is drawn.
func observed(sample string) string {
	text := strings.Replace(layout, "mode: enforce", "mode: observe", 1)
	if sample == "" {
		return text
	}
	text = strings.Replace(text, "mode: observe", "mode: observe\n    observe: {sample: "+sample+", budget: observe/counting}", 1)
	return text + "  - {node: observe/counting, limit: $1/day}\n"
}

// openObserved starts a gateway whose route counting is observed.
func openObserved(t *testing.T, answers sim.Answerer, sample string, changes ...string) *house {
	t.Helper()
	h := open(t, answers)
	if err := h.server.Reload(h.config(strings.NewReplacer(changes...).Replace(observed(sample)), h.providers)); err != nil {
		t.Fatal(err)
	}
	return h
}

// capped is a chat of at most 50 tokens of output.
func capped(model, question string, stream bool) string {
	return strings.Replace(chat(model, question, stream), "{", `{"max_tokens":50,`, 1)
}

// watchedCall is what a call's story says of its observation.
type watchedCall struct {
	Cost     string `json:"cost_usd"`
	Observed *struct {
		Layers []string `json:"layers"`
		Start  string   `json:"start"`
		Would  string   `json:"would_cost_usd"`
		Drawn  bool     `json:"drawn"`
		Shadow *struct {
			Outcome  string `json:"outcome"`
			Layer    string `json:"layer"`
			Check    string `json:"check"`
			Attempts int    `json:"attempts"`
			Cost     string `json:"cost_usd"`
			How      string `json:"compared_by"`
			Same     bool   `json:"same"`
		} `json:"shadow"`
	} `json:"observed"`
	Attempts []struct {
		Purpose    string `json:"purpose"`
		Deployment string `json:"deployment"`
		Budget     string `json:"budget"`
		Verdict    string `json:"verdict"`
		Settlement string `json:"settlement"`
		Cost       string `json:"cost_usd"`
		Clocks     struct {
			FirstByte float64 `json:"client_first_ms"`
			Accepted  float64 `json:"accepted_ms"`
		} `json:"clocks"`
	} `json:"attempts"`
}

// watchedStory is a call's story once its shadow, if it was drawn for one, has ended.
func (h *house) watchedStory(t *testing.T, a answer) watchedCall {
	t.Helper()
	var c watchedCall
	eventually(t, "the end of the shadow", func() bool {
		got := h.get(h.url+"/api/v1/calls/"+a.header.Get("X-Request-Id"), "Authorization", "Bearer "+h.key)
		if got.status != http.StatusOK {
			t.Fatalf("story: %d %s", got.status, got.body)
		}
		c = watchedCall{}
		if err := json.Unmarshal([]byte(got.body), &c); err != nil {
			t.Fatal(err)
		}
		return c.Observed == nil || !c.Observed.Drawn || c.Observed.Shadow != nil
	})
	if c.Observed == nil && a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return c
}

// spent is what budgets have spent, by node, as the control API tells it.
func (h *house) spentBy(t *testing.T) map[string]string {
	t.Helper()
	var list struct {
		Budgets []struct {
			Node  string `json:"node"`
			Spent string `json:"spent_usd"`
			Held  string `json:"held_usd"`
		} `json:"budgets"`
	}
	got := h.get(h.admin+"/api/v1/budgets", "Authorization", "Bearer "+h.token())
	if err := json.Unmarshal([]byte(got.body), &list); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	all := map[string]string{}
	for _, b := range list.Budgets {
		if all[b.Node] = b.Spent; b.Held != "0.00" {
			t.Errorf("budget %s still holds %s", b.Node, b.Held)
		}
	}
	return all
}

func TestObserveRecordsWhatTheCascadeWouldHaveDone(t *testing.T) {
	t.Parallel()
	h := openObserved(t, fixed{}, "")
	a := h.post("/v1/chat/completions", chat("counting", "how many?", false))
	c := h.watchedStory(t, a)
	o := c.Observed
	if o == nil || fmt.Sprint(o.Layers) != "[edge top]" || o.Start != "edge" || o.Drawn || o.Shadow != nil {
		t.Fatalf("observed %+v", o)
	}
	r := h.sim.Requests()
	if len(r) != 1 || r[0].Model != "gpt-wire" {
		t.Fatalf("the providers saw %+v", r)
	}
	// gemini-flash-lite: $0.10 and $0.40 a million tokens
	want := fmt.Sprintf("%.7f", (float64(r[0].Input)*0.10+float64(r[0].Output)*0.40)/1e6)
	if got := o.Would; !strings.HasPrefix(got, strings.TrimRight(want, "0")) {
		t.Errorf("the cascade would have cost %s, want %s", got, want)
	}
	if named := h.watchedStory(t, h.post("/v1/chat/completions", chat("flash", "how many?", false))); named.Observed != nil {
		t.Errorf("a deployment named directly is observed: %+v", named.Observed)
	}
}

func TestAShadowRunsTheCascadeBesideTheCall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		answers         fixed
		outcome, layer  string
		check, attempts string
		same            bool
	}{
		{"the first layer would have answered", fixed{}, "accepted", "edge", "", "flash:accepted", true},
		{"the first layer would have answered otherwise", fixed{"flash-wire": "7"}, "accepted", "edge", "", "flash:accepted", false},
		{"the last layer would have", fixed{"flash-wire": "seven"}, "accepted", "top", "", "flash:rejected gpt:accepted", true},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stream=%v", tt.name, stream), func(t *testing.T) {
				t.Parallel()
				h := openObserved(t, tt.answers, "100%")
				a := h.post("/v1/chat/completions", capped("counting", "how many?", stream), "X-Weir-Use-Case", "counting")
				c := h.watchedStory(t, a)
				s := c.Observed.Shadow
				if s.Outcome != tt.outcome || s.Layer != tt.layer || s.How != "number" || s.Same != tt.same {
					t.Errorf("shadow %+v", s)
				}
				var path []string
				for i, x := range c.Attempts {
					if i == 0 {
						if x.Purpose != "answer" || x.Deployment != "gpt" || x.Budget != "use-case/counting" || x.Cost != c.Cost {
							t.Errorf("the call's own attempt: %+v, call cost %s", x, c.Cost)
						}
						continue
					}
					path = append(path, x.Deployment+":"+x.Verdict)
					if x.Purpose != "shadow" || x.Budget != "observe/counting" || x.Settlement != "settled" ||
						x.Clocks.FirstByte != 0 || x.Clocks.Accepted != 0 {
						t.Errorf("a shadow's attempt: %+v", x)
					}
				}
				if got := strings.Join(path, " "); got != tt.attempts || s.Attempts != len(path) {
					t.Errorf("the shadow's attempts %q (%d), want %q", got, s.Attempts, tt.attempts)
				}
				if spent := h.spentBy(t); spent["use-case/counting"] != c.Cost || spent["observe/counting"] != s.Cost {
					t.Errorf("budgets %v; the call cost %s, the shadow %s", spent, c.Cost, s.Cost)
				}
				eventually(t, "the memory of the held answers is given back", func() bool {
					return strings.Contains(h.get(h.admin+"/metrics").body, "\nweir_inflight_bytes 0\n")
				})
			})
		}
	}
}

func TestAShadowThatNoLayerPasses(t *testing.T) {
	t.Parallel()
	h := openObserved(t, fixed{"flash-wire": "seven", "mini-wire": "eight"}, "100%", "use: [gpt]}", "use: [mini], checks: [number]}")
	a := h.post("/v1/chat/completions", chat("counting", "how many?", false))
	s := h.watchedStory(t, a).Observed.Shadow
	if a.status != 200 || s.Outcome != "rejected" || s.Layer != "top" || s.Check != "number" || s.How != "" {
		t.Errorf("%d, shadow %+v", a.status, s)
	}
}

// TestAShadowGoesOnlyWhereTheClassMay holds that a shadow is planned and permitted like any call.
func TestAShadowGoesOnlyWhereTheClassMay(t *testing.T) {
	t.Parallel()
	h := openObserved(t, fixed{"flash-wire": "seven"}, "100%", `"gpt-4o*"`, `"gpt-4o*", "flash-wire"`)
	a := h.post("/v1/chat/completions", chat("flash-wire", "how many?", false), "X-Weir-Data-Class", "confidential")
	c := h.watchedStory(t, a)
	if a.status != 200 || fmt.Sprint(c.Observed.Layers) != "[edge]" || c.Observed.Shadow.Outcome != "rejected" {
		t.Errorf("%d %s, observed %+v", a.status, a.body, c.Observed)
	}
	for _, r := range h.sim.Requests() {
		if r.Model != "flash-wire" {
			t.Errorf("confidential data reached %s", r.Model)
		}
	}
}

func TestAShadowEndsWithItsBudget(t *testing.T) {
	t.Parallel()
	h := openObserved(t, fixed{"flash-wire": "seven"}, "100%", "observe/counting, limit: $1/day", "observe/counting, limit: $0.001/day")
	for range 3 {
		a := h.post("/v1/chat/completions", capped("counting", "how many?", false))
		c := h.watchedStory(t, a)
		s := c.Observed.Shadow
		if a.status != 200 || s.Outcome != "budget" {
			t.Fatalf("%d, shadow %+v", a.status, s)
		}
		last := c.Attempts[len(c.Attempts)-1]
		if last.Purpose != "shadow" || last.Deployment != "gpt" || last.Settlement != "not_sent" {
			t.Errorf("the attempt that was not covered: %+v", last)
		}
	}
}

// TestShadowsEndWithTheServer holds that stopping waits for shadows no longer than limits.drain, and that those it cuts or
// never began are booked.
func TestShadowsEndWithTheServer(t *testing.T) {
	t.Parallel()
	const calls = 7
	begun := make(chan struct{}, calls)
	play, changes := blocked(t, begun)
	h := played(t, play, changes...)
	var ids []answer
	for range calls {
		a := h.post("/v1/chat/completions", chat("watched", "how many?", false))
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		ids = append(ids, a)
	}
	const atOnce = 4
	for range atOnce {
		<-begun
	}
	h.stop()
	select {
	case err := <-h.ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("stopping waits for shadows")
	}
	again, stop, ended := started(t, server.Options{Config: h.playedConfig(h.providers)})
	h.url = "http://" + again.API()
	ends := map[string]int{}
	for _, a := range ids {
		c := h.watchedStory(t, a)
		ends[c.Observed.Shadow.Outcome]++
	}
	if ends["cut"] != atOnce || ends["dropped"] != calls-atOnce {
		t.Errorf("shadows ended as %v", ends)
	}
	if !again.Recovery.Clean || len(again.Recovery.Presumed) > 0 {
		t.Errorf("the ledger was left as %+v", again.Recovery)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// blocked plays providers of which the small model never answers, and tells of each time it is asked.
func blocked(t *testing.T, asked chan<- struct{}) (http.HandlerFunc, []string) {
	t.Helper()
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone) })
	play := func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(bodyOf(t, r), "mini-wire") {
			message(w, "42", 10, 5)
			return
		}
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-gone:
		}
	}
	return play, []string{
		"mode: observe", "mode: observe\n    observe: {sample: 100%, budget: observe/watched}",
		"budgets:\n", "budgets:\n  - {node: observe/watched, limit: $100/day}\n", ", context: brief, compress_with: [extractive]", "",
	}
}

// TestShadowsBeyondTheQueueAreDropped holds that callers do not wait for shadows, however many of them wait.
func TestShadowsBeyondTheQueueAreDropped(t *testing.T) {
	t.Parallel()
	const atOnce, waiting, over = 4, 256, 25
	asked := make(chan struct{}, atOnce)
	play, changes := blocked(t, asked)
	h := played(t, play, changes...)
	for i := range atOnce {
		if a := h.post("/v1/chat/completions", capped("watched", "how many?", false)); a.status != 200 {
			t.Fatalf("call %d: %d %s", i, a.status, a.body)
		}
		<-asked
	}
	var calls sync.WaitGroup
	left := make(chan struct{}, waiting+over)
	for range waiting + over {
		left <- struct{}{}
	}
	close(left)
	for range 8 {
		calls.Go(func() {
			for range left {
				if a := h.post("/v1/chat/completions", capped("watched", "how many?", false)); a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	calls.Wait()
	want := fmt.Sprintf(`weir_shadows_total{layer="",outcome="dropped",route="watched"} %d`, over)
	if got := h.get(h.admin + "/metrics").body; !strings.Contains(got, want) {
		t.Errorf("metrics do not hold %s", want)
	}
}

// copied copies a storage folder's files, as private as they are.
func copied(t *testing.T, from, to string) {
	t.Helper()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestACrashBooksTheShadowsUnderWay opens what a crash would leave while a shadow is under way: what it may have cost is on
// its own budget, and the call's own row stands.
func TestACrashBooksTheShadowsUnderWay(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	play, changes := blocked(t, asked)
	h := played(t, play, changes...)
	a := h.post("/v1/chat/completions", capped("watched", "how many?", false))
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	<-asked
	crashed := &house{t: t, providers: h.providers}
	eventually(t, "the shadow's intent on disk", func() bool {
		crashed.dir = t.TempDir()
		copied(t, h.dir, crashed.dir)
		c := crashed.playedConfig(h.providers, changes...)
		s, err := server.New(server.Options{Config: c})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Recovery.Presumed {
			if x := e.Attempt; x.Order.Purpose != call.Shadow || x.Budget != "observe/watched" || x.Cost != x.Held || x.Cost == 0 {
				t.Errorf("presumed %+v", x)
			}
		}
		return len(s.Recovery.Presumed) == 1
	})
	crashed.start(crashed.playedConfig(h.providers, changes...))
	crashed.key = h.key
	table := crashed.get(crashed.admin+"/api/v1/usage/observe", "Authorization", "Bearer "+crashed.token()).body
	for _, part := range []string{`"calls":1`, `"drawn":1`, `"told":0`, `"open":1`} {
		if !strings.Contains(table, part) {
			t.Errorf("no %s in %s", part, table)
		}
	}
	if strings.Contains(table, `"open":1,"cost_usd":"0.00"`) {
		t.Errorf("the shadow that was cut off costs nothing: %s", table)
	}
}
