// Package anthropic speaks the Anthropic Messages dialect on both sides: Front reads what clients send and writes what
// they expect, Back does the same towards a provider. Both translate from and into llm; neither keeps state between
// calls, knows policy or money, or opens a connection.
//
// Invariants:
//   - a request passed on in its own dialect keeps every byte but the spliced ones;
//   - reasoning travels as the provider's own block, byte for byte, and only towards this dialect: reasoning of another
//     dialect is left out, since a thinking block without Anthropic's signature is refused on the next turn;
//   - blocks of a stream written here are numbered from 0 and never overlap, whatever order the events came in;
//   - token counts are disjoint (llm.Usage) and never negative.
//
// Source: Messages API reference and its streaming guide, API version 2023-06-01.
package anthropic

import (
	"strings"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Front is the client side. The zero value is ready; safe for concurrent use.
type Front struct{}

// Back is the provider side. The zero value is ready; safe for concurrent use.
type Back struct {
	// Now is the clock against which a Retry-After date is read; nil ignores dates.
	Now func() time.Time
}

const (
	apiVersion    = "2023-06-01"
	versionHeader = "anthropic-version"
	path          = "/messages"
)

// header is what goes upstream beside credentials: what the caller's own headers say, and the version if they do not.
func header(forward []call.Field) []call.Field {
	out := make([]call.Field, 0, len(forward)+1)
	told := false
	for _, f := range forward {
		told = told || strings.EqualFold(f.Name, versionHeader)
		out = append(out, f)
	}
	if !told {
		out = append(out, call.Field{Name: versionHeader, Value: apiVersion})
	}
	return out
}

// stopOf reads a stop_reason. pause_turn and compaction end an answer that is not whole, which is what length says.
func stopOf(reason string) llm.StopReason {
	switch reason {
	case "max_tokens", "model_context_window_exceeded", "pause_turn", "compaction":
		return llm.StopLength
	case "tool_use":
		return llm.StopToolUse
	case "stop_sequence":
		return llm.StopSequence
	case "refusal":
		return llm.StopRefusal
	}
	return llm.StopEnd
}

// reasonOf writes a stop_reason. The dialect has one word for a filter and a refusal, in words or not. An answer that
// calls tools never just ends: agents run the calls by this word.
func reasonOf(s llm.StopReason, refused, called bool) string {
	switch {
	case s == llm.StopLength:
		return "max_tokens"
	case refused:
		return "refusal"
	}
	switch s {
	case llm.StopToolUse:
		return "tool_use"
	case llm.StopSequence:
		return "stop_sequence"
	case llm.StopFilter, llm.StopRefusal:
		return "refusal"
	}
	if called {
		return "tool_use"
	}
	return "end_turn"
}
