package anthropic

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

// member is one member of what Encode writes of a request; "" = it is not there.
func member(t *testing.T, q *llm.Request, name string) string {
	t.Helper()
	w, err := Back{}.Encode(q, order(9))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(w.Body[0]), `"`+name+`":`)
	if !ok {
		return ""
	}
	v, err := jsontext.NewDecoder(strings.NewReader(rest)).ReadValue()
	if err != nil {
		t.Fatal(err)
	}
	return string(v)
}

func TestEncodeToolChoice(t *testing.T) {
	for _, tt := range []struct {
		choice llm.ToolChoice
		want   string
	}{
		{llm.ToolChoice{}, ""},
		{llm.ToolChoice{NoParallel: true}, `{"type":"auto","disable_parallel_tool_use":true}`},
		{llm.ToolChoice{Mode: "auto"}, `{"type":"auto"}`},
		{llm.ToolChoice{Mode: "required"}, `{"type":"any"}`},
		{llm.ToolChoice{Mode: "required", NoParallel: true}, `{"type":"any","disable_parallel_tool_use":true}`},
		{llm.ToolChoice{Mode: "tool", Name: "f"}, `{"type":"tool","name":"f"}`},
		{llm.ToolChoice{Mode: "none", NoParallel: true}, `{"type":"none"}`},
	} {
		q := llm.Request{Messages: []llm.Message{user(text("x"))}, Tools: []llm.Tool{{Name: "f"}}, Choice: tt.choice}
		if got := member(t, &q, "tool_choice"); got != tt.want {
			t.Errorf("%+v is written as %s, want %s", tt.choice, got, tt.want)
		}
		q.Tools = nil
		if got := member(t, &q, "tool_choice"); got != "" {
			t.Errorf("%+v without tools is written as %s, which the dialect refuses", tt.choice, got)
		}
	}
}

func TestEncodeMedia(t *testing.T) {
	for _, tt := range []struct {
		media llm.MediaPart
		want  string // the block, or what the refusal says
	}{
		{
			llm.MediaPart{MIME: "image/webp", Data: "UklG"},
			`{"type":"image","source":{"type":"base64","media_type":"image/webp","data":"UklG"}}`,
		},
		{llm.MediaPart{URL: "https://x/a"}, `{"type":"image","source":{"type":"url","url":"https://x/a"}}`},
		{llm.MediaPart{URL: "https://x/a.pdf"}, `{"type":"document","source":{"type":"url","url":"https://x/a.pdf"}}`},
		{
			llm.MediaPart{MIME: "application/pdf", URL: "https://x/a"},
			`{"type":"document","source":{"type":"url","url":"https://x/a"}}`,
		},
		{
			llm.MediaPart{MIME: "application/pdf", Data: "JVBE"},
			`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}`,
		},
		{
			llm.MediaPart{MIME: "text/csv", Data: "YSxi"},
			`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b"}}`,
		},
		{llm.MediaPart{MIME: "text/csv", Data: "%"}, "inline media is no base64"},
		{llm.MediaPart{Data: "AAAA"}, "inline media without a media type"},
		{llm.MediaPart{MIME: "video/mp4", Data: "AAAA"}, "takes no media of type video/mp4"},
	} {
		part := llm.Part{Kind: llm.Media, Media: &tt.media}
		for _, q := range []llm.Request{
			{Messages: []llm.Message{user(part)}},
			{Messages: []llm.Message{user(llm.Part{Kind: llm.ToolResult, Result: &llm.ToolAnswer{
				ID: "t", Content: []llm.Part{part},
			}})}},
		} {
			w, err := Back{}.Encode(&q, order(9))
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = string(w.Body[0])
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("%+v: %s, want %s", tt.media, got, tt.want)
			}
		}
	}
}

func TestEncodeLeavesOutWhatSaysNothing(t *testing.T) {
	q := llm.Request{
		System: []llm.Part{text(" \n"), text("s")}, User: strings.Repeat("u", maxUserID+1), TopP: ptr(1.0),
		Messages: []llm.Message{
			user(text("a"), text("\t")),
			{Role: llm.Assistant, Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "hm"},
				{Kind: llm.Reasoning, Opaque: []byte(`{"thoughtSignature":"s"}`)},
				{Kind: llm.Reasoning, Opaque: []byte(`not json`)},
				{Kind: llm.Reasoning, Opaque: []byte(`[1]`)},
				{Kind: llm.Refusal, Text: "no"},
			}},
			user(text("b")),
		},
	}
	w, err := Back{}.Encode(&q, order(9))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"model":"claude-wire","max_tokens":9,"system":[{"type":"text","text":"s"}],"messages":[` +
		`{"role":"user","content":[{"type":"text","text":"a"}]},` +
		`{"role":"assistant","content":[{"type":"text","text":"no"}]},` +
		`{"role":"user","content":[{"type":"text","text":"b"}]}]}`
	got := strings.Replace(string(w.Body[0]), `"`+order(9).Target.WireID+`"`, `"claude-wire"`, 1)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
}

// What has the wrong shape is named by its place, and never by Go's words for it.
func TestDecodeNamesWhatHasTheWrongShape(t *testing.T) {
	turn := func(content string) string {
		return `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":` + content + `}]}`
	}
	for _, tt := range []struct {
		body string
		code llm.Code
	}{
		{turn(`7`), llm.CodeUnfit},
		{turn(`{}`), llm.CodeUnfit},
		{turn(`[7]`), llm.CodeUnfit},
		{turn(`[{"type":7}]`), llm.CodeUnfit},
		{turn(`[{"text":"no type"}]`), llm.CodeUnfit},
		{turn(`[{"type":"hologram"}]`), llm.CodeUnfit},
		{turn(`[{"type":"image"}]`), llm.CodeUnfit},
		{turn(`[{"type":"image","source":7}]`), llm.CodeUnfit},
		{turn(`[{"type":"image","source":{"type":"base64"}}]`), llm.CodeUnfit},
		{turn(`[{"type":"image","source":{"type":"cloud"}}]`), llm.CodeUnfit},
		{turn(`[{"type":"tool_result","tool_use_id":"t","content":7}]`), llm.CodeUnfit},
		{turn(`[{"type":"tool_result","tool_use_id":"t","content":[{"type":"hologram"}]}]`), llm.CodeUnfit},
		{turn(`[{"type":"document","source":{"type":"content","content":[{"type":""}]}}]`), llm.CodeUnfit},
		{`{"system":[{"type":"hologram"}]}`, llm.CodeUnfit},
		{`{"system":7}`, llm.CodeUnfit},
		{`{"tool_choice":{"type":"some"}}`, llm.CodeUnfit},
		{`{"stop_sequences":[7]}`, llm.CodeUnfit},
		{`{"output_format":{"type":"grammar"}}`, llm.CodeUnfit},
		{`{"temperature":"hot"}`, llm.CodeUnfit},
	} {
		_, err := Front{}.Decode([]byte(tt.body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != tt.code || e.Message == "" {
			t.Errorf("%s: %v, want %s", tt.body, err, tt.code)
			continue
		}
		for _, word := range []string{"json:", "Go ", "int", "anthropic.", "unmarshal"} {
			if strings.Contains(strings.ReplaceAll(e.Message, "into", ""), word) {
				t.Errorf("%s: the caller is shown %q", tt.body, e.Message)
			}
		}
	}
}

func TestDecodeNullsMeanNotSet(t *testing.T) {
	q, err := Front{}.Decode([]byte(`{"model":"m","max_tokens":1,"system":null,"tools":null,"tool_choice":null,
 "metadata":null,"output_config":null,"output_format":null,"stop_sequences":null,"temperature":null,
 "messages":[{"role":"user","content":null},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &llm.Request{Model: "m", MaxOutput: 1, Messages: []llm.Message{{Role: llm.User}, user(
		llm.Part{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: "t"}})}}
	if d := cmp.Diff(want, q); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
}

func TestScanNullsMeanNotSet(t *testing.T) {
	body := `{"model":"m","max_tokens":1,"system":null,"tools":null,"metadata":null,"output_config":null,
 "output_format":null,"stream":null,"messages":[
 {"role":"user","content":null},{"role":"system","content":"s","x":"y"}]}`
	env, err := Front{}.Scan([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if env.Needs != (llm.Needs{}) || env.Stream || env.Metadata != (llm.Hints{}) || env.Turns != 2 {
		t.Errorf("envelope %+v", env)
	}
	var got []string
	for _, s := range env.Texts {
		got = append(got, string(s.Role)+"|"+body[s.Span.Start:s.Span.End])
	}
	if d := cmp.Diff([]string{"|s", "|y"}, got); d != "" {
		t.Errorf("texts (-want +got):\n%s", d)
	}
}

func TestScanReadsHintsInAnySpelling(t *testing.T) {
	for _, key := range []string{"use_case", "use-case", "x-weir-use-case", "x-weir-use_case"} {
		env, err := Front{}.Scan([]byte(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],
 "metadata":{"` + key + `":"invoices","workflow":"w","agent":"a","session":"s","x-weir-data-class":"c",
 "a key that is longer than any hint could be":"z","user_id":"u"}}`))
		want := llm.Hints{UseCase: "invoices", Workflow: "w", Agent: "a", Session: "s", DataClass: "c"}
		if err != nil || env.Metadata != want || env.User != "u" {
			t.Errorf("%s: %+v, user %q, %v", key, env.Metadata, env.User, err)
		}
	}
}

// A server tool's block goes back as it came, with the input that its deltas told, or without what is no JSON.
func TestOpaqueBlocksArePutTogether(t *testing.T) {
	const start = `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`
	for input, want := range map[string]string{
		`{"q":"a"}`: `{"input":{"q":"a"},"type":"server_tool_use","id":"s","name":"web_search"}`,
		`{"q":`:     start, ``: start,
	} {
		if got := string(withInput(jsontext.Value(start), []byte(input))); got != want {
			t.Errorf("input %s: %s, want %s", input, got, want)
		}
	}
	if got := string(withInput(jsontext.Value(`[1]`), []byte(`{}`))); got != `[1]` {
		t.Errorf("a block that is no object became %s", got)
	}
}

func TestWriterWithoutDetail(t *testing.T) {
	if out := writeAll(llm.Event{Kind: llm.EvError}); !strings.Contains(out, `"api_error"`) {
		t.Errorf("an error of which nothing is known: %s", out)
	}
	stop := llm.Event{Kind: llm.EvStop, Stop: llm.StopFilter}
	got := writeAll(llm.Event{Kind: llm.EvText}, stop, llm.Event{Kind: llm.EvEnd}, llm.Event{Kind: llm.EvEnd})
	want := strings.NewReplacer(`"id":"i"`, `"id":""`, `"model":"m"`, `"model":""`).Replace(opening) +
		closing("refusal", noUsage)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("an empty stream without a start (-want +got):\n%s", d)
	}
}
