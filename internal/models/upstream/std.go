package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/internal/call"
)

// Std sends attempts over net/http, with HTTP/2 where a provider offers it. It is the yardstick for Client and the way
// to providers that speak nothing else. It differs in what net/http does by itself: an answer with both a length and
// the chunked coding is taken as chunked, and each connection has two goroutines. Safe for concurrent use.
type Std struct {
	cfg   Config
	table atomic.Pointer[map[string]*stdTarget]
	mu    sync.Mutex // held by Update
}

type stdTarget struct {
	*endpoint
	transport *http.Transport
}

// stdTimeout is the cause of a request cancelled by one of our timeouts.
type stdTimeout struct{ kind timeoutKind }

func (e stdTimeout) Error() string { return string(e.kind) + " timeout" }

// NewStd makes a Std from the same Config as New.
func NewStd(cfg Config) (*Std, error) {
	s := &Std{cfg: cfg.filled()}
	s.table.Store(&map[string]*stdTarget{})
	if err := s.Update(cfg.Endpoints); err != nil {
		return nil, err
	}
	return s, nil
}

// Update is Client.Update; a changed MaxConns counts as a changed endpoint here.
func (s *Std) Update(endpoints map[string]Endpoint) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.table.Load()
	table := make(map[string]*stdTarget, len(endpoints))
	for name, e := range endpoints {
		ep, err := newEndpoint(name, e)
		if err != nil {
			return fmt.Errorf("set up upstream: %w", err)
		}
		table[name] = &stdTarget{endpoint: ep}
	}
	gone := maps.Clone(old)
	for name, t := range table {
		was, ok := old[name]
		if ok && was.BaseURL == t.BaseURL && was.MaxConns == t.MaxConns && was.Connect == t.Connect {
			t.transport = was.transport
			delete(gone, name)
			continue
		}
		t.transport = s.newTransport(t.endpoint)
	}
	s.table.Store(&table)
	for _, t := range gone {
		t.transport.CloseIdleConnections()
	}
	return nil
}

func (s *Std) newTransport(ep *endpoint) *http.Transport {
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, ep.Connect)
			defer cancel()
			s.cfg.Stats.Dials.Add(1)
			c, err := s.cfg.Dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			s.cfg.Stats.Open.Add(1)
			return &countedConn{Conn: c, open: &s.cfg.Stats.Open}, nil
		},
		TLSHandshakeTimeout:    ep.Connect,
		DisableCompression:     true,
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    maxIdle,
		MaxConnsPerHost:        ep.MaxConns,
		IdleConnTimeout:        idleTTL,
		MaxResponseHeaderBytes: maxHead,
		ForceAttemptHTTP2:      ep.https,
	}
	if ep.https {
		t.TLSClientConfig = tlsFor(s.cfg.TLS, ep, "h2", "http/1.1")
	}
	return t
}

// countedConn counts itself out once.
type countedConn struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// Close closes idle connections.
func (s *Std) Close() {
	for _, t := range *s.table.Load() {
		t.transport.CloseIdleConnections()
	}
}

// Stats are the counters.
func (s *Std) Stats() *Stats { return s.cfg.Stats }

// Send is Client.Send.
func (s *Std) Send(ctx context.Context, t call.Target, w call.Wire) (*call.Reply, error) {
	at := whereOf(t)
	to, ok := (*s.table.Load())[cmp.Or(t.Endpoint, t.Provider)]
	if !ok {
		return nil, notSent(at.noEndpoint())
	}
	credential, err := to.checkWire(w, at)
	if err != nil {
		return nil, notSent(err)
	}
	if ctx.Err() != nil {
		return nil, notSent(at.ended(ctx))
	}
	inner, cancel := context.WithCancelCause(ctx)
	b := &stdBody{ctx: ctx, inner: inner, cancel: cancel, ep: to.endpoint.forWire(w), at: at, stats: s.cfg.Stats}
	// The clock runs for the connection first, then, once it is there, for the first byte.
	b.timer = time.AfterFunc(to.Connect, b.expire)
	b.kind.Store(timeoutConnect)
	b.sent.left = append([][]byte(nil), w.Body...)
	req, err := to.request(httptrace.WithClientTrace(inner, b.trace()), w, credential, &b.sent)
	if err != nil {
		b.end()
		return nil, at.broken(ctx, to.endpoint, "write request to", timeoutTTFT, protocolError(err.Error()))
	}
	resp, err := to.transport.RoundTrip(req)
	if err != nil {
		err = b.sendError(err)
		b.end()
		return nil, err
	}
	b.timer.Stop()
	b.body = resp.Body
	return decoded(&call.Reply{Status: resp.StatusCode, Header: resp.Header, Body: b}, at)
}

// request makes the request. POST without GetBody or an idempotency key is never repeated by net/http.
func (ep *endpoint) request(ctx context.Context, w call.Wire, credential string, body *pieces) (*http.Request, error) {
	scheme := map[bool]string{false: "http://", true: "https://"}[ep.https]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+ep.host+ep.path+w.Path, nil)
	if err != nil {
		return nil, err
	}
	if size := w.Size(); size > 0 {
		req.ContentLength, req.Body = int64(size), body
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept(w))
	req.Header.Set("Accept-Encoding", "identity")
	if credential != "" {
		req.Header.Set(ep.Auth.Header, credential)
	}
	for _, f := range w.Header {
		req.Header.Add(f.Name, f.Value)
	}
	return req, nil
}

// pieces reads a request's body. net/http may still read when the answer is over already; after Close it finds nothing,
// so that the caller may use the bytes again.
type pieces struct {
	mu     sync.Mutex
	left   [][]byte
	closed bool
}

func (p *pieces) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	for len(p.left) > 0 {
		n := copy(b, p.left[0])
		if p.left[0] = p.left[0][n:]; len(p.left[0]) == 0 {
			p.left = p.left[1:]
		}
		if n > 0 || len(b) == 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

func (p *pieces) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.closed = nil, true
	return nil
}

// stdBody is an answer's body under the idle timeout.
type stdBody struct {
	ctx    context.Context // of the send
	inner  context.Context // of the request: ends also by our timeouts
	cancel context.CancelCauseFunc
	ep     *endpoint
	at     where
	stats  *Stats
	kind   atomic.Value // timeoutKind that runs
	by     atomic.Int64 // end of the TTFT timeout, in Unix nanoseconds
	timer  *time.Timer
	sent   pieces
	body   io.ReadCloser
	begun  bool
	err    error
}

func (b *stdBody) expire() { b.cancel(stdTimeout{b.kind.Load().(timeoutKind)}) }

func (b *stdBody) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if i.Reused {
			b.stats.Reuses.Add(1)
		}
		b.kind.Store(timeoutTTFT)
		b.by.Store(time.Now().Add(b.ep.TTFT).UnixNano())
		b.timer.Reset(b.ep.TTFT)
	}}
}

// sendError maps an error of RoundTrip.
func (b *stdBody) sendError(err error) error {
	if b.ctx.Err() != nil {
		return b.at.ended(b.ctx)
	}
	kind := b.kind.Load().(timeoutKind)
	if kind != timeoutConnect {
		return b.readError(err)
	}
	var late stdTimeout
	if errors.As(context.Cause(b.inner), &late) {
		return b.at.timeout(kind, b.ep.Connect, err)
	}
	return notSent(b.at.connecting(b.ctx, b.ep, err))
}

// readError maps an error of the connection.
func (b *stdBody) readError(err error) error {
	if b.ctx.Err() != nil {
		b.stats.Canceled.Add(1)
		return b.at.ended(b.ctx)
	}
	var late stdTimeout
	if errors.As(context.Cause(b.inner), &late) {
		after := map[timeoutKind]time.Duration{timeoutTTFT: b.ep.TTFT, timeoutIdle: b.ep.Idle}[late.kind]
		return b.at.timeout(late.kind, after, err)
	}
	return b.at.broken(b.ctx, b.ep, "read answer of", timeoutIdle, cut(err))
}

// Read returns the next bytes.
func (b *stdBody) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	kind, wait := timeoutIdle, b.ep.Idle
	if left := time.Until(time.Unix(0, b.by.Load())); !b.begun && left > wait {
		kind, wait = timeoutTTFT, left
	}
	b.kind.Store(kind)
	b.timer.Reset(wait)
	n, err := b.body.Read(p)
	b.timer.Stop()
	b.begun = b.begun || n > 0
	if err == nil {
		return n, nil
	}
	b.err = err
	if !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrBodyReadAfterClose) {
		b.err = b.readError(err)
	}
	b.end()
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

func (b *stdBody) end() {
	b.timer.Stop()
	b.cancel(nil)
	_ = b.sent.Close()
}

// Close ends the request when the body has not been read to its end.
func (b *stdBody) Close() error {
	b.end()
	return b.body.Close()
}
