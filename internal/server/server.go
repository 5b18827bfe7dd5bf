// Package server starts and stops Weir and speaks HTTP for it: it opens the store, builds the rooms from the
// configuration, reads calls, writes answers, reloads and drains. It is the only room that knows every other; it decides
// nothing about calls.
package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/finops/budget"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/upstream"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/routing/session"
	"github.com/weirhq/weir/internal/store/sqlite"
	"github.com/weirhq/weir/internal/telemetry"
	"github.com/weirhq/weir/internal/wire/anthropic"
	"github.com/weirhq/weir/internal/wire/gemini"
	"github.com/weirhq/weir/internal/wire/openai"

	"github.com/weirhq/weir/internal/call"
)

// Options start a server. The zero value of a field is its default.
type Options struct {
	Config  *config.Config
	Version string
	Log     *slog.Logger // default: none
	Access  *slog.Logger // access log; nil = off
	Now     func() time.Time
	// DroppedLines is how many log lines were dropped; nil = none ever are.
	DroppedLines func() uint64
	Random       io.Reader // default crypto/rand
	// Draw gives a number from 0 to n-1, each as likely: which observed calls get a shadow. Default: math/rand.
	Draw func(n int) int
	// NoFirstKey: no key is made when there is none; for servers that no client will call.
	NoFirstKey bool
	// Sender sends attempts in place of the HTTP client; for benchmarks.
	Sender Sender
	// Patience is how long clients are waited for.
	Patience Patience
	// FirstKeyName is what the key that is made when there is none is called; default "first".
	FirstKeyName string
}

// Patience is how long the server waits for its clients. The zero value of a field is its default.
type Patience struct {
	Header time.Duration // for the whole header of a request; default 10s
	Idle   time.Duration // for the next request on a connection; default 2m
	Pause  time.Duration // for the next bytes of a body; default 30s
	Body   time.Duration // for the whole of a body; default 5m
	Stall  time.Duration // for what one write sends to be taken; default 30s
	Cut    time.Duration // for calls that are cut at the end of limits.drain to be told and booked; default 5s
}

func (p Patience) orDefault() Patience {
	return Patience{
		Header: cmp.Or(p.Header, 10*time.Second), Idle: cmp.Or(p.Idle, 2*time.Minute), Pause: cmp.Or(p.Pause, bodyPause),
		Body: cmp.Or(p.Body, bodyTime), Stall: cmp.Or(p.Stall, writeStall), Cut: cmp.Or(p.Cut, 5*time.Second),
	}
}

// Sender sends one wire attempt.
type Sender interface {
	Send(context.Context, call.Target, call.Wire) (*call.Reply, error)
}

const (
	bodyPause      = 30 * time.Second
	bodyTime       = 5 * time.Minute
	writeStall     = 30 * time.Second
	maxHeaderBytes = 64 << 10
	defaultUseCase = "default" // what the first key's calls belong to, where the registry has it
	// keysEvery is how often keys that another process changed are read: a revoked one stops within a second.
	keysEvery = 500 * time.Millisecond
	// reportEvery is how often the log tells of calls that were turned away.
	reportEvery = 10 * time.Second
)

// Server is one running Weir.
type Server struct {
	opt     Options
	now     func() time.Time
	started time.Time
	ids     *ids

	store   *sqlite.DB
	journal *ledger.Journal
	budgets *budget.Book
	keys    *identity.Keyring
	sender  *upstream.Client
	gateway *gateway.Gateway
	metrics *telemetry.Metrics
	control http.Handler

	config    atomic.Pointer[config.Config]
	reloading sync.Mutex
	before    map[string]upstream.Endpoint // of the configuration in force; under reloading

	door     *door
	inflight inflight
	conns    *conns
	draining atomic.Bool
	closing  sync.Once
	closed   error

	// FirstKey is the secret of the key that was made because there was none; "" otherwise. It is told once.
	FirstKey string
	// Recovery tells what opening the ledger had to mend.
	Recovery ledger.Recovery

	api, admin net.Listener
}

// New opens the store, recovers the ledger and listens. Call Serve next, or Close.
func New(opt Options) (s *Server, err error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Random == nil {
		opt.Random = rand.Reader
	}
	if opt.Draw == nil {
		opt.Draw = mathrand.IntN
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	opt.Patience = opt.Patience.orDefault()
	s = &Server{
		opt: opt, door: newDoor(opt.Now, mathrand.Int64N),
		now: opt.Now, started: opt.Now(), ids: newIDs(opt.Now, opt.Random), metrics: telemetry.NewMetrics(),
	}
	s.config.Store(opt.Config)
	defer func() {
		if err != nil {
			_ = s.Close() // the first error is the one to tell
		}
	}()
	for _, step := range []func() error{s.openStore, s.openKeys, s.buildGateway, s.buildControl, s.listen} {
		if err := step(); err != nil {
			return s, err
		}
	}
	s.gauges()
	return s, nil
}

func (s *Server) openStore() error {
	dir := s.config.Load().Storage.Dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the storage folder: %w", err)
	}
	db, err := sqlite.Open(dir)
	if err != nil {
		return fmt.Errorf("open the store in %s: %w", dir, err)
	}
	s.store = db
	s.journal, s.Recovery, err = ledger.Open(db, ledger.Options{Now: s.now, Log: s.opt.Log})
	if err != nil {
		return err
	}
	s.budgets, err = budget.New(budgets(s.config.Load()), s.journal, s.now)
	return err
}

// openKeys reads the keys. Without any, one is made, but only where no other machine can reach it.
func (s *Server) openKeys() error {
	c := s.config.Load()
	pepper, err := identity.Pepper(filepath.Join(c.Storage.Dir, "key.pepper"), s.opt.Random)
	if err != nil {
		return err
	}
	s.keys, err = identity.NewKeyring(s.store.Keys(), pepper)
	if err != nil || s.keys.Len() > 0 || s.opt.NoFirstKey {
		return err
	}
	if !loopback(c.Listen.API) {
		return &llm.Error{
			Code: llm.CodeKey, Message: "there is no key yet and listen.api " + c.Listen.API + " can be reached from other machines",
			Hint: "make a key first: weir key create --name first",
		}
	}
	first := identity.Key{Name: cmp.Or(s.opt.FirstKeyName, "first")}
	if _, ok := c.UseCases[defaultUseCase]; ok {
		first.UseCase = defaultUseCase
	}
	s.FirstKey, err = s.keys.Create(first, s.opt.Random, s.now())
	return err
}

func (s *Server) buildGateway() error {
	c := s.config.Load()
	snap, err := Snapshot(c, s.now())
	if err != nil {
		return err
	}
	s.before = endpoints(c)
	s.sender, err = upstream.New(upstream.Config{Endpoints: s.before, Now: s.now})
	if err != nil {
		return err
	}
	var sender Sender = s.sender
	if s.opt.Sender != nil {
		sender = s.opt.Sender
	}
	chat, messages, generate := openai.Back{Now: s.now}, anthropic.Back{Now: s.now}, gemini.Back{Now: s.now}
	s.gateway = &gateway.Gateway{
		Fronts: map[llm.Dialect]gateway.Front{llm.OpenAI: openai.Front{Now: s.now}, llm.Anthropic: anthropic.Front{}},
		Backs: map[llm.Dialect]gateway.Back{
			llm.OpenAI: {RequestWriter: chat, AnswerReader: chat}, llm.Anthropic: {RequestWriter: messages, AnswerReader: messages},
			llm.Gemini: {RequestWriter: generate, AnswerReader: generate},
		},
		Holder: holder{s.budgets}, Sender: sender, Journal: s.journal, Now: s.now, Draw: s.opt.Draw,
		Memory: shared{s},
		Cascade: &cascade.Cascade{
			Jitter: func(most time.Duration) time.Duration { return time.Duration(mathrand.Int64N(int64(most) + 1)) },
			Meter:  s.metrics,
		},
		Watch: &watch{metrics: s.metrics, access: s.opt.Access, log: s.opt.Log},
	}
	s.gateway.Sessions = session.NewStore(c.Limits.Sessions, s.now)
	s.gateway.Load(snap)
	return nil
}

// Probe makes one tiny call to a deployment and books it.
func (s *Server) Probe(ctx context.Context, deployment string) (call.Attempt, error) {
	return s.gateway.Probe(ctx, s.ids.next(), deployment)
}

// Handle answers one call that did not come over HTTP.
func (s *Server) Handle(ctx context.Context, in gateway.Inbound, out gateway.Out) error {
	return s.gateway.Handle(ctx, in, out)
}

// Ledger reads what has been booked.
func (s *Server) Ledger() ledger.Reader { return s.store }

// API is the address that clients call; Admin that of health, metrics and the control API.
func (s *Server) API() string { return s.api.Addr().String() }

// Admin is the address of health, metrics and the control API.
func (s *Server) Admin() string { return s.admin.Addr().String() }

// holder makes the budget's holds fit the gateway's interface.
type holder struct{ book *budget.Book }

// Hold sets money aside for an attempt.
func (h holder) Hold(ctx context.Context, f call.Facts, amount money.Nano) (gateway.Hold, error) {
	hold, err := h.book.Hold(ctx, f, amount)
	if err != nil {
		return nil, err
	}
	return hold, nil
}
