package anthropic

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

const fullAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929",` +
	`"content":[{"type":"thinking","thinking":"so\u0020","signature":"c2ln"},{"type":"text","text":"I \"look\"."},` +
	`{"type":"tool_use","id":"toolu_1","name":"find","input":{"id":"402"}}],` +
	`"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":7,` +
	`"cache_read_input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":3},` +
	`"output_tokens":20,"output_tokens_details":{"thinking_tokens":6}}}`

var fullUsage = llm.Usage{Input: 10, CacheRead: 5, CacheWrite5m: 4, CacheWrite1h: 3, Output: 14, Reasoning: 6}

func TestResponse(t *testing.T) {
	got, err := Back{}.Response([]byte(fullAnswer))
	if err != nil {
		t.Fatal(err)
	}
	want := &llm.Response{
		ID: "msg_1", Model: "claude-sonnet-4-5-20250929", Usage: &fullUsage,
		Choices: []llm.Choice{{Stop: llm.StopToolUse, Parts: []llm.Part{
			{Kind: llm.Reasoning, Text: "so ", Opaque: jsontext.Value(`{"type":"thinking","thinking":"so\u0020",` +
				`"signature":"c2ln"}`)},
			text(`I "look".`),
			{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: "toolu_1", Name: "find", Args: jsontext.Value(`{"id":"402"}`)}},
		}}},
	}
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
		{Kind: llm.EvStart, ID: "msg_1", Model: "claude-sonnet-4-5-20250929"},
		{Kind: llm.EvToolStart, ID: "toolu_1", Name: "find"},
		{Kind: llm.EvStop, Stop: llm.StopToolUse},
		{Kind: llm.EvMeter, Usage: &fullUsage},
	}
	if d := cmp.Diff(want, events); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if want := len(`so\u0020`) + len(`I \"look\".`) + len(`{"id":"402"}`); n != want {
		t.Errorf("text bytes = %d, want %d", n, want)
	}
}

func TestStopReasons(t *testing.T) {
	for reason, want := range map[string]llm.StopReason{
		`"end_turn"`: llm.StopEnd, `"max_tokens"`: llm.StopLength, `"model_context_window_exceeded"`: llm.StopLength,
		`"tool_use"`: llm.StopToolUse, `"stop_sequence"`: llm.StopSequence, `"refusal"`: llm.StopRefusal,
		`"pause_turn"`: llm.StopLength, `"something_new"`: llm.StopEnd, `null`: llm.StopEnd,
	} {
		body := []byte(`{"content":[],"stop_reason":` + reason + `,"stop_sequence":"END"}`)
		r, err := Back{}.Response(body)
		if err != nil || r.Choices[0].Stop != want || r.Choices[0].Seq != "END" || r.Usage != nil {
			t.Errorf("%s: %+v, %v; want %s", reason, r, err, want)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, tt := range []struct {
		body     string
		code     llm.Code
		upstream int
	}{
		{``, llm.CodeUpstream, 0},
		{`<html>`, llm.CodeUpstream, 0},
		{`{}`, llm.CodeUpstream, 0},
		{`{"content":[{"type":"text","text":"a"`, llm.CodeUpstream, 0},
		{`{"content":[],"content":[]}`, llm.CodeUpstream, 0},
		{`{"content":"text"}`, llm.CodeUpstream, 0},
		{`{"content":[],"usage":{"input_tokens":1.5}}`, llm.CodeUpstream, 0},
		{`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, llm.CodeUpstream, 529},
		{`{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}`, llm.CodeRate, 429},
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

func TestFrontResponse(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    llm.Response
		want string
	}{
		{"all kinds", llm.Response{
			ID: "chatcmpl-1", Model: "gpt-x", Usage: &fullUsage,
			Choices: []llm.Choice{{Stop: llm.StopToolUse, Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "own", Opaque: jsontext.Value(`{"type":"thinking","thinking":"own",` +
					`"signature":"s"}`)},
				{Kind: llm.Reasoning, Text: "another's"},
				text("a\nb"), text(""),
				{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: "c1", Name: "f", Args: jsontext.Value(`{"x": 1}`)}},
				{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: "c2", Name: "g"}},
			}}},
		}, `{"id":"chatcmpl-1","type":"message","role":"assistant","model":"gpt-x","content":[` +
			`{"type":"thinking","thinking":"own","signature":"s"},{"type":"text","text":"a\nb"},` +
			`{"type":"tool_use","id":"c1","name":"f","input":{"x": 1}},{"type":"tool_use","id":"c2","name":"g","input":{}}],` +
			`"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":7,` +
			`"cache_read_input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":3},` +
			`"output_tokens":20,"output_tokens_details":{"thinking_tokens":6}}}`},
		{"nothing told", llm.Response{}, `{"id":"","type":"message","role":"assistant","model":"","content":[],` +
			`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,` +
			`"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},` +
			`"output_tokens":0}}`},
		{
			"refusal",
			llm.Response{ID: "i", Choices: []llm.Choice{{
				Stop: llm.StopEnd, Seq: "X",
				Parts: []llm.Part{{Kind: llm.Refusal, Text: "no"}},
			}}},
			`{"id":"i","type":"message","role":"assistant","model":"","content":[{"type":"text","text":"no"}],` +
				`"stop_reason":"refusal","stop_sequence":"X","usage":{"input_tokens":0,"cache_creation_input_tokens":0,` +
				`"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},` +
				`"output_tokens":0}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Front{}.Response(&tt.r)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, string(got)); d != "" {
				t.Errorf("body (-want +got):\n%s", d)
			}
		})
	}
}

func TestFrontResponseRefusesBrokenArguments(t *testing.T) {
	for _, args := range []string{`{"a":`, `[1]`, `"x"`} {
		_, err := Front{}.Response(&llm.Response{Choices: []llm.Choice{{Parts: []llm.Part{
			{Kind: llm.ToolUse, Tool: &llm.ToolCall{Name: "f", Args: jsontext.Value(args)}},
		}}}})
		if e := llm.AsError(err); err == nil || e.Code != llm.CodeUpstream {
			t.Errorf("arguments %s: %v", args, err)
		}
	}
}

func TestOwnAnswerSurvivesTheRoundTrip(t *testing.T) {
	first, err := Back{}.Response([]byte(fullAnswer))
	if err != nil {
		t.Fatal(err)
	}
	body, err := Front{}.Response(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Back{}.Response(body)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("second reading (-first +second):\n%s", d)
	}
}

// usageRow is a usage payload as recorded from the API, with the totals that another reader of it found.
type usageRow struct {
	Model string         `json:"model"`
	Usage jsontext.Value `json:"usage"`
	Want  usageTotals    `json:"want"`
}

type usageTotals struct {
	Input     int64 `json:"input_tokens"` // all input
	Read      int64 `json:"cache_read_tokens"`
	Write     int64 `json:"cache_write_tokens"`
	Output    int64 `json:"output_tokens"` // all output
	Reasoning int64 `json:"output_reasoning_tokens"`
}

// check reads a message with this usage both ways. Compaction, which that other reader leaves out, is added to what
// it found.
func (row usageRow) check(t *testing.T) {
	t.Helper()
	body := append([]byte(`{"type":"message","content":[],"usage":`), row.Usage...)
	body = append(body, '}')
	r, err := Back{}.Response(body)
	if err != nil {
		t.Fatalf("%s: %v", row.Usage, err)
	}
	var extra struct {
		Iterations []struct {
			Type   string `json:"type"`
			In     int64  `json:"input_tokens"`
			Out    int64  `json:"output_tokens"`
			Create int64  `json:"cache_creation_input_tokens"`
			Read   int64  `json:"cache_read_input_tokens"`
		} `json:"iterations"`
	}
	if err := json.Unmarshal(row.Usage, &extra); err != nil {
		t.Fatal(err)
	}
	want := row.Want
	for _, it := range extra.Iterations {
		if it.Type == "compaction" {
			want.Input += it.In + it.Create + it.Read
			want.Read += it.Read
			want.Write += it.Create
			want.Output += it.Out
		}
	}
	u := r.Usage
	got := usageTotals{u.Prompt(), u.CacheRead, u.CacheWrite5m + u.CacheWrite1h, u.Completion(), u.Reasoning}
	if got != want {
		t.Errorf("%s:\n got %+v\nwant %+v", row.Usage, got, want)
	}
	events, _, err := Back{}.Peek(body)
	if err != nil || !cmp.Equal(events[len(events)-1].Usage, u) {
		t.Errorf("%s: Peek tells another usage: %v", row.Usage, err)
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
	if len(lines) != 15 {
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
			Model string         `json:"model"`
			Usage jsontext.Value `json:"usage"`
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
		if bytes.Contains(row.Body.Usage, []byte(`"cache_creation_input_tokens"`)) {
			usageRow{row.Body.Model, row.Body.Usage, row.Extracted[0].Usage}.check(t)
			n++
		}
	}
	if n < 100 {
		t.Errorf("only %d payloads are Anthropic's", n)
	}
}

func TestUsageMeters(t *testing.T) {
	for _, tt := range []struct {
		name, usage string
		want        llm.Usage
	}{
		{
			"writes without a split live 5 minutes", `{"input_tokens":1,"cache_creation_input_tokens":9,"output_tokens":2}`,
			llm.Usage{Input: 1, CacheWrite5m: 9, Output: 2},
		},
		{"split alone", `{"cache_creation":{"ephemeral_1h_input_tokens":9}}`, llm.Usage{CacheWrite1h: 9}},
		{
			"nulls", `{"input_tokens":null,"cache_creation":null,"output_tokens_details":null,"iterations":null}`,
			llm.Usage{},
		},
		{
			"never negative", `{"input_tokens":-5,"output_tokens":3,"output_tokens_details":{"thinking_tokens":9}}`,
			llm.Usage{Reasoning: 3},
		},
		{
			"compaction is billed too", `{"input_tokens":10,"output_tokens":2,"iterations":[` +
				`{"type":"compaction","input_tokens":100,"output_tokens":30,"cache_creation_input_tokens":7},` +
				`{"type":"message","input_tokens":10,"output_tokens":2},{"type":"advisor_message","input_tokens":99}]}`,
			llm.Usage{Input: 110, Output: 32, CacheWrite5m: 7},
		},
	} {
		r, err := Back{}.Response([]byte(`{"content":[],"usage":` + tt.usage + `}`))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if *r.Usage != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, *r.Usage, tt.want)
		}
	}
}

// Agents run the calls of an answer by its stop reason, which some providers tell as a plain stop.
func TestAnAnswerThatCallsToolsStopsForThem(t *testing.T) {
	for stop, want := range map[llm.StopReason]string{
		llm.StopEnd: "tool_use", "": "tool_use", llm.StopToolUse: "tool_use", llm.StopLength: "max_tokens",
		llm.StopFilter: "refusal", llm.StopSequence: "stop_sequence",
	} {
		parts := []llm.Part{text("I look"), {Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: "c", Name: "f"}}}
		r := &llm.Response{Choices: []llm.Choice{{Parts: parts, Stop: stop}}}
		whole, err := Front{}.Response(r)
		if says := `"stop_reason":"` + want + `"`; err != nil || !strings.Contains(string(whole), says) ||
			!strings.Contains(writeAll(r.Events()...), says) {
			t.Errorf("%q: %s, %v\nstreamed: %s", stop, whole, err, writeAll(r.Events()...))
		}
	}
}
