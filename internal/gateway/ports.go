package gateway

import (
	"context"
	"net/http"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

// Front is the client side of a dialect. Errors are *llm.Error. Safe for concurrent use.
type Front interface {
	// Scan reads a request in one pass without decoding it: strict JSON, depth <= 64, no duplicate or case-variant
	// protocol keys, no trailing data.
	Scan(body []byte) (llm.Envelope, error)
	// Decode reads the request whole, for translation and briefs.
	Decode(body []byte) (*llm.Request, error)
	// Response is the whole body of a non-streamed answer.
	Response(*llm.Response) ([]byte, error)
	// Stream makes the writer that turns events into frames for this request.
	Stream(llm.Envelope) wire.StreamWriter
	// Error is an error body, or with inBand the frame that tells of it on a stream already begun.
	Error(e *llm.Error, inBand bool) []byte
}

// Back is the provider side of a dialect. Errors are *llm.Error. Safe for concurrent use.
type Back struct {
	RequestWriter
	AnswerReader
}

// RequestWriter writes requests for a provider.
type RequestWriter interface {
	// Forward sends a caller's own bytes of the same dialect on, spliced: model name, output cap, usage flag.
	Forward(*call.Raw, call.Order) (call.Wire, error)
	// Encode writes a request of any origin in this dialect.
	Encode(*llm.Request, call.Order) (call.Wire, error)
}

// AnswerReader reads a provider's answers.
type AnswerReader interface {
	// Response reads the whole body of a non-streamed answer.
	Response(body []byte) (*llm.Response, error)
	// Peek scans the body of a non-streamed answer without decoding its content: one EvStart (id, model, fingerprint),
	// an EvStop a choice, an EvMeter when usage was told, an EvToolStart a tool call; and the bytes of answer text.
	Peek(body []byte) (events []llm.Event, textBytes int, err error)
	// Stream makes a reader of frames.
	Stream(wire.StreamOptions) wire.StreamReader
	// Error reads a provider's error answer.
	Error(status int, header http.Header, body []byte) *llm.Error
}

// Hold is money set aside for one attempt. Settle and Void are idempotent; the first of them counts.
type Hold interface {
	Settle(money.Nano)
	Void()
	// Node names the budget that the hold counts against; "" = none.
	Node() string
}

// memory bounds the bytes that calls keep in it, together with the bodies of their requests.
type memory interface {
	// Take reserves n bytes for a call of a key ("" = nobody's) that has some already.
	Take(key string, has, n int64) bool
	Give(key string, n int64)
}

// framer is a Front that knows the frames around an answer's own.
type framer interface {
	// KeepAlive is what may stand between any two frames of a stream, and before the first: it says nothing.
	KeepAlive() []byte
	// EndMark is the last frame of a stream that ends as it should.
	EndMark() []byte
}

type holder interface {
	Hold(context.Context, call.Facts, money.Nano) (Hold, error)
}

type sender interface {
	Send(context.Context, call.Target, call.Wire) (*call.Reply, error)
}

type journal interface {
	Begin(ledger.Intent) error
	End(call.Attempt) ledger.LSN
	Durable(context.Context, ledger.LSN) error
	// Health is nil, or why rows cannot be written now.
	Health() error
}
