package sim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// spy keeps the last query.
type spy struct{ got Query }

func (s *spy) Answer(q Query) (Answer, error) { s.got = q; return Answer{Text: "ok"}, nil }

// TestAcceptedRequests shows what of a rich but right request reaches the answerer.
func TestAcceptedRequests(t *testing.T) {
	weather := []Tool{{Name: "weather", Schema: []byte(`{"type":"object"}`)}}
	loop := []Turn{
		{"user", "Weather in Oslo?"},
		{"assistant", `weather{"city":"Oslo"}`},
		{"tool", "4 degrees"},
		{"user", "And now?"},
	}
	for _, tc := range []struct {
		name string
		d    Dialect
		body string
		want Query
	}{
		{
			"openai tool loop", OpenAI, `{"model":"gpt-x","messages":[{"role":"developer","content":"Be brief."},
			{"role":"user","content":[{"type":"text","text":"Weather in Oslo?"}]},
			{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"weather",
			"arguments":"{\"city\":\"Oslo\"}"}}]},{"role":"tool","tool_call_id":"c","content":"4 degrees"},
			{"role":"user","content":"And now?"}],"tools":[{"type":"function","function":{"name":"weather",
			"parameters":{"type":"object"}}}],"tool_choice":"required"}`,
			Query{System: "Be brief.", Turns: loop, Tools: weather, Force: "required"},
		},
		{
			"openai named tool", OpenAI, `{"model":"gpt-x","messages":[{"role":"user","content":"q"}],"tools":[{"type":
			"function","function":{"name":"weather","parameters":{"type":"object"}}}],"tool_choice":{"type":"function",
			"function":{"name":"weather"}}}`,
			Query{Turns: []Turn{{"user", "q"}}, Tools: weather, Force: "weather"},
		},
		{
			"openai schema", OpenAI, `{"model":"gpt-x","messages":[{"role":"user","content":"q"}],"response_format":{"type":
			"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object","properties":{"a":{"type":
			"string"}},"required":["a"],"additionalProperties":false}}}}`,
			Query{Turns: []Turn{{"user", "q"}}, JSON: true, Schema: []byte(`{"type":"object","properties":{"a":{"type":
			"string"}},"required":["a"],"additionalProperties":false}`)},
		},
		{
			"openai json object", OpenAI, `{"model":"gpt-x","messages":[{"role":"user","content":"json please"}],
			"response_format":{"type":"json_object"},"temperature":0,"seed":1,"user":"u","logit_bias":{"1":2}}`,
			Query{Turns: []Turn{{"user", "json please"}}, JSON: true},
		},
		{"openai image", OpenAI, `{"model":"gpt-x","messages":[{"role":"user","content":[{"type":"image_url","image_url":{
			"url":"data:image/png;base64,AA"}}]}]}`, Query{Turns: []Turn{{"user", mediaText}}}},
		{
			"anthropic tool loop", Anthropic, `{"model":"claude-x","max_tokens":9,"system":[{"type":"text","text":"Be brief.",
			"cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"Weather in Oslo?"},
			{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"t",
			"name":"weather","input":{"city":"Oslo"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t",
			"content":"4 degrees"}]},{"role":"user","content":[{"type":"text","text":"And now?"}]}],"tools":[{"name":
			"weather","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}`,
			Query{System: "Be brief.", Tools: weather, Force: "required", Turns: []Turn{
				loop[0], loop[1],
				{"tool", `"4 degrees"`},
				loop[3],
			}},
		},
		{
			"anthropic schema", Anthropic, `{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"q"}],
			"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`,
			Query{Turns: []Turn{{"user", "q"}}, JSON: true, Schema: []byte(`{"type":"object"}`)},
		},
		{
			"anthropic server tools of an earlier turn", Anthropic, `{"model":"claude-x","max_tokens":9,"cache_control":{"type":
			"ephemeral"},"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"server_tool_use","id":
			"s","name":"web_search","input":{"query":"x"}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{
			"type":"text","text":"y"}]},{"role":"user","content":"q"}]}`,
			Query{Turns: []Turn{{"user", "q"}, {"assistant", `web_search{"query":"x"}[]y`}, {"user", "q"}}},
		},
		{
			"openai functions of old", OpenAI, `{"model":"gpt-x","functions":[{"name":"weather","parameters":{"type":"object"}}],
			"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"function_call":{"name":"weather",
			"arguments":"{}"}},{"role":"function","name":"weather","content":"1"}]}`,
			Query{Turns: []Turn{{"user", "q"}, {"assistant", "weather{}"}, {"tool", "1"}}, Tools: weather},
		},
		{
			"openai tools without a schema", OpenAI, `{"model":"gpt-x","messages":[{"role":"user","content":"q"}],"tools":[{"type":
			"custom","custom":{"name":"code","description":"d"}},{"type":"function","function":{"name":"now","parameters":null}}]}`,
			Query{Turns: []Turn{{"user", "q"}}, Tools: []Tool{{Name: "code"}, {Name: "now"}}},
		},
		{"openai reasoning model", OpenAI, `{"model":"o-x","temperature":1,"top_p":1,"max_completion_tokens":9,"messages":[
			{"role":"user","content":"q"}]}`, Query{Turns: []Turn{{"user", "q"}}}},
		{
			"anthropic no tool", Anthropic, `{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"q"}],
			"tools":[{"name":"weather","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"}}`,
			Query{Turns: []Turn{{"user", "q"}}, Tools: weather, Force: "none"},
		},
		{
			"gemini tool loop", Gemini, `{"system_instruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user",
			"parts":[{"text":"Weather in Oslo?"}]},{"role":"model","parts":[{"functionCall":{"name":"weather","args":{
			"city":"Oslo"}},"thoughtSignature":"AA=="}]},{"role":"user","parts":[{"functionResponse":{"name":"weather",
			"response":{"degrees":4}}}]},{"role":"user","parts":[{"text":"And now?"}]}],"tools":[{"functionDeclarations":[
			{"name":"weather","parameters":{"type":"object"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY",
			"allowedFunctionNames":["weather"]}}}`,
			Query{System: "Be brief.", Tools: weather, Force: "weather", Turns: []Turn{loop[0], {
				"assistant",
				"weather{\n\t\t\t\"city\":\"Oslo\"}",
			}, {"tool", `weather{"degrees":4}`}, loop[3]}},
		},
		{
			"gemini schema", Gemini, `{"contents":[{"parts":[{"text":"q"},{"inlineData":{"mimeType":"image/png","data":
			"AA"}}]}],"generation_config":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"},
			"temperature":0.5,"maxOutputTokens":5,"candidateCount":1,"stopSequences":["x"]}}`,
			Query{Turns: []Turn{{"user", "q"}}, JSON: true, Schema: []byte(`{"type":"OBJECT"}`)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &spy{}
			_, srv := start(t, Config{Answers: s})
			got := post(t, srv, sides[tc.d].path, tc.body, sides[tc.d].header)
			if got.status != 200 {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			q := s.got
			q.Model, q.Catalog, q.Seed = "", "", 0
			if tc.name == "gemini schema" { // the image stands for its own tokens
				q.Turns[0].Text = strings.TrimSuffix(q.Turns[0].Text, mediaText)
			}
			for i := range q.Turns { // arguments come as they were spelled
				if tc.d != Gemini {
					q.Turns[i].Text = strings.ReplaceAll(q.Turns[i].Text, "\n\t\t\t", "")
				}
			}
			if diff := cmp.Diff(tc.want, q); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSnakeAndCamelCaseMeanTheSameToGemini(t *testing.T) {
	s, srv := start(t, Config{Answers: fixed{Text: strings.Repeat(" word", 30)}})
	for _, name := range []string{"generationConfig", "generation_config"} {
		post(t, srv, sides[Gemini].path, `{"contents":[{"parts":[{"text":"q"}]}],"`+name+`":{"maxOutputTokens":7}}`,
			sides[Gemini].header)
	}
	for _, r := range s.Requests() {
		if r.Output != 7 {
			t.Errorf("%d output tokens, want 7", r.Output)
		}
	}
}

// TestCountersUnderLoad sends from many sides at once and demands that every request and token is counted.
func TestCountersUnderLoad(t *testing.T) {
	s, err := New(Config{Models: models(), Answers: fixed{Text: "Yes."}, Keep: 10})
	if err != nil {
		t.Fatal(err)
	}
	const workers, each = 8, 50
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				fault := ""
				if i%5 == 0 {
					fault = "503"
				}
				r := httptest.NewRequest(http.MethodPost, sides[OpenAI].path, strings.NewReader(fmt.Sprintf(sides[OpenAI].ask,
					fmt.Sprint("question ", w, i))))
				r.Header.Set("Authorization", "Bearer k")
				r.Header.Set("X-Sim-Fault", fault)
				s.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
	wg.Wait()
	got := s.Stats().Models["gpt-x"]
	if got.Requests != workers*each || got.Refused != workers*each/5 || got.Faults["503"] != workers*each/5 ||
		got.Answered != workers*each*4/5 || got.OutputTokens != 2*got.Answered {
		t.Errorf("counted %+v", got)
	}
	if len(s.Requests()) != 10 {
		t.Errorf("%d requests kept, want 10", len(s.Requests()))
	}
}

func TestStatsOverHTTP(t *testing.T) {
	_, srv := start(t, Config{Answers: fixed{Text: "Yes.", Note: "right"}})
	post(t, srv, sides[Gemini].path, fmt.Sprintf(sides[Gemini].ask, "q"), sides[Gemini].header)
	for path, want := range map[string]string{
		"/sim/stats":    `"notes": {`,
		"/sim/requests": `"note": "right"`,
	} {
		res, err := srv.Client().Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := res.Write(&b); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if !strings.Contains(b.String(), want) || !strings.Contains(b.String(), "gemini-x") {
			t.Errorf("%s:\n%s", path, b.String())
		}
	}
}

func TestModelNamesThatAreMadeUpDoNotFillTheCounters(t *testing.T) {
	s, err := New(Config{Models: models()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range mostModels + 50 {
		sd := sides[OpenAI]
		serveOnce(s, sd, fmt.Sprintf(`{"model":"made-up-%d","messages":[{"role":"user","content":"q"}]}`, i))
	}
	st := s.Stats()
	if len(st.Models) != mostModels+1 || st.Models["(other)"].Requests != 50 {
		t.Errorf("%d models counted, %d others", len(st.Models), st.Models["(other)"].Requests)
	}
}

// A cap of 0 fills the prompt cache: nothing is answered, streamed or not.
func TestAnthropicFillsACacheWithoutAnswering(t *testing.T) {
	_, srv := start(t, Config{Answers: fixed{Text: "Approved."}})
	for _, stream := range []string{"false", "true"} {
		got := post(t, srv, sides[Anthropic].path, `{"model":"claude-x","max_tokens":0,"stream":`+stream+
			`,"messages":[{"role":"user","content":"q"}]}`, sides[Anthropic].header)
		if got.status != 200 || strings.Contains(got.body, "Approved") || strings.Contains(got.body, "content_block") ||
			!strings.Contains(got.body, `"stop_reason":"max_tokens"`) || !strings.Contains(got.body, `"output_tokens":0`) {
			t.Errorf("stream %s: %d %s", stream, got.status, got.body)
		}
	}
}
