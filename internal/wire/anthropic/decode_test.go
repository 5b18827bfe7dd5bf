package anthropic

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

func text(s string) llm.Part { return llm.Part{Kind: llm.Text, Text: s} }

func TestDecodeFullRequest(t *testing.T) {
	got, err := Front{}.Decode([]byte(fullRequest))
	if err != nil {
		t.Fatal(err)
	}
	want := &llm.Request{
		Model: "claude-sonnet-4-5", MaxOutput: 512, Stream: true, User: "u-7",
		System: []llm.Part{text("Be brief.")},
		Messages: []llm.Message{
			{Role: llm.User, Parts: []llm.Part{text(`first "question"`)}},
			{Role: llm.Assistant, Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "hmm", Opaque: jsontext.Value(`{"type":"thinking","thinking":"hmm",` +
					`"signature":"c2ln"}`)},
				text("I look."),
				{Kind: llm.ToolUse, Tool: &llm.ToolCall{
					ID: "toolu_1", Name: "find", Args: jsontext.Value(`{"invoice":"402","n":[1,"two"]}`),
				}},
			}},
			{Role: llm.User, Parts: []llm.Part{
				{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: "toolu_1", Content: []llm.Part{text("found")}}},
				{Kind: llm.Media, Media: &llm.MediaPart{MIME: "image/png", Data: "aGVsbG8="}},
				text("plain words"),
				text("and now?"),
			}},
		},
		Tools: []llm.Tool{{Name: "find", Description: "finds it", Schema: jsontext.Value(`{"type":"object"}`)}},
		Format: &llm.Format{Kind: "json_schema", Strict: true, Schema: jsontext.Value(`{"type":"object",` +
			`"title":"Answer"}`)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
}

func TestDecodeParts(t *testing.T) {
	for _, tt := range []struct {
		name, block string
		want        []llm.Part
	}{
		{
			"redacted thinking", `{"type":"redacted_thinking","data":"xyz"}`,
			[]llm.Part{{Kind: llm.Reasoning, Opaque: jsontext.Value(`{"type":"redacted_thinking","data":"xyz"}`)}},
		},
		{
			"server tool use", `{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":"a"}}`,
			[]llm.Part{{
				Kind:   llm.Reasoning,
				Opaque: jsontext.Value(`{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":"a"}}`),
			}},
		},
		{
			"failed tool", `{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"boom"}`,
			[]llm.Part{{
				Kind:   llm.ToolResult,
				Result: &llm.ToolAnswer{ID: "t", IsError: true, Content: []llm.Part{text("boom")}},
			}},
		},
		{
			"tool result without content", `{"type":"tool_result","tool_use_id":"t"}`,
			[]llm.Part{{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: "t"}}},
		},
		{
			"pdf by url", `{"type":"document","source":{"type":"url","url":"https://x/a"}}`,
			[]llm.Part{{Kind: llm.Media, Media: &llm.MediaPart{MIME: "application/pdf", URL: "https://x/a"}}},
		},
		{
			"document of blocks", `{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"}]}}`,
			[]llm.Part{text("a")},
		},
		{
			"search result", `{"type":"search_result","source":"https://x","title":"t","content":[{"type":"text",` +
				`"text":"a"}]}`,
			[]llm.Part{text("a")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[` + tt.block + `]}]}`
			q, err := Front{}.Decode([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, q.Messages[0].Parts); d != "" {
				t.Errorf("parts (-want +got):\n%s", d)
			}
		})
	}
}

func TestDecodeToolChoice(t *testing.T) {
	for in, want := range map[string]llm.ToolChoice{
		`{"type":"auto"}`:               {Mode: "auto"},
		`{"type":"any"}`:                {Mode: "required"},
		`{"type":"none"}`:               {Mode: "none"},
		`{"type":"tool","name":"find"}`: {Mode: "tool", Name: "find"},

		`{"type":"auto","disable_parallel_tool_use":true}`: {Mode: "auto", NoParallel: true},
	} {
		q, err := Front{}.Decode([]byte(`{"model":"m","max_tokens":1,"messages":[],"tool_choice":` + in + `}`))
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		if q.Choice != want {
			t.Errorf("%s = %+v, want %+v", in, q.Choice, want)
		}
	}
}

func TestDecodeSystemMessageGoesToSystem(t *testing.T) {
	q, err := Front{}.Decode([]byte(`{"model":"m","max_tokens":1,"system":"a","messages":[
		{"role":"user","content":"x"},{"role":"system","content":"b"}],"output_format":{"type":"json_schema",
   "schema":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]llm.Part{text("a"), text("b")}, q.System); d != "" || len(q.Messages) != 1 || q.Format == nil {
		t.Errorf("system (-want +got):\n%s; %d messages, format %v", d, len(q.Messages), q.Format)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		code       llm.Code
		param      string
	}{
		{
			"stored file", `{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file",` +
				`"file_id":"f"}}]}]}`,
			llm.CodeUnfit, "messages[0].content[0].source",
		},
		{
			"server tool", `{"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}`, llm.CodeUnfit,
			"tools[0]",
		},
		{
			"container upload", `{"messages":[{"role":"user","content":[{"type":"container_upload","file_id":"f"}]}]}`,
			llm.CodeUnfit, "messages[0].content[0]",
		},
		{"wrong type", `{"max_tokens":"many"}`, llm.CodeUnfit, "max_tokens"},
		{"broken", `{"max_tokens":`, llm.CodeUnfit, ""},
		{"role", `{"messages":[{"role":"tool","content":"x"}]}`, llm.CodeUnfit, "messages[0].role"},
		{
			"no source", `{"messages":[{"role":"user","content":[{"type":"image"}]}]}`, llm.CodeUnfit,
			"messages[0].content[0].source",
		},
		{
			"empty source", `{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64"}}]}]}`,
			llm.CodeUnfit, "messages[0].content[0].source",
		},
		{"choice", `{"messages":[],"tool_choice":{"type":"maybe"}}`, llm.CodeUnfit, "tool_choice.type"},
		{
			"format", `{"messages":[],"output_config":{"format":{"type":"xml"}}}`, llm.CodeUnfit,
			"output_config.format.type",
		},
		{"content", `{"messages":[{"role":"user","content":7}]}`, llm.CodeUnfit, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Front{}.Decode([]byte(tt.body))
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != tt.code || (tt.param != "" && e.Param != tt.param) {
				t.Errorf("error = %+v, want %s at %q", err, tt.code, tt.param)
			}
		})
	}
}
