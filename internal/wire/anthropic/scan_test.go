package anthropic

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

const fullRequest = `{
 "system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],
 "model":"claude-sonnet-4-5", "max_tokens":512, "stream":true,
 "messages":[
  {"content":"first \"question\"","role":"user"},
  {"role":"assistant","content":[
    {"type":"thinking","thinking":"hmm","signature":"c2ln"},
    {"type":"text","text":"I look."},
    {"type":"tool_use","id":"toolu_1","name":"find","input":{"invoice":"402","n":[1,"two"]}}]},
  {"role":"user","content":[
    {"tool_use_id":"toolu_1","content":[{"type":"text","text":"found"}],"type":"tool_result"},
    {"source":{"data":"aGVsbG8=","media_type":"image/png","type":"base64"},"type":"image"},
    {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain words"}},
    {"type":"text","text":"and now?"}]}],
 "tools":[{"name":"find","description":"finds it","input_schema":{"type":"object"}}],
 "output_config":{"format":{"type":"json_schema","schema":{"type":"object","title":"Answer"}}},
 "metadata":{"user_id":"u-7","use_case":"invoice-status","x-weir-data-class":"internal","mine":1}
}`

func TestScanTellsEnoughToRoute(t *testing.T) {
	body := []byte(fullRequest)
	env, err := Front{}.Scan(body)
	if err != nil {
		t.Fatal(err)
	}
	at := func(s llm.Span) string { return string(body[s.Start:s.End]) }
	for what, got := range map[string][2]string{
		"model span":      {at(env.ModelSpan), `"claude-sonnet-4-5"`},
		"max span":        {at(env.MaxSpan), "512"},
		"stream span":     {at(env.StreamSpan), "true"},
		"last user":       {at(env.LastUser), "and now?"},
		"user":            {env.User, "u-7"},
		"model":           {env.Model, "claude-sonnet-4-5"},
		"before the open": {at(llm.Span{Start: 0, End: env.ObjectOpen}), "{"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s = %q, want %q", what, got[0], got[1])
		}
	}
	if env.MaxOutput != 512 || env.N != 1 || env.Turns != 3 || env.MediaBytes != 8 || !env.Stream {
		t.Errorf("envelope = %+v", env)
	}
	if want := (llm.Needs{Vision: true, Tools: true, Schema: true}); env.Needs != want {
		t.Errorf("needs = %+v, want %+v", env.Needs, want)
	}
	if want := (llm.Hints{UseCase: "invoice-status", DataClass: "internal"}); env.Metadata != want {
		t.Errorf("hints = %+v, want %+v", env.Metadata, want)
	}
	type seg struct {
		Text string
		Role llm.Role
		Esc  bool
	}
	var got []seg
	for _, s := range env.Texts {
		got = append(got, seg{at(s.Span), s.Role, s.Escaped})
	}
	want := []seg{
		{"Be brief.", "", false},
		{`first \"question\"`, llm.User, true},
		{"hmm", "", false},
		{"I look.", llm.Assistant, false},
		{"find", "", false},
		{"402", "", false},
		{"two", "", false},
		{"found", "", false},
		{"plain words", "", false},
		{"and now?", llm.User, false},
		{"find", "", false},
		{"finds it", "", false},
		{"object", "", false},
		{"json_schema", "", false},
		{"object", "", false},
		{"Answer", "", false},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("texts (-want +got):\n%s", d)
	}
}

func TestScanNeeds(t *testing.T) {
	for _, tt := range []struct {
		name, block string
		want        llm.Needs
		media       int
	}{
		{"image by url", `{"type":"image","source":{"type":"url","url":"https://x/y.png"}}`, llm.Needs{Vision: true}, 0},
		{
			"pdf", `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}`,
			llm.Needs{Documents: true},
			8,
		},
		{
			"document of text", `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hi"}}`,
			llm.Needs{},
			0,
		},
		{"document of blocks", `{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},
			{"type":"image","source":{"type":"base64","media_type":"image/png",
   "data":"AAAA"}}]}}`, llm.Needs{Vision: true}, 4},
		{
			"image in a tool result", `{"type":"tool_result","tool_use_id":"t","content":[
			{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}`,
			llm.Needs{Vision: true, Tools: true},
			4,
		},
		{
			"a server tool's result", `{"type":"web_search_tool_result","tool_use_id":"s","content":{"error_code":"x"}}`,
			llm.Needs{},
			0,
		},
		{"a search result", `{"type":"search_result","source":"https://x","title":"t","content":[
			{"type":"text","text":"a"}]}`, llm.Needs{}, 0},
		{
			"audio", `{"type":"audio","source":{"type":"base64","media_type":"audio/wav","data":"AAAA"}}`,
			llm.Needs{Audio: true},
			4,
		},
		{"container upload", `{"type":"container_upload","file_id":"f"}`, llm.Needs{Documents: true}, 0},
		{"stored file", `{"type":"document","source":{"type":"file","file_id":"f"}}`, llm.Needs{Documents: true}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[` + tt.block + `]}]}`
			env, err := Front{}.Scan([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if env.Needs != tt.want || env.MediaBytes != tt.media {
				t.Errorf("needs %+v media %d, want %+v and %d", env.Needs, env.MediaBytes, tt.want, tt.media)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	deep := strings.Repeat(`{"type":"tool_result","content":[`, 70)
	for _, tt := range []struct{ name, body, param, say string }{
		{"no max_tokens", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "max_tokens", "demands a cap"},
		{"null max_tokens", `{"model":"m","max_tokens":null,"messages":[{"role":"user","content":"x"}]}`, "max_tokens", ""},
		{
			"max_tokens -1", `{"model":"m","max_tokens":-1,"messages":[{"role":"user","content":"x"}]}`, "max_tokens",
			"at least 0",
		},
		{"max_tokens text", `{"model":"m","max_tokens":"9","messages":[]}`, "max_tokens", "want a number"},
		{"no model", `{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, "model", "name a model"},
		{"empty model", `{"model":"","max_tokens":1,"messages":[]}`, "model", "empty"},
		{"no messages", `{"model":"m","max_tokens":1}`, "messages", "at least one"},
		{"empty messages", `{"model":"m","max_tokens":1,"messages":[]}`, "messages", "at least one"},
		{"case variant", `{"Model":"m","max_tokens":1,"messages":[]}`, "Model", "only in case"},
		{"duplicate", `{"model":"m","model":"n"}`, "model", "twice"},
		{
			"unknown role", `{"model":"m","max_tokens":1,"messages":[{"role":"tool","content":"x"}]}`, "messages[0].role",
			"want user",
		},
		{
			"message without content", `{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}`, "messages[0]",
			"role and content",
		},
		{
			"block without type", `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"text":"x"}]}]}`, "",
			"type",
		},
		{"content number", `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":1}]}`, "", "content blocks"},
		{"trailing", `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]} x`, "", "after the end"},
		{"no object", `[1]`, "", "want an object"},
		{"deep", `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[` + deep, "", "deeper"},
		{"hint told twice", `{"metadata":{"agent":"a","x-weir-agent":"b"}}`, "", "differently"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Front{}.Scan([]byte(tt.body))
			var e *llm.Error
			if !errors.As(err, &e) {
				t.Fatalf("error = %v, want an *llm.Error", err)
			}
			if e.Code != llm.CodeInvalid || !strings.Contains(e.Show(), tt.say) {
				t.Errorf("error = %s %q, want %q", e.Code, e.Show(), tt.say)
			}
			if tt.param != "" && e.Param != tt.param {
				t.Errorf("param = %q, want %q", e.Param, tt.param)
			}
		})
	}
}

// What would have the provider choose another model, or bill by a meter that has no price, is named.
func TestScanNamesWhatWouldReroute(t *testing.T) {
	for in, want := range map[string]string{
		`"models":["a"]`: "models", `"route":"fallback"`: "route", `"provider":{}`: "provider", `"plugins":[]`: "plugins",
		`"fallbacks":["b"],"models":["a"]`: "fallbacks", `"preset":"p"`: "preset", `"web_search_options":{}`: "web_search_options",
		`"inference_geo":"us"`: "inference_geo", `"inference_geo":"global"`: "", `"inference_geo":null`: "",
		`"models":null,"route":null`: "", `"tools":null`: "",
		`"tools":[{"name":"f","input_schema":{"type":"web_search_1"}},{"type":"web_search_20250305","name":"w"}]`:       "tools[1].type",
		`"tools":[{"type":"code_execution_20250825","name":"c"}],"models":["a"]`:                                        "tools[0].type",
		`"tools":[{"type":"\u0077eb_search_20250305","name":"w"}]`:                                                      "tools[0].type",
		`"tools":[{"type":"unheard_of","name":"c"}]`:                                                                    "tools[0].type",
		`"tools":[{"type":"custom","name":"c"},{"type":"bash_20250124","name":"bash"},{"type":null,"name":"n"}]`:        "",
		`"cache_control":{"type":"ephemeral"},"thinking":{"type":"enabled","budget_tokens":9},"metadata":{"route":"x"}`: "",
	} {
		env, err := Front{}.Scan([]byte(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],` + in + `}`))
		if err != nil || env.Reroute != want {
			t.Errorf("%s: named is %q, %v, want %q", in, env.Reroute, err, want)
		}
	}
}
