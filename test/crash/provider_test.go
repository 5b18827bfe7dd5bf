package crash

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/sim"
)

// providers are the simulated providers with a witness at their door: it writes down every attempt of every call as it
// arrives, under a name of its own.
type providers struct {
	*sim.Sim
	url   string
	event func(release bool) // told of every arrival

	mu     sync.Mutex
	seen   map[string][]arrival // by call, in order
	inside int                  // requests being answered
}

// arrival is one attempt that reached a provider.
type arrival struct{ id, model string }

// callName is how a client names a call, in its question and as its session.
var callName = regexp.MustCompile(`call-\d+-\d+-\d+-\d+`)

// modelName finds the model in a request's body.
var modelName = regexp.MustCompile(`"model"\s*:\s*"([a-z]+)"`)

// startProviders starts three models, not quite reliable, with latencies that keep attempts in flight.
func startProviders(t *testing.T, seed uint64) *providers {
	t.Helper()
	rate := func(text string, in10000 int) sim.Rate {
		f, err := sim.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		return sim.Rate{Fault: f, In10000: in10000}
	}
	faults := []sim.Rate{rate("500", 300), rate("cut", 300), rate("nousage", 400)}
	s, err := sim.New(sim.Config{
		Models: []sim.Model{
			{ID: "edge", Dialect: sim.OpenAI, TTFT: 4 * time.Millisecond, TPS: 4000, Sigma: 0.5, Faults: faults},
			{ID: "spare", Dialect: sim.OpenAI, TTFT: 6 * time.Millisecond, TPS: 4000, Sigma: 0.5},
			{ID: "top", Dialect: sim.Anthropic, TTFT: 10 * time.Millisecond, TPS: 2000, Sigma: 0.5, Faults: faults[1:2]},
		},
		Answers: answers{}, Seed: seed, Keep: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &providers{Sim: s, event: func(bool) {}, seen: map[string][]arrival{}}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

// ServeHTTP implements http.Handler.
func (p *providers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // killed before the request was whole: nothing was asked
	}
	p.mu.Lock()
	call, model := string(callName.Find(body)), ""
	if m := modelName.FindSubmatch(body); m != nil {
		model = string(m[1])
	}
	a := arrival{id: fmt.Sprintf("%s/%d", call, len(p.seen[call])), model: model}
	p.seen[call] = append(p.seen[call], a)
	p.inside++
	event := p.event
	p.mu.Unlock()
	event(false)
	defer func() { // also when the answer is cut by a panic
		p.mu.Lock()
		p.inside--
		p.mu.Unlock()
	}()
	r.Header.Set("X-Request-Id", a.id)
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.Sim.ServeHTTP(w, r)
}

func (p *providers) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inside == 0
}

// arrivals are the attempts of a call that reached a provider.
func (p *providers) arrivals(call string) []arrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[call]
}

// billed is every request as its provider counted it, by the witness' name.
func (p *providers) billed() map[string]sim.Request {
	out := map[string]sim.Request{}
	for _, r := range p.Requests() {
		out[r.ID] = r
	}
	return out
}

// answers are numbers, but from the edge in two of five calls no number, which escalates.
type answers struct{}

// Answer implements sim.Answerer.
func (answers) Answer(q sim.Query) (sim.Answer, error) {
	words := strings.Repeat("and so it is counted ", 1+int(q.Seed%12))
	if q.Catalog != "top" && q.Seed%5 < 2 {
		return sim.Answer{Text: "it is unclear " + words}, nil
	}
	return sim.Answer{Text: "42 " + words}, nil
}
