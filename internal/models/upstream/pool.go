package upstream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	maxIdle = 512              // idle connections kept per endpoint
	idleTTL = 60 * time.Second // how long; most providers' load balancers close them after 60 to 120 s
)

// errBusy says that a place did not come free within the connect timeout.
var errBusy = errors.New("no connection came free")

// pool holds the connections of one endpoint. The newest idle one is used first, so the rest can age and go.
type pool struct {
	now   func() time.Time
	stats *Stats

	mu      sync.Mutex
	idle    []*conn // oldest first
	open    int     // idle, in use, or being dialled
	max     int     // 0 = no limit
	waiting []chan *conn
	retired bool
	reaper  *time.Timer // set while a connection is idle
}

// quick returns an idle connection that is alive. Otherwise placed says whether the caller has a place and must dial;
// without one it must wait.
func (p *pool) quick() (c *conn, placed bool) {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			placed = p.max <= 0 || p.open < p.max
			if placed {
				p.open++
				p.stats.Open.Add(1)
			}
			p.mu.Unlock()
			return nil, placed
		}
		c = p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		p.stats.Idle.Add(-1)
		if c.alive() {
			p.stats.Reuses.Add(1)
			return c, true
		}
		p.stats.Stale.Add(1)
		p.drop(c)
	}
}

// wait waits for a connection or, when nil is returned without an error, a place to dial.
func (p *pool) wait(ctx context.Context) (*conn, error) {
	p.mu.Lock()
	if p.max <= 0 || p.open < p.max {
		p.open++
		p.stats.Open.Add(1)
		p.mu.Unlock()
		return nil, nil
	}
	ch := make(chan *conn, 1)
	p.waiting = append(p.waiting, ch)
	p.mu.Unlock()
	select {
	case c := <-ch:
		return p.handed(c), nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	i := slices.Index(p.waiting, ch)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 { // handed over in the same moment: pass it on
		if c := <-ch; c != nil {
			p.put(c)
		} else {
			p.free()
		}
	}
	return nil, errBusy
}

// handed is a connection that came from another call: it or, when it has ended meanwhile, its place.
func (p *pool) handed(c *conn) *conn {
	if c == nil {
		return nil
	}
	if c.alive() {
		p.stats.Reuses.Add(1)
		return c
	}
	p.stats.Stale.Add(1)
	c.close()
	return nil
}

// put takes back a connection whose answer has been read to its end.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	if p.retired || p.over() {
		p.mu.Unlock()
		p.drop(c)
		return
	}
	if len(p.waiting) > 0 {
		ch := p.waiting[0]
		p.waiting = slices.Delete(p.waiting, 0, 1)
		p.mu.Unlock()
		ch <- c
		return
	}
	if len(p.idle) >= maxIdle {
		p.mu.Unlock()
		p.drop(c)
		return
	}
	c.idle = p.now()
	p.idle = append(p.idle, c)
	if p.reaper == nil {
		p.reaper = time.AfterFunc(idleTTL, p.reap)
	}
	p.mu.Unlock()
	p.stats.Idle.Add(1)
}

// over reports whether a reload left more connections open than are allowed now.
func (p *pool) over() bool { return p.max > 0 && p.open > p.max }

// drop closes a connection and frees its place.
func (p *pool) drop(c *conn) {
	c.close()
	p.free()
}

// free gives a place to who waits for one.
func (p *pool) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 && !p.over() {
		ch := p.waiting[0]
		p.waiting = slices.Delete(p.waiting, 0, 1)
		ch <- nil
		return
	}
	p.open--
	p.stats.Open.Add(-1)
}

// reap closes connections that have been idle for long.
func (p *pool) reap() {
	p.mu.Lock()
	now := p.now()
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].idle) >= idleTTL {
		n++
	}
	old := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	if len(p.idle) > 0 {
		p.reaper.Reset(max(time.Millisecond, idleTTL-now.Sub(p.idle[0].idle)))
	} else {
		p.reaper = nil
	}
	p.mu.Unlock()
	p.closeIdle(old)
}

// limit changes how many connections may be open and gives new places to who waits.
func (p *pool) limit(most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.max = most
	for len(p.waiting) > 0 && (most <= 0 || p.open < most) {
		p.open++
		p.stats.Open.Add(1)
		ch := p.waiting[0]
		p.waiting = slices.Delete(p.waiting, 0, 1)
		ch <- nil
	}
}

// retire closes what is idle, and from now on what comes back. Calls under way go on; waiting ones dial.
func (p *pool) retire() {
	p.mu.Lock()
	p.retired = true
	old := p.idle
	p.idle = nil
	if p.reaper != nil {
		p.reaper.Stop()
		p.reaper = nil
	}
	p.mu.Unlock()
	p.closeIdle(old)
}

func (p *pool) closeIdle(old []*conn) {
	p.stats.Idle.Add(-int64(len(old)))
	for _, c := range old {
		p.drop(c)
	}
}
