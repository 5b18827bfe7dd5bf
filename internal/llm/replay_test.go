package llm

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func TestEventsOfAWholeAnswer(t *testing.T) {
	usage := &Usage{Input: 5, Output: 7}
	r := Response{
		ID: "id", Model: "m-1", Fingerprint: "fp", Usage: usage,
		Choices: []Choice{
			{Stop: StopToolUse, Parts: []Part{
				{Kind: Reasoning, Text: "hm", Opaque: jsontext.Value(`"sig"`)},
				{Kind: Text, Text: "I look"},
				{Kind: ToolUse, Tool: &ToolCall{ID: "c1", Name: "find", Args: jsontext.Value(`{"id":402}`)}},
				{Kind: ToolUse, Tool: &ToolCall{ID: "c2", Name: "list", Args: jsontext.Value(`{}`)}},
			}},
			{Stop: StopRefusal, Parts: []Part{{Kind: Refusal, Text: "no"}}},
		},
	}
	want := []Event{
		{Kind: EvStart, ID: "id", Model: "m-1", Fingerprint: "fp"},
		{Kind: EvThink, Text: "hm", Opaque: []byte(`"sig"`)},
		{Kind: EvText, Text: "I look"},
		{Kind: EvToolStart, ID: "c1", Name: "find"},
		{Kind: EvToolArgs, Text: `{"id":402}`},
		{Kind: EvToolStart, Tool: 1, ID: "c2", Name: "list"},
		{Kind: EvToolArgs, Tool: 1, Text: `{}`},
		{Kind: EvStop, Stop: StopToolUse},
		{Kind: EvRefusal, Choice: 1, Text: "no"},
		{Kind: EvStop, Choice: 1, Stop: StopRefusal},
		{Kind: EvMeter, Usage: usage},
		{Kind: EvEnd},
	}
	if diff := cmp.Diff(want, r.Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestEventsWithoutUsage(t *testing.T) {
	want := []Event{{Kind: EvStart, ID: "id"}, {Kind: EvEnd}}
	if diff := cmp.Diff(want, (&Response{ID: "id"}).Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestTextJoinsTextPartsOnly(t *testing.T) {
	r := Response{Choices: []Choice{
		{Parts: []Part{{Text: "a"}, {Kind: Reasoning, Text: "hidden"}, {Text: "b"}}},
		{Parts: []Part{{Kind: Refusal, Text: "no"}}},
	}}
	for i, want := range []string{"ab", "", ""} {
		if got := r.Text(i); got != want {
			t.Errorf("text of choice %d = %q, want %q", i, got, want)
		}
	}
}
