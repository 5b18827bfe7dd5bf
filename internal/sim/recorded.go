package sim

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json"
)

// Recorded answers with what real models once said. It is keyed by the last user turn: the recorded prompt must be that
// text, or stand in it whole, so that a gateway may add notes before or after. Of several, the longest counts.
type Recorded struct {
	models map[string]*recordings // by wire or catalogue name; "" = any model
	misses atomic.Int64
}

var _ Answerer = (*Recorded)(nil)

// recordedLine is one line of the JSONL file.
type recordedLine struct {
	Prompt    string `json:"prompt"`
	Model     string `json:"model"`
	Answer    string `json:"answer"`
	Finish    string `json:"finish_reason"` // stop, length, refusal or filter; "" = stop
	Reasoning int    `json:"reasoning_tokens"`
	Cached    int    `json:"cached_tokens"`
}

// recordings are one model's answers by prompt.
type recordings struct {
	exact map[string]Answer
	heads map[uint64][]string // prompts of at least headBytes, by the hash of their head
	short []string            // the others
}

// headBytes is how much of a prompt its index looks at.
const headBytes = 32

// longestLine bounds one line of a recording.
const longestLine = 16 << 20

// ReadRecorded reads lines of {"prompt", "model", "answer", "finish_reason", "reasoning_tokens", "cached_tokens"}; only
// prompt and answer are required. An unknown member, an empty prompt and a prompt told twice for a model are errors.
func ReadRecorded(r io.Reader) (*Recorded, error) {
	rec := &Recorded{models: map[string]*recordings{}}
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), longestLine)
	for n := 1; in.Scan(); n++ {
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		if err := rec.add(in.Bytes()); err != nil {
			return nil, fmt.Errorf("recorded answers, line %d: %w", n, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("recorded answers: %w", err)
	}
	if len(rec.models) == 0 {
		return nil, fmt.Errorf("recorded answers: no lines")
	}
	return rec, nil
}

func (r *Recorded) add(raw []byte) error {
	var l recordedLine
	if err := json.Unmarshal(raw, &l, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	l.Prompt = strings.TrimSpace(l.Prompt)
	finish, ok := map[string]Finish{
		"": FinishStop, "stop": FinishStop, "length": FinishLength, "refusal": FinishRefusal,
		"filter": FinishFilter,
	}[l.Finish]
	switch {
	case l.Prompt == "":
		return fmt.Errorf("prompt is empty")
	case !ok:
		return fmt.Errorf("unknown finish_reason %q (stop, length, refusal, filter)", l.Finish)
	}
	m := r.models[l.Model]
	if m == nil {
		m = &recordings{exact: map[string]Answer{}, heads: map[uint64][]string{}}
		r.models[l.Model] = m
	}
	if _, twice := m.exact[l.Prompt]; twice {
		return fmt.Errorf("the prompt is recorded twice for model %q", l.Model)
	}
	m.exact[l.Prompt] = Answer{Text: l.Answer, Finish: finish, Reasoning: l.Reasoning, Cached: l.Cached, Note: "recorded"}
	if len(l.Prompt) < headBytes {
		m.short = append(m.short, l.Prompt)
		return nil
	}
	h := headHash(l.Prompt)
	m.heads[h] = append(m.heads[h], l.Prompt)
	return nil
}

// Misses is how many queries had no recorded answer.
func (r *Recorded) Misses() int64 { return r.misses.Load() }

// Answer looks a query up under its wire model, then its catalogue model, then "".
func (r *Recorded) Answer(q Query) (Answer, error) {
	text := strings.TrimSpace(q.LastUser())
	for _, name := range []string{q.Model, q.Catalog, ""} {
		m := r.models[name]
		if m == nil {
			continue
		}
		if a, ok := m.find(text); ok {
			return a, nil
		}
	}
	r.misses.Add(1)
	return Answer{}, fmt.Errorf("no recorded answer of model %q for this prompt", q.Model)
}

// base is the factor of the rolling hash.
const base uint64 = 0x100000001b3

func headHash(s string) uint64 {
	var h uint64
	for i := range headBytes {
		h = h*base + uint64(s[i])
	}
	return h
}

// find is the answer of the text itself, or of the longest prompt in it. One pass over the text with a rolling hash.
func (m *recordings) find(text string) (Answer, bool) {
	if a, ok := m.exact[text]; ok {
		return a, true
	}
	best := ""
	for _, p := range m.short {
		if len(p) > len(best) && strings.Contains(text, p) {
			best = p
		}
	}
	if len(text) >= headBytes {
		best = m.scan(text, best)
	}
	a, ok := m.exact[best]
	return a, ok
}

func (m *recordings) scan(text, best string) string {
	top := uint64(1) // base to the power headBytes-1: what the byte that leaves the window weighs
	for range headBytes - 1 {
		top *= base
	}
	h := headHash(text)
	for i := 0; ; i++ {
		for _, p := range m.heads[h] {
			if len(p) > len(best) && strings.HasPrefix(text[i:], p) {
				best = p
			}
		}
		if i+headBytes >= len(text) {
			return best
		}
		h = (h-uint64(text[i])*top)*base + uint64(text[i+headBytes])
	}
}

// Names are the models that the recording names, sorted.
func (r *Recorded) Names() []string {
	var names []string
	for name := range r.models {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
