package gemini

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

const fullAnswer = `{"candidates":[
 {"content":{"role":"model","parts":[{"text":"so\n","thought":true},{"text":"I \"look\".","thoughtSignature":"dA=="},
   {"functionCall":{"name":"find","args":{"id":"402"}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"own",
   "name":"now"}}]},
  "finishReason":"STOP","index":0,"safetyRatings":[{"category":"X","probability":"LOW"}]},
 {"content":{"parts":[{"text":"other"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},
   {"executableCode":{"code":"x"}}]},
  "finishReason":"MAX_TOKENS","index":1}],
 "usageMetadata":{"promptTokenCount":30,"cachedContentTokenCount":12,"candidatesTokenCount":9,"thoughtsTokenCount":5,
  "toolUsePromptTokenCount":4,"totalTokenCount":48,"promptTokensDetails":[{"modality":"TEXT","tokenCount":30}]},
 "modelVersion":"gemini-2.5-pro","responseId":"r1"}`

var fullUsage = llm.Usage{Input: 22, CacheRead: 12, Output: 9, Reasoning: 5}

func TestResponse(t *testing.T) {
	got, err := Back{}.Response([]byte(fullAnswer))
	if err != nil {
		t.Fatal(err)
	}
	find := toolUse("call_r1_0", "find", `{"id":"402"}`)
	find.Opaque = jsontext.Value(`{"thoughtSignature":"c2ln"}`)
	said := text(`I "look".`)
	said.Opaque = jsontext.Value(`{"thoughtSignature":"dA=="}`)
	want := &llm.Response{ID: "r1", Model: "gemini-2.5-pro", Usage: &fullUsage, Choices: []llm.Choice{
		{Stop: llm.StopToolUse, Parts: []llm.Part{
			{Kind: llm.Reasoning, Text: "so\n"}, said, find, toolUse("own", "now", "{}"),
		}},
		{Stop: llm.StopLength, Parts: []llm.Part{
			text("other"), {Kind: llm.Media, Media: &llm.MediaPart{MIME: "image/png", Data: "AAAA"}},
		}},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answer (-want +got):\n%s", d)
	}
}

func TestPeek(t *testing.T) {
	events, n, err := Back{}.Peek([]byte(fullAnswer))
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Event{
		{Kind: llm.EvStart, ID: "r1", Model: "gemini-2.5-pro"},
		{Kind: llm.EvToolStart, ID: "call_r1_0", Name: "find", Opaque: []byte(`{"thoughtSignature":"c2ln"}`)},
		{Kind: llm.EvToolStart, Tool: 1, ID: "own", Name: "now"},
		{Kind: llm.EvStop, Stop: llm.StopToolUse},
		{Kind: llm.EvStop, Choice: 1, Stop: llm.StopLength},
		{Kind: llm.EvMeter, Usage: &fullUsage},
	}
	if d := cmp.Diff(want, events); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if want := len(`so\n`) + len(`I \"look\".`) + len(`{"id":"402"}`) + len("other"); n != want {
		t.Errorf("text bytes = %d, want %d", n, want)
	}
}

func TestFinishReasons(t *testing.T) {
	for reason, want := range map[string]llm.StopReason{
		"STOP": llm.StopEnd, "": llm.StopEnd, "MAX_TOKENS": llm.StopLength, "SAFETY": llm.StopFilter,
		"RECITATION": llm.StopFilter, "PROHIBITED_CONTENT": llm.StopFilter, "BLOCKLIST": llm.StopFilter,
		"SPII":     llm.StopFilter,
		"LANGUAGE": llm.StopFilter, "IMAGE_SAFETY": llm.StopFilter, "MALFORMED_FUNCTION_CALL": llm.StopLength,
		"UNEXPECTED_TOOL_CALL": llm.StopLength, "OTHER": llm.StopLength, "SOMETHING_NEW": llm.StopEnd,
	} {
		if got := stopOf(reason, false); got != want {
			t.Errorf("%s = %s, want %s", reason, got, want)
		}
	}
	if got := stopOf("STOP", true); got != llm.StopToolUse {
		t.Errorf("STOP after a call = %s", got)
	}
	if got := stopOf("SAFETY", true); got != llm.StopFilter {
		t.Errorf("SAFETY after a call = %s", got)
	}
}

func TestBlockedPromptIsARefusal(t *testing.T) {
	body := []byte(`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":4},` +
		`"modelVersion":"g"}`)
	r, err := Back{}.Response(body)
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Choice{{
		Stop:  llm.StopFilter,
		Parts: []llm.Part{{Kind: llm.Refusal, Text: "The provider blocked the prompt (PROHIBITED_CONTENT)."}},
	}}
	if d := cmp.Diff(want, r.Choices); d != "" || r.Usage.Input != 4 {
		t.Errorf("choices (-want +got):\n%s usage %+v", d, r.Usage)
	}
	events, _, err := Back{}.Peek(body)
	if err != nil || events[1].Stop != llm.StopFilter {
		t.Errorf("Peek: %+v, %v", events, err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, tt := range []struct {
		body     string
		code     llm.Code
		upstream int
	}{
		{``, llm.CodeUpstream, 0},
		{`[]`, llm.CodeUpstream, 0},
		{`{}`, llm.CodeUpstream, 0},
		{
			`{"candidates":[]}`,
			llm.CodeUpstream, 0,
		},
		{`{"candidates":[{"index":-1}]}`, llm.CodeUpstream, 0},
		{`{"candidates":[{"index":1000000}]}`, llm.CodeUpstream, 0},
		{`{"candidates":[],"candidates":[]}`, llm.CodeUpstream, 0},
		{`{"candidates":[{"content":{"parts":[{"text":`, llm.CodeUpstream, 0},
		{`{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}`, llm.CodeUpstream, 503},
		{`{"error":{"message":"?"}}`, llm.CodeUpstream, 500},
	} {
		_, err := Back{}.Response([]byte(tt.body))
		_, _, peek := Back{}.Peek([]byte(tt.body))
		for _, err := range []error{err, peek} {
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != tt.code || e.Upstream != tt.upstream {
				t.Errorf("%q: error = %v, want %s upstream %d", tt.body, err, tt.code, tt.upstream)
			}
		}
	}
}

func TestEmptyAnswerThatWasMetered(t *testing.T) {
	r, err := Back{}.Response([]byte(`{"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}`))
	if err != nil || len(r.Choices) != 1 || len(r.Choices[0].Parts) != 0 || r.Usage.Input != 4 {
		t.Errorf("answer %+v, %v", r, err)
	}
}

func TestUsageMeters(t *testing.T) {
	for _, tt := range []struct {
		name, usage string
		want        llm.Usage
	}{
		{
			"cached is part of the prompt", `{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":2}`,
			llm.Usage{Input: 6, CacheRead: 4, Output: 2},
		},
		{
			"thoughts come on top", `{"promptTokenCount":10,"candidatesTokenCount":2,"thoughtsTokenCount":7,` +
				`"totalTokenCount":19}`,
			llm.Usage{Input: 10, Output: 2, Reasoning: 7},
		},
		{"tool prompts are input", `{"promptTokenCount":10,"toolUsePromptTokenCount":5}`, llm.Usage{Input: 15}},
		{
			"output from the total", `{"promptTokenCount":10,"thoughtsTokenCount":3,"totalTokenCount":20}`,
			llm.Usage{Input: 10, Output: 7, Reasoning: 3},
		},
		{
			"never negative", `{"promptTokenCount":-3,"cachedContentTokenCount":9,"candidatesTokenCount":-1,` +
				`"totalTokenCount":-9}`,
			llm.Usage{},
		},
		{"null", `{"promptTokenCount":null}`, llm.Usage{}},
	} {
		r, err := Back{}.Response([]byte(`{"usageMetadata":` + tt.usage + `}`))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if *r.Usage != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, *r.Usage, tt.want)
		}
	}
}

// usageRow is a usage payload as recorded from the API, with the totals that another reader of it found.
type usageRow struct {
	Version string         `json:"modelVersion"`
	Usage   jsontext.Value `json:"usageMetadata"`
	Want    usageTotals    `json:"want"`
}

type usageTotals struct {
	Input     int64 `json:"input_tokens"` // all input
	Read      int64 `json:"cache_read_tokens"`
	Output    int64 `json:"output_tokens"` // all output
	Reasoning int64 `json:"output_reasoning_tokens"`
}

func (row usageRow) check(t *testing.T) {
	t.Helper()
	body := append([]byte(`{"candidates":[],"usageMetadata":`), row.Usage...)
	r, err := Back{}.Response(append(body, '}'))
	if err != nil {
		t.Fatalf("%s: %v", row.Usage, err)
	}
	u := r.Usage
	if got := (usageTotals{u.Prompt(), u.CacheRead, u.Completion(), u.Reasoning}); got != row.Want {
		t.Errorf("%s:\n got %+v\nwant %+v", row.Usage, got, row.Want)
	}
}

func TestRecordedUsage(t *testing.T) {
	data, err := os.ReadFile("testdata/usages.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	for _, line := range lines {
		var row usageRow
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		row.check(t)
	}
	if len(lines) != 14 {
		t.Errorf("%d rows", len(lines))
	}
}

func TestRecordedUsageWhole(t *testing.T) {
	dir := os.Getenv("WEIR_SHARED")
	if dir == "" {
		t.Skip("WEIR_SHARED is not set")
	}
	data, err := os.ReadFile(filepath.Join(dir, "data/prices/genai-prices/usages.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Body struct {
			Version string         `json:"modelVersion"`
			Usage   jsontext.Value `json:"usageMetadata"`
		} `json:"body"`
		Extracted []struct {
			Usage usageTotals `json:"usage"`
		} `json:"extracted"`
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, row := range rows {
		if row.Body.Version != "" && len(row.Body.Usage) > 0 {
			usageRow{row.Body.Version, row.Body.Usage, row.Extracted[0].Usage}.check(t)
			n++
		}
	}
	if n < 300 {
		t.Errorf("only %d payloads are Gemini's", n)
	}
}
