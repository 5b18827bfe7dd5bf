package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/server"
)

// abortLayout has a live and a held route to either dialect of providers. Keep-alives come while clients leave. A token
// costs much, so that no cost is rounded to nothing.
const abortLayout = `
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: %DIR%}
models: {small: {tier: edge, window: 32768, max_output: 4096, price: {input: 300, output: 1200}}}
providers:
  openai: {preset: openai, key: env:SIM_KEY, url: "%SIM%/openai/v1"}
  claude: {preset: anthropic, key: env:SIM_KEY, url: "%SIM%/anthropic/v1"}
deployments:
  chat:     {model: small, provider: openai, wire_id: c}
  messages: {model: small, provider: claude, wire_id: m}
checks: {number: {regex: '^\d+$'}}
routes:
  chat-live:     {layers: [{name: only, use: [chat]}]}
  messages-live: {layers: [{name: only, use: [messages]}]}
  chat-held:
    stream: {keepalive_after: 50ms}
    layers: [{name: edge, use: [chat], checks: [number]}, {name: top, use: [messages]}]
  messages-held:
    stream: {keepalive_after: 50ms}
    layers: [{name: edge, use: [messages], checks: [number]}, {name: top, use: [chat]}]
data: {unlabelled: internal, may_reach: {internal: any}}
`

// abortsInCI is how many streams are left at each of their frames unless WEIR_ABORTS says another number.
const abortsInCI = 8

// leaver is one scripted stream, and how its client leaves.
type leaver struct {
	n        int
	path     string // of the client's dialect
	provider string // dialect of the provider: chat or messages
	held     bool
	reset    bool // by a reset, not in order
	words    int
}

// leavers are streams of all kinds: either dialect of client and provider, live and held, short and long.
func leavers(n int) []leaver {
	all := make([]leaver, n)
	for i := range all {
		l := leaver{n: i, path: "/v1/chat/completions", provider: "chat", held: i/2%2 == 1, reset: i/4%2 == 1, words: 1 + i/4}
		if i%2 == 1 {
			l.path, l.provider = "/v1/messages", "messages"
		}
		if i%7 == 6 { // translated
			l.provider = map[string]string{"chat": "messages", "messages": "chat"}[l.provider]
		}
		all[i] = l
	}
	return all
}

// frames are what the provider says; those before told are seen at once by the client of a live stream.
func (l leaver) frames() (all []string, told int) {
	if l.provider == "chat" {
		for i := range l.words {
			all = append(all, chunk(0, strconv.Itoa(1000+i), ""))
		}
		return append(all, chunk(0, "", "stop"), usageChunk, doneChunk), l.words
	}
	all = []string{messageStart, blockStart}
	for i := range l.words {
		all = append(all, strings.Replace(blockDelta, "HELLO", strconv.Itoa(1000+i), 1))
	}
	return append(all, blockStop, messageDelta, messageStop), 2 + l.words
}

// script is a provider that says so many frames of a stream and then waits for the gateway to leave.
type script struct {
	mu   sync.Mutex
	plan map[string]*leaving // by the name of the call
}

// leaving is one call that its client leaves.
type leaving struct {
	leaver
	name   string
	at     int           // frames that the provider says before
	said   chan struct{} // closed when it has
	left   chan struct{} // closed when the provider sees the gateway leave, or has said all
	asked  int           // requests of the call that reached a provider; under script's lock
	killed time.Time
	seen   time.Time // when the provider saw it
}

// seenByClient tells whether a word of the answer has reached the client when it leaves.
func (l *leaving) seenByClient() bool {
	_, told := l.frames()
	return !l.held && l.at > told-l.words
}

var leavingName = regexp.MustCompile(`leaving-\d+-\d+`)

// ServeHTTP implements http.Handler.
func (p *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	l := p.plan[string(leavingName.Find(body))]
	l.asked++
	again := l.asked > 1
	p.mu.Unlock()
	if again {
		return // the rows will tell
	}
	defer close(l.left)
	put := sse(w)
	_ = http.NewResponseController(w).Flush()
	frames, _ := l.frames()
	for _, f := range frames[:l.at] {
		put(f)
	}
	close(l.said)
	if l.at < len(frames) {
		<-r.Context().Done()
		l.seen = time.Now()
	}
}

// leave makes a call and leaves it when the provider has said the frames; of a live stream, when they have come.
func (h *house) leave(t *testing.T, p *script, l *leaving) {
	p.mu.Lock()
	p.plan[l.name] = l
	p.mu.Unlock()
	c, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	route := l.provider + map[bool]string{false: "-live", true: "-held"}[l.held]
	body := messages(route, l.name, true)
	_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nX-Weir-Session: %s\r\nContent-Length: %d\r\n\r\n%s",
		l.path, h.key, l.name, len(body), body)
	if err != nil {
		t.Error(err)
		return
	}
	if !came(l.said) {
		t.Errorf("%s: the provider was not asked", l.name)
		return
	}
	if _, told := l.frames(); l.seenByClient() {
		word := strconv.Itoa(1000 + min(l.at, told) - (told - l.words) - 1)
		if err := until(c, word); err != nil {
			t.Errorf("%s: %v before %s came", l.name, err, word)
		}
	}
	if l.held && l.at%2 == 1 { // with the first keep-alive, or with the answer
		if err := until(c, "HTTP/1.1 200"); err != nil {
			t.Errorf("%s: %v before the head came", l.name, err)
		}
	}
	if l.reset {
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			t.Error(err)
		}
	}
	l.killed = time.Now()
	_ = c.Close()
	if !came(l.left) {
		t.Errorf("%s: the provider was not left", l.name)
	}
}

// came waits until a channel is closed.
func came(c <-chan struct{}) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}

// until reads until a text has come.
func until(c net.Conn, text string) error {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if strings.Contains(line, text) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// aborted is what became of all calls.
type aborted struct {
	Streams    int     `json:"streams"`
	Kills      int     `json:"kills"`
	Late       int     `json:"canceled_after_1s"`
	WorstMS    float64 `json:"worst_cancel_ms"`
	Unbooked   int     `json:"calls_without_one_row_an_attempt"`
	Free       int     `json:"rows_of_no_cost"`
	Unsettled  int     `json:"rows_neither_settled_nor_estimated"`
	Goroutines int     `json:"goroutines_left"`
	Panics     int     `json:"panics"`
}

// TestClientsLeaveAtEveryFrame kills the client at every frame of many streams, over real sockets: the provider is left
// within a second, every attempt has exactly one row, which is never free, and nothing is left behind. It is alone while
// it counts goroutines.
func TestClientsLeaveAtEveryFrame(t *testing.T) { //nolint:paralleltest // counts goroutines
	n := abortsInCI
	if text := os.Getenv("WEIR_ABORTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			t.Fatalf("WEIR_ABORTS=%q is no number above 0", text)
		}
	}
	p := &script{plan: map[string]*leaving{}}
	provider := httptest.NewServer(p)
	defer provider.Close()
	log := new(journal)
	h := &house{t: t, dir: t.TempDir(), options: server.Options{Log: slog.New(slog.NewTextHandler(log, nil))}}
	h.start(h.config(abortLayout, provider.URL))
	before := h.goroutines(t, provider)
	out := aborted{Streams: n}
	places := make(chan bool, 8)
	var wg sync.WaitGroup
	for _, l := range leavers(n) {
		frames, _ := l.frames()
		out.Kills += len(frames) + 1
		wg.Go(func() {
			places <- true
			defer func() { <-places }()
			for at := range len(frames) + 1 {
				h.leave(t, p, &leaving{
					leaver: l, name: fmt.Sprintf("leaving-%d-%d", l.n, at), at: at,
					said: make(chan struct{}), left: make(chan struct{}),
				})
			}
		})
	}
	wg.Wait()
	out.Goroutines = max(0, h.goroutines(t, provider)-before)
	out.Panics = strings.Count(log.text(), "panic")
	h.audit(t, p, &out)
	out.tell(t)
}

// goroutines counts them once no call is under way, no connection is open, and their number has come to rest.
func (h *house) goroutines(t *testing.T, provider *httptest.Server) int {
	t.Helper()
	h.metric(t, "weir_calls_in_flight", 0)
	h.metric(t, "weir_connections", 0)
	provider.CloseClientConnections()
	last, same := 0, 0
	eventually(t, "goroutines coming to rest", func() bool {
		http.DefaultClient.CloseIdleConnections()
		n := runtime.NumGoroutine()
		if same++; n != last {
			last, same = n, 0
		}
		return same == 20
	})
	return last
}

// audit holds the ledger against what providers and clients saw.
func (h *house) audit(t *testing.T, p *script, out *aborted) {
	t.Helper()
	rows := map[string]int{}
	eventually(t, "rows of all attempts", func() bool {
		clear(rows)
		out.Free, out.Unsettled = 0, 0
		w := ledger.Window{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}
		err := h.server.Ledger().Scan(context.Background(), w, func(e *ledger.Entry) error {
			rows[strings.Clone(e.Attempt.Facts.Caller.Session)]++
			l := p.plan[e.Attempt.Facts.Caller.Session]
			if e.Attempt.Cost <= 0 || e.Attempt.Usage.Output == 0 && l.seenByClient() {
				out.Free++
				t.Logf("%s %s costs %d: %+v", l.name, e.Attempt.Outcome, e.Attempt.Cost, e.Attempt.Usage)
			}
			if e.Attempt.Settlement != call.Settled && e.Attempt.Settlement != call.Estimated {
				out.Unsettled++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(rows) >= len(p.plan)
	})
	for name, l := range p.plan {
		if rows[name] != l.asked {
			out.Unbooked++
			t.Logf("%s: %d rows of %d attempts", name, rows[name], l.asked)
		}
		if took := l.seen.Sub(l.killed); !l.seen.IsZero() {
			out.WorstMS = max(out.WorstMS, float64(took.Microseconds())/1000)
			if took > time.Second {
				out.Late++
			}
		}
	}
}

// tell prints the bar as one JSON line.
func (a aborted) tell(t *testing.T) {
	t.Helper()
	bad := a.Late + a.Unbooked + a.Free + a.Unsettled + a.Goroutines + a.Panics
	type bar struct {
		Name    string  `json:"name"`
		Value   float64 `json:"value"`
		Bar     string  `json:"bar"`
		OK      bool    `json:"ok"`
		Figures any     `json:"figures,omitempty"`
	}
	of := fmt.Sprintf("abort: clients killed at every frame of %d streams: ", a.Streams)
	for _, b := range []bar{
		{of + "late, unbooked, free, unsettled or leaked, count", float64(bad), "<= 0", bad == 0, a},
		{of + "until the provider is left, worst, milliseconds", a.WorstMS, "<= 1000", a.WorstMS <= 1000, nil},
	} {
		line, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", line)
	}
	if bad > 0 {
		t.Errorf("%+v", a)
	}
}
