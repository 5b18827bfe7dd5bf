package gemini

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

func ptr[T any](v T) *T { return &v }

func text(s string) llm.Part { return llm.Part{Kind: llm.Text, Text: s} }

func user(parts ...llm.Part) llm.Message { return llm.Message{Role: llm.User, Parts: parts} }

func model(parts ...llm.Part) llm.Message { return llm.Message{Role: llm.Assistant, Parts: parts} }

func toolUse(id, name, args string) llm.Part {
	return llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: id, Name: name, Args: jsontext.Value(args)}}
}

func toolResult(id string, failed bool, parts ...llm.Part) llm.Part {
	return llm.Part{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: id, Content: parts, IsError: failed}}
}

func order(wireID string) call.Order {
	return call.Order{MaxOut: 100, N: 1, Target: call.Target{WireID: wireID}}
}

const hi = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]`

func TestEncode(t *testing.T) {
	hello := []llm.Message{user(text("hi"))}
	signed := toolUse("c1", "find", `{"id":"402"}`)
	signed.Opaque = jsontext.Value(`{"thoughtSignature":"c2ln"}`)
	for _, tt := range []struct {
		name, wireID string
		q            llm.Request
		want         string
	}{
		{"least", "gemini-2.5-pro", llm.Request{Messages: hello}, hi + `,"generationConfig":{"maxOutputTokens":100}}`},
		{"everything of generation", "gemini-2.5-pro", llm.Request{
			Messages: hello, System: []llm.Part{text("s1"), text(""), text("s2")}, MaxOutput: 40, Temperature: ptr(0.0),
			TopP: ptr(0.5), Seed: ptr(int64(1) << 31), Stop: []string{"END"}, N: 2, User: "u",
			Format: &llm.Format{Kind: "json_schema", Schema: jsontext.Value(`{"type":"object"}`)},
		}, hi + `,"systemInstruction":{"parts":[{"text":"s1"},{"text":"s2"}]},"generationConfig":{"maxOutputTokens":40,` +
			`"temperature":0,"topP":0.5,"seed":0,"stopSequences":["END"],"candidateCount":2,` +
			`"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}}`},
		{
			"json_object", "gemini-2.5-pro",
			llm.Request{Messages: hello, Format: &llm.Format{Kind: "json_object"}},
			hi + `,"generationConfig":{"maxOutputTokens":100,"responseMimeType":"application/json"}}`,
		},
		{"tools", "gemini-2.5-pro", llm.Request{
			Messages: hello, Choice: llm.ToolChoice{Mode: "tool", Name: "f"},
			Tools: []llm.Tool{{Name: "f", Description: "d", Schema: jsontext.Value(`{"type":"object"}`)}, {Name: "g"}},
		}, hi + `,"tools":[{"functionDeclarations":[{"name":"f","description":"d",` +
			`"parametersJsonSchema":{"type":"object"}},` +
			`{"name":"g"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},` +
			`"generationConfig":{"maxOutputTokens":100}}`},
		{"media", "gemini-2.5-pro", llm.Request{Messages: []llm.Message{user(
			llm.Part{Kind: llm.Media, Media: &llm.MediaPart{MIME: "image/png", Data: "AAAA"}},
			llm.Part{Kind: llm.Media, Media: &llm.MediaPart{URL: "https://x/a.png"}},
		)}}, `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}},` +
			`{"fileData":{"fileUri":"https://x/a.png"}}]}],"generationConfig":{"maxOutputTokens":100}}`},
		{"tool loop with its signature", "gemini-3-pro", llm.Request{Messages: []llm.Message{
			user(text("q")),
			model(llm.Part{Kind: llm.Reasoning, Text: "own", Opaque: jsontext.Value(`{"thoughtSignature":"dGg="}`)},
				llm.Part{Kind: llm.Reasoning, Text: "another's", Opaque: jsontext.Value(`{"type":"thinking","signature":"s"}`)},
				signed, toolUse("c2", "pay", "")),
			user(toolResult("c1", false, text(`{"state":"open"}`))),
			user(toolResult("c2", true, text("no "), text("money"))),
		}}, `{"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[` +
			`{"text":"own","thought":true,"thoughtSignature":"dGg="},` +
			`{"functionCall":{"id":"c1","name":"find","args":{"id":"402"}},"thoughtSignature":"c2ln"},` +
			`{"functionCall":{"id":"c2","name":"pay","args":{}},"thoughtSignature":"` + noSignature + `"}]},` +
			`{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"find","response":{"state":"open"}}},` +
			`{"functionResponse":{"id":"c2","name":"pay","response":{"error":"no money"}}}]}],` +
			`"generationConfig":{"maxOutputTokens":100}}`},
		{"results come in another order, among other parts", "gemini-2.5-pro", llm.Request{Messages: []llm.Message{
			model(toolUse("a", "f", ""), toolUse("b", "g", "")),
			user(text("first"), toolResult("b", false, text("2"))), user(toolResult("a", false, text("1"))),
			model(toolUse("b", "f", "")), user(toolResult("b", false, text("3"))),
		}}, `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}}},` +
			`{"functionCall":{"id":"b","name":"g","args":{}}}]},{"role":"user","parts":[{"text":"first"},` +
			`{"functionResponse":{"id":"a","name":"f","response":{"output":"1"}}},` +
			`{"functionResponse":{"id":"b","name":"g","response":{"output":"2"}}}]},` +
			`{"role":"model","parts":[{"functionCall":{"id":"b","name":"f","args":{}}}]},` +
			`{"role":"user","parts":[{"functionResponse":{"id":"b","name":"f","response":{"output":"3"}}}]}],` +
			`"generationConfig":{"maxOutputTokens":100}}`},
		{
			"only a system text", "gemini-2.5-pro",
			llm.Request{
				System:   []llm.Part{text("Say hi.")},
				Messages: []llm.Message{user(text(""))},
			},
			`{"contents":[{"role":"user","parts":[{"text":"Say hi."}]}],"generationConfig":{"maxOutputTokens":100}}`,
		},
		{
			"broken arguments", "gemini-2.5-pro",
			llm.Request{Messages: []llm.Message{model(toolUse("", "f", `{"a":`))}},
			`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"arguments":"{\"a\":"}}}]}],` +
				`"generationConfig":{"maxOutputTokens":100}}`,
		},
		{"older models need no signature", "gemini-2.5-flash", llm.Request{Messages: []llm.Message{
			model(toolUse("c", "f", "{}")), user(toolResult("c", false, text("7"),
				llm.Part{Kind: llm.Media, Media: &llm.MediaPart{MIME: "image/png", Data: "AAAA"}})),
		}}, `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"c","name":"f","args":{}}}]},{"role":"user","parts":[` +
			`{"functionResponse":{"id":"c","name":"f","response":{"output":"7"}}},{"inlineData":{"mimeType":"image/png",` +
			`"data":"AAAA"}}]}],` +
			`"generationConfig":{"maxOutputTokens":100}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := Back{}.Encode(&tt.q, order(tt.wireID))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, string(bytes.Join(w.Body, nil))); d != "" {
				t.Errorf("body (-want +got):\n%s", d)
			}
		})
	}
}

func TestEncodeToolModes(t *testing.T) {
	for mode, want := range map[string]string{
		"auto": "AUTO", "none": "NONE", "required": "ANY",
	} {
		q := llm.Request{
			Messages: []llm.Message{user(text("x"))}, Tools: []llm.Tool{{Name: "f"}},
			Choice: llm.ToolChoice{Mode: mode},
		}
		w, err := Back{}.Encode(&q, order("g"))
		if err != nil || !bytes.Contains(w.Body[0], []byte(`"functionCallingConfig":{"mode":"`+want+`"}`)) {
			t.Errorf("%s: %s, %v", mode, w.Body, err)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, tt := range []struct {
		id     string
		stream bool
		want   string
	}{
		{"gemini-2.5-pro", false, "/models/gemini-2.5-pro:generateContent"},
		{"models/gemini-2.5-pro", true, "/models/gemini-2.5-pro:streamGenerateContent?alt=sse"},
		{"a/../b?c", false, "/models/a%2F..%2Fb%3Fc:generateContent"},
	} {
		if got := path(tt.id, tt.stream); got != tt.want {
			t.Errorf("path(%q, %v) = %q, want %q", tt.id, tt.stream, got, tt.want)
		}
	}
}

func TestEncodeCapsOutput(t *testing.T) {
	for _, tt := range []struct{ asked, maxOut, model, want int }{
		{10, 100, 64, 10}, {0, 50, 64, 50}, {100, 50, 64, 50}, {100, 0, 64, 64}, {0, 0, 64, 0},
	} {
		g, err := generation(&llm.Request{MaxOutput: tt.asked},
			call.Order{MaxOut: tt.maxOut, Target: call.Target{Model: &catalog.Model{MaxOutput: tt.model}}})
		if err != nil || g.MaxTokens != tt.want {
			t.Errorf("%+v: %d, %v", tt, g.MaxTokens, err)
		}
	}
}

func TestEncodeLeavesFixedSamplingAlone(t *testing.T) {
	o := order("gemini-2.5-pro")
	o.Target.Model = &catalog.Model{FixedSampling: true, MaxOutput: 9}
	q := llm.Request{Messages: []llm.Message{user(text("hi"))}, Temperature: ptr(0.5), TopP: ptr(0.5)}
	w, err := Back{}.Encode(&q, o)
	if got := string(bytes.Join(w.Body, nil)); err != nil || got != hi+`,"generationConfig":{"maxOutputTokens":9}}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	hello := []llm.Message{user(text("hi"))}
	for _, tt := range []struct {
		name string
		q    llm.Request
		code llm.Code
	}{
		{"too many answers", llm.Request{Messages: hello, N: 9}, llm.CodeUnfit},
		{"too many stops", llm.Request{Messages: hello, Stop: make([]string, 6)}, llm.CodeUnfit},
		{"nothing to answer", llm.Request{}, llm.CodeUnfit},
		{"result of no call", llm.Request{Messages: []llm.Message{user(toolResult("x", false))}}, llm.CodeUnfit},
		{"media without type", llm.Request{Messages: []llm.Message{user(
			llm.Part{Kind: llm.Media, Media: &llm.MediaPart{Data: "AAAA"}})}}, llm.CodeUnfit},
		{
			"broken schema",
			llm.Request{Messages: hello, Tools: []llm.Tool{{
				Name:   "f",
				Schema: jsontext.Value(`{"a":1,"a":2}`),
			}}},
			llm.CodeUnfit,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Back{}.Encode(&tt.q, order("gemini-3-pro"))
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != tt.code {
				t.Errorf("error = %v, want %s", err, tt.code)
			}
		})
	}
}

func TestForwardEncodesTheCallersRequest(t *testing.T) {
	q := &llm.Request{Messages: []llm.Message{user(text("hi"))}}
	raw := call.NewRaw(nil, llm.Envelope{}, func([]byte) (*llm.Request, error) { return q, nil })
	o := order("gemini-2.5-pro")
	o.Stream = true
	w, err := Back{}.Forward(raw, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(w.Body[0]); got != hi+`,"generationConfig":{"maxOutputTokens":100}}` || !w.Stream {
		t.Errorf("body %s, stream %v", got, w.Stream)
	}
	bad := &llm.Error{Code: llm.CodeInvalid}
	raw = call.NewRaw(nil, llm.Envelope{}, func([]byte) (*llm.Request, error) { return nil, bad })
	if _, err := (Back{}).Forward(raw, o); !errors.Is(err, bad) {
		t.Errorf("error = %v", err)
	}
}
