package server

import "sync"

// fair is how many times what is left free one owner may hold. The first to flood a pool takes seven eighths of it, never
// the last of it; k that flood get equal parts, and each makes way as others come and its own calls end. Nobody's part is
// configured and nothing is taken back: this is the dynamic threshold of shared-memory switches (Choudhury and Hahne, 1998).
const fair = 7

// grant is whether a pool gave what was asked for, or why not.
type grant uint8

const (
	granted grant = iota
	full          // nobody gets more
	unfair        // this owner gets no more, others do
	shut          // the pool gives nothing any more
)

// pool counts what its owners hold of something of which there is only so much. The zero value is empty. It costs the
// same whatever is held, and keeps nothing of owners that hold nothing. Safe for concurrent use.
type pool[K comparable] struct {
	mu    sync.Mutex
	used  int64
	of    map[K]int64
	empty chan struct{} // made by close, closed when nothing is held
}

// take gives an owner n more below a limit. own is how much of what the owner holds already belongs to the same thing, a
// body that grows: an owner's only one may be as large as the limit.
func (p *pool[K]) take(who K, n, own, limit int64) grant {
	p.mu.Lock()
	defer p.mu.Unlock()
	held, left := p.of[who], limit-p.used-n
	switch {
	case p.empty != nil:
		return shut
	case left < 0:
		return full
	case held > own && held+n > fair*left:
		return unfair
	}
	if p.of == nil {
		p.of = map[K]int64{}
	}
	p.used += n
	p.of[who] = held + n
	return granted
}

// give takes n back from an owner.
func (p *pool[K]) give(who K, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used -= n
	if p.of[who] -= n; p.of[who] == 0 {
		delete(p.of, who)
	}
	if p.empty != nil && p.used == 0 {
		close(p.empty)
	}
}

// close lets nothing be taken any more; the channel is closed once nothing is held. It may be called once.
func (p *pool[K]) close() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.empty = make(chan struct{})
	if p.used == 0 {
		close(p.empty)
	}
	return p.empty
}

// held is how much is held in all, and of how much the owner with the most of it.
func (p *pool[K]) held() (all, most int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.of {
		most = max(most, n)
	}
	return p.used, most
}
