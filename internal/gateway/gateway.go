// Package gateway is the way of one call (handle.go) and the way of one attempt (dispatch.go). It joins the rooms: who
// calls, which data class, which layers, which model, what it may cost, what the ledger keeps. It is bytes in, bytes out
// and knows no HTTP: the server reads and writes.
//
// Invariants: every attempt is permitted, held and journaled before it is sent; every hold is settled or voided once; the
// terminal group of an answer is released only after the rows of all its attempts are durable.
package gateway

import (
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/price"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/governance/policy"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/cascade"
	"github.com/weirhq/weir/internal/routing/session"
)

// Gateway answers calls. Fields are set before the first call and not changed after; Load swaps the snapshot at any time.
type Gateway struct {
	Fronts  map[llm.Dialect]Front
	Backs   map[llm.Dialect]Back
	Holder  holder
	Sender  sender
	Journal journal
	Memory  memory // of answers that are kept back
	Cascade *cascade.Cascade
	// Sessions remembers conversations; nil = none is.
	Sessions *session.Store
	Watch    Watcher
	Now      func() time.Time
	Draw     func(n int) int // a number from 0 to n-1, each as likely: which observed calls get a shadow

	snap    atomic.Pointer[Snapshot]
	tokens  estimator
	shadows shadows
}

// Watcher is told what happened, for metrics and the access log. Implementations must not block.
type Watcher interface {
	Attempt(call.Attempt)
	Call(Done)
}

// Done sums up one call.
type Done struct {
	Facts    call.Facts
	Model    string // that answered; "" = none
	Layer    string
	Attempts int
	Stream   bool
	// KeepAlives is how many the client was sent while it waited.
	KeepAlives int
	Session    []session.Event // what the conversation's session did
	Overhead   time.Duration   // time that was not spent waiting for providers
	Took       time.Duration
	Err        *llm.Error // nil = answered
}

// Snapshot is what a configuration says about calls. Immutable; every call keeps the one it started with.
type Snapshot struct {
	Routes    []Route
	Direct    map[string]cascade.Layer // deployments by name, for clients that name one; none of brief-only layers
	BriefOnly map[string]bool          // deployments that stand only in brief layers
	Policy    *policy.Table
	UseCases  map[string]UseCase
	Prices    price.Prices
	Attempts  int
	Deadline  time.Duration
}

// Route is a name that clients ask for.
type Route struct {
	Name       string
	Match      []string // names, or patterns with *
	Observe    bool
	Layers     []cascade.Layer
	BestEffort bool
	KeepAlive  time.Duration // pause after which a streaming client that waits is told so; 0 = never
	Hold       cascade.Hold
	Session    session.Rules
	Baseline   call.Target // the route's dearest target: what the frontier would have cost
	Sample     int         // of observed calls, for a shadow of the cascade: parts per million
	Shadows    string      // budget node of those
	Watched    *Route      // of a route in observe mode, cut down to the model that was asked for: the whole of it

	asks map[ask]asked // of a route in observe mode: by which route each name is answered
}

// UseCase is what a call's use case demands.
type UseCase struct {
	Floor  call.Class // zero = none
	Budget string
}

// Load puts a snapshot in force for the calls that come after.
func (g *Gateway) Load(s *Snapshot) {
	s.prepare()
	g.snap.Store(s)
}

// Current is the snapshot in force.
func (g *Gateway) Current() *Snapshot { return g.snap.Load() }

// Inbound is one call as the server read it.
type Inbound struct {
	ID      call.OpID
	Dialect llm.Dialect
	Key     *identity.Key
	Body    []byte // not kept after Handle returns
	Hints   llm.Hints
	Forward []call.Field // headers that go upstream unchanged on the same dialect
	Start   time.Time
}

// Out is where an answer goes. Not used concurrently.
type Out interface {
	// Head comes once, before the first byte of an answer or before an error is returned.
	Head(Head)
	// Write sends bytes to the client; with more set, they may wait for those of the next Write. The error means that
	// the client is gone.
	Write(b []byte, more bool) error
}

// Head is what is known when the headers leave. On a stream, what the whole call cost is known only later.
type Head struct {
	Stream    bool
	Early     bool // headers leave before an answer is known: Stream and Class only
	Complete  bool // the call is over: cost, attempts and overhead are final
	Target    call.Target
	Rule      string
	Class     string
	Attempts  int
	Cost      int64 // nano-dollars
	Estimated bool
	Overhead  time.Duration
}
