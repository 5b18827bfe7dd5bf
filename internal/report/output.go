package report

import (
	"strings"

	"github.com/weirhq/weir/internal/call"
)

// Output is what is known of an attempt's answer without a word of it. What nobody looked at is left out.
type Output struct {
	Stop        string   `json:"stop,omitzero" doc:"why the model stopped"`
	Bytes       int      `json:"bytes" doc:"of text, thinking and tool calls as they came"`
	ToolCalls   int      `json:"tool_calls"`
	BrokenCalls *int     `json:"broken_calls,omitempty" doc:"tool calls whose arguments are no JSON object"`
	Empty       string   `json:"empty,omitzero" doc:"yes, no"`
	Refusal     string   `json:"refusal,omitzero" doc:"no, provider, words"`
	Repaired    string   `json:"repaired,omitzero" doc:"yes, no"`
	Language    string   `json:"language,omitzero" doc:"ISO 639-1, or und = not told apart"`
	Passed      []string `json:"passed,omitzero" doc:"checks that it passed, in order"`
}

func outputOf(a *call.Attempt) *Output {
	o := &a.Output
	if !o.Seen {
		return nil
	}
	out := &Output{
		Stop: string(o.Stop), Bytes: o.Bytes, ToolCalls: o.Tools, Empty: string(o.Empty), Refusal: string(o.Refusal),
		Repaired: string(a.Verdict.Repaired), Language: o.Language,
	}
	if o.Args != call.Unknown {
		out.BrokenCalls = &o.Broken
	}
	if a.Verdict.Passed != "" {
		out.Passed = strings.Split(a.Verdict.Passed, ",")
	}
	return out
}
