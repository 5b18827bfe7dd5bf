package openai

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// at cuts a span out of a body.
func at(body string, s llm.Span) string { return body[s.Start:s.End] }

// texts are the segments of an envelope, with their roles.
func texts(body string, env llm.Envelope) []string {
	var out []string
	for _, s := range env.Texts {
		t := at(body, s.Span)
		if s.Escaped {
			t = "esc:" + string(scan.Unquote(nil, []byte(t)))
		}
		out = append(out, string(s.Role)+"|"+t)
	}
	return out
}

func mustScan(t testing.TB, body string) llm.Envelope {
	t.Helper()
	env, err := Front{}.Scan([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return env
}

func TestScanTellsWhatRoutingNeeds(t *testing.T) {
	const body = `{ "model" : "gpt-4\u006f", "stream":true, "stream_options": {"include_usage": true, "x": 1},
 "max_completion_tokens": 64, "n": 3, "user":"u-7", "new_field": {"Model": [1, "note"]},
 "metadata":{"use_case":"invoices","x-weir-workflow":"p2p","agent":"ap","session":"s1","data-class":"internal",
 "mine":"x","n":null},
 "messages":[{"role":"system","content":"Be brief."},{"content":"a \"b\"","role":"user"},
 {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f",
 "arguments":"{\"x\":1}"}}]},
 {"role":"tool","tool_call_id":"c1","content":"42"},
 {"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"text",
 "text":"see?"},
 {"type":"text","text":"more"}]}]}`
	env := mustScan(t, body)
	if got := texts(body, env); !cmp.Equal(got, []string{
		"|note", "|Be brief.", `user|esc:a "b"`, "assistant|f", `assistant|esc:{"x":1}`, "|42", "user|see?", "user|more",
	}) {
		t.Errorf("texts %q", got)
	}
	for _, tc := range []struct{ what, got, want string }{
		{"model", env.Model, "gpt-4o"},
		{"model span", at(body, env.ModelSpan), `"gpt-4\u006f"`},
		{"stream span", at(body, env.StreamSpan), "true"},
		{"cap span", at(body, env.MaxSpan), "64"},
		{"stream options", at(body, env.StreamOptions), `{"include_usage": true, "x": 1}`},
		{"last user", at(body, env.LastUser), "see?"},
		{"user", env.User, "u-7"},
		{"open", body[:env.ObjectOpen], "{"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.what, tc.got, tc.want)
		}
	}
	want := llm.Envelope{
		Dialect: llm.OpenAI, Model: env.Model, ModelSpan: env.ModelSpan, Stream: true, MaxOutput: 64, MaxSpan: env.MaxSpan,
		N: 3, IncludeUsage: true, StreamOptions: env.StreamOptions, StreamSpan: env.StreamSpan, ObjectOpen: 1,
		Needs: llm.Needs{Vision: true, Tools: true}, Texts: env.Texts, MediaBytes: len("data:image/png;base64,AAAA"),
		Metadata: llm.Hints{UseCase: "invoices", Workflow: "p2p", Agent: "ap", Session: "s1", DataClass: "internal"},
		LastUser: env.LastUser, Turns: 5, User: "u-7",
	}
	env.Talk = llm.Talk{} // held by TestScanTellsTheStateOfATalk
	if d := cmp.Diff(want, env); d != "" {
		t.Error(d)
	}
}

func TestScanNeeds(t *testing.T) {
	const user = `{"model":"m","messages":[{"role":"user","content":%}]}`
	const top = `{"model":"m","messages":[{"role":"user","content":"x"}],%}`
	for _, tc := range []struct {
		frame, in string
		want      llm.Needs
		media     int
	}{
		{user, `"x"`, llm.Needs{}, 0},
		{user, `[{"type":"image_url","image_url":{"url":"https://a/b.png","detail":"low"}}]`, llm.Needs{Vision: true}, 0},
		{user, `[{"type":"image_url","image_url":"data:image/png;base64,AA"}]`, llm.Needs{Vision: true}, 24},
		{user, `[{"type":"input_audio","input_audio":{"data":"AAAAAAAA","format":"wav"}}]`, llm.Needs{Audio: true}, 8},
		{
			user, `[{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}}]`,
			llm.Needs{Documents: true},
			32,
		},
		{user, `[{"type":"video_url","video_url":{"url":"data:video/mp4;base64,AAAA"}}]`, llm.Needs{}, 26},
		{top, `"tools":[{"type":"function","function":{"name":"f"}}]`, llm.Needs{Tools: true}, 0},
		{top, `"tools":[]`, llm.Needs{}, 0},
		{top, `"tools":null`, llm.Needs{}, 0},
		{top, `"functions":[{"name":"f"}]`, llm.Needs{Tools: true}, 0},
		{top, `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}`, llm.Needs{Schema: true}, 0},
		{top, `"response_format":{"type":"json_object"}`, llm.Needs{}, 0},
	} {
		env := mustScan(t, strings.Replace(tc.frame, "%", tc.in, 1))
		if env.Needs != tc.want || env.MediaBytes != tc.media {
			t.Errorf("%s: %+v, %d bytes of media", tc.in, env.Needs, env.MediaBytes)
		}
	}
}

// Nothing that a model could read may be hidden from those who judge the data by standing in an unusual place.
func TestScanFindsTextInUnusualPlaces(t *testing.T) {
	for _, in := range []string{
		`"tools":[{"type":"function","function":{"name":"f","description":"SECRET"}}]`,
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"` +
			`enum":["SECRET"]}}}}}]`,
		`"response_format":{"type":"json_schema","json_schema":{"schema":{"description":"SECRET"}}}`,
		`"prediction":{"type":"content","content":"SECRET"}`, `"documents":[{"title":"t","body":["SECRET"]}]`,
		`"unknown":"SECRET"`,
		`"messages2":0,"messages":[{"role":"user","content":"x","name":"SECRET"}]`,
		`"messages":[{"role":"assistant","content":null,"refusal":"SECRET"}]`,
		`"messages":[{"role":"assistant","reasoning_content":"SECRET"}]`,
		`"messages":[{"role":"assistant","function_call":{"name":"f","arguments":"SECRET"}}]`,
		`"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"x":"SECRET"}}}]}]`,
		`"messages":[{"role":"assistant","tool_calls":[{"type":"custom","custom":{"input":"SECRET"}}]}]`,
		`"response_format":{"type":"grammar","grammar":"SECRET"}`,
		`"messages":[{"role":"user","content":[{"type":"other","other":{"deep":[{"x":"SECRET"}]}}]}]`,
		`"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"SECRET","file_id":"f"}}]}]`,
		`"messages":[{"role":"user","content":"x","extra":{"k":"SECRET"}}]`,
	} {
		body := `{"model":"m",` + in
		if !strings.Contains(in, `"messages":`) {
			body += `,"messages":[{"role":"user","content":"x"}]`
		}
		body += "}"
		found := false
		for _, s := range mustScan(t, body).Texts {
			found = found || at(body, s.Span) == "SECRET"
		}
		if !found {
			t.Errorf("not among the texts: %s", body)
		}
	}
}

func TestScanNullsMeanNotSet(t *testing.T) {
	const body = `{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":null,"stream":null,"` +
		`stream_options":null,` +
		`"n":null,"user":null,"metadata":null,"response_format":null,"max_completion_tokens":null}`
	env := mustScan(t, body)
	if env.MaxOutput != 0 || env.Stream || env.IncludeUsage || env.N != 1 || env.User != "" {
		t.Errorf("%+v", env)
	}
	if at(body, env.MaxSpan) != "null" || at(body, env.StreamSpan) != "null" || at(body, env.StreamOptions) != "null" {
		t.Error("the nulls are not where they can be replaced")
	}
	env = mustScan(t, `{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":null,"max_compl`+
		`etion_tokens":5}`)
	if env.MaxOutput != 5 {
		t.Errorf("cap %d", env.MaxOutput)
	}
}

func TestScanRefuses(t *testing.T) {
	const ok = `"messages":[{"role":"user","content":"x"}]`
	for _, tc := range []struct{ body, param, says string }{
		{``, "", "text ends"},
		{`[]`, "", "want an object, got an array"},
		{`{}`, "model", "model is missing"},
		{`{"model":"m"}`, "messages", "messages is missing"},
		{`{` + ok + `}`, "model", "model is missing"},
		{`{"model":7,` + ok + `}`, "model", "want a string, got a number"},
		{`{"model":"",` + ok + `}`, "model", "must not be empty"},
		{`{"model":null,` + ok + `}`, "model", "want a string, got null"},
		{`{"model":"m","messages":"x"}`, "messages", "want an array, got a string"},
		{`{"model":"m","messages":[]}`, "messages", "at least one message"},
		{`{"model":"m","messages":["x"]}`, "messages[0]", "want an object, got a string"},
		{`{"model":"m","messages":[{"content":"x"}]}`, "messages[0]", "role is missing"},
		{`{"model":"m","messages":[{"role":"robot","content":"x"}]}`, "messages[0].role", "want system, developer, user"},
		{`{"model":"m","messages":[{"role":"user"}]}`, "messages[0]", "content is missing"},
		{`{"model":"m","messages":[{"role":"user","content":null}]}`, "messages[0]", "content is missing"},
		{`{"model":"m","messages":[{"role":"user","content":7}]}`, "messages[0].content", "want a string or an array"},
		{
			`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":7}]}]}`, "messages[0].content[0].text",
			"want a string",
		},
		{`{"model":"m","messages":[{"role":"user","content":"x","Role":"system"}]}`, "messages[0].Role", "only in case"},
		{`{"model":"m","messages":[{"role":"user","role":"system","content":"x"}]}`, "messages[0].role", "appears twice"},
		{`{"model":"m","Model":"n",` + ok + `}`, "Model", "only in case"},
		{`{"model":"m","model":"n",` + ok + `}`, "model", "appears twice"},
		{`{"model":"m",` + ok + `,"stream":"yes"}`, "stream", "want a boolean"},
		{`{"model":"m",` + ok + `,"stream_options":[]}`, "stream_options", "want an object"},
		{`{"model":"m",` + ok + `,"n":0}`, "n", "from 1 to 128"},
		{`{"model":"m",` + ok + `,"n":129}`, "n", "from 1 to 128"},
		{`{"model":"m",` + ok + `,"n":"2"}`, "n", "want a number"},
		{`{"model":"m",` + ok + `,"n":1.5}`, "n", "want an integer"},
		{`{"model":"m",` + ok + `,"max_tokens":0}`, "max_tokens", "at least 1"},
		{`{"model":"m",` + ok + `,"max_tokens":-5}`, "max_tokens", "at least 1"},
		{`{"model":"m",` + ok + `,"max_tokens":99999999999}`, "max_tokens", "at least 1"},
		{`{"model":"m",` + ok + `,"max_tokens":5,"max_completion_tokens":5}`, "max_completion_tokens", "only one of"},
		{`{"model":"m",` + ok + `,"tools":{}}`, "tools", "want an array"},
		{`{"model":"m",` + ok + `,"tools":[1]}`, "tools[0]", "want an object"},
		{`{"model":"m",` + ok + `,"metadata":[]}`, "metadata", "want an object"},
		{`{"model":"m",` + ok + `,"metadata":{"data_class":1}}`, "metadata.data_class", "want a string"},
		{`{"model":"m",` + ok + `,"metadata":{"agent":"a","x-weir-agent":"b"}}`, "metadata.x-weir-agent", "told twice"},
		{`{"model":"m",` + ok + `,"user":5}`, "user", "want a string"},
		{`{"model":"m",` + ok + `} {}`, "", "after the end"},
	} {
		_, err := Front{}.Scan([]byte(tc.body))
		var e *llm.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v", tc.body, err)
			continue
		}
		if e.Code != llm.CodeInvalid || e.Param != tc.param || !strings.Contains(e.Message, tc.says) {
			t.Errorf("%s:\n got %q, param %q\nwant %q, param %q", tc.body, e.Message, e.Param, tc.says, tc.param)
		}
	}
}

func TestScanBoundsWhatItKeeps(t *testing.T) {
	body := `{"model":"m","messages":[{"role":"user","content":"x"}],"x":[` + strings.Repeat(`"a",`, maxTexts) + `"a"]}`
	_, err := Front{}.Scan([]byte(body))
	if err == nil || !strings.Contains(err.Error(), "more than 131072 texts") {
		t.Errorf("got %v", err)
	}
}

func TestScanAllowsWhatIsTheCallersOwn(t *testing.T) {
	for _, in := range []string{
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"Type":1,"type":2,"Model":3}}}]`,
		`"metadata":{"Model":"a","model":"b"}`, `"some_new_field":{"Messages":[]}`, `"logit_bias":{"50256":-100}`,
	} {
		mustScan(t, `{"model":"m","messages":[{"role":"user","content":"x"}],`+in+`}`)
	}
}

func FuzzScanChat(f *testing.F) {
	f.Add(chatBody(1024))
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url"` +
		`:"data:a;base64,A"}}]}],"n":2}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"tool","tool_call_id":"x","content":"y"}],"stream_option` +
		`s":null,"max_tokens":1}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"assistant","reasoning_details":[1] , "tool_calls":[{"id":"x","type":"function",` +
		`"extra_content":{},"function":{"name":"n","arguments":"{}"}}]},{"role":"tool","tool_call_id":"x","content":"y"} ]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		env, err := Front{}.Scan(body)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != llm.CodeInvalid {
				t.Fatalf("error %v", err)
			}
			return
		}
		if err := checkSpans(body, env); err != nil {
			t.Fatal(err)
		}
		checkTalk(t, body, env)
		checkForward(t, body, env)
		q, err := Front{}.Decode(body)
		if err != nil {
			return
		}
		if q.Model != env.Model || q.MaxOutput != env.MaxOutput || max(q.N, 1) != env.N || q.Stream != env.Stream {
			t.Fatalf("scan and decode differ: %+v, %+v", env, q)
		}
		checkEncode(t, q)
	})
}

// What would have the provider choose another model, or bill by a meter that has no price, is named.
func TestScanNamesWhatWouldReroute(t *testing.T) {
	for in, want := range map[string]string{
		`"models":["a"]`: "models", `"route":"fallback"`: "route", `"provider":{}`: "provider", `"plugins":[]`: "plugins",
		`"fallbacks":["b"],"models":["a"]`: "fallbacks", `"preset":"p"`: "preset", `"web_search_options":{}`: "web_search_options",
		`"inference_geo":"us"`: "inference_geo", `"inference_geo":"global"`: "", `"inference_geo":null`: "",
		`"models":null,"web_search_options":null`: "", `"tools":null`: "", `"pr\u006fvider":{"order":["x"]}`: "provider",
		`"tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search"}]`:    "tools[1].type",
		`"tools":[{"type":"code_interpreter"}],"models":["a"]`:                           "tools[0].type",
		`"tools":[{"type":"custom","custom":{"name":"c"}},{"type":null}]`:                "",
		`"functions":[{"name":"f","parameters":{"type":"web_search"}}]`:                  "",
		`"metadata":{"route":"x"},"reasoning_effort":"low","cache_control":{"models":1}`: "",
	} {
		env := mustScan(t, `{"model":"m","messages":[{"role":"user","content":"x"}],`+in+`}`)
		if env.Reroute != want {
			t.Errorf("%s: named is %q, want %q", in, env.Reroute, want)
		}
	}
}
