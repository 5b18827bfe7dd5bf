package anthropic

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

func ptr[T any](v T) *T { return &v }

func order(maxOut int) call.Order {
	return call.Order{MaxOut: maxOut, N: 1, Target: call.Target{WireID: "claude-x"}}
}

func user(parts ...llm.Part) llm.Message { return llm.Message{Role: llm.User, Parts: parts} }

func toolResult(id, s string) llm.Part {
	return llm.Part{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: id, Content: []llm.Part{text(s)}}}
}

func TestEncode(t *testing.T) {
	call1 := llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{
		ID: "functions.a:0", Name: "a",
		Args: jsontext.Value(`{"x":1}`),
	}}
	call2 := llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: "b", Name: "b"}}
	hello := []llm.Message{user(text("hi"))}
	for _, tt := range []struct {
		name string
		q    llm.Request
		want string
	}{
		{
			"least",
			llm.Request{Messages: hello},
			`{"model":"claude-x","max_tokens":100,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`,
		},
		{"sampling", llm.Request{
			Messages: hello, MaxOutput: 40, Temperature: ptr(1.5), TopP: ptr(0.5), Seed: ptr(int64(1)), Stop: []string{"END"},
			System: []llm.Part{text("s"), text(" ")}, User: "u",
		}, `{"model":"claude-x","max_tokens":40,"system":[{"type":"text","text":"s"}],` +
			`"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stop_sequences":["END"],"temperature":1,` +
			`"metadata":{"user_id":"u"}}`},
		{"results first and together", llm.Request{Messages: []llm.Message{
			user(text("q")),
			{Role: llm.Assistant, Parts: []llm.Part{call1, call2}},
			user(toolResult("functions.a:0", "1")), user(text("more"), toolResult("b", "2")),
		}}, `{"model":"claude-x","max_tokens":100,"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},` +
			`{"role":"assistant","content":[{"type":"tool_use","id":"functions_2ea_3a0","name":"a","input":{"x":1}},` +
			`{"type":"tool_use","id":"b","name":"b","input":{}}]},{"role":"user","content":[` +
			`{"type":"tool_result","tool_use_id":"functions_2ea_3a0","content":[{"type":"text","text":"1"}]},` +
			`{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"2"}]},{"type":"text",` +
			`"text":"more"}]}]}`},
		{"tools, forced, one at a time", llm.Request{
			Messages: hello, Choice: llm.ToolChoice{Mode: "tool", Name: "f", NoParallel: true},
			Tools: []llm.Tool{
				{Name: "f", Description: "d", Strict: true, Schema: jsontext.Value(`{"type":"object"}`)},
				{Name: "g"},
			},
		}, `{"model":"claude-x","max_tokens":100,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],` +
			`"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true},` +
			`{"name":"g","input_schema":{"type":"object","properties":{}}}],` +
			`"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true}}`},
		{
			"schema",
			llm.Request{Messages: hello, Format: &llm.Format{
				Kind:   "json_schema",
				Schema: jsontext.Value(`{"type":"object"}`),
			}},
			`{"model":"claude-x","max_tokens":100,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],` +
				`"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`,
		},
		{
			"json_object",
			llm.Request{Messages: hello, Format: &llm.Format{Kind: "json_object"}},
			`{"model":"claude-x","max_tokens":100,"system":[{"type":"text",` +
				`"text":"Answer with one JSON object and nothing else."}],` +
				`"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`,
		},
		{"media", llm.Request{Messages: []llm.Message{user(
			llm.Part{Kind: llm.Media, Media: &llm.MediaPart{MIME: "image/png", Data: "AAAA"}},
			llm.Part{Kind: llm.Media, Media: &llm.MediaPart{URL: "https://x/a.pdf"}},
			llm.Part{Kind: llm.Media, Media: &llm.MediaPart{MIME: "text/csv", Data: "YSxi"}},
		)}}, `{"model":"claude-x","max_tokens":100,"messages":[{"role":"user","content":[` +
			`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},` +
			`{"type":"document","source":{"type":"url","url":"https://x/a.pdf"}},` +
			`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b"}}]}]}`},
		{"own reasoning goes back, another's does not", llm.Request{Messages: []llm.Message{
			user(text("q")), {Role: llm.Assistant, Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "h", Opaque: jsontext.Value(`{"type":"thinking","thinking":"h","signature":"s"}`)},
				{Kind: llm.Reasoning, Text: "g", Opaque: jsontext.Value(`{"thoughtSignature":"x"}`)},
				{Kind: llm.Reasoning, Text: "o", Opaque: jsontext.Value(`{"type":"reasoning","encrypted_content":"x"}`)},
				{Kind: llm.Reasoning, Text: "d"},
				text("so far \n"),
			}},
		}}, `{"model":"claude-x","max_tokens":100,"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},` +
			`{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"s"},{"type":"text",` +
			`"text":"so far"}]}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := Back{}.Encode(&tt.q, order(100))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, string(bytes.Join(w.Body, nil))); d != "" {
				t.Errorf("body (-want +got):\n%s", d)
			}
			if w.Path != "/messages" || !cmp.Equal(w.Header, []call.Field{{Name: "anthropic-version", Value: "2023-06-01"}}) {
				t.Errorf("path %q header %v", w.Path, w.Header)
			}
		})
	}
}

func TestEncodeCapsOutput(t *testing.T) {
	model := &catalog.Model{MaxOutput: 64}
	for _, tt := range []struct {
		name          string
		asked, maxOut int
		model         *catalog.Model
		want          int
	}{
		{"the caller's", 10, 100, model, 10},
		{"the order's", 0, 50, model, 50},
		{"the lower of both", 100, 50, nil, 50},
		{"the model's", 100, 0, model, 64},
		{"the model's for want of any", 0, 0, model, 64},
	} {
		got, err := maxTokensOf(tt.asked, call.Order{MaxOut: tt.maxOut, Target: call.Target{Model: tt.model}})
		if err != nil || got != tt.want {
			t.Errorf("%s: %d, %v; want %d", tt.name, got, err, tt.want)
		}
	}
}

// What this dialect cannot say as it was said is said as well as it can: another layer's answer would cost more.
func TestEncodeSaysWhatHasNoFormHere(t *testing.T) {
	broken := llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: "i", Name: "f", Args: jsontext.Value(`{"a":`)}}
	fixed := order(9)
	fixed.Target.Model = &catalog.Model{FixedSampling: true, MaxOutput: 9}
	for _, tt := range []struct {
		name string
		q    llm.Request
		o    call.Order
		want string
	}{
		{
			"broken arguments",
			llm.Request{Messages: []llm.Message{{Role: llm.Assistant, Parts: []llm.Part{broken}}}},
			order(9), `"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"f",` +
				`"input":{"arguments":"{\"a\":"}}]}]}`,
		},
		{
			"only a system text",
			llm.Request{System: []llm.Part{text("Say hi.")}, Messages: []llm.Message{user(text(""))}},
			order(9), `"messages":[{"role":"user","content":[{"type":"text","text":"Say hi."}]}]}`,
		},
		{
			"only a system text, as JSON",
			llm.Request{System: []llm.Part{text("Say hi.")}, Format: &llm.Format{Kind: "json_object"}},
			order(9), `"system":[{"type":"text","text":"` + jsonOnly + `"}],` +
				`"messages":[{"role":"user","content":[{"type":"text","text":"Say hi."}]}]}`,
		},
		{
			"fixed sampling",
			llm.Request{Messages: []llm.Message{user(text("x"))}, Temperature: ptr(0.2), TopP: ptr(0.5)},
			fixed, `"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}`,
		},
	} {
		w, err := Back{}.Encode(&tt.q, tt.o)
		if err != nil || !strings.HasSuffix(string(bytes.Join(w.Body, nil)), `"max_tokens":9,`+tt.want) {
			t.Errorf("%s: %s, %v", tt.name, bytes.Join(w.Body, nil), err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	hello := []llm.Message{user(text("hi"))}
	audio := llm.Part{Kind: llm.Media, Media: &llm.MediaPart{MIME: "audio/wav", Data: "AAAA"}}
	for _, tt := range []struct {
		name string
		q    llm.Request
		max  int
		code llm.Code
	}{
		{"n", llm.Request{Messages: hello, N: 2}, 9, llm.CodeUnfit},
		{"no cap", llm.Request{Messages: hello}, 0, llm.CodeUnfit},
		{"white stop", llm.Request{Messages: hello, Stop: []string{"\n"}}, 9, llm.CodeUnfit},
		{"nothing to answer", llm.Request{Messages: []llm.Message{user(text("  "))}}, 9, llm.CodeUnfit},
		{"audio", llm.Request{Messages: []llm.Message{user(audio)}}, 9, llm.CodeUnfit},
		{"no schema", llm.Request{Messages: hello, Format: &llm.Format{Kind: "json_schema"}}, 9, llm.CodeUnfit},
		{
			"broken schema",
			llm.Request{Messages: hello, Tools: []llm.Tool{{
				Name:   "f",
				Schema: jsontext.Value(`{"a":1,"a":2}`),
			}}},
			9,
			llm.CodeUnfit,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Back{}.Encode(&tt.q, order(tt.max))
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != tt.code {
				t.Errorf("error = %v, want %s", err, tt.code)
			}
		})
	}
}

func forward(t *testing.T, body string, o call.Order, fields ...call.Field) (call.Wire, []byte, error) {
	t.Helper()
	env, err := Front{}.Scan([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	raw := call.NewRaw([]byte(body), env, Front{}.Decode)
	raw.Forward = fields
	w, err := Back{}.Forward(raw, o)
	return w, raw.Body, err
}

func TestForwardChangesOnlyWhatItMust(t *testing.T) {
	const rest = `"max_tokens":200,"messages":[{"role":"user","content":"hi"}], "unknown":{"kept":[1, 2]}}`
	for _, tt := range []struct {
		name, body string
		maxOut     int
		stream     bool
		want       string
	}{
		{"model", `{"model":"route",` + rest, 500, false, `{"model":"claude-x",` + rest},
		{"cap", `{"model":"route",` + rest, 50, false, `{"model":"claude-x",` + strings.Replace(rest, "200", "50", 1)},
		{"stream off", `{"stream": true,"model":"route",` + rest, 0, false, `{"stream": false,"model":"claude-x",` + rest},
		{"stream on", `{ "model":"route",` + rest, 0, true, `{"stream":true, "model":"claude-x",` + rest},
		{"stream null", `{"stream":null,"model":"route",` + rest, 0, true, `{"stream":true,"model":"claude-x",` + rest},
		{
			"hints stay here", `{"metadata":{"agent":"a","user_id":"u", "k" : {"v":1} },"model":"route",` + rest, 0, false,
			`{"metadata":{"user_id":"u","k":{"v":1}},"model":"claude-x",` + rest,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := order(tt.maxOut)
			o.Stream = tt.stream
			w, body, err := forward(t, tt.body, o)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, string(bytes.Join(w.Body, nil))); d != "" {
				t.Errorf("body (-want +got):\n%s", d)
			}
			if string(body) != tt.body {
				t.Error("the caller's bytes were changed")
			}
			last := w.Body[len(w.Body)-1]
			if &last[len(last)-1] != &body[len(body)-1] {
				t.Error("the rest of the body was copied")
			}
			if w.Stream != tt.stream || w.Path != "/messages" {
				t.Errorf("stream %v path %q", w.Stream, w.Path)
			}
		})
	}
}

// A cap of 0 fills the prompt cache and nothing else. Only its own dialect knows it.
func TestForwardOfACapOfZero(t *testing.T) {
	const body = `{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"hi"}]}`
	env, err := Front{}.Scan([]byte(body))
	if err != nil || env.MaxOutput != 1 {
		t.Fatalf("held are %d tokens, %v", env.MaxOutput, err)
	}
	w, _, err := forward(t, body, order(100))
	want := strings.Replace(body, `"m"`, `"`+order(100).Target.WireID+`"`, 1)
	if got := string(bytes.Join(w.Body, nil)); err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	var e *llm.Error
	if _, err := (Front{}).Decode([]byte(body)); !errors.As(err, &e) || e.Code != llm.CodeUnfit || e.Param != "max_tokens" {
		t.Errorf("translated: %v", err)
	}
}

func TestForwardHeaders(t *testing.T) {
	const body = `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`
	version := call.Field{Name: "anthropic-version", Value: "2023-06-01"}
	beta := call.Field{Name: "anthropic-beta", Value: "context-1m"}
	own := call.Field{Name: "Anthropic-Version", Value: "2024-01-01"}
	for _, tt := range []struct{ in, want []call.Field }{
		{nil, []call.Field{version}},
		{[]call.Field{beta}, []call.Field{beta, version}},
		{[]call.Field{own, beta}, []call.Field{own, beta}},
	} {
		w, _, err := forward(t, body, order(0), tt.in...)
		if err != nil || !cmp.Equal(tt.want, w.Header) {
			t.Errorf("header = %v, %v; want %v", w.Header, err, tt.want)
		}
	}
}

func TestForwardRefusesACapBelowTheThinkingBudget(t *testing.T) {
	const body = `{"model":"m","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":4000},` +
		`"messages":[{"role":"user","content":"x"}]}`
	_, _, err := forward(t, body, order(2000))
	if e := llm.AsError(err); e.Code != llm.CodeUnfit || !strings.Contains(e.Message, "4000") {
		t.Errorf("error = %v", err)
	}
	if _, _, err := forward(t, body, order(5000)); err != nil {
		t.Errorf("a cap above the budget: %v", err)
	}
}

func TestForwardOfAnotherDialectIsOurFault(t *testing.T) {
	_, err := Back{}.Forward(call.NewRaw([]byte(`{}`), llm.Envelope{Dialect: llm.OpenAI}, nil), order(1))
	if e := llm.AsError(err); e.Code != llm.CodeInternal || e.Status() != http.StatusInternalServerError {
		t.Errorf("error = %v", err)
	}
}
