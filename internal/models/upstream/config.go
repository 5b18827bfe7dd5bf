package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/internal/call"
)

// Defaults of an Endpoint's timeouts.
const (
	DefaultConnect = 5 * time.Second
	DefaultTTFT    = 60 * time.Second
	DefaultIdle    = 30 * time.Second
)

// DialFunc opens a connection; it must return soon after ctx ends.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Config is what a sender needs. Zero fields take the defaults named.
type Config struct {
	Endpoints map[string]Endpoint // by provider name (call.Target.Provider)
	Dial      DialFunc            // default: TCP with keep-alive probes
	TLS       *tls.Config         // roots and the like; server name, lowest version and ALPN are set here
	// Now is the clock that deadlines on connections are told in, so it must be the clock the connections go by.
	Now   func() time.Time // default time.Now
	Stats *Stats           // counters to add to; default: own ones, see Client.Stats
}

// Endpoint is one provider's address, credential and limits.
type Endpoint struct {
	BaseURL string // http or https, with an optional path; no query, no user
	Auth    Auth
	// Connect is the most that waiting for a free connection, dialling and the TLS handshake may take together.
	Connect time.Duration
	// TTFT is the most that may pass from a connection being there to the first byte of the answer's head. When the
	// head comes early, the first byte of the body may use up what is left of it. An answer that is not streamed
	// usually has its first byte when it is complete, so there WholeFactor times as long may pass.
	TTFT time.Duration
	Idle time.Duration // the most between two reads of the answer; up to an eighth more
	// MaxConns is the most connections open at once; a send beyond that waits, up to Connect. 0 = no limit.
	MaxConns int
}

// Auth is how a credential is sent: header Header with value Prefix + Secret(). The secret is behind a function so that
// printing an Auth cannot show it, and so that it may be rotated. Secret nil or returning "" sends no credential.
type Auth struct {
	Header string // default authorization
	Prefix string // e.g. "Bearer "
	Secret func() string
}

// Stats counts what connections do. Safe to read at any time.
type Stats struct {
	Dials    atomic.Uint64 // connections asked for, failed ones included
	Reuses   atomic.Uint64 // sends that took an idle connection
	Stale    atomic.Uint64 // idle connections found ended before reuse
	Open     atomic.Int64  // connections open now, idle ones included
	Idle     atomic.Int64  // of those, idle now; Client only
	Canceled atomic.Uint64 // attempts broken off on a connection because their context ended
}

// WholeFactor is how many times longer than TTFT the head of an answer that is not streamed may take to come.
const WholeFactor = 5

// forWire is the endpoint with the timeouts that fit a wire.
func (ep *endpoint) forWire(w call.Wire) *endpoint {
	if w.Stream {
		return ep
	}
	return ep.patient
}

// endpoint is an Endpoint checked, with defaults filled in and its URL taken apart. Never changed once made.
type endpoint struct {
	Endpoint
	name  string
	https bool
	host  string // for the Host header
	addr  string // host:port to dial
	path  string // of the base URL, without a trailing slash

	patient *endpoint // the same, for answers that are not streamed
}

func newEndpoint(name string, e Endpoint) (*endpoint, error) {
	u, err := url.Parse(e.BaseURL)
	if err != nil {
		// The error of url.Parse repeats the URL, which may hold a password by mistake.
		return nil, fmt.Errorf("provider %s: base url does not parse", name)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("provider %s: base url must begin with http:// or https://", name)
	case u.Hostname() == "":
		return nil, fmt.Errorf("provider %s: base url names no host", name)
	case u.User != nil:
		return nil, fmt.Errorf("provider %s: base url must not hold a user or password; use key", name)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("provider %s: base url must not hold a query or fragment", name)
	}
	if e.Auth.Header == "" {
		e.Auth.Header = "authorization"
	}
	shown, _, _ := strings.Cut(name, "#") // what follows tells generations of a provider apart
	ep := &endpoint{Endpoint: e, name: shown, https: u.Scheme == "https", host: u.Host}
	ep.path = strings.TrimRight(u.EscapedPath(), "/")
	port := u.Port()
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[ep.https]
	}
	ep.addr = net.JoinHostPort(u.Hostname(), port)
	ep.Connect = orDefault(e.Connect, DefaultConnect)
	ep.TTFT = orDefault(e.TTFT, DefaultTTFT)
	ep.Idle = orDefault(e.Idle, DefaultIdle)
	if !isToken(ep.Auth.Header) || ownField(ep.Auth.Header) {
		return nil, fmt.Errorf("provider %s: %q cannot carry a credential", name, ep.Auth.Header)
	}
	if !isPath(ep.path) || !isValue(ep.host) {
		return nil, fmt.Errorf("provider %s: base url holds a character that HTTP does not allow", name)
	}
	patient := *ep
	patient.TTFT *= WholeFactor
	ep.patient = &patient
	return ep, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// filled returns c with its defaults.
func (c Config) filled() Config {
	if c.Dial == nil {
		c.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Stats == nil {
		c.Stats = new(Stats)
	}
	return c
}

// tlsFor is the TLS configuration for one host.
func tlsFor(base *tls.Config, ep *endpoint, protos ...string) *tls.Config {
	cfg := &tls.Config{}
	if base != nil {
		cfg = base.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(ep.addr)
	}
	if cfg.MinVersion < tls.VersionTLS12 {
		cfg.MinVersion = tls.VersionTLS12
	}
	if cfg.ClientSessionCache == nil {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(32)
	}
	// Requests are written whole, so small first records would only add system calls.
	cfg.DynamicRecordSizingDisabled = true
	cfg.NextProtos = protos
	return cfg
}
