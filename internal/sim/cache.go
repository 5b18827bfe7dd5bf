package sim

import (
	"encoding/binary"
	"hash/fnv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/sim/tokens"
)

// A prompt cache, as the providers document theirs. OpenAI keeps what it has read by itself, in steps of 128 tokens from
// 1,024 on. Anthropic keeps what the request marks with cache_control, for five minutes or an hour, and looks for what it
// kept at most 20 blocks before each mark. Both compare the beginning of the prompt, and every use begins the time anew.
const (
	cacheStep     = 128
	cacheLeast    = 1024
	cacheLookback = 20
	cacheMarks    = 4
	cacheShort    = 5 * time.Minute
	cacheLong     = time.Hour
	linkBytes     = 512     // of prompt between two places that are compared
	mostKept      = 1 << 20 // places, over all models
)

// link is a place in a prompt: what stands before it, as a hash, and how many tokens that is.
type link struct {
	hash   uint64
	tokens int
	block  int // blocks that end here or before; the last link of a block has the next number
	mark   time.Duration
}

// read adds one block of text to the prompt, and framing tokens that the provider counts beside it. kind tells it from the
// same text of another kind.
func (a *ask) read(kind, text string, framing int) {
	before, n := a.prompt, tokens.Count(text)+framing
	a.prompt += n
	sum := uint64(len(kind))
	if len(a.chain) > 0 {
		sum += a.chain[len(a.chain)-1].hash
	}
	for at := 0; ; at += linkBytes {
		end := min(at+linkBytes, len(text))
		h := fnv.New64a()
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], sum)
		h.Write(b[:])
		h.Write([]byte(kind))
		h.Write([]byte(text[at:end]))
		sum = h.Sum64()
		if end == len(text) {
			a.blocks++
			a.chain = append(a.chain, link{hash: sum ^ 1, tokens: a.prompt, block: a.blocks})
			return
		}
		a.chain = append(a.chain, link{hash: sum, tokens: before + n*end/len(text), block: a.blocks})
	}
}

// cacheControl is Anthropic's mark on a block.
type cacheControl struct {
	Type string `json:"type"`
	TTL  string `json:"ttl"`
}

// mark notes that the block read last ends a part of the prompt that is to be kept.
func (a *ask) mark(c *cacheControl) *failure {
	if c == nil || len(a.chain) == 0 {
		return nil
	}
	life := cacheShort
	switch {
	case c.Type != "ephemeral":
		return invalidf("", "cache_control: Input tag '%s' found using 'type' does not match any of the expected tags: 'ephemeral'", c.Type)
	case c.TTL == "1h":
		life = cacheLong
	case c.TTL != "" && c.TTL != "5m":
		return invalid("", "cache_control.ephemeral.ttl: Input should be '5m' or '1h'")
	}
	if a.marks++; a.marks > cacheMarks {
		return invalidf("", "A maximum of %d blocks with cache_control may be provided. Found %d.", cacheMarks, a.marks)
	}
	a.chain[len(a.chain)-1].mark = life
	return nil
}

// markAll is cache_control of the request itself: the mark moves with the end of the prompt.
func (a *ask) markAll(m map[string]jsontext.Value) *failure {
	var c *cacheControl
	if f := field(m, "cache_control", &c); f != nil {
		return f
	}
	return a.mark(c)
}

// metered is how much of a prompt came from the cache and how much was written to it.
type metered struct{ read, short, long int }

type cacheKey struct {
	model string
	hash  uint64
}

// promptCache is what the providers keep. Safe for concurrent use.
type promptCache struct {
	mu   sync.Mutex
	kept map[cacheKey]time.Time // until when
	long map[cacheKey]bool      // for an hour
}

// meter looks a prompt up and keeps it, as its provider does.
func (p *promptCache) meter(a *ask, now time.Time) metered {
	if !a.model.Cache {
		return metered{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil || len(p.kept) > mostKept {
		p.kept, p.long = map[cacheKey]time.Time{}, map[cacheKey]bool{}
	}
	switch a.dialect {
	case OpenAI:
		return p.automatic(a, now)
	case Anthropic:
		return p.marked(a, now)
	}
	return metered{}
}

// holds reports whether a place is kept, and keeps it for as long again.
func (p *promptCache) holds(k cacheKey, now time.Time) bool {
	until, ok := p.kept[k]
	if !ok || now.After(until) {
		return false
	}
	p.keep(k, now, cacheShort)
	return true
}

func (p *promptCache) keep(k cacheKey, now time.Time, life time.Duration) {
	p.long[k] = p.long[k] && !now.After(p.kept[k]) || life == cacheLong
	if p.long[k] {
		life = cacheLong
	}
	p.kept[k] = now.Add(life)
}

func (p *promptCache) automatic(a *ask, now time.Time) (m metered) {
	for i := len(a.chain) - 1; i >= 0 && a.chain[i].tokens >= cacheLeast; i-- {
		k := cacheKey{a.model.ID, a.chain[i].hash}
		if p.holds(k, now) && m.read == 0 {
			m.read = a.chain[i].tokens / cacheStep * cacheStep
		}
		p.keep(k, now, cacheShort)
	}
	return m
}

func (p *promptCache) marked(a *ask, now time.Time) (m metered) {
	least, last := max(a.model.CacheLeast, cacheLeast), 0
	for i, l := range a.chain {
		if l.mark == 0 {
			continue
		}
		for j := i; j >= 0 && a.chain[j].block > l.block-cacheLookback; j-- {
			c := a.chain[j]
			if c.tokens > m.read && c.tokens >= least && p.holds(cacheKey{a.model.ID, c.hash}, now) {
				m.read = c.tokens
			}
		}
	}
	for _, l := range a.chain {
		if l.mark == 0 || l.tokens < least {
			continue
		}
		p.keep(cacheKey{a.model.ID, l.hash}, now, l.mark)
		if fresh := l.tokens - max(m.read, last); fresh > 0 && l.mark == cacheLong {
			m.long += fresh
		} else if fresh > 0 {
			m.short += fresh
		}
		last = max(last, l.tokens)
	}
	return m
}
