package docs_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/sim"
	"github.com/weirhq/weir/internal/sim/scenario"
)

// quickstart is the README's set: the example's weir.yaml in front of the example's recorded answers.
type quickstart struct {
	t          *testing.T
	api, admin string
	key, token string // of a client, of the control API
}

// providers serves the example's recorded answers and returns their URL.
func providers(t *testing.T) string {
	t.Helper()
	answers, err := os.Open(filepath.Join(root, "examples", "answers.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := sim.ReadRecorded(answers)
	if err != nil {
		t.Fatal(err)
	}
	if err := answers.Close(); err != nil {
		t.Fatal(err)
	}
	simulated, err := sim.New(sim.Config{
		Models: scenario.Procurement().Models(catalog.Embedded()), Answers: recorded, Seed: 1, Speed: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	back := httptest.NewServer(simulated)
	t.Cleanup(back.Close)
	return back.URL
}

func open(t *testing.T) *quickstart {
	t.Helper()
	return openExample(t, "gateway-in-front-of-sim.yaml")
}

// openExample starts an example that stands in front of simulated providers.
// Pairs of old and new text are replaced in it.
func openExample(t *testing.T, example string, changes ...string) *quickstart {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer(append(changes, "http://127.0.0.1:9090", providers(t))...).Replace(read(t, "examples/"+example))
	for name, content := range map[string]string{"weir.yaml": text, "sim.key": read(t, "examples/sim.key")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "weir.yaml"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	c.Listen = config.Listen{API: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	s, err := server.New(server.Options{Config: c, DroppedLines: func() uint64 { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	token, err := os.ReadFile(filepath.Join(c.Storage.Dir, server.TokenFile))
	if err != nil {
		t.Fatal(err)
	}
	return &quickstart{
		t: t, api: "http://" + s.API(), admin: "http://" + s.Admin(), key: s.FirstKey,
		token: strings.TrimSpace(string(token)),
	}
}

// ask sends a question as the README's curl does.
func (q *quickstart) ask(question string, fields ...string) (*http.Response, string) {
	q.t.Helper()
	body := `{"model":"support","messages":[{"role":"user","content":"` + question + `"}]}`
	url := q.api + "/v1/chat/completions"
	r, err := http.NewRequestWithContext(q.t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		q.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+q.key)
	r.Header.Set("X-Weir-Use-Case", "first-steps")
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return q.do(r)
}

// get reads a path of the admin address.
func (q *quickstart) get(path string) string {
	q.t.Helper()
	r, err := http.NewRequestWithContext(q.t.Context(), http.MethodGet, q.admin+path, http.NoBody)
	if err != nil {
		q.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+q.token)
	res, body := q.do(r)
	if res.StatusCode != http.StatusOK {
		q.t.Fatalf("%s: %d %s", path, res.StatusCode, body)
	}
	return body
}

// until reads a path of the admin address until what it answers holds a text.
func (q *quickstart) until(path, text string) string {
	q.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for patience := time.After(10 * time.Second); ; {
		if got := q.get(path); strings.Contains(got, text) {
			return got
		}
		select {
		case <-tick.C:
		case <-patience:
			q.t.Fatalf("%s does not come to hold %s", path, text)
		}
	}
}

func (q *quickstart) do(r *http.Request) (*http.Response, string) {
	q.t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		q.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		q.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		q.t.Fatal(err)
	}
	return res, string(b)
}

const pallets = "A pallet holds 24 boxes. How many boxes are on NN pallets?"

// TestTheFirstTenMinutes makes the README's two calls and finds the layers, answers and costs that the README prints.
func TestTheFirstTenMinutes(t *testing.T) {
	q, readme := open(t), read(t, "README.md")
	for n, want := range map[string]struct{ layer, attempts, answer string }{
		"3":  {"1", "1", "3 * 24 = 72. There are 72 boxes."},
		"17": {"2", "2", "17 * 24 = 408. There are 408 boxes."},
	} {
		res, body := q.ask(strings.ReplaceAll(pallets, "NN", n))
		h := res.Header
		if res.StatusCode != http.StatusOK || h.Get("X-Weir-Layer") != want.layer ||
			h.Get("X-Weir-Attempts") != want.attempts || !strings.Contains(body, want.answer) {
			t.Errorf("%s pallets: %d %v %s", n, res.StatusCode, h, body)
		}
		for _, part := range []string{strings.ReplaceAll(pallets, "NN", n), want.answer, h.Get("X-Weir-Cost-Usd")} {
			if !strings.Contains(readme, part) {
				t.Errorf("%s pallets: the README does not show %q", n, part)
			}
		}
	}
}

// TestTheMetricsPageHasEveryMetric scrapes a server that has answered, escalated, remembered that and refused, one that
// observes, and one that grades.
func TestTheMetricsPageHasEveryMetric(t *testing.T) {
	q := openExample(t, "gateway-in-front-of-sim.yaml",
		"{name: top,  use: [gpt], max_output: 600}", "{name: top, use: [gpt], max_output: 600, context: brief}",
		"deployments:", "models: {gpt-5.5: {effective_window: 3}}\n\ndeployments:")
	for range 2 {
		q.ask(strings.ReplaceAll(pallets, "NN", "17"), "X-Weir-Session", "one")
	}
	if res, body := q.ask("hello", "X-Weir-Data-Class", "secret"); res.StatusCode != http.StatusForbidden {
		t.Fatalf("a class that may go nowhere got %d %s", res.StatusCode, body)
	}
	watched := openExample(t, "observe.yaml")
	watched.ask(strings.ReplaceAll(pallets, "NN", "17"))
	graded := openExample(t, "doubt.yaml")
	if res, body := graded.ask(strings.ReplaceAll(pallets, "NN", "17")); res.Header.Get("X-Weir-Layer") != "2" {
		t.Errorf("a sum that does not hold raised no doubt: %v %s", res.Header, body)
	}
	scraped := q.get("/metrics") + watched.until("/metrics", "weir_shadow_answers_total") + graded.get("/metrics")
	kinds := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (weir_\w+) (\w+)$`).FindAllStringSubmatch(scraped, -1) {
		kinds[m[1]] = m[2]
	}
	type row struct{ kind, labels string }
	rows := map[string]row{}
	page := read(t, "docs/metrics.md")
	documented := regexp.MustCompile("(?m)^\\| `(weir_\\w+)` \\| (\\w+) \\| ([^|]*) \\|")
	for _, m := range documented.FindAllStringSubmatch(page, -1) {
		rows[m[1]] = row{m[2], strings.TrimSpace(m[3])}
	}
	for name, kind := range kinds {
		want := row{kind, labels(scraped, name)}
		if rows[name] != want {
			t.Errorf("docs/metrics.md: %s is %+v, the program exports %+v", name, rows[name], want)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("docs/metrics.md: nothing exports %s", name)
	}
}

// labels are the names of a metric's labels, sorted, without a histogram's own.
func labels(scraped, name string) string {
	seen := map[string]bool{}
	line := regexp.MustCompile(`(?m)^` + name + `(?:_bucket|_sum|_count)?\{([^}]*)\}`)
	for _, m := range line.FindAllStringSubmatch(scraped, -1) {
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[1], -1) {
			if l[1] != "le" {
				seen["`"+l[1]+"`"] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), ", ")
}

// TestTheOperationsPageHasEveryControlPath reads the control API's own description.
func TestTheOperationsPageHasEveryControlPath(t *testing.T) {
	var api struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(open(t).get("/api/v1/openapi.json")), &api); err != nil {
		t.Fatal(err)
	}
	if len(api.Paths) < 5 {
		t.Fatalf("the control API describes only %d paths", len(api.Paths))
	}
	page := read(t, "docs/operations.md")
	for path := range api.Paths {
		if !strings.Contains(page, "`"+path+"`") {
			t.Errorf("docs/operations.md does not name %s", path)
		}
	}
}
