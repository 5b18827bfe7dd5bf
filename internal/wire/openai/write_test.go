package openai

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

func clock() time.Time { return time.Unix(1748300000, 0) }

func TestResponseWritesAnAnswer(t *testing.T) {
	r := &llm.Response{
		ID: "msg_1", Model: "claude", Fingerprint: "fp",
		Choices: []llm.Choice{
			{Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm"}, text("It is "), text("\"ok\".\n")}, Stop: llm.StopSequence},
			{Parts: []llm.Part{toolUse("c1", "f", `{"a":"b"}`), toolUse("c2", "g", "")}, Stop: llm.StopToolUse},
			{Parts: []llm.Part{{Kind: llm.Refusal, Text: "no"}}, Stop: llm.StopRefusal},
			{Stop: llm.StopRefusal},
		},
		Usage: &llm.Usage{Input: 1, CacheRead: 2, Output: 3, Reasoning: 4},
	}
	got, err := Front{Now: clock}.Response(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"msg_1","object":"chat.completion","created":1748300000,"model":"claude","system_fingerp` +
		`rint":"fp","choices":[` +
		`{"index":0,"message":{"role":"assistant","content":"It is \"ok\".\n","refusal":null,"reasoning_conten` +
		`t":"hm"},"logprobs":null,"finish_reason":"stop"},` +
		`{"index":1,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[` +
		`{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":\"b\"}"}},` +
		`{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},"logprobs":null,"finish_reas` +
		`on":"tool_calls"},` +
		`{"index":2,"message":{"role":"assistant","content":null,"refusal":"no"},"logprobs":null,"finish_reason":"stop"},` +
		`{"index":3,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason"` +
		`:"content_filter"}],` +
		`"usage":{"prompt_tokens":3,"completion_tokens":7,"total_tokens":10,"prompt_tokens_details":{"cached_t` +
		`okens":2},"completion_tokens_details":{"reasoning_tokens":4}}}`
	if string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if _, err := (Front{}).Response(&llm.Response{}); err == nil {
		t.Error("an answer without choices was written")
	}
}

// write says events on one stream.
func write(env llm.Envelope, events ...llm.Event) string {
	w := Front{Now: clock}.Stream(env)
	var b []byte
	for _, ev := range events {
		b = w.Write(b, ev)
	}
	return string(b)
}

func TestStreamWriterGolden(t *testing.T) {
	const head = `data: {"id":"m1","object":"chat.completion.chunk","created":1748300000,"model":"claude","` +
		`choices":[{"index":0,"delta":`
	const more, end = `,"logprobs":null,"finish_reason":null}]`, "}\n\n"
	events := []llm.Event{
		{Kind: llm.EvStart, ID: "m1", Model: "claude"},
		{Kind: llm.EvPing},
		{Kind: llm.EvThink, Text: "hm"},
		{Kind: llm.EvThink, Opaque: []byte(`"sig"`)},
		{Kind: llm.EvText, Text: "Hi \"you\""},
		{Kind: llm.EvRefusal, Text: "no"},
		{Kind: llm.EvToolStart, Tool: 1, ID: "c1", Name: "f"},
		{Kind: llm.EvToolArgs, Tool: 1, Text: `{"a"`},
		{Kind: llm.EvMeter, Usage: &llm.Usage{Input: 9}},
		{Kind: llm.EvStop, Stop: llm.StopLength},
		{Kind: llm.EvMeter, Usage: &llm.Usage{Input: 1, Output: 2}},
		{Kind: llm.EvEnd},
		{Kind: llm.EvText, Text: "late"},
	}
	deltas := []string{
		`{"role":"assistant","content":""}` + more, `{"reasoning_content":"hm"}` + more, `{"content":"Hi \"you\""}` + more,
		`{"refusal":"no"}` + more,
		`{"tool_calls":[{"index":1,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}` + more,
		`{"tool_calls":[{"index":1,"function":{"arguments":"{\"a\""}}]}` + more,
		`{},"logprobs":null,"finish_reason":"length"}]`,
	}
	var plain, asked strings.Builder
	for _, d := range deltas {
		plain.WriteString(head + d + end)
		asked.WriteString(head + d + `,"usage":null` + end)
	}
	plain.WriteString("data: [DONE]\n\n")
	asked.WriteString(`data: {"id":"m1","object":"chat.completion.chunk","created":1748300000,"model":"clau` +
		`de","choices":[],` +
		`"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_to` +
		`kens":0},"completion_tokens_details":{"reasoning_tokens":0}}}` +
		"\n\ndata: [DONE]\n\n")
	if d := cmp.Diff(plain.String(), write(llm.Envelope{}, events...)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(asked.String(), write(llm.Envelope{IncludeUsage: true}, events...)); d != "" {
		t.Error("usage asked:", d)
	}
}

func TestStreamWriterBeginsEveryChoice(t *testing.T) {
	out := write(llm.Envelope{Model: "asked"}, llm.Event{Kind: llm.EvText, Choice: 1, Text: "b"},
		llm.Event{Kind: llm.EvStop, Choice: 0, Stop: llm.StopEnd})
	s := readStream(t, out, wire.StreamOptions{Full: true})
	if s.answer == nil || len(s.answer.Choices) != 2 || s.answer.Model != "asked" || strings.Count(out,
		`"role":"assistant"`) != 2 {
		t.Errorf("%s", out)
	}
}

func TestStreamWriterErrorEndsTheStream(t *testing.T) {
	out := write(llm.Envelope{IncludeUsage: true}, llm.Event{Kind: llm.EvStart},
		llm.Event{Kind: llm.EvError, Err: &llm.Error{Code: llm.CodeTimeout, Message: "too late"}},
		llm.Event{Kind: llm.EvMeter, Usage: &llm.Usage{}}, llm.Event{Kind: llm.EvEnd})
	if !strings.HasSuffix(out,
		`data: {"error":{"message":"too late","type":"invalid_response_error","param":null,"code":"upstream_timeout"}}`+"\n\n") ||
		strings.Contains(out, "DONE") {
		t.Errorf("%s", out)
	}
	if out := write(llm.Envelope{}, llm.Event{Kind: llm.EvError}); !strings.Contains(out, "upstream_error") {
		t.Errorf("an error without detail: %s", out)
	}
}

// What one side writes the other reads back.
func TestStreamRoundTrip(t *testing.T) {
	events := []llm.Event{
		{Kind: llm.EvStart, ID: "x", Model: "m", Fingerprint: "fp"},
		{Kind: llm.EvThink, Text: "t"},
		{Kind: llm.EvText, Text: "a\u2028b"},
		{Kind: llm.EvText, Choice: 1, Text: "z"},
		{Kind: llm.EvToolStart, ID: "c", Name: "f"},
		{Kind: llm.EvToolArgs, Text: "{}"},
		{Kind: llm.EvStop, Stop: llm.StopToolUse},
		{Kind: llm.EvStop, Choice: 1, Stop: llm.StopFilter},
		{Kind: llm.EvMeter, Usage: &llm.Usage{Input: 3, Output: 4}},
		{Kind: llm.EvEnd},
	}
	s := readStream(t, write(llm.Envelope{IncludeUsage: true}, events...), wire.StreamOptions{Full: true})
	if d := cmp.Diff(events, s.events); d != "" || !s.complete {
		t.Error(s.complete, s.err, d)
	}
}

// Agents run the calls of an answer by its finish reason, which some providers tell as a plain stop.
func TestAnAnswerThatCallsToolsFinishesForThem(t *testing.T) {
	for stop, want := range map[llm.StopReason]string{
		llm.StopEnd: "tool_calls", "": "tool_calls", llm.StopSequence: "tool_calls", llm.StopLength: "length",
		llm.StopFilter: "content_filter", llm.StopRefusal: "content_filter",
	} {
		r := &llm.Response{Choices: []llm.Choice{{Parts: []llm.Part{text("I look"), toolUse("c", "f", "{}")}, Stop: stop}}}
		whole, err := Front{}.Response(r)
		streamed := write(llm.Envelope{}, r.Events()...)
		if says := `"finish_reason":"` + want + `"`; err != nil || !strings.Contains(string(whole), says) ||
			!strings.Contains(streamed, says) {
			t.Errorf("%q: %s, %v\nstreamed: %s", stop, whole, err, streamed)
		}
	}
}
