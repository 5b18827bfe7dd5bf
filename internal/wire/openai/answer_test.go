package openai

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

const wholeAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1748300000,"model":"gpt-4o-2024",
 "system_fingerprint":"fp_1",
"service_tier":"default","choices":[
{"index":0,"message":{"role":"assistant","content":"Invoice \"402\" is approved.","refusal":null,"annotations":[]},
 "logprobs":null,"finish_reason":"stop"},
{"index":1,"message":{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
 {"id":"c1","type":"function","function":{"name":"find","arguments":"{\"id\":402}"}},{"function":{"arguments":"",
 "name":"now"},"id":"c2","type":"function"}]},"finish_reason":"tool_calls"},
{"index":2,"message":{"role":"assistant","content":"","refusal":"I cannot."},"finish_reason":"length"}],
"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":16}}}`

func toolUse(id, name, args string) llm.Part {
	return llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: id, Name: name, Args: []byte(args)}}
}

func TestResponseReadsAnAnswer(t *testing.T) {
	got, err := Back{}.Response([]byte(wholeAnswer))
	if err != nil {
		t.Fatal(err)
	}
	want := &llm.Response{
		ID: "chatcmpl-1", Model: "gpt-4o-2024", Fingerprint: "fp_1", Created: 1748300000,
		Choices: []llm.Choice{
			{Parts: []llm.Part{text(`Invoice "402" is approved.`)}, Stop: llm.StopEnd},
			{Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "hm"},
				toolUse("c1", "find", `{"id":402}`),
				toolUse("c2", "now", `{}`),
			}, Stop: llm.StopToolUse},
			{Parts: []llm.Part{{Kind: llm.Refusal, Text: "I cannot."}}, Stop: llm.StopLength},
		},
		Usage: &llm.Usage{Input: 4, CacheRead: 16, Output: 9},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestPeekTellsWithoutDecoding(t *testing.T) {
	events, n, err := Back{}.Peek([]byte(wholeAnswer))
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Event{
		{Kind: llm.EvStart, ID: "chatcmpl-1", Model: "gpt-4o-2024", Fingerprint: "fp_1"},
		{Kind: llm.EvStop, Stop: llm.StopEnd},
		{Kind: llm.EvToolStart, Choice: 1, ID: "c1", Name: "find"},
		{Kind: llm.EvToolStart, Choice: 1, Tool: 1, ID: "c2", Name: "now"},
		{Kind: llm.EvStop, Choice: 1, Stop: llm.StopToolUse},
		{Kind: llm.EvStop, Choice: 2, Stop: llm.StopLength},
		{Kind: llm.EvMeter, Usage: &llm.Usage{Input: 4, CacheRead: 16, Output: 9}},
	}
	if d := cmp.Diff(want, events); d != "" {
		t.Error(d)
	}
	bytes := len(`Invoice \"402\" is approved.`) + len("hm") + len("find") + len(`{\"id\":402}`) + len("now"+
		"") + len("I cannot.")
	if n != bytes {
		t.Errorf("%d bytes of text, want %d", n, bytes)
	}
}

func TestAnswersOfCompatibleServers(t *testing.T) {
	for _, tc := range []struct {
		name, choice string
		want         llm.Choice
	}{
		{
			"pieces with thinking",
			`{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","` +
				`text":"a"},{"type":"text","text":"b"}]},"finish_reason":"stop"}`,
			llm.Choice{Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm"}, text("ab")}, Stop: llm.StopEnd},
		},
		{
			"thinking as a string", `{"message":{"content":[7,{"type":"thinking","thinking":"hm"}]},"finish_reason":"stop"}`,
			llm.Choice{Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm"}}, Stop: llm.StopEnd},
		},
		{
			"arguments that are no string", `{"message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":{}}}]}}`,
			llm.Choice{Parts: []llm.Part{toolUse("c", "f", "{}")}},
		},
		{
			"reasoning under two names",
			`{"message":{"content":"a","reasoning":"hm","reasoning_content":"hm"},"finish_reason":"stop"}`,
			llm.Choice{Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm"}, text("a")}, Stop: llm.StopEnd},
		},
		{"function_call", `{"message":{"content":null,"function_call":{"name":"f","arguments":"{}"}},"finish_r` +
			`eason":"function_call"}`, llm.Choice{Parts: []llm.Part{toolUse("", "f", "{}")}, Stop: llm.StopToolUse}},
		{
			"broken arguments",
			`{"message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":"}}]},"finish_reason":"length"}`,
			llm.Choice{Parts: []llm.Part{toolUse("c", "f", `{"a":`)}, Stop: llm.StopLength},
		},
		{
			"its own stop word", `{"message":{"content":"a"},"finish_reason":"budget"}`,
			llm.Choice{Parts: []llm.Part{text("a")}, Stop: "budget"},
		},
		{
			"nothing said", `{"message":{"role":"assistant","content":null},"finish_reason":"stop"}`,
			llm.Choice{Stop: llm.StopEnd},
		},
		{"filtered", `{"message":null,"finish_reason":"content_filter"}`, llm.Choice{Stop: llm.StopFilter}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Back{}.Response([]byte(`{"id":"x","model":"m","choices":[` + tc.choice + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]llm.Choice{tc.want}, r.Choices); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, tc := range []struct {
		body string
		code llm.Code
		says string
	}{
		{``, llm.CodeUpstream, "cannot be read"},
		{`<html>`, llm.CodeUpstream, "cannot be read"},
		{`[]`, llm.CodeUpstream, "cannot be read"},
		{`{"choices":[]}`, llm.CodeUpstream, "without choices"},
		{`{"choices":null}`, llm.CodeUpstream, "without choices"},
		{`{}`, llm.CodeUpstream, "without choices"},
		{`{"choices":[{"index":0}],"choices":[]}`, llm.CodeUpstream, "cannot be read"},
		{`{"choices":[{"index":128}]}`, llm.CodeUpstream, "cannot be read"},
		{`{"choices":[` + strings.Repeat(`{"index":0},`, 128) + `{"index":0}]}`, llm.CodeUpstream, "cannot be read"},
		{`{"choices":[{"index":0}],"error":{"message":null,"code":504}}`, llm.CodeTimeout, "took too long"},
		{
			`{"choices":[{"message":{"tool_calls":[{"index":9000,"id":"c","function":{"name":"f"}}]}}]}`, llm.CodeUpstream,
			"cannot be read",
		},
		{`{"choices":[{"message":{"tool_calls":{}}}]}`, llm.CodeUpstream, "cannot be read"},
		{`{"error":{"message":"model is loading","type":"server_error"}}`, llm.CodeUpstream, "model is loading"},
		{`{"error":{"message":"slow down","code":429}}`, llm.CodeRate, "slow down"},
		{`{"object":"error","message":"out of memory"}`, llm.CodeUpstream, "out of memory"},
	} {
		_, err := Back{}.Response([]byte(tc.body))
		_, _, err2 := Back{}.Peek([]byte(tc.body))
		for _, err := range []error{err, err2} {
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != tc.code || !strings.Contains(e.Error(), tc.says) {
				t.Errorf("%s: %v", tc.body, err)
			}
		}
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(wholeAnswer))
	f.Add([]byte(`{"choices":[{"message":{"content":[{"text":"a"}],"tool_calls":[{"id":"x"}]}}]}`))
	f.Add([]byte(`{"error":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Back{}.Response(body)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			return
		}
		out, err := Front{}.Response(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Back{}.Response(out)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", body, out, err)
		}
		out2, err := Front{}.Response(again)
		if err != nil || string(out) != string(out2) {
			t.Fatalf("%q, read and written again, is %q (%v)", out, out2, err)
		}
	})
}

// Peek and Response are two readings of the same bytes: they must agree.
func FuzzPeek(f *testing.F) {
	f.Add([]byte(wholeAnswer))
	f.Add([]byte(`{"x_groq":{"usage":{"prompt_tokens":1}},"choices":[{"finish_reason":"stop"}]}`))
	f.Add([]byte(`{"choices":[{"message":{"content":"x"}}],"error":null,"usage":{"total_tokens":3}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, n, err := Back{}.Peek(body)
		r, err2 := Back{}.Response(body)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%q: peek %v, response %v", body, err, err2)
		}
		if err != nil {
			return
		}
		tools, said := 0, 0
		for i, c := range r.Choices {
			said += len(r.Text(i))
			for _, p := range c.Parts {
				if p.Kind == llm.ToolUse {
					tools++
				}
			}
		}
		seen, first := 0, map[[2]int]bool{}
		var usage *llm.Usage
		for _, ev := range events {
			switch ev.Kind {
			case llm.EvToolStart:
				seen++
				first[[2]int{ev.Choice, ev.Tool}] = true
			case llm.EvMeter:
				usage = ev.Usage
			case llm.EvText, llm.EvToolArgs:
				t.Fatalf("%q: content was decoded", body)
			}
		}
		if len(first) != seen || seen > tools || n < said || !cmp.Equal(usage, r.Usage) {
			t.Fatalf("%q: peek saw %d calls, %d bytes, %v; response %d, %d, %v", body, seen, n, usage, tools, said, r.Usage)
		}
	})
}
