package sim

import (
	"net/http"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Totals are one model's counters. Tokens are what the provider bills: nothing for a refusal, the whole prompt and the
// output sent so far for an answer that was cut or left.
type Totals struct {
	Requests     int64            `json:"requests"`
	Answered     int64            `json:"answered"` // status 200, whole or not
	Refused      int64            `json:"refused"`
	Canceled     int64            `json:"canceled"` // answered, but the client left
	InputTokens  int64            `json:"input_tokens"`
	OutputTokens int64            `json:"output_tokens"`
	Faults       map[string]int64 `json:"faults,omitempty"`
	Notes        map[string]int64 `json:"notes,omitempty"` // the answerer's notes, and "unrecorded"
}

// Stats are the counters by model as requested ("" = requests that could not be read).
type Stats struct {
	Requests int64             `json:"requests"`
	Models   map[string]Totals `json:"models"`
}

// Request is one request as the provider saw it.
type Request struct {
	ID       string  `json:"id"` // the client's x-request-id, or the provider's own
	Response string  `json:"response,omitempty"`
	Model    string  `json:"model"`
	Dialect  Dialect `json:"dialect,omitempty"`
	Stream   bool    `json:"stream"`
	Status   int     `json:"status"`
	Fault    string  `json:"fault,omitempty"`
	Note     string  `json:"note,omitempty"`
	Canceled bool    `json:"canceled"`
	Input    int     `json:"input_tokens"`
	Output   int     `json:"output_tokens"`
	Cached   int     `json:"cached_tokens,omitempty"` // of the input, read from the prompt cache
}

// of fills in what the request itself tells; a may be nil.
func (r Request) of(a *ask) Request {
	if a != nil {
		r.Model, r.Dialect, r.Stream, r.Fault = a.Model, a.dialect, a.stream, a.fault.Kind
	}
	return r
}

// book keeps the counters and the last requests.
type book struct {
	mu     *sync.Mutex
	keep   int
	models map[string]*Totals
	total  int64
	last   []Request // a ring once it is full
	next   int
}

func newBook(keep int) book {
	return book{mu: &sync.Mutex{}, keep: keep, models: map[string]*Totals{}}
}

// mostModels bounds the counters against clients that make names up; the rest is counted under "(other)".
const mostModels = 1000

func (b *book) of(model string) *Totals {
	t := b.models[model]
	if t == nil && len(b.models) >= mostModels {
		model = "(other)"
		t = b.models[model]
	}
	if t == nil {
		t = &Totals{Faults: map[string]int64{}, Notes: map[string]int64{}}
		b.models[model] = t
	}
	return t
}

func (b *book) add(r Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total++
	t := b.of(r.Model)
	t.Requests++
	t.InputTokens += int64(r.Input)
	t.OutputTokens += int64(r.Output)
	switch {
	case r.Status != http.StatusOK:
		t.Refused++
	case r.Canceled:
		t.Canceled++
		fallthrough
	default:
		t.Answered++
	}
	if r.Fault != "" {
		t.Faults[r.Fault]++
	}
	if r.Note != "" {
		t.Notes[r.Note]++
	}
	if len(b.last) < b.keep {
		b.last = append(b.last, r)
		return
	}
	b.last[b.next] = r
	b.next = (b.next + 1) % b.keep
}

func (b *book) note(a *ask, note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(a.Model).Notes[note]++
}

// Stats is a copy of the counters.
func (s *Sim) Stats() Stats {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	out := Stats{Requests: s.book.total, Models: map[string]Totals{}}
	for name, t := range s.book.models {
		c := *t
		c.Faults, c.Notes = copied(t.Faults), copied(t.Notes)
		out.Models[name] = c
	}
	return out
}

func copied(m map[string]int64) map[string]int64 {
	out := make(map[string]int64, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// Requests are the last requests, oldest first, at most Config.Keep.
func (s *Sim) Requests() []Request {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	out := make([]Request, 0, len(s.book.last))
	out = append(out, s.book.last[s.book.next:]...)
	return append(out, s.book.last[:s.book.next]...)
}

func (s *Sim) serveStats(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Stats()) }

func (s *Sim) serveRequests(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Requests()) }

// modelList is OpenAI's list of models.
type modelList struct {
	Object string      `json:"object"`
	Data   []modelItem `json:"data"`
}

type modelItem struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (s *Sim) listModels(w http.ResponseWriter, r *http.Request) {
	if fail := bearer(r, s.cfg.Key); fail != nil {
		s.refuse(w, r, openAI{}, nil, fail)
		return
	}
	list := modelList{Object: "list", Data: []modelItem{}}
	for _, m := range s.cfg.Models {
		if m.Dialect == "" || m.Dialect == OpenAI {
			list.Data = append(list.Data, modelItem{ID: m.ID, Object: "model", Created: 1735689600, OwnedBy: "sim"})
		}
	}
	writeJSON(w, list)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(marshal(v, jsontext.WithIndent("  ")))
}

// marshal encodes our own types, which cannot fail: they hold no channels, cycles or bad UTF-8.
func marshal(v any, opts ...jsontext.Options) []byte {
	b, err := json.Marshal(v, append(opts, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))...)
	if err != nil {
		panic("sim: encoding its own answer: " + err.Error())
	}
	return b
}
