package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/server"
)

// playedLayout is the configuration of tests that play the providers themselves, byte by byte.
const playedLayout = `
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: %DIR%}
prices: article-2026-06
limits: {drain: 500ms}
providers:
  openai: {preset: openai, key: env:SIM_KEY, url: "%SIM%/openai/v1"}
  claude: {preset: anthropic, key: env:SIM_KEY, url: "%SIM%/anthropic/v1"}
  other: {preset: openai, key: env:SIM_KEY, url: "%OTHER%/v1"}
deployments:
  mini:  {model: gpt-4o-mini, provider: openai, region: us, wire_id: mini-wire}
  gpt:   {model: gpt-5.5, provider: openai, region: us, wire_id: gpt-wire}
  sonnet: {model: claude-sonnet-4.6, provider: claude, region: us, wire_id: sonnet-wire}
  opus:  {model: claude-opus-4.6, provider: claude, region: us, wire_id: opus-wire}
  elsewhere: {model: gpt-5.5, provider: other, region: us, wire_id: elsewhere-wire}
checks:
  number: {regex: '^\d+$'}
routes:
  counting:
    match: ["counting"]
    mode: enforce
    on_budget: best_effort
    layers:
      - {name: edge, use: [mini], checks: [number]}
      - {name: top, use: [gpt]}
  farther:
    match: ["farther"]
    mode: enforce
    layers:
      - {name: edge, use: [mini], checks: [number]}
      - {name: top, use: [elsewhere]}
  briefed:
    match: ["briefed"]
    mode: enforce
    layers:
      - {name: edge, use: [gpt], checks: [number]}
      - {name: top, use: [opus], context: brief, compress_with: [extractive]}
  watched:
    match: ["watched", "claude-*"]
    mode: observe
    layers:
      - {name: edge, use: [mini], checks: [number]}
      - {name: top, use: [opus], context: brief, compress_with: [extractive]}
data: {unlabelled: internal, may_reach: {public: any, internal: any, confidential: {region: eu}, secret: {hosting: own}}}
use_cases:
  counting: {owner: tests, kpi: numbers, stakes: low, floor: internal, budget: use-case/counting, review: 2030-01-31}
budgets:
  - {node: use-case/counting, limit: $1/day, zone: UTC, on_limit: refuse, alert_at: [50%]}
`

// nobody is an address where nothing listens.
const nobody = "http://127.0.0.1:1"

// playedConfig is playedLayout with pairs of old and new text replaced, every provider but other at an address.
func (h *house) playedConfig(addr string, changes ...string) *config.Config {
	h.t.Helper()
	text := strings.NewReplacer(changes...).Replace(playedLayout)
	return h.config(strings.ReplaceAll(text, "%OTHER%", nobody), addr)
}

// played starts a gateway before a handler that plays every provider.
func played(t *testing.T, handler http.HandlerFunc, changes ...string) *house {
	t.Helper()
	return playedBy(t, handler, server.Options{}, changes...)
}

// playedBy is played with options of the server's own.
func playedBy(t *testing.T, handler http.HandlerFunc, opt server.Options, changes ...string) *house {
	t.Helper()
	p := httptest.NewServer(handler)
	t.Cleanup(p.Close)
	h := &house{t: t, dir: t.TempDir(), providers: p.URL, options: opt}
	h.start(h.playedConfig(p.URL, changes...))
	return h
}

// chunk is one frame of a streamed chat answer; fin "" = it goes on.
func chunk(choice int, text, fin string) string {
	f := "null"
	if fin != "" {
		f = `"` + fin + `"`
	}
	return fmt.Sprintf(`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":%d,`+
		`"delta":{"content":%q},"finish_reason":%s}]}`+"\n\n", choice, text, f)
}

const (
	usageChunk = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],` +
		`"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}` + "\n\n"
	doneChunk = "data: [DONE]\n\n"
)

// Frames of a streamed message that says one text.
const (
	messageStart = `event: message_start` + "\n" + `data: {"type":"message_start","message":{"id":"m","type":"message",` +
		`"role":"assistant","model":"s","content":[],"stop_reason":null,"usage":{"input_tokens":5,"output_tokens":1}}}` + "\n\n"
	blockStart = `event: content_block_start` + "\n" +
		`data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n"
	blockDelta = `event: content_block_delta` + "\n" +
		`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"HELLO"}}` + "\n\n"
	blockStop    = "event: content_block_stop\n" + `data: {"type":"content_block_stop","index":0}` + "\n\n"
	messageDelta = "event: message_delta\n" +
		`data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}` + "\n\n"
	messageStop = "event: message_stop\n" + `data: {"type":"message_stop"}` + "\n\n"
)

// sse begins a stream; what it returns writes and flushes.
func sse(w http.ResponseWriter) func(...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	return func(frames ...string) {
		_, _ = io.WriteString(w, strings.Join(frames, "")) // a gateway that is gone is the test's business
		_ = http.NewResponseController(w).Flush()
	}
}

// whole answers with one text and tells its usage.
func whole(w http.ResponseWriter, text string, in, out int) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":`+
		`{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":%d,"completion_tokens":%d}}`,
		text, in, out)
}

// message answers with one text in the shape of a message.
func message(w http.ResponseWriter, text string, in, out int) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"id":"m","type":"message","role":"assistant","model":"o","content":[{"type":"text","text":%q}],`+
		`"stop_reason":"end_turn","usage":{"input_tokens":%d,"output_tokens":%d}}`, text, in, out)
}

// answering is a provider that gives every question one answer.
func answering(text string, in, out int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { whole(w, text, in, out) }
}

// bodyOf reads what a provider was asked.
func bodyOf(t *testing.T, r *http.Request) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("the provider could not read its request: %v", err)
	}
	return string(b)
}

// read follows a streamed answer until it holds a text, and returns what came. It fails when the stream ends before.
func read(t *testing.T, body io.Reader, until string) string {
	t.Helper()
	var seen strings.Builder
	b := make([]byte, 4<<10)
	for !strings.Contains(seen.String(), until) {
		n, err := body.Read(b)
		seen.Write(b[:n])
		if err != nil && !strings.Contains(seen.String(), until) {
			t.Fatalf("%v before %q came: %s", err, until, seen.String())
		}
	}
	return seen.String()
}

// stream begins a call and returns its answer as it comes.
func (h *house) stream(path, body string) *http.Response {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	h.t.Cleanup(cancel)
	resp, err := http.DefaultClient.Do(h.request(ctx, path, body))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// started serves a configuration until stop; ended tells what Serve returned.
func started(t *testing.T, opt server.Options) (s *server.Server, stop func(), ended <-chan error) {
	t.Helper()
	s, err := server.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	over := make(chan error, 1)
	go func() { over <- s.Serve(ctx) }()
	return s, stop, over
}

// journal is a log that a test reads while it is written.
type journal struct {
	mu sync.Mutex
	b  strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}
