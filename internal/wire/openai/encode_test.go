package openai

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

func encode(t testing.TB, q *llm.Request, o call.Order) string {
	t.Helper()
	w, err := Back{}.Encode(q, o)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.Join(w.Body, nil))
}

func text(s string) llm.Part { return llm.Part{Kind: llm.Text, Text: s} }

func ptr[T any](v T) *T { return &v }

func TestEncodeWritesARequest(t *testing.T) {
	q := &llm.Request{
		Model:  "ignored",
		System: []llm.Part{text("Be brief."), text("Be right.")},
		Messages: []llm.Message{
			{Role: llm.User, Parts: []llm.Part{text("What is it?"), {Kind: llm.Media, Media: &llm.MediaPart{
				MIME: "image/png",
				Data: "AA",
			}}}},
			{Role: llm.Assistant, Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "hm", Opaque: []byte(`"sig"`)},
				text("I look."),
				{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: "c1", Name: "find", Args: []byte(`{"q":"x"}`)}},
			}},
			{Role: llm.User, Parts: []llm.Part{
				text("and?"),
				{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: "c1", Content: []llm.Part{text("found"), {
					Kind:  llm.Media,
					Media: &llm.MediaPart{URL: "https://a/b.png"},
				}}}},
			}},
		},
		Tools: []llm.Tool{
			{Name: "find", Description: "finds", Schema: []byte(`{"type":"object"}`), Strict: true},
			{Name: "now"},
		},
		Choice:    llm.ToolChoice{Mode: "tool", Name: "find", NoParallel: true},
		Format:    &llm.Format{Kind: "json_schema", Schema: []byte(`{"type":"object"}`), Strict: true},
		MaxOutput: 500, Temperature: ptr(0.5), TopP: ptr(1.0), Seed: ptr(int64(7)), Stop: []string{"a", "b"}, User: "u",
	}
	got := encode(t, q, call.Order{Target: call.Target{WireID: "gpt"}, MaxOut: 100, Stream: true, N: 2})
	want := strings.Join([]string{
		`{"model":"gpt","messages":[{"role":"system","content":[{"type":"text","text":"Be brief."},{"type":"te` +
			`xt","text":"Be right."}]}`,
		`{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url"` +
			`:"data:image/png;base64,AA"}}]}`,
		`{"role":"assistant","content":"I look.","tool_calls":[{"id":"c1","type":"function","function":{"name"` +
			`:"find","arguments":"{\"q\":\"x\"}"}}]}`,
		`{"role":"tool","tool_call_id":"c1","content":"found"}`,
		`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a/b.png"}},{"type":"text","` +
			`text":"and?"}]}]`,
		`"tools":[{"type":"function","function":{"name":"find","description":"finds","parameters":{"type":"obj` +
			`ect"},"strict":true}},{"type":"function","function":{"name":"now"}}]`,
		`"tool_choice":{"type":"function","function":{"name":"find"}}`, `"parallel_tool_calls":false`,
		`"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"},"strict":true}}`,
		`"max_tokens":100`, `"temperature":0.5`, `"top_p":1`, `"seed":7`, `"n":2`, `"stop":["a","b"]`,
		`"stream":true`, `"stream_options":{"include_usage":true}`, `"user":"u"}`,
	}, ",")
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	mustScan(t, got)
}

// What the dialect or the model refuses is left out.
func TestEncodeLeavesOutWhatIsRefused(t *testing.T) {
	ask := []llm.Message{{Role: llm.User, Parts: []llm.Part{text(""), text("x"), text("")}}}
	fixed := call.Order{Target: call.Target{Model: &catalog.Model{FixedSampling: true}}}
	for _, tc := range []struct {
		q    llm.Request
		o    call.Order
		want string
	}{
		{llm.Request{User: strings.Repeat("u", 65)}, call.Order{}, "}"},
		{llm.Request{User: strings.Repeat("u", 64)}, call.Order{}, `,"user":"` + strings.Repeat("u", 64) + `"}`},
		{llm.Request{Temperature: ptr(0.2), TopP: ptr(0.9), Seed: ptr(int64(7))}, fixed, `,"seed":7}`},
		{llm.Request{Temperature: ptr(0.2)}, call.Order{Target: call.Target{Model: &catalog.Model{}}}, `,"temperature":0.2}`},
	} {
		tc.q.Messages = ask
		if got := encode(t, &tc.q, tc.o); got != `{"model":"","messages":[{"role":"user","content":"x"}]`+tc.want {
			t.Errorf("%+v: %s", tc.q, got)
		}
	}
	_, err := Back{}.Encode(&llm.Request{Messages: []llm.Message{{Role: llm.User}}}, call.Order{})
	if e := llm.AsError(err); err == nil || e.Code != llm.CodeUnfit || e.Param != "messages" {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestEncodeTurnsOfTheModel(t *testing.T) {
	for _, tc := range []struct {
		parts []llm.Part
		want  string
	}{
		{nil, `{"role":"assistant","content":""}`},
		{[]llm.Part{{Kind: llm.Refusal, Text: "no"}}, `{"role":"assistant","content":null,"refusal":"no"}`},
		{[]llm.Part{toolUse("c", "f", "{")}, `{"role":"assistant","content":null,"tool_calls":[` +
			`{"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]}`},
		{[]llm.Part{text("a"), text("b")}, `{"role":"assistant","content":"ab"}`},
	} {
		q := &llm.Request{Messages: []llm.Message{{Role: llm.Assistant, Parts: tc.parts}}}
		if got := encode(t, q, call.Order{}); got != `{"model":"","messages":[`+tc.want+`]}` {
			t.Errorf("got %s", got)
		}
	}
}

func TestEncodeMedia(t *testing.T) {
	for _, tc := range []struct {
		m    llm.MediaPart
		want string // "" = refused
	}{
		{llm.MediaPart{URL: "https://a/b"}, `{"type":"image_url","image_url":{"url":"https://a/b"}}`},
		{llm.MediaPart{MIME: "image/jpeg", URL: "https://a/b"}, `{"type":"image_url","image_url":{"url":"https://a/b"}}`},
		{llm.MediaPart{MIME: "audio/wav", Data: "AA"}, `{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}`},
		{llm.MediaPart{MIME: "audio/mpeg", Data: "AA"}, `{"type":"input_audio","input_audio":{"data":"AA","format":"mp3"}}`},
		{
			llm.MediaPart{MIME: "application/pdf", Data: "AA"},
			`{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,AA"}}`,
		},
		{llm.MediaPart{MIME: "audio/flac", Data: "AA"}, ""},
		{llm.MediaPart{MIME: "video/mp4", Data: "AA"}, ""},
		{llm.MediaPart{MIME: "application/pdf", URL: "https://a/b.pdf"}, ""},
	} {
		q := &llm.Request{Messages: []llm.Message{{Role: llm.User, Parts: []llm.Part{{Kind: llm.Media, Media: &tc.m}}}}}
		w, err := Back{}.Encode(q, call.Order{})
		if tc.want == "" {
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != llm.CodeUnfit || !strings.Contains(e.Message, tc.m.MIME) {
				t.Errorf("%+v: %v", tc.m, err)
			}
			continue
		}
		if err != nil || !strings.Contains(string(bytes.Join(w.Body, nil)), `"content":[`+tc.want+`]`) {
			t.Errorf("%+v: %s, %v", tc.m, bytes.Join(w.Body, nil), err)
		}
	}
}

func TestDecodeReadsARequest(t *testing.T) {
	const body = `{"model":"m","messages":[
{"role":"system","content":"S1"},{"role":"developer","content":[{"type":"text","text":"S2"}]},
{"role":"user","name":"bob","content":[{"type":"text","text":"look"},{"type":"image_url",
 "image_url":{"url":"data:image/png;base64,AA","detail":"low"}},
 {"type":"image_url","image_url":{"url":"https://a/b.png"}},{"type":"input_audio","input_audio":{"data":"BB",
 "format":"mp3"}},
 {"type":"file","file":{"filename":"f.pdf","file_data":"data:application/pdf;base64,CC"}}]},
{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function",
 "function":{"name":"f","arguments":"{\"a\":1}"}},
 {"id":"c2","type":"function","function":{"name":"g","arguments":""}}]},
{"role":"tool","tool_call_id":"c1","content":"r1"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text",
 "text":"r2"}]},
{"role":"assistant","content":"","refusal":"no"},
{"role":"user","content":"bye"}],
"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}},
 {"type":"function","function":{"name":"g","parameters":null}}],
"tool_choice":"required","parallel_tool_calls":false,"response_format":{"type":"json_schema",
 "json_schema":{"name":"n","schema":{"a":1},"strict":true}},
"stop":["x","y"],"temperature":0,"top_p":0.9,"seed":-1,"n":2,"max_tokens":33,"stream":true,"user":"u",
 "logit_bias":{"1":2},"frequency_penalty":null}`
	got, err := Front{}.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	use := func(id, name, args string) llm.Part {
		return llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: id, Name: name, Args: []byte(args)}}
	}
	result := func(id, name, s string) llm.Part {
		return llm.Part{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: id, Name: name, Content: []llm.Part{text(s)}}}
	}
	media := func(m llm.MediaPart) llm.Part { return llm.Part{Kind: llm.Media, Media: &m} }
	want := &llm.Request{
		Model: "m", System: []llm.Part{text("S1"), text("S2")},
		Messages: []llm.Message{
			{Role: llm.User, Parts: []llm.Part{
				text("look"), media(llm.MediaPart{MIME: "image/png", Data: "AA"}), media(llm.MediaPart{URL: "https://a/b.png"}),
				media(llm.MediaPart{MIME: "audio/mpeg", Data: "BB"}), media(llm.MediaPart{MIME: "application/pdf", Data: "CC"}),
			}},
			{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm"}, use("c1", "f", `{"a":1}`), use("c2",
				"g", `{}`)}},
			{Role: llm.User, Parts: []llm.Part{result("c1", "f", "r1"), result("c2", "g", "r2")}},
			{Role: llm.Assistant, Parts: []llm.Part{text(""), {Kind: llm.Refusal, Text: "no"}}},
			{Role: llm.User, Parts: []llm.Part{text("bye")}},
		},
		Tools:  []llm.Tool{{Name: "f", Description: "d", Schema: []byte(`{"type":"object"}`), Strict: true}, {Name: "g"}},
		Choice: llm.ToolChoice{Mode: "required", NoParallel: true},
		Format: &llm.Format{Kind: "json_schema", Name: "n", Schema: []byte(`{"a":1}`), Strict: true},
		Stop:   []string{"x", "y"}, Temperature: ptr(0.0), TopP: ptr(0.9), Seed: ptr(int64(-1)), N: 2, MaxOutput: 33,
		Stream: true, User: "u",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDecodeOlderForms(t *testing.T) {
	q, err := Front{}.Decode([]byte(`{"model":"m","functions":[{"name":"f"}],"function_call":{"name":"f"},"stop":"end",
 "safety_identifier":"id",
"response_format":{"type":"text"},"messages":[{"role":"assistant","function_call":{"name":"f","arguments":"{"}},
 {"role":"function","name":"f","content":"r"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &llm.Request{
		Model: "m", User: "id", Tools: []llm.Tool{{Name: "f"}}, Choice: llm.ToolChoice{Mode: "tool", Name: "f"},
		Stop: []string{"end"},
		Messages: []llm.Message{
			{Role: llm.Assistant, Parts: []llm.Part{toolUse("call_function_1", "f", "{")}},
			{Role: llm.User, Parts: []llm.Part{{Kind: llm.ToolResult, Result: &llm.ToolAnswer{
				ID:      "call_function_1",
				Name:    "f",
				Content: []llm.Part{text("r")},
			}}}},
		},
	}
	if d := cmp.Diff(want, q); d != "" {
		t.Error(d)
	}
}

func TestDecodeRefusesWhatCannotBeTranslated(t *testing.T) {
	for _, tc := range []struct{ in, param, says string }{
		{
			`"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f-1"}}]}]`,
			"messages[0].content[0].file.file_id", "file id",
		},
		{
			`"messages":[{"role":"user","content":[{"type":"video_url","video_url":{}}]}]`, "messages[0].content[0]",
			"want a part of type",
		},
		{
			`"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"ftp://x"}}]}]`,
			"messages[0].content[0].image_url.url", "http URL",
		},
		{
			`"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]`, "messages[0].content[0].image_url",
			"url is missing",
		},
		{
			`"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA"}}]}]`,
			"messages[0].content[0].input_audio", "data and format",
		},
		{`"messages":[{"role":"tool","content":"x"}]`, "messages[0]", "tool_call_id is missing"},
		{
			`"messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"n","input":"i"}}]}]`,
			"messages[0].tool_calls[0]", "type function",
		},
		{`"tools":[{"type":"custom","custom":{"name":"n"}}]`, "tools[0]", "type function"},
		{`"tools":[{"type":"function","function":{}}]`, "tools[0].function", "name is missing"},
		{
			`"tools":[{"type":"function","function":{"name":"f","parameters":[]}}]`, "tools[0].function.parameters",
			"want an object",
		},
		{`"tool_choice":"maybe"`, "tool_choice", "want auto"},
		{`"tool_choice":{"type":"allowed_tools"}`, "tool_choice.type", "type function"},
		{`"response_format":{"type":"grammar"}`, "response_format", "want type text"},
		{`"temperature":"hot"`, "temperature", "want a number"},
		{`"stop":[1]`, "stop[0]", "want a string"},
		{`"seed":0.5`, "seed", "want an integer"},
	} {
		body := `{"model":"m",` + tc.in
		if !strings.Contains(tc.in, `"messages"`) {
			body += `,"messages":[{"role":"user","content":"x"}]`
		}
		_, err := Front{}.Decode([]byte(body + "}"))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeUnfit || e.Param != tc.param || !strings.Contains(e.Message, tc.says) {
			t.Errorf("%s: %v", tc.in, err)
		}
	}
}

// checkEncode holds a decoded request to what Encode promises: what is written is read back the same.
func checkEncode(t testing.TB, q *llm.Request) {
	t.Helper()
	w, err := Back{}.Encode(q, call.Order{Target: call.Target{WireID: q.Model}, Stream: q.Stream})
	if err != nil {
		var e *llm.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		return
	}
	body := bytes.Join(w.Body, nil)
	again, err := Front{}.Decode(body)
	if err != nil {
		if strings.Contains(err.Error(), "content is missing") || strings.Contains(err.Error(), "tool_call_id is missing") ||
			strings.Contains(err.Error(), "at least one message") {
			return // a user who says nothing; the older function role, which has no id
		}
		t.Fatalf("%+v became %q: %v", q, body, err)
	}
	same := again.Model == q.Model && again.MaxOutput == q.MaxOutput && again.Stream == q.Stream
	if !same || len(again.Tools) != len(q.Tools) {
		t.Fatalf("%+v became %q", q, body)
	}
	w2, err := Back{}.Encode(again, call.Order{Target: call.Target{WireID: q.Model}, Stream: q.Stream})
	if err != nil || !bytes.Equal(body, bytes.Join(w2.Body, nil)) {
		t.Fatalf("%q was read and written as %q (%v)", body, bytes.Join(w2.Body, nil), err)
	}
}
