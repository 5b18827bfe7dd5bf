// Package gemini speaks the Gemini generateContent dialect towards a provider: Back writes requests of any origin and
// reads answers, streamed or whole. It keeps no state between calls, knows no policy and no money, and opens no
// connection. Clients do not speak this dialect to Weir.
//
// Invariants:
//   - a thoughtSignature travels in Part.Opaque as {"thoughtSignature":"..."} and goes back only with the part it came
//     with; reasoning of another dialect is left out;
//   - tool calls get an id where the provider told none, unique within and across answers; results find their call's
//     name by it;
//   - token counts are disjoint (llm.Usage) and never negative.
//
// Source: Gemini API reference v1beta, GenerateContentResponse, Candidate.FinishReason, UsageMetadata.
package gemini

import (
	"net/url"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Back is the provider side. The zero value is ready; safe for concurrent use.
type Back struct {
	// Now is the clock against which a Retry-After date is read; nil ignores dates.
	Now func() time.Time
}

// Forward writes the caller's request in this dialect. No caller speaks it, so bytes never pass through as they are.
func (b Back) Forward(r *call.Raw, o call.Order) (call.Wire, error) {
	q, err := r.Request()
	if err != nil {
		return call.Wire{}, err
	}
	return b.Encode(q, o)
}

func path(wireID string, stream bool) string {
	p := "/models/" + url.PathEscape(strings.TrimPrefix(wireID, "models/"))
	if stream {
		return p + ":streamGenerateContent?alt=sse"
	}
	return p + ":generateContent"
}

// stopOf reads a finishReason. An answer that broke off, such as at a malformed function call, is not whole, which is
// what length says. called tells that the candidate calls a tool, which the dialect ends with STOP.
func stopOf(reason string, called bool) llm.StopReason {
	switch reason {
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY",
		"IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return llm.StopFilter
	case "MAX_TOKENS", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE",
		"MISSING_THOUGHT_SIGNATURE", "NO_IMAGE", "IMAGE_OTHER", "OTHER":
		return llm.StopLength
	}
	if called {
		return llm.StopToolUse
	}
	return llm.StopEnd
}
