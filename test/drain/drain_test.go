// Package drain stops the real binary with SIGTERM while many streams are open, live and held, in both dialects.
package drain

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/store/sqlite"
	"github.com/weirhq/weir/test/smoke/process"
)

const (
	patience = 60 * time.Second
	each     = 8 // streams of each route
)

// kind is a route and what its clients see.
type kind struct{ route, path, end, inBand string }

func kinds() []kind {
	chat := kind{path: "/v1/chat/completions", end: "data: [DONE]\n\n", inBand: `data: {"error":`}
	messages := kind{path: "/v1/messages", end: "event: message_stop\n", inBand: "event: error\n"}
	var all []kind
	for _, how := range []string{"live", "held"} {
		c, m := chat, messages
		c.route, m.route = "chat-"+how, "messages-"+how
		all = append(all, c, m)
	}
	return all
}

// house is a running binary with a provider before it.
type house struct {
	*process.Running
	*provider
	t    *testing.T
	dir  string
	http *http.Client
}

func serve(t *testing.T, b process.Binary, drain string) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), provider: play(t, len(kinds())*each), http: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(h.http.CloseIdleConnections)
	text, err := os.ReadFile(filepath.Join("testdata", "weir.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(h.dir, "weir.yaml")
	text = []byte(strings.NewReplacer("PROVIDER", h.url, "SOME_TIME", drain).Replace(string(text)))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	h.Running, err = b.Start(t.Context(), []string{"DRAIN_KEY=simulated"}, "serve", "--quiet", "--config", path,
		"--listen-api", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Kill)
	return h
}

func (h *house) ask(k kind) (*http.Response, error) {
	body := fmt.Sprintf(`{"model":%q,"stream":true,"max_tokens":100,"messages":[{"role":"user","content":"q"}]}`, k.route)
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.API+k.path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+h.Key)
	return h.http.Do(req)
}

// stream is one answer as its client reads it.
type stream struct {
	kind
	id   string
	body *bufio.Reader
	text string
}

// open begins streams of every kind, and returns once all have begun: the provider has said a word of each, and each
// client has its head, by that word or by a keep-alive.
func (h *house) open() []*stream {
	h.t.Helper()
	var all []*stream
	for _, k := range kinds() {
		for range each {
			resp, err := h.ask(k)
			if err != nil {
				h.t.Fatal(err)
			}
			h.t.Cleanup(func() { _ = resp.Body.Close() })
			s := &stream{kind: k, id: resp.Header.Get("X-Request-Id"), body: bufio.NewReader(resp.Body)}
			line, err := s.body.ReadString('\n')
			if err != nil || resp.StatusCode != http.StatusOK {
				h.t.Fatalf("%s: %d %v", k.route, resp.StatusCode, err)
			}
			s.text = line
			all = append(all, s)
		}
	}
	for range all {
		<-h.begun
	}
	return all
}

// leaving sends SIGTERM and waits until /readyz says no.
func (h *house) leaving() {
	h.t.Helper()
	h.Terminate()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		resp, err := h.http.Get(h.Admin + "/readyz")
		if err != nil {
			h.t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusServiceUnavailable && bytes.Contains(b, []byte("draining")) {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("/readyz says %d %s, %v", resp.StatusCode, b, err)
		}
	}
}

// refuses holds that new calls are told to go elsewhere, in their dialect.
func (h *house) refuses() {
	h.t.Helper()
	for _, k := range kinds() {
		resp, err := h.ask(k)
		if err != nil {
			h.t.Fatalf("a new call while draining: %v", err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		messages := bytes.HasPrefix(b, []byte(`{"type":"error"`))
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" ||
			resp.Header.Get("X-Should-Retry") != "true" || !resp.Close || !bytes.Contains(b, []byte("this server is stopping")) ||
			messages != strings.HasPrefix(k.route, "messages") {
			h.t.Errorf("%s while draining: %d %v %s", k.route, resp.StatusCode, resp.Header, b)
		}
	}
}

func (s *stream) rest() error {
	b, err := io.ReadAll(s.body)
	s.text += string(b)
	return err
}

// rows are the attempts of a call in the ledger of a process that has ended.
func rows(t *testing.T, dir string, streams []*stream) map[string][]call.Attempt {
	t.Helper()
	r, err := sqlite.OpenReader(filepath.Join(dir, "weir-data"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	all := map[string][]call.Attempt{}
	for _, s := range streams {
		id, err := call.ParseOpID(s.id)
		if err != nil {
			t.Fatal(err)
		}
		if all[s.id], err = ledger.Call(context.Background(), r, id); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestStopping(t *testing.T) {
	binary, err := process.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]func(*testing.T, process.Binary){
		"streams finish while new calls are turned away": finish,
		"what is left at the end is cut and booked":      cut,
		"a second signal ends at once":                   again,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, binary)
		})
	}
}

func finish(t *testing.T, b process.Binary) {
	h := serve(t, b, "60s")
	streams := h.open()
	h.leaving()
	h.refuses()
	close(h.may)
	for _, s := range streams {
		if err := s.rest(); err != nil || !strings.Contains(s.text, s.end) {
			t.Errorf("%s did not finish: %v\n%s", s.route, err, s.text)
		}
	}
	if err := h.Wait(); err != nil {
		t.Error(err)
	}
	for id, as := range rows(t, h.dir, streams) {
		if len(as) != 1 || as[0].Settlement != call.Settled || as[0].Outcome != call.OK {
			t.Errorf("%s is booked as %+v", id, as)
		}
	}
}

func cut(t *testing.T, b process.Binary) {
	h := serve(t, b, "300ms")
	streams := h.open()
	h.leaving()
	for _, s := range streams {
		err := s.rest()
		if err != nil || strings.Contains(s.text, s.end) || strings.Count(s.text, s.inBand) != 1 ||
			!strings.Contains(s.text, "this server is stopping") {
			t.Errorf("%s was not told in band: %v\n%s", s.route, err, s.text)
		}
	}
	if err := h.Wait(); err != nil {
		t.Error(err)
	}
	if log := h.Log(); strings.Contains(log, "panic") || !strings.Contains(log, fmt.Sprintf(`"calls":%d`, len(streams))) {
		t.Errorf("the log: %s", log)
	}
	for id, as := range rows(t, h.dir, streams) {
		if len(as) != 1 || as[0].Settlement != call.Estimated || as[0].Outcome != call.Canceled || as[0].Cost <= 0 {
			t.Errorf("%s is booked as %+v", id, as)
		}
	}
}

func again(t *testing.T, b process.Binary) {
	h := serve(t, b, "10m")
	h.open()
	h.leaving()
	h.Terminate()
	ended := make(chan error, 1)
	go func() { ended <- h.Wait() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "signal") {
			t.Errorf("it ended by itself: %v", err)
		}
	case <-timer.C:
		t.Error("it still drains")
	}
}
