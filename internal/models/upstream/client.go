package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/weirhq/weir/internal/call"
)

// Client sends attempts over its own HTTP/1.1 connections. Safe for concurrent use.
type Client struct {
	cfg   Config
	table atomic.Pointer[map[string]*target]
	mu    sync.Mutex // held by Update
}

// target is an endpoint with its connections.
type target struct {
	*endpoint
	tls  *tls.Config // nil for http
	pool *pool
}

// New makes a Client. The error names the provider whose endpoint is unusable.
func New(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg.filled()}
	c.table.Store(&map[string]*target{})
	if err := c.Update(cfg.Endpoints); err != nil {
		return nil, err
	}
	return c, nil
}

// Update swaps all endpoints at once. Sends under way go on with the old ones. An endpoint whose base URL stays keeps
// its connections; those of others are closed once idle. After an error nothing has changed.
func (c *Client) Update(endpoints map[string]Endpoint) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.table.Load()
	table := make(map[string]*target, len(endpoints))
	for name, e := range endpoints {
		ep, err := newEndpoint(name, e)
		if err != nil {
			return fmt.Errorf("set up upstream: %w", err)
		}
		table[name] = &target{endpoint: ep}
	}
	gone := maps.Clone(old)
	for name, t := range table {
		if was, ok := old[name]; ok && was.BaseURL == t.BaseURL {
			t.pool, t.tls = was.pool, was.tls
			delete(gone, name)
			t.pool.limit(t.MaxConns)
			continue
		}
		t.pool = &pool{now: c.cfg.Now, stats: c.cfg.Stats, max: t.MaxConns}
		if t.https {
			t.tls = tlsFor(c.cfg.TLS, t.endpoint, "http/1.1")
		}
	}
	c.table.Store(&table)
	for _, t := range gone {
		t.pool.retire()
	}
	return nil
}

// Close closes idle connections now and the others when their answers end.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range *c.table.Load() {
		t.pool.retire()
	}
}

// Stats are the counters.
func (c *Client) Stats() *Stats { return c.cfg.Stats }

// Send makes one attempt: it writes the request and returns once the head of the answer is there. Any status is a
// Reply. Errors are *llm.Error. The reply's body is not safe for concurrent Reads; Close may be called during one.
// w.Body must stay unchanged until Send has returned an error or the reply's body has been read to its end or closed.
func (c *Client) Send(ctx context.Context, t call.Target, w call.Wire) (*call.Reply, error) {
	at := whereOf(t)
	to, ok := (*c.table.Load())[cmp.Or(t.Endpoint, t.Provider)]
	if !ok {
		return nil, notSent(at.noEndpoint())
	}
	credential, err := to.checkWire(w, at)
	if err != nil {
		return nil, notSent(err)
	}
	cn, err := c.connect(ctx, to)
	if err != nil {
		return nil, notSent(at.connecting(ctx, to.endpoint, err))
	}
	ep := to.endpoint.forWire(w)
	cn.begin(ep, w.Size())
	a := &attempt{ctx: ctx, ep: ep, at: at, conn: cn}
	a.stop = context.AfterFunc(ctx, a.breakOff)

	head := heads.Get().(*[]byte)
	*head = to.appendHead((*head)[:0], w, credential)
	err = a.exchange(*head, w)
	if cap(*head) <= maxHead {
		heads.Put(head)
	}
	if err != nil {
		return nil, err
	}
	return decoded(&a.reply, at)
}

// connect takes an idle connection or opens one.
func (c *Client) connect(ctx context.Context, t *target) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cn, placed := t.pool.quick()
	if cn != nil {
		return cn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.Connect)
	defer cancel()
	if !placed {
		cn, err := t.pool.wait(ctx)
		if cn != nil || err != nil {
			return cn, err
		}
	}
	cn, err := c.dial(ctx, t)
	if err != nil {
		t.pool.free()
	}
	return cn, err
}
