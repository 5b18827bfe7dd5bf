package sim

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

// fixed answers every query with the same answer.
type fixed Answer

func (f fixed) Answer(Query) (Answer, error) { return Answer(f), nil }

func models() []Model {
	return []Model{
		{ID: "gpt-x", Dialect: OpenAI, Window: 1000},
		{ID: "claude-x", Dialect: Anthropic, Window: 1000},
		{ID: "gemini-x", Dialect: Gemini, Window: 1000},
		{ID: "o-x", Dialect: OpenAI, Reasoning: true},
	}
}

func start(t *testing.T, cfg Config) (*Sim, *httptest.Server) {
	t.Helper()
	if cfg.Models == nil {
		cfg.Models = models()
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, srv
}

// side is how one dialect is spoken to.
type side struct {
	path, streamPath string
	header           map[string]string
	ask              string // a request with %s for the question
	streamed         string // the same, streamed
}

var sides = map[Dialect]side{
	OpenAI: {
		path: "/openai/v1/chat/completions", streamPath: "/openai/v1/chat/completions",
		header: map[string]string{"Authorization": "Bearer k"},
		ask:    `{"model":"gpt-x","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":%q}]}`,
		streamed: `{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true},` +
			`"messages":[{"role":"user","content":%q}]}`,
	},
	Anthropic: {
		path: "/anthropic/v1/messages", streamPath: "/anthropic/v1/messages",
		header:   map[string]string{"X-Api-Key": "k", "Anthropic-Version": "2023-06-01"},
		ask:      `{"model":"claude-x","max_tokens":900,"system":"Be brief.","messages":[{"role":"user","content":%q}]}`,
		streamed: `{"model":"claude-x","max_tokens":900,"stream":true,"messages":[{"role":"user","content":%q}]}`,
	},
	Gemini: {
		path:       "/gemini/v1beta/models/gemini-x:generateContent",
		streamPath: "/gemini/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
		header:     map[string]string{"X-Goog-Api-Key": "k"},
		ask: `{"systemInstruction":{"parts":[{"text":"Be brief."}]},` +
			`"contents":[{"role":"user","parts":[{"text":%q}]}]}`,
		streamed: `{"contents":[{"role":"user","parts":[{"text":%q}]}]}`,
	},
}

type response struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

func post(t *testing.T, srv *httptest.Server, path, body string, header map[string]string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := srv.Client().Do(req)
	if err != nil {
		return response{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return response{status: res.StatusCode, header: res.Header, body: string(b), err: err}
}

func with(h map[string]string, more ...string) map[string]string {
	out := map[string]string{}
	for k, v := range h {
		out[k] = v
	}
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// decoded reads JSON into the plain Go values.
func decoded(t *testing.T, body string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, body)
	}
	return v
}

func TestWholeAnswersInEachDialectsShape(t *testing.T) {
	answer := fixed{Text: "Approved.", Reasoning: 5, Cached: 4}
	want := map[Dialect]string{
		OpenAI: `{"id":"chatcmpl-ID","object":"chat.completion","created":946684800,"model":"gpt-x","choices":[{"index":0,
			"message":{"role":"assistant","content":"Approved.","refusal":null,"annotations":[]},"logprobs":null,
			"finish_reason":"stop"}],"usage":{"prompt_tokens":21,"completion_tokens":7,"total_tokens":28,
			"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":5,
			"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default",
			"system_fingerprint":"fp_51m0000001"}`,
		Anthropic: `{"model":"claude-x","id":"msg_ID","type":"message","role":"assistant","content":[{"type":"text",
			"text":"Approved."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":17,
			"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":0,
			"ephemeral_1h_input_tokens":0},"output_tokens":7,"service_tier":"standard"}}`,
		Gemini: `{"candidates":[{"content":{"role":"model","parts":[{"text":"Approved."}]},"finishReason":"STOP","index":0}],
			"usageMetadata":{"promptTokenCount":19,"candidatesTokenCount":2,"totalTokenCount":26,"cachedContentTokenCount":4,
			"promptTokensDetails":[{"modality":"TEXT","tokenCount":19}],"thoughtsTokenCount":5},"modelVersion":"gemini-x",
			"responseId":"ID"}`,
	}
	for d, sd := range sides {
		t.Run(string(d), func(t *testing.T) {
			s, srv := start(t, Config{Answers: answer, Now: millennium})
			got := post(t, srv, sd.path, fmt.Sprintf(sd.ask, "Has Invoice #402 been approved?"), sd.header)
			if got.status != 200 || got.header.Get("Content-Type") != "application/json" {
				t.Fatalf("status %d, %v: %s", got.status, got.header, got.body)
			}
			id := s.Requests()[0].Response
			if diff := cmp.Diff(decoded(t, strings.ReplaceAll(want[d], "ID", id)), decoded(t, got.body)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			row := s.Requests()[0]
			wantRow := Request{
				ID: got.header.Get("X-Request-Id"), Response: id, Model: row.Model, Dialect: d, Status: 200,
				Input: row.Input, Output: 7, Cached: answer.Cached,
			}
			if diff := cmp.Diff(wantRow, row); diff != "" {
				t.Errorf("recorded request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusedRequests(t *testing.T) {
	o, an, g := sides[OpenAI], sides[Anthropic], sides[Gemini]
	longPrompt := strings.Repeat("word ", 1200)
	for _, tc := range []struct {
		name   string
		side   side
		path   string // "" = the side's
		header map[string]string
		body   string
		status int
		want   string // part of the error body
	}{
		{"openai no key", o, "", map[string]string{}, "{}", 401, `"code":null`},
		{"openai wrong key", o, "", map[string]string{"Authorization": "Bearer z"}, "{}", 401, `"code":"invalid_api_key"`},
		{"openai no json", o, "", nil, "{", 400, "We could not parse the JSON body"},
		{"openai duplicate key", o, "", nil, `{"model":"a","model":"b"}`, 400, "We could not parse the JSON body"},
		{"openai null", o, "", nil, "null", 400, "We could not parse the JSON body"},
		{
			"openai strange member", o, "", nil, `{"model":"gpt-x","thinking":1}`, 400,
			"Unrecognized request argument supplied: thinking",
		},
		{"openai no model", o, "", nil, `{"messages":[]}`, 400, "you must provide a model parameter"},
		{
			"openai model of another dialect", o, "", nil,
			`{"model":"claude-x","messages":[{"role":"user","content":"q"}]}`, 404, `"code":"model_not_found"`,
		},
		{"openai no messages", o, "", nil, `{"model":"gpt-x","messages":[]}`, 400, "empty array"},
		{"openai wrong role", o, "", nil, `{"model":"gpt-x","messages":[{"role":"human","content":"q"}]}`, 400, "'human'"},
		{"openai null content", o, "", nil, `{"model":"gpt-x","messages":[{"role":"user","content":null}]}`, 400, "got null"},
		{
			"openai strange part", o, "", nil,
			`{"model":"gpt-x","messages":[{"role":"user","content":[{"type":"tool_use"}]}]}`, 400, "'tool_use'",
		},
		{
			"openai orphan tool result", o, "", nil,
			`{"model":"gpt-x","messages":[{"role":"tool","tool_call_id":"c","content":"1"}]}`, 400, "must be a response",
		},
		{
			"openai open tool call", o, "", nil, `{"model":"gpt-x","messages":[{"role":"assistant","tool_calls":[{"id":"c",` +
				`"type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"q"}]}`, 400,
			"did not have response messages: c",
		},
		{
			"openai temperature", o, "", nil,
			`{"model":"gpt-x","temperature":2.5,"messages":[{"role":"user","content":"q"}]}`, 400, `"param":"temperature"`,
		},
		{"openai both limits", o, "", nil, `{"model":"gpt-x","max_tokens":1,"max_completion_tokens":1,"messages":[` +
			`{"role":"user","content":"q"}]}`, 400, "at the same time"},
		{
			"openai zero limit", o, "", nil, `{"model":"gpt-x","max_tokens":0,"messages":[{"role":"user","content":"q"}]}`, 400,
			"below minimum",
		},
		{"openai stream_options alone", o, "", nil, `{"model":"gpt-x","stream_options":{"include_usage":true},"messages":[` +
			`{"role":"user","content":"q"}]}`, 400, "only allowed when 'stream'"},
		{"openai n", o, "", nil, `{"model":"gpt-x","n":0,"messages":[{"role":"user","content":"q"}]}`, 400, `"param":"n"`},
		{
			"openai reasoning model", o, "", nil, `{"model":"o-x","max_tokens":9,"messages":[{"role":"user","content":"q"}]}`,
			400, `"code":"unsupported_parameter"`,
		},
		{
			"openai reasoning model, temperature", o, "", nil,
			`{"model":"o-x","temperature":0.2,"messages":[{"role":"user","content":"q"}]}`, 400,
			"'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
		},
		{
			"openai reasoning model, top_p", o, "", nil,
			`{"model":"o-x","temperature":1,"top_p":0.9,"messages":[{"role":"user","content":"q"}]}`, 400,
			`"param":"top_p","code":"unsupported_value"`,
		},
		{
			"openai call without a type", o, "", nil, `{"model":"gpt-x","messages":[{"role":"assistant","tool_calls":[{"id":"c",` +
				`"function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"1"}]}`, 400,
			"'messages[0].tool_calls[0].type'",
		},
		{
			"openai function result without a name", o, "", nil,
			`{"model":"gpt-x","messages":[{"role":"function","content":"1"}]}`, 400, "'messages[0].name'",
		},
		{"openai function without a name", o, "", nil, `{"model":"gpt-x","functions":[{"parameters":{}}],"messages":[` +
			`{"role":"user","content":"q"}]}`, 400, "functions[0].name"},
		{"openai json_object without the word", o, "", nil, `{"model":"gpt-x","response_format":{"type":"json_object"},` +
			`"messages":[{"role":"user","content":"q"}]}`, 400, "must contain the word 'json'"},
		{"openai loose strict schema", o, "", nil, `{"model":"gpt-x","response_format":{"type":"json_schema",` +
			`"json_schema":{` +
			`"name":"s","strict":true,"schema":{"type":"object","properties":{}}}},"messages":[{"role":"user",` +
			`"content":"q"}]}`, 400, "additionalProperties"},
		{
			"openai tool choice without tools", o, "", nil,
			`{"model":"gpt-x","tool_choice":"auto","messages":[{"role":"user","content":"q"}]}`, 400, "'tools' are specified",
		},
		{"openai window", o, "", nil, fmt.Sprintf(o.ask, longPrompt), 400, `"code":"context_length_exceeded"`},

		{
			"anthropic no key", an, "",
			map[string]string{"Anthropic-Version": "2023-06-01"},
			"{}", 401,
			`"type":"authentication_error"`,
		},
		{"anthropic wrong key", an, "", map[string]string{"X-Api-Key": "z"}, "{}", 401, "invalid x-api-key"},
		{
			"anthropic no version", an, "",
			map[string]string{"X-Api-Key": "k"},
			"{}", 400,
			"anthropic-version: header is required",
		},
		{"anthropic strange member", an, "", nil, `{"model":"claude-x","n":1}`, 400, "n: Extra inputs are not permitted"},
		{"anthropic no limit", an, "", nil, `{"model":"claude-x","messages":[]}`, 400, "max_tokens: Field required"},
		{
			"anthropic temperature", an, "", nil,
			`{"model":"claude-x","max_tokens":1,"temperature":1.5,"messages":[{"role":"user","content":"q"}]}`, 400,
			"range: 0..1",
		},
		{
			"anthropic model", an, "", nil, `{"model":"no","max_tokens":1,"messages":[{"role":"user","content":"q"}]}`, 404,
			`"type":"not_found_error","message":"model: no"`,
		},
		{
			"anthropic system role", an, "", nil,
			`{"model":"claude-x","max_tokens":1,"messages":[{"role":"system","content":"q"}]}`, 400, "'user' or 'assistant'",
		},
		{"anthropic server block of a user", an, "", nil, `{"model":"claude-x","max_tokens":1,"messages":[{"role":"user",` +
			`"content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}}]}]}`, 400, "'server_tool_use'"},
		{
			"anthropic negative limit", an, "", nil,
			`{"model":"claude-x","max_tokens":-1,"messages":[{"role":"user","content":"q"}]}`, 400, "equal to 0",
		},
		{"anthropic empty block", an, "", nil, `{"model":"claude-x","max_tokens":1,"messages":[{"role":"user","content":[` +
			`{"type":"text","text":""}]}]}`, 400, "must be non-empty"},
		{"anthropic open tool call", an, "", nil, `{"model":"claude-x","max_tokens":1,"messages":[{"role":"user",` +
			`"content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},` +
			`{"role":"user","content":"well?"}]}`, 400, "without `tool_result` blocks immediately after: t"},
		{"anthropic orphan result", an, "", nil, `{"model":"claude-x","max_tokens":1,"messages":[{"role":"user","content":[` +
			`{"type":"tool_result","tool_use_id":"t","content":"1"}]}]}`, 400, "unexpected `tool_use_id`"},
		{"anthropic window", an, "", nil, fmt.Sprintf(an.ask, longPrompt), 400, "tokens > 1000 maximum"},

		{"gemini no key", g, "", map[string]string{}, "{}", 403, `"status":"PERMISSION_DENIED"`},
		{"gemini wrong key", g, "", map[string]string{"X-Goog-Api-Key": "z"}, "{}", 400, "API_KEY_INVALID"},
		{
			"gemini model", g, "/gemini/v1beta/models/no:generateContent", nil, fmt.Sprintf(g.ask, "q"), 404,
			`"status":"NOT_FOUND"`,
		},
		{"gemini method", g, "/gemini/v1beta/models/gemini-x:embed", nil, fmt.Sprintf(g.ask, "q"), 404, "Method not found"},
		{"gemini no contents", g, "", nil, `{}`, 400, "contents is not specified"},
		{"gemini strange member", g, "", nil, `{"contents":[],"max_tokens":1}`, 400, `Unknown name \"max_tokens\"`},
		{
			"gemini strange config", g, "", nil,
			`{"contents":[{"parts":[{"text":"q"}]}],"generationConfig":{"max_tokens":1}}`, 400, "at 'generation_config'",
		},
		{
			"gemini role", g, "", nil, `{"contents":[{"role":"assistant","parts":[{"text":"q"}]}]}`, 400,
			"valid role: user, model",
		},
		{"gemini empty part", g, "", nil, `{"contents":[{"role":"user","parts":[]}]}`, 400, "parts must not be empty"},
		{"gemini schema without type", g, "", nil, `{"contents":[{"parts":[{"text":"q"}]}],"generationConfig":{` +
			`"responseSchema":{"type":"OBJECT"}}}`, 400, "response_mime_type"},
		{
			"gemini unpaired call", g, "", nil, `{"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[` +
				`{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"text":"well?"}]}]}`, 400,
			"number of function response parts",
		},
		{"gemini window", g, "", nil, fmt.Sprintf(g.ask, longPrompt), 400, "exceeds the maximum number of tokens"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, srv := start(t, Config{Key: "k"})
			path, header := tc.path, tc.header
			if path == "" {
				path = tc.side.path
			}
			if header == nil {
				header = tc.side.header
			}
			got := post(t, srv, path, tc.body, header)
			if got.status != tc.status || !strings.Contains(got.body, tc.want) {
				t.Errorf("status %d, want %d with %s:\n%s", got.status, tc.status, tc.want, got.body)
			}
			decoded(t, got.body)
			if st := s.Stats(); st.Requests != 1 {
				t.Errorf("%d requests counted, want 1", st.Requests)
			}
		})
	}
}

func TestBodyOverTheLimitIsRefused(t *testing.T) {
	_, srv := start(t, Config{MaxBody: 64})
	sd := sides[Anthropic]
	got := post(t, srv, sd.path, fmt.Sprintf(sd.ask, strings.Repeat("x", 100)), sd.header)
	if got.status != 413 || !strings.Contains(got.body, "request_too_large") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}

func TestRequestIDIsEchoedAndKept(t *testing.T) {
	s, srv := start(t, Config{Keep: 2})
	sd := sides[OpenAI]
	for _, id := range []string{"a", "b", "c"} {
		got := post(t, srv, sd.path, fmt.Sprintf(sd.ask, "q"), with(sd.header, "X-Request-Id", id))
		if got.header.Get("X-Request-Id") != id {
			t.Errorf("x-request-id %q, want %q", got.header.Get("X-Request-Id"), id)
		}
	}
	rows := s.Requests()
	if len(rows) != 2 || rows[0].ID != "b" || rows[1].ID != "c" {
		t.Errorf("kept %+v, want b and c", rows)
	}
}

func TestSameContentSameBytes(t *testing.T) {
	var bodies []string
	for range 2 {
		_, srv := start(t, Config{Seed: 7, Now: millennium})
		for d, sd := range sides {
			if d == Gemini {
				bodies = append(bodies, post(t, srv, sd.streamPath, fmt.Sprintf(sd.streamed, "q"), sd.header).body)
			}
		}
	}
	if bodies[0] != bodies[1] || bodies[0] == "" {
		t.Errorf("two runs differ:\n%s\n%s", bodies[0], bodies[1])
	}
}

func TestModelsAreListed(t *testing.T) {
	_, srv := start(t, Config{})
	req, _ := http.NewRequest(http.MethodGet, srv.URL+"/v1/models", nil)
	req.Header.Set("Authorization", "Bearer any")
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if !strings.Contains(string(b), `"gpt-x"`) || strings.Contains(string(b), `"claude-x"`) {
		t.Errorf("models: %s", b)
	}
}

func TestBadConfigurations(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no models":     {Config{}, "no models"},
		"no id":         {Config{Models: []Model{{}}}, "no id"},
		"twice":         {Config{Models: []Model{{ID: "a"}, {ID: "a"}}}, "twice"},
		"dialect":       {Config{Models: []Model{{ID: "a", Dialect: "cohere"}}}, "unknown dialect"},
		"fault":         {Config{Models: []Model{{ID: "a", Faults: []Rate{{Fault{Kind: "418"}, 1}}}}}, "unknown fault"},
		"negative rate": {Config{Models: []Model{{ID: "a", Faults: []Rate{{Fault{Kind: "cut"}, -1}}}}}, "negative"},
		"more than all": {Config{Models: []Model{{ID: "a", Faults: []Rate{{Fault{Kind: "cut"}, 10001}}}}}, "add up"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tc.cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("New: %v, want %q", err, tc.want)
			}
		})
	}
}

// serveOnce sends a body to a dialect without a network and returns the status.
func serveOnce(s *Sim, sd side, body string) int {
	r := httptest.NewRequest(http.MethodPost, sd.path, strings.NewReader(body))
	for k, v := range sd.header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}
