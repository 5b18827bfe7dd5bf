package server_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/sim"
)

var update = flag.Bool("update", false, "write golden files")

// agentsLayout sends every session through an edge whose answers fail into a brief layer of either dialect.
const agentsLayout = `
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: %DIR%}
prices: article-2026-06
providers:
  openai: {preset: openai, key: env:SIM_KEY, url: "%SIM%/openai/v1"}
  claude: {preset: anthropic, key: env:SIM_KEY, url: "%SIM%/anthropic/v1"}
  google: {preset: gemini, key: env:SIM_KEY, url: "%SIM%/gemini/v1beta"}
deployments:
  flash: {model: gemini-3.1-pro, provider: google, region: eu, wire_id: flash-wire}
  opus:  {model: claude-opus-4.6, provider: claude, region: us, wire_id: opus-wire}
  gpt:   {model: gpt-5.5, provider: openai, region: us, wire_id: gpt-wire}
checks:
  number: {regex: '^\d+$'}
routes:
  to-messages:
    layers:
      - {name: edge, use: [flash], checks: [number]}
      - {name: top, use: [opus], context: brief}
  to-chat:
    layers:
      - {name: edge, use: [flash], checks: [number]}
      - {name: top, use: [gpt], context: brief}
data: {unlabelled: internal, may_reach: {internal: any}}
`

// bulks writes what a session's placeholders stand for: documents, code, logs, tables and JSON of so many bytes.
var bulks = map[string]func(b *strings.Builder, i int){
	"DOC": func(b *strings.Builder, i int) {
		if i == 700 {
			b.WriteString("Clause 14.3. For late delivery the penalty is 0.35% of the price of EUR 2,400,000 a day. " +
				"The buyer must not deduct anything under clause 14.3 without a notice in writing.\n\n")
		}
		fmt.Fprintf(b, "The parties keep records of deliveries to plant %d and review them in working group %d. ", i%40, i%7)
		if i%6 == 5 {
			b.WriteString("\n\n")
		}
	},
	"CODE": func(b *strings.Builder, i int) {
		fmt.Fprintf(b, "func step%d(in []byte) error {\n\tif len(in) == 0 {\n\t\treturn errEmpty\n\t}\n\treturn next(in[1:])\n}\n\n", i)
	},
	"LOG": func(b *strings.Builder, i int) {
		fmt.Fprintf(b, "2026-11-24T09:%02d:%02dZ INFO compile unit %d of the tree in %d ms\n", i/60%60, i%60, i, 40+i%17)
	},
	"TABLE": func(b *strings.Builder, i int) {
		if i == 0 {
			b.WriteString("SKU         PIECES   PLACE\n")
		}
		fmt.Fprintf(b, "SKU-%d    %d      hall %c\n", 1000+i, 3+i*7%90, 'A'+i%6)
	},
	"JSON": func(b *strings.Builder, i int) {
		if i == 0 {
			b.WriteString(`{"page":1,"orders":[`)
		}
		fmt.Fprintf(b, `{"id":"PO-%d","amount":"%d.50 EUR","ship_to":{"city":"%s","dock":%d}},`, 7000+i, 100+i,
			[]string{"Bremen", "Ulm", "Kiel"}[i%3], i%9)
	},
}

var placeholder = regexp.MustCompile(`@([A-Z]+):(\d+)@`)

// unfold puts bulk in place of placeholders.
func unfold(t *testing.T, body, model string) string {
	t.Helper()
	body = strings.ReplaceAll(body, "@MODEL@", model)
	return placeholder.ReplaceAllStringFunc(body, func(p string) string {
		m := placeholder.FindStringSubmatch(p)
		size, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			bulks[m[1]](&b, i)
		}
		text := b.String()
		if m[1] == "JSON" {
			text += "{}]}"
		}
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(quoted[1 : len(quoted)-1])
	})
}

// recorder keeps the body of the latest request for a model.
type recorder struct {
	mu   sync.Mutex
	last map[string]string
	next http.Handler
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	for _, m := range simModels() {
		if bytes.Contains(b, []byte(m.ID)) {
			r.last[m.ID] = string(b)
		}
	}
	r.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(b))
	r.next.ServeHTTP(w, req)
}

func (r *recorder) of(model string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[model]
}

// TestAgentSessionsAsBriefs sends recorded-style sessions of agents' clients through the front door into brief layers of
// both dialects. The simulated providers refuse what the real ones would: calls without results, results without calls.
func TestAgentSessionsAsBriefs(t *testing.T) {
	t.Parallel()
	s, err := sim.New(sim.Config{Models: simModels(), Answers: fixed{"flash-wire": "seven or so"}})
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{last: map[string]string{}, next: s}
	providers := httptest.NewServer(rec)
	t.Cleanup(providers.Close)
	h := &house{t: t, sim: s, dir: t.TempDir(), providers: providers.URL}
	h.start(h.config(agentsLayout, providers.URL))
	files, err := filepath.Glob("testdata/agents/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d sessions, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, top := range []struct{ route, model string }{{"to-messages", "opus-wire"}, {"to-chat", "gpt-wire"}} {
			path := "/v1/messages"
			if strings.HasSuffix(file, ".chat.json") {
				path = "/v1/chat/completions"
			}
			a := h.post(path, unfold(t, string(data), top.route), "anthropic-version", "2023-06-01",
				"x-weir-session", filepath.Base(file)) // files that begin alike are no one conversation
			story := h.story(a)
			last := story.Attempts[len(story.Attempts)-1]
			if a.status != 200 || last.Verdict != "accepted" || last.Layer != 2 {
				t.Errorf("%s, %s: %d %s: %s", file, top.route, a.status, story.path(), a.body)
				continue
			}
			fmt.Fprintf(&got, "== %s\n%s", top.route, sketch(t, rec.of(top.model)))
		}
		golden := strings.TrimSuffix(file, ".json") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got), accept with -update:\n%s", file, diff)
		}
	}
}

// shown is how much of a text a golden file has, from either end.
const shown = 700

// sketch tells the messages of a provider's request: roles, kinds of blocks, the ends of long texts.
func sketch(t *testing.T, body string) string {
	t.Helper()
	var req struct {
		Messages []struct {
			Role      string `json:"role"`
			Content   any    `json:"content"`
			ToolCalls []any  `json:"tool_calls"`
			ID        string `json:"tool_call_id"`
		} `json:"messages"`
	}
	if err := json.Unmarshal([]byte(body), &req); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, m := range req.Messages {
		fmt.Fprintf(&b, "-- %s %s\n", m.Role, m.ID)
		blocks, ok := m.Content.([]any)
		if !ok && m.Content != nil {
			blocks = []any{m.Content}
		}
		for _, x := range append(blocks, m.ToolCalls...) {
			b.WriteString(block(t, x) + "\n")
		}
	}
	return b.String()
}

func block(t *testing.T, x any) string {
	t.Helper()
	text, ok := x.(string)
	if m, is := x.(map[string]any); is && m["type"] == "text" {
		text, ok = m["text"].(string), true
	}
	if !ok {
		b, err := json.Marshal(x, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	if len(text) > 2*shown+40 {
		text = strings.ToValidUTF8(text[:shown], "") + "\n[... and so on ...]\n" + strings.ToValidUTF8(text[len(text)-shown:], "")
	}
	return text
}
