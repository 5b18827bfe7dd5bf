package server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/sim"
)

// request makes a request with the house's key.
func (h *house) request(ctx context.Context, path, body string) *http.Request {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.key)
	return req
}

// long is an answer that takes the simulated models seconds to say.
func long(t *testing.T) *house {
	t.Helper()
	h := open(t, fixed{"gpt-wire": strings.Repeat("word ", 400), "sonnet-wire": strings.Repeat("word ", 400)},
		sim.Model{ID: "gpt-wire", Dialect: sim.OpenAI, Reasoning: true, TPS: 300},
		sim.Model{ID: "sonnet-wire", Dialect: sim.Anthropic, TPS: 300})
	return h
}

func TestALeavingClientEndsTheAttempt(t *testing.T) {
	t.Parallel()
	h := long(t)
	ctx, leave := context.WithCancel(t.Context())
	resp, err := http.DefaultClient.Do(h.request(ctx, "/v1/chat/completions", chat("gpt", "q", true)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	leave()
	eventually(t, "the provider seeing the client leave", func() bool { return h.sim.Stats().Models["gpt-wire"].Canceled == 1 })
	var s story
	eventually(t, "the row of the aborted attempt", func() bool {
		a := answer{header: resp.Header}
		if got := h.get(h.url+"/api/v1/calls/"+resp.Header.Get("X-Request-Id"), "Authorization", "Bearer "+h.key); got.status != 200 {
			return false
		}
		s = h.story(a)
		return true
	})
	if x := s.Attempts[0]; s.Answered || x.Outcome != "aborted" || x.Settlement != "estimated" || x.Cost == "0.00" {
		t.Errorf("an aborted stream was booked as %+v", x)
	}
}

func TestStoppingLetsStreamsFinish(t *testing.T) {
	t.Parallel()
	h := long(t)
	resp, err := http.DefaultClient.Do(h.request(t.Context(), "/v1/messages", messages("sonnet", "q", true)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h.stop()
	eventually(t, "readyz saying no", func() bool {
		r, err := http.DefaultClient.Get(h.admin + "/readyz")
		if err != nil {
			return true // closed at the very end of the drain
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusServiceUnavailable
	})
	b, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(b), "event: message_stop") {
		t.Errorf("the stream under way did not finish: %v\n…%s", err, b[max(0, len(b)-200):])
	}
	if err := <-h.ended; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestAReloadFailsNoCall(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	stop := make(chan struct{})
	done := make(chan int)
	go func() {
		failed := 0
		for {
			select {
			case <-stop:
				done <- failed
				return
			default:
				if a := h.post("/v1/chat/completions", chat("counting", "q", true)); a.status != 200 {
					failed++
				}
			}
		}
	}()
	for i := range 40 {
		text := layout
		if i%2 == 0 {
			text = strings.Replace(layout, "$1/day", "$2/day", 1)
			text = strings.Replace(text, `match: ["counting", "gpt-4o*"]`, `match: ["counting", "o9*"]`, 1)
		}
		c := h.config(text, h.providers)
		c.Listen.API, c.Listen.Admin = "127.0.0.1:0", "127.0.0.1:0"
		if err := h.server.Reload(c); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if failed := <-done; failed > 0 {
		t.Errorf("%d calls failed under reload", failed)
	}
	if a := h.post("/v1/chat/completions", chat("gpt-4o-2024", "q", false)); a.status != 200 {
		t.Errorf("the last configuration is not in force: %d %s", a.status, a.body)
	}
	bad := h.config(strings.Replace(layout, "%DIR%", "%DIR%/other", 1), h.providers)
	if err := h.server.Reload(bad); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("moving the storage while running: %v", err)
	}
}

func TestASecondServerOnTheStorageIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	s, err := server.New(server.Options{Config: h.config(layout, h.providers)})
	if err == nil {
		t.Error("two servers share one storage folder")
		_ = s.Close()
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	h := &house{t: t, dir: t.TempDir()}
	c := h.config(layout, "http://127.0.0.1:1")
	c.Listen.API = ln.Addr().String()
	_, err = server.New(server.Options{Config: c})
	var told *server.ListenError
	if !errors.As(err, &told) || told.Name != "api" || told.Error() != c.Listen.API+" is taken" {
		t.Errorf("error = %v", err)
	}
}

func TestNoKeyIsMadeWhereOtherMachinesCanReach(t *testing.T) {
	t.Parallel()
	h := &house{t: t, dir: t.TempDir()}
	c := h.config(layout, "http://127.0.0.1:1")
	c.Listen.API = "0.0.0.0:0"
	_, err := server.New(server.Options{Config: c})
	if err == nil || !strings.Contains(err.Error(), "no key yet") {
		t.Errorf("error = %v", err)
	}
	files, err := os.ReadDir(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}

func TestHTTP2TowardsClients(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	c := &http.Client{Transport: &http.Transport{Protocols: p}}
	defer c.CloseIdleConnections()
	resp, err := c.Do(h.request(t.Context(), "/v1/chat/completions", chat("counting", "q", true)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.ProtoMajor != 2 || !strings.HasSuffix(string(b), "data: [DONE]\n\n") {
		t.Errorf("HTTP/%d, %v:\n%s", resp.ProtoMajor, err, b)
	}
}

func TestObserveModeAnswersWithTheAskedForModel(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{"flash-wire": "from flash", "gpt-wire": "from gpt", "mini-wire": "from mini"})
	c := h.config(strings.Replace(layout, "mode: enforce", "mode: observe", 1), h.providers)
	c.Listen.API, c.Listen.Admin = "127.0.0.1:0", "127.0.0.1:0"
	if err := h.server.Reload(c); err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]string{"counting": "from gpt", "gpt-4o-mini": "from mini"} {
		if a := h.post("/v1/chat/completions", chat(model, "q", false)); a.json(t, "choices", "0", "message", "content") != want {
			t.Errorf("%s: %s, want %s", model, a.body, want)
		}
	}
}

func TestWhatWasSpentSurvivesARestart(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	a := h.post("/v1/chat/completions", chat("counting", "q", false), "X-Weir-Use-Case", "counting")
	before := h.story(a)
	h.stop()
	if err := <-h.ended; err != nil {
		t.Fatal(err)
	}
	key := h.key
	h.start(h.config(layout, h.providers))
	if h.key != "" {
		t.Error("a key was made although there is one")
	}
	h.key = key
	if after := h.story(a); after.Cost != before.Cost || after.path() != before.path() {
		t.Errorf("before %+v, after %+v", before, after)
	}
	list := h.get(h.admin+"/api/v1/budgets", "Authorization", "Bearer "+h.token())
	if spent := list.json(t, "budgets", "0", "spent_usd"); spent != before.Cost {
		t.Errorf("the budget has spent %s, want %s", spent, before.Cost)
	}
}
