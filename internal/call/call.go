// Package call holds the values of one call that every room shares: who calls, what is sent, to which deployment, what
// came of it, and the one inversion by which a room asks for a model (Dispatcher). Values only: no I/O, no policy, no
// HTTP. A Brief's one constructor demands a passed fidelity check; a Class has only Raise.
package call

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// OpID identifies a call: a UUIDv7, so ids sort by time. It is the x-request-id.
type OpID [16]byte

// String is the 32 hex digits.
func (id OpID) String() string { return hex.EncodeToString(id[:]) }

// ParseOpID reads 32 hex digits.
func ParseOpID(s string) (OpID, error) {
	var id OpID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("call id %q: want 32 hex digits", s)
	}
	copy(id[:], b)
	return id, nil
}

// Class is a data class. Its rank is its place in the policy table; the zero Class is the lowest.
type Class struct {
	rank int
	name string
}

// NewClass makes the class at a rank (0 = least sensitive).
func NewClass(rank int, name string) Class { return Class{rank: rank, name: name} }

// Raise returns the more sensitive of the two. It is the only way to change a class.
func (c Class) Raise(d Class) Class {
	if c.name == "" || d.rank > c.rank {
		return d
	}
	return c
}

// Name is the class's name; Rank its place.
func (c Class) Name() string { return c.name }

// Rank is the class's place in the policy table, 0 = least sensitive.
func (c Class) Rank() int { return c.rank }

// Caller is who calls, resolved: from the key first, then from hints that the key allows.
type Caller struct {
	KeyID                                   string // public part of the key; never the secret
	Team, UseCase, Workflow, Agent, Session string
	RawContext                              bool // may name a context: brief model directly
}

// Facts are what is known of a call before any attempt. They travel by value.
type Facts struct {
	ID      OpID
	Caller  Caller
	Class   Class
	Route   string
	Dialect llm.Dialect
	Needs   llm.Needs
	Start   time.Time
	Budget  string // the node that the call counts against; "" = none
}

// Hosting says where a deployment runs.
type Hosting string

// Hostings.
const (
	API   Hosting = "api"   // a third party's API
	Cloud Hosting = "cloud" // a private cloud tenancy
	Own   Hosting = "own"   // self-hosted
)

// Target is a deployment, resolved: a model at one provider endpoint with one credential, and the layer it stands in.
type Target struct {
	Deployment string
	Provider   string
	Endpoint   string // of the provider, as the call's configuration had it
	Dialect    llm.Dialect
	WireID     string // the provider's name for the model
	OutputKey  string // OpenAI dialect: the member that caps output, max_tokens or max_completion_tokens
	Model      *catalog.Model
	Hosting    Hosting
	Region     string
	Layer      int    // 1-based; 0 = named directly
	LayerName  string // "" when named directly
}

// FixedSampling reports whether the model refuses temperature and top_p.
func (t Target) FixedSampling() bool { return t.Model != nil && t.Model.FixedSampling }

// Purpose says why an attempt is made.
type Purpose string

// Purposes.
const (
	Answer   Purpose = "answer"
	Retry    Purpose = "retry"
	Fallback Purpose = "fallback"
	Escalate Purpose = "escalate"
	Compress Purpose = "compress"
	Probe    Purpose = "probe"
	Delivery Purpose = "delivery" // nothing is sent: an answer that was refused before goes to the caller after all
	Shadow   Purpose = "shadow"   // beside a call of an observed route: its answer reaches nobody
	Observed Purpose = "observed" // nothing is sent: the row that ends a shadow, and tells what it came to
)

// Order asks for one attempt.
type Order struct {
	Purpose Purpose
	Target  Target
	Payload Payload
	Prompt  int  // tokens of the payload, estimated from above by the dispatcher: what is held for input
	MaxOut  int  // tokens; the ceiling that is held and, where the caller gave none, sent
	Stream  bool // ask the provider for a stream
	Held    bool // nothing of the answer reaches the caller before its verdict
	Judge   bool // the answer will be judged or translated: every frame is decoded, and the last Delta carries Final
	N       int  // answers asked for, >= 1
	// Notes is compact JSON of what led to this attempt: skipped deployments, the brief, what the answer before failed by.
	Notes string
}

// Dispatcher is how any room asks for a model. Only the gateway implements it: permit, hold, journal, send, settle.
// Open returns an *llm.Error when no answer will come; the attempt's ledger row is written all the same. One Dispatcher
// serves one call; its attempts are made one after the other.
type Dispatcher interface {
	Open(context.Context, Facts, Order) (Exchange, error)
	// Deliver books that the caller gets a closed attempt's answer after all, and why.
	Deliver(a Attempt, why string)
}

// Exchange is one attempt under way. Not safe for concurrent use. Close must always be called.
type Exchange interface {
	// Recv returns the next frame; io.EOF after the last. Another error is an *llm.Error and ends the exchange. On a
	// judged stream the last Delta before io.EOF has no Raw and carries the whole answer in Final. Raw is valid until
	// the next Recv unless the order was judged.
	Recv() (llm.Delta, error)
	// Judge records what became of the answer. Call it before Close; without it the verdict is "unjudged".
	Judge(Verdict)
	// Close cancels the provider if it still speaks, settles exactly once and enqueues the ledger row. Idempotent.
	Close() (Attempt, error)
}

// Marks of errors.
var (
	// ErrNotSent: of an attempt of which no byte of the request left; nothing can have been billed.
	ErrNotSent = errors.New("the request was not sent")
	// ErrGivenUp: Weir itself ended the attempt, since its layer's time was over.
	ErrGivenUp = errors.New("the layer's time was over")
	// ErrNoRoom: the answer does not fit into what the process may keep in memory. Another attempt would not either.
	ErrNoRoom = errors.New("no room for the answer")
)

// Clocks are durations since the call's start. Zero = did not happen.
type Clocks struct {
	Sent        time.Duration // attempt's request handed to the connection
	ProviderTTF time.Duration // provider's first byte of content
	FirstByte   time.Duration // first byte handed to the client (streams; non-streams: as Accepted)
	Accepted    time.Duration // verdict "accepted"
	End         time.Duration // provider's last byte
}

// GivenUp is the error code of an attempt that Weir ended because its layer's time was over.
const GivenUp = "given_up"

// Outcome says how an attempt ended upstream.
type Outcome string

// Outcomes.
const (
	OK       Outcome = "ok"
	Failed   Outcome = "failed"  // the provider answered with an error
	Cut      Outcome = "cut"     // the connection broke or went silent
	Canceled Outcome = "aborted" // the client went, or Weir gave up
	Refused  Outcome = "refused" // never sent: policy, budget, price
)

// Verdict says what Weir made of an answer.
type Verdict struct {
	Result VerdictResult
	Check  string // the check that decided, "" if none; of an accepted answer: the one that it fails, let go by its beginning
	Reason string // safe to show; no content of the call beyond field names
	Notes  string // as Order.Notes, with the repairs of the answer; "" = the order's
	Passed string // names of the checks that the answer passed, in their order, by commas
	// Repaired says whether the answer's form had to be mended before it was judged.
	Repaired Finding
	Final    bool // the call ends with this attempt
	// Doubt is the grade of a check that grades, in ten-thousandths; 0 = none did. In a row of the ledger it stands in Notes.
	Doubt int
}

// VerdictResult is one of the results below.
type VerdictResult string

// Verdict results.
const (
	Unjudged VerdictResult = "unjudged"
	Accepted VerdictResult = "accepted"
	Rejected VerdictResult = "rejected" // escalated, or the last layer's answer refused
	Errored  VerdictResult = "errored"  // nothing to judge
)

// Settlement says how sure an attempt's cost is.
type Settlement string

// Settlements. Every attempt that was sent ends as exactly one of them.
const (
	Settled   Settlement = "settled"   // provider's usage, priced
	Estimated Settlement = "estimated" // no usage came; Weir's own count
	Presumed  Settlement = "presumed"  // a crash: the held amount
	NotSent   Settlement = "not_sent"  // refused before sending: cost 0
)

// Attempt is what ledger, telemetry and reports eat. One wide row of the ledger.
type Attempt struct {
	Facts       Facts
	N           int // 1-based number of the attempt within the call
	Order       Order
	Rule        string // the policy rule that allowed or denied it
	Served      string // model as the provider named it
	Fingerprint string
	Usage       llm.Usage
	Lines       []money.Line
	Cost        money.Nano
	Held        money.Nano
	Budget      string     // the budget node that the hold counts against; "" = none
	Baseline    money.Nano // the same tokens at the route's dearest layer: what the frontier would have cost
	PriceRow    string     // catalog.Price.ID
	Clocks      Clocks
	Outcome     Outcome
	Settlement  Settlement
	Verdict     Verdict
	Output      Output
	Err         string // code of the error, "" if none
}
