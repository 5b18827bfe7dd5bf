// Package sim is the other side of the wire: simulated OpenAI, Anthropic and Gemini endpoints on their exact dialects,
// for demos and tests without keys or network. It reads and writes with codecs and a token counter of its own and never
// with a gateway's, so that what passes between the two is really tested. It is strict about requests, as the real
// ones are: unknown fields, wrong types, broken tool loops and missing headers get the provider's own error.
//
// It is not a model: an Answerer says what is answered (Echo, Recorded, or the procurement scenario of sim/scenario).
//
// Invariants: the same seed, model and request content give the same answer, the same latency and, on the same
// occurrence, the same fault; every request is counted, and billed for what it sent, also when the client left.
package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Dialect names a provider's wire format.
type Dialect string

// The dialects, with their path prefixes: /openai, /anthropic, /gemini.
const (
	OpenAI    Dialect = "openai"
	Anthropic Dialect = "anthropic"
	Gemini    Dialect = "gemini"
)

// Model is one simulated model. The zero latency answers at once.
type Model struct {
	ID         string  // what requests call it
	Catalog    string  // the catalogue's name, which answerers go by; "" = ID
	Dialect    Dialect // the only dialect it is served on; "" = all
	Window     int     // tokens of prompt it takes; 0 = no limit
	TTFT       time.Duration
	TPS        int     // tokens a second after the first; 0 = at once
	Sigma      float64 // log-normal sigma of TTFT and TPS
	Cache      bool    // keeps the beginnings of prompts, as its provider does, and tells so in the usage
	CacheLeast int     // tokens of prompt that Anthropic keeps at least; 0 = 1,024
	Thinks     bool    // Anthropic: signs what it thinks, and takes back only that
	Reasoning  bool    // on Chat Completions refuses max_tokens and sampling, as OpenAI's reasoning models do
	Faults     []Rate  // seeded faults; the rates' sum is at most 10,000
}

// Rate is how often a fault happens, in requests of 10,000.
type Rate struct {
	Fault   Fault
	In10000 int
}

// Config says what to simulate. Only Models is required.
type Config struct {
	Models      []Model
	Answers     Answerer // nil = Echo
	Key         string   // the one API key taken; "" = any that is not empty
	Seed        uint64
	Speed       int   // how many times faster than the models' latency; 0 = 1
	ChunkTokens int   // tokens a streamed chunk; 0 = 4
	Markers     bool  // obey [[sim:FAULT]] in the model's name or the last user turn
	MaxBody     int64 // bytes; 0 = 32 MiB
	Keep        int   // how many of the last requests /sim/requests lists; 0 = 1,000
	Now         func() time.Time
	Sleep       func(context.Context, time.Duration) error // nil = a timer
}

// Sim serves the simulated providers. Safe for concurrent use.
type Sim struct {
	cfg    Config
	models map[string]*Model
	mux    *http.ServeMux
	book   book
	mu     sync.Mutex
	seen   map[uint64]int // how often a content came, for faults and ids
	cache  promptCache
}

var _ http.Handler = (*Sim)(nil)

// New checks the configuration.
func New(cfg Config) (*Sim, error) {
	if len(cfg.Models) == 0 {
		return nil, errors.New("sim: no models configured")
	}
	cfg = cfg.defaults()
	s := &Sim{cfg: cfg, models: map[string]*Model{}, seen: map[uint64]int{}, book: newBook(cfg.Keep)}
	for i := range cfg.Models {
		m := cfg.Models[i]
		if err := m.check(); err != nil {
			return nil, err
		}
		if s.models[m.ID] != nil {
			return nil, fmt.Errorf("sim: model %q is configured twice", m.ID)
		}
		if m.Catalog == "" {
			m.Catalog = m.ID
		}
		s.models[m.ID] = &m
	}
	s.routes()
	return s, nil
}

func (c Config) defaults() Config {
	if c.Answers == nil {
		c.Answers = Echo{}
	}
	if c.Speed <= 0 {
		c.Speed = 1
	}
	if c.ChunkTokens <= 0 {
		c.ChunkTokens = 4
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 32 << 20
	}
	if c.Keep <= 0 {
		c.Keep = 1000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = timerSleep
	}
	return c
}

func (m Model) check() error {
	if m.ID == "" {
		return errors.New("sim: a model has no id")
	}
	switch m.Dialect {
	case "", OpenAI, Anthropic, Gemini:
	default:
		return fmt.Errorf("sim: model %q: unknown dialect %q (openai, anthropic, gemini)", m.ID, m.Dialect)
	}
	sum := 0
	for _, r := range m.Faults {
		if _, ok := kinds[r.Fault.Kind]; !ok {
			return fmt.Errorf("sim: model %q: unknown fault %q", m.ID, r.Fault.Kind)
		}
		if r.In10000 < 0 {
			return fmt.Errorf("sim: model %q: fault %q has a negative rate", m.ID, r.Fault.Kind)
		}
		sum += r.In10000
	}
	if sum > 10000 {
		return fmt.Errorf("sim: model %q: fault rates add up to %d of 10,000", m.ID, sum)
	}
	return nil
}

func timerSleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// routes is every endpoint.
func (s *Sim) routes() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("POST /openai/v1/chat/completions", s.serve(openAI{}))
	s.mux.HandleFunc("POST /v1/chat/completions", s.serve(openAI{}))
	s.mux.HandleFunc("GET /openai/v1/models", s.listModels)
	s.mux.HandleFunc("GET /v1/models", s.listModels)
	s.mux.HandleFunc("POST /anthropic/v1/messages", s.serve(anthropic{}))
	s.mux.HandleFunc("POST /gemini/v1beta/models/{call}", s.serve(gemini{}))
	s.mux.HandleFunc("GET /sim/stats", s.serveStats)
	s.mux.HandleFunc("GET /sim/requests", s.serveRequests)
}

// ServeHTTP is every provider's endpoint, by path.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// dialect is one provider's way to read a request and to write everything it answers.
type dialect interface {
	decode(r *http.Request, key string, body []byte) (*ask, *failure)
	failure(f *failure, id string) []byte
	whole(a *ask, r *reply) []byte
	frames(a *ask, r *reply, chunk int) []frame
	inBand(body []byte) []byte // an error body as a stream's frame
}

// frame is one streamed frame and the output tokens it carries.
type frame struct {
	data   []byte
	tokens int
}

// serve is the way of one request.
func (s *Sim) serve(d dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, fail := s.readBody(w, r)
		if fail != nil {
			s.refuse(w, r, d, nil, fail)
			return
		}
		a, fail := d.decode(r, s.cfg.Key, body)
		if fail == nil {
			fail = s.resolve(a)
		}
		if fail != nil {
			s.refuse(w, r, d, a, fail)
			return
		}
		s.answer(w, r, d, a)
	}
}

func (s *Sim) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *failure) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxBody))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return nil, &failure{kind: failTooLarge}
	case err != nil:
		return nil, invalid("", "could not read the request body: "+err.Error())
	}
	return body, nil
}

// resolve finds the model, what is to go wrong, and whether the prompt fits.
func (s *Sim) resolve(a *ask) *failure {
	name := a.Model
	if s.cfg.Markers {
		a.Model = strings.TrimSpace(markerPattern.ReplaceAllString(name, ""))
	}
	m := s.models[a.Model]
	if m == nil || (m.Dialect != "" && m.Dialect != a.dialect) {
		return &failure{kind: failModel, model: a.Model}
	}
	a.model, a.Catalog = m, m.Catalog
	a.Seed = a.hash(s.cfg.Seed)
	a.occurrence = s.occurred(a.Seed)
	fault, fail := s.fault(a, name)
	if fail != nil {
		return fail
	}
	a.fault = fault
	if f := m.refuses(a); f != nil {
		return f
	}
	if f := s.thoughts(a); f != nil {
		return f
	}
	if m.Window > 0 && a.prompt > m.Window {
		return &failure{kind: failWindow, prompt: a.prompt, window: m.Window}
	}
	return nil
}

// refuses is what a reasoning model does not take.
func (m *Model) refuses(a *ask) *failure {
	switch {
	case !m.Reasoning || a.dialect != OpenAI:
		return nil
	case a.maxTokensField:
		return invalidCode("max_tokens", "unsupported_parameter", "Unsupported parameter: 'max_tokens' is not supported "+
			"with this model. Use 'max_completion_tokens' instead.")
	}
	for _, s := range []struct {
		name  string
		value *float64
	}{{"temperature", a.temperature}, {"top_p", a.topP}} {
		if s.value != nil && *s.value != 1 {
			return invalidCode(s.name, "unsupported_value", fmt.Sprintf("Unsupported value: '%s' does not support %v with "+
				"this model. Only the default (1) value is supported.", s.name, *s.value))
		}
	}
	return nil
}

// occurred counts a content and tells how often it came before. The count starts again after a million contents.
func (s *Sim) occurred(h uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) >= 1<<20 {
		clear(s.seen)
	}
	n := s.seen[h]
	s.seen[h] = n + 1
	return n
}
