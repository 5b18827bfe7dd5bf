package server_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirhq/weir/internal/server"
)

// TestObserveOpensNoBriefOnlyDeployment holds that observe mode sends raw history to no deployment that takes only briefs,
// by whatever name a client asks.
func TestObserveOpensNoBriefOnlyDeployment(t *testing.T) {
	t.Parallel()
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		if b := bodyOf(t, r); strings.Contains(b, "RAW HISTORY") && strings.Contains(r.URL.Path, "anthropic") {
			t.Errorf("raw history went to the brief-only deployment: %s", b)
		}
		whole(w, "42", 10, 5)
	})
	for _, tc := range []struct {
		model, path string
		status      int
	}{
		{"opus", "", 403},
		{"claude-opus-4.6", "", 403},
		{"watched", "mini:ok:accepted", 200},
		{"claude-any", "mini:ok:accepted", 200},
	} {
		a := h.post("/v1/chat/completions", chat(tc.model, "RAW HISTORY", false))
		if a.status != tc.status {
			t.Errorf("%s: %d %s, want %d", tc.model, a.status, a.body, tc.status)
		}
		if tc.path != "" && h.story(a).path() != tc.path {
			t.Errorf("%s: %s, want %s", tc.model, h.story(a).path(), tc.path)
		}
	}
}

// TestTheHigherClassClaimCounts holds that a class only rises: header and body both claim.
func TestTheHigherClassClaimCounts(t *testing.T) {
	t.Parallel()
	h := played(t, answering("42", 10, 5))
	for _, tc := range []struct {
		header, body string
		status       int
		class        string
	}{
		{"public", "confidential", 403, ""}, // confidential stays in the EU, gpt is in the US
		{"confidential", "public", 403, ""},
		{"", "confidential", 403, ""},
		{"public", "public", 200, "internal"}, // what is not labelled otherwise is internal: no claim lowers it
		{"internal", "", 200, "internal"},
		{"public", "no-such-class", 400, ""},
		{"no-such-class", "confidential", 400, ""},
	} {
		body := `{"model":"gpt","metadata":{"data_class":"` + tc.body + `"},"messages":[{"role":"user","content":"q"}]}`
		if tc.body == "" {
			body = chat("gpt", "q", false)
		}
		a := h.post("/v1/chat/completions", body, "X-Weir-Data-Class", tc.header)
		if a.status != tc.status || a.header.Get("X-Weir-Data-Class") != tc.class {
			t.Errorf("header %q, body %q: %d as %q, want %d as %q: %s",
				tc.header, tc.body, a.status, a.header.Get("X-Weir-Data-Class"), tc.status, tc.class, a.body)
		}
	}
}

// TestTheLogHoldsNoContent holds that a provider's words, which may repeat the caller's, stay out of the server's log.
func TestTheLogHoldsNoContent(t *testing.T) {
	t.Parallel()
	refusal := `{"error":{"message":"content policy: the prompt 'patient Jane Roe, HIV positive' was refused","type":"x"}}`
	for name, status := range map[string]int{"refused": 400, "error under status 200": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := new(journal)
			lines := slog.New(slog.NewJSONHandler(log, nil))
			h := playedBy(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, refusal)
			}, server.Options{Log: lines, Access: lines})
			a := h.post("/v1/chat/completions", chat("gpt", "patient Jane Roe, HIV positive", true))
			id := a.header.Get("X-Request-Id")
			if a.status/100 == 2 || strings.Count(log.text(), id) != 2 {
				t.Errorf("%d; want a line of the call and one of its error:\n%s", a.status, log.text())
			}
			if strings.Contains(log.text(), "Jane") {
				t.Errorf("the log tells what the caller wrote:\n%s", log.text())
			}
			if s := h.story(a); len(s.Attempts) == 0 || strings.Contains(s.Attempts[0].Reason, "Jane") {
				t.Errorf("the ledger tells what the caller wrote: %+v", s.Attempts)
			}
		})
	}
}

// TestAnUnknownModelTellsOnlyWhatTheKeyMayAsk holds that a key bound to one route learns nothing of the others.
func TestAnUnknownModelTellsOnlyWhatTheKeyMayAsk(t *testing.T) {
	t.Parallel()
	h := played(t, answering("42", 10, 5))
	made := h.do(http.MethodPost, h.admin+"/api/v1/keys", `{"name":"x","routes":["counting"]}`,
		"Authorization", "Bearer "+h.token())
	a := h.post("/v1/chat/completions", chat("nope", "q", false), "Authorization", "Bearer "+made.json(t, "key"))
	if a.status != 404 || !strings.Contains(a.body, "counting") {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, other := range []string{"briefed", "watched", "opus", "elsewhere"} {
		if strings.Contains(a.body, other) {
			t.Errorf("the key learns of %s: %s", other, a.body)
		}
	}
}

// TestACallUnderWayIsNotSentToAnotherAddress holds that a call that was permitted for a deployment on one's own premises is
// retried there, also when a reload has moved the provider's name to a third party meanwhile.
func TestACallUnderWayIsNotSentToAnotherAddress(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan bool), make(chan bool)
	var asked, leaked atomic.Int32
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			whole(w, "from the premises", 10, 5)
			return
		}
		entered <- true
		<-leave
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(own.Close)
	cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		leaked.Add(1)
		whole(w, "from the cloud", 10, 5)
	}))
	t.Cleanup(cloud.Close)
	const provider = `other: {preset: openai, key: env:SIM_KEY, url: "%OTHER%/v1"}`
	before := strings.NewReplacer("key:", "hosting: own, key:", "%OTHER%", own.URL).Replace(provider)
	after := strings.NewReplacer("key:", "hosting: api, key:", "%OTHER%", cloud.URL).Replace(provider)
	h := &house{t: t, dir: t.TempDir()}
	h.start(h.playedConfig(nobody, provider, before))
	release := sync.OnceFunc(func() { close(leave) })
	defer release()
	got := make(chan answer, 1)
	go func() {
		got <- h.post("/v1/chat/completions", chat("elsewhere", "the secret", false), "X-Weir-Data-Class", "secret")
	}()
	<-entered
	if err := h.server.Reload(h.playedConfig(nobody, provider, after)); err != nil {
		t.Fatal(err)
	}
	release()
	if a := <-got; leaked.Load() != 0 || a.status != 200 || !strings.Contains(a.body, "from the premises") {
		t.Errorf("class secret went to the third party %d times, to the premises %d: %d %s",
			leaked.Load(), asked.Load(), a.status, a.body)
	}
	if a := h.post("/v1/chat/completions", chat("elsewhere", "q", false)); a.status != 200 || leaked.Load() != 1 {
		t.Errorf("the new configuration is not in force for the calls that come after: %d %s", a.status, a.body)
	}
	if a := h.post("/v1/chat/completions", chat("elsewhere", "q", false), "X-Weir-Data-Class", "secret"); a.status != 403 {
		t.Errorf("class secret towards the third party: %d", a.status)
	}
}

// TestACallUnderWayKeepsItsProviders holds that a call escalates to what its own configuration named, also when a reload
// has taken that provider away.
func TestACallUnderWayKeepsItsProviders(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan bool), make(chan bool)
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(bodyOf(t, r), "mini-wire") {
			entered <- true
			<-leave
			whole(w, "not a number", 10, 5)
			return
		}
		whole(w, "1234", 10, 5)
	}, "%OTHER%", "%SIM%/openai")
	release := sync.OnceFunc(func() { close(leave) })
	defer release()
	got := make(chan answer, 1)
	go func() { got <- h.post("/v1/chat/completions", chat("farther", "q", false)) }()
	<-entered
	renamed := h.playedConfig(h.providers, "%OTHER%", "%SIM%/openai",
		"  other: ", "  renamed: ", "provider: other", "provider: renamed")
	if err := h.server.Reload(renamed); err != nil {
		t.Fatal(err)
	}
	release()
	a := <-got
	if want := "mini:ok:rejected elsewhere:ok:accepted"; a.status != 200 || h.story(a).path() != want {
		t.Errorf("the call under way: %d %s, want %s", a.status, a.body, want)
	}
}
