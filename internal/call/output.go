package call

import (
	"iter"
	"strings"

	"github.com/weirhq/weir/internal/llm"
)

// Output is what is known of an attempt's answer without a word of it. What nobody looked at is unknown, never guessed:
// a live answer of the caller's own dialect passes by unread, so less is known of it than of one that was judged.
type Output struct {
	Seen     bool           // an answer began to come; false = nothing below is known
	Stop     llm.StopReason // why the model stopped, the gravest of its answers; OtherStop = a word of the provider's own; "" = not told
	Bytes    int            // of text, thinking and tool calls, as they came: escapes not undone
	Tools    int            // tool calls
	Broken   int            // tool calls whose arguments are no JSON object, where Args is known
	Args     Finding        // are some arguments no JSON object?
	Empty    Finding        // is there nothing that a caller could use?
	Refusal  Refusal
	Language string // of the text: ISO 639-1, "und" = not told apart; "" = not looked at, or no text
}

// OtherStop stands for the stop reasons that no dialect documents: the words of a provider's own have no bound.
const OtherStop llm.StopReason = "other"

// StopReasons are the values of Output.Stop that are told, the gravest first.
var StopReasons = []llm.StopReason{
	llm.StopFilter, llm.StopRefusal, llm.StopLength, OtherStop, llm.StopToolUse, llm.StopSequence, llm.StopEnd,
}

// Finding answers a question that may not have been asked.
type Finding string

// Findings.
const (
	Unknown Finding = ""
	No      Finding = "no"
	Yes     Finding = "yes"
)

// FindingOf is what was found by who looked.
func FindingOf(found bool) Finding {
	if found {
		return Yes
	}
	return No
}

// Refusal says how an answer declines.
type Refusal string

// Refusals. The zero value: nobody looked.
const (
	NotRefused Refusal = "no"
	ByProvider Refusal = "provider" // by stop reason, or in the dialect's own refusal field
	ByWords    Refusal = "words"    // it opens by declining
)

// Answered reports whether the attempt brought a complete answer to a caller's question, accepted or not: what outputs
// are counted of. Probes, shadows and deliveries ask no caller's question.
func (a *Attempt) Answered() bool {
	switch a.Order.Purpose {
	case Answer, Retry, Fallback, Escalate:
		return a.Outcome == OK
	}
	return false
}

// Judged gives the checks that judged the answer, in order, and whether it passed; the last may be the one that it
// failed. A live answer was judged by none.
func (v *Verdict) Judged() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for rest := v.Passed; rest != ""; {
			var check string
			check, rest, _ = strings.Cut(rest, ",")
			if !yield(check, true) {
				return
			}
		}
		if v.Check != "" {
			yield(v.Check, false)
		}
	}
}
