package crash

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// clients is how many calls are under way at once.
const clients = 12

// asked is one call as its client saw it.
type asked struct {
	name     string // of the call
	how      string // route, dialect and manner, for people
	useCase  string
	id       string // x-request-id; "" when no head came
	status   int    // 0 when no head came
	released bool   // the terminal group began to arrive, or the whole body did
	whole    bool   // it came to its end
	text     string // of the answer
	refused  bool   // by the budget
}

// load is clients that call one gateway until it dies.
type load struct {
	api, key string
	round    string             // prefix of the calls' names
	event    func(release bool) // told of every released answer
	stop     atomic.Bool
	dead     chan struct{} // closed when the gateway is
	http     *http.Client

	mu    sync.Mutex
	calls []asked
	wg    sync.WaitGroup
}

// start lets every client call, each with choices of its own seed.
func (l *load) start(t *testing.T, seed uint64) {
	l.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	for i := range clients {
		dice := rand.New(rand.NewPCG(seed, uint64(i)))
		l.wg.Go(func() {
			for n := 0; !l.stop.Load(); n++ {
				a := l.call(t.Context(), dice, fmt.Sprintf("%s-%d-%d", l.round, i, n))
				l.mu.Lock()
				l.calls = append(l.calls, a)
				l.mu.Unlock()
			}
		})
	}
}

// wait returns every call once the last client has ended: they were told to stop, and the gateway is dead.
func (l *load) wait() []asked {
	l.wg.Wait()
	l.http.CloseIdleConnections()
	return l.calls
}

// call makes one call. One client in eight goes away in the middle of it.
func (l *load) call(ctx context.Context, dice *rand.Rand, name string) asked {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := asked{name: name, useCase: "wide"}
	if dice.IntN(3) == 0 {
		a.useCase = "tight"
	}
	route := []string{"cascade", "cascade", "lone", "direct", "judged"}[dice.IntN(5)]
	stream, messages := dice.IntN(2) == 0, dice.IntN(3) == 0
	a.how = fmt.Sprintf("%s stream=%v messages=%v", route, stream, messages)
	if dice.IntN(8) == 0 {
		timer := time.AfterFunc(time.Duration(dice.IntN(30))*time.Millisecond, cancel)
		defer timer.Stop()
	}
	req, err := l.request(ctx, a, route, stream, messages)
	if err != nil {
		return a
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return a
	}
	defer func() { _ = resp.Body.Close() }() // broken or read
	a.id, a.status = resp.Header.Get("X-Request-Id"), resp.StatusCode
	switch {
	case resp.StatusCode != http.StatusOK:
		b, err := io.ReadAll(resp.Body)
		a.refused = err == nil && bytes.Contains(b, []byte("use-case/tight"))
	case stream:
		a.text, a.released, a.whole = readStream(resp.Body, func() { l.event(true) })
	default:
		a.text, a.released = readBody(resp.Body)
		if a.whole = a.released; a.released {
			l.event(true)
		}
	}
	return a
}

func (l *load) request(ctx context.Context, a asked, route string, stream, messages bool) (*http.Request, error) {
	path, limit := "/v1/chat/completions", "max_completion_tokens"
	if messages {
		path, limit = "/v1/messages", "max_tokens"
	}
	body, err := json.Marshal(map[string]any{
		"model": route, "stream": stream, limit: 120,
		"messages": []map[string]string{{"role": "user", "content": a.name + ": how many pallets are in the yard?"}},
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.api+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	req.Header.Set("Authorization", "Bearer "+l.key)
	req.Header.Set("X-Weir-Use-Case", a.useCase)
	req.Header.Set("X-Weir-Session", a.name)
	return req, nil
}
