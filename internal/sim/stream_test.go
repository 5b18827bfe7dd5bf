package sim

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func millennium() time.Time { return time.Unix(946684800, 0) }

// frames cuts a stream at blank lines and drops the ids.
func frames(body, id string) []string {
	body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), id, "ID")
	return strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
}

const chunkHead = `data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":946684800,"model":"gpt-x",` +
	`"service_tier":"default","system_fingerprint":"fp_51m0000001","choices":[`

func TestStreamedAnswersInEachDialectsGrammar(t *testing.T) {
	answer := fixed{Text: "It is approved.", Calls: []Call{{Name: "pay", Args: []byte(`{"a":1}`)}}}
	choice := func(delta, finish string) string {
		return `{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}`
	}
	usage := `{"prompt_tokens":8,"completion_tokens":14,"total_tokens":22,"prompt_tokens_details":{"cached_tokens":0,` +
		`"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,` +
		`"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`
	zero := `"cache_creation_input_tokens":0,"cache_read_input_tokens":0,` +
		`"cache_creation":{"ephemeral_5m_input_tokens":0,` +
		`"ephemeral_1h_input_tokens":0}`
	gem := func(cand, counts string) string {
		return `data: {"candidates":[` + cand + `],"usageMetadata":{"promptTokenCount":6,` + counts +
			`"promptTokensDetails":[{"modality":"TEXT","tokenCount":6}]},"modelVersion":"gemini-x","responseId":"ID"}`
	}
	want := map[Dialect][]string{
		OpenAI: {
			chunkHead + choice(`{"role":"assistant","content":""}`, "null") + `],"usage":null}`,
			chunkHead + choice(`{"content":"It is approved."}`, "null") + `],"usage":null}`,
			chunkHead + choice(`{"tool_calls":[{"index":0,"id":"call_ID00","type":"function","function":{"name":"pay",`+
				`"arguments":""}}]}`, "null") + `],"usage":null}`,
			chunkHead + choice(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1"}}]}`, "null") + `],"usage":null}`,
			chunkHead + choice(`{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}`, "null") + `],"usage":null}`,
			chunkHead + choice(`{}`, `"tool_calls"`) + `],"usage":null}`,
			chunkHead + `],"usage":` + usage + `}`,
			"data: [DONE]",
		},
		Anthropic: {
			"event: message_start\n" + `data: {"type":"message_start","message":{"model":"claude-x","id":"msg_ID","type":` +
				`"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":8,` +
				zero + `,"output_tokens":1,"service_tier":"standard"}}}`,
			"event: content_block_start\n" +
				`data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
			"event: ping\n" + `data: {"type":"ping"}`,
			"event: content_block_delta\n" +
				`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"It is approved."}}`,
			"event: content_block_stop\n" + `data: {"type":"content_block_stop","index":0}`,
			"event: content_block_start\n" + `data: {"type":"content_block_start","index":1,"content_block":{"type":` +
				`"tool_use","id":"toolu_ID0","name":"pay","input":{}}}`,
			"event: content_block_delta\n" +
				`data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}`,
			"event: content_block_delta\n" +
				`data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1"}}`,
			"event: content_block_delta\n" +
				`data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"}"}}`,
			"event: content_block_stop\n" + `data: {"type":"content_block_stop","index":1}`,
			"event: message_delta\n" + `data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},` +
				`"usage":{"input_tokens":8,` + zero + `,"output_tokens":14,"service_tier":"standard"}}`,
			"event: message_stop\n" + `data: {"type":"message_stop"}`,
		},
		Gemini: {
			gem(`{"content":{"role":"model","parts":[{"text":"It is approved."}]},"index":0}`,
				`"candidatesTokenCount":4,"totalTokenCount":10,`),
			gem(`{"content":{"role":"model","parts":[{"functionCall":{"name":"pay","args":{"a":1}}}]},"finishReason":"STOP",`+
				`"index":0}`, `"candidatesTokenCount":14,"totalTokenCount":20,`),
		},
	}
	for d, sd := range sides {
		t.Run(string(d), func(t *testing.T) {
			s, srv := start(t, Config{Answers: answer, Now: millennium})
			got := post(t, srv, sd.streamPath, fmt.Sprintf(sd.streamed, "q"), sd.header)
			if got.header.Get("Content-Type") != "text/event-stream; charset=utf-8" || got.err != nil {
				t.Fatalf("%v %v", got.header, got.err)
			}
			if crlf := strings.Contains(got.body, "\r\n\r\n"); crlf != (d == Gemini) {
				t.Errorf("CRLF line ends: %v", crlf)
			}
			row := s.Requests()[0]
			if diff := cmp.Diff(want[d], frames(got.body, row.Response)); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
			if row.Output != 14 || !row.Stream {
				t.Errorf("recorded %+v, want 14 output tokens", row)
			}
		})
	}
}

func TestUsageChunkComesOnlyWhenAskedFor(t *testing.T) {
	_, srv := start(t, Config{})
	got := post(t, srv, sides[OpenAI].path, `{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"q"}]}`,
		sides[OpenAI].header)
	if strings.Contains(got.body, "usage") || !strings.HasSuffix(got.body, "data: [DONE]\n\n") {
		t.Errorf("stream without stream_options:\n%s", got.body)
	}
}

func TestGeminiStreamWithoutSSEIsAnArray(t *testing.T) {
	_, srv := start(t, Config{Answers: fixed{Text: strings.Repeat("word ", 20)}})
	got := post(t, srv, "/gemini/v1beta/models/gemini-x:streamGenerateContent", fmt.Sprintf(sides[Gemini].ask, "q"),
		sides[Gemini].header)
	if n := len(decoded(t, got.body).([]any)); n < 2 {
		t.Errorf("%d answer objects, want several:\n%s", n, got.body)
	}
}

func TestAnswerIsCutAtTheLimit(t *testing.T) {
	for d, want := range map[Dialect]string{
		OpenAI: `"finish_reason":"length"`, Anthropic: `"stop_reason":"max_tokens"`,
		Gemini: `"finishReason":"MAX_TOKENS"`,
	} {
		t.Run(string(d), func(t *testing.T) {
			s, srv := start(t, Config{Answers: fixed{Text: strings.Repeat(" word", 50)}})
			body := map[Dialect]string{
				OpenAI:    `{"model":"gpt-x","max_completion_tokens":10,"messages":[{"role":"user","content":"q"}]}`,
				Anthropic: `{"model":"claude-x","max_tokens":10,"messages":[{"role":"user","content":"q"}]}`,
				Gemini:    `{"contents":[{"parts":[{"text":"q"}]}],"generationConfig":{"maxOutputTokens":10}}`,
			}[d]
			got := post(t, srv, sides[d].path, body, sides[d].header)
			if !strings.Contains(got.body, want) || s.Requests()[0].Output != 10 {
				t.Errorf("want %s and 10 tokens, got %d: %s", want, s.Requests()[0].Output, got.body)
			}
		})
	}
}

func TestRefusalInEachDialectsOwnField(t *testing.T) {
	for d, want := range map[Dialect]string{
		OpenAI:    `"content":null,"refusal":"I can't say."`,
		Anthropic: `"stop_reason":"refusal"`, Gemini: `"content":{},"finishReason":"PROHIBITED_CONTENT"`,
	} {
		_, srv := start(t, Config{Answers: fixed{Text: "I can't say.", Finish: FinishRefusal}})
		got := post(t, srv, sides[d].path, fmt.Sprintf(sides[d].ask, "q"), sides[d].header)
		if !strings.Contains(got.body, want) {
			t.Errorf("%s: want %s:\n%s", d, want, got.body)
		}
	}
}

func TestSeveralChoicesAreBilledTogether(t *testing.T) {
	s, srv := start(t, Config{Answers: fixed{Text: "Yes."}})
	got := post(t, srv, sides[OpenAI].path, `{"model":"gpt-x","n":3,"messages":[{"role":"user","content":"q"}]}`,
		sides[OpenAI].header)
	if n := strings.Count(got.body, `"finish_reason":"stop"`); n != 3 || s.Requests()[0].Output != 6 {
		t.Errorf("%d choices, %d tokens: %s", n, s.Requests()[0].Output, got.body)
	}
}

// timed is a response writer that notes when the first and the last byte came.
type timed struct {
	*httptest.ResponseRecorder
	from        time.Time
	first, last time.Duration
}

func (w *timed) Write(b []byte) (int, error) {
	if w.last = time.Since(w.from); w.first == 0 {
		w.first = w.last
	}
	return w.ResponseRecorder.Write(b)
}

func clocked(t *testing.T, s *Sim, body string) *timed {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer k")
	w := &timed{ResponseRecorder: httptest.NewRecorder(), from: time.Now()}
	s.ServeHTTP(w, r)
	return w
}

func TestLatencyFollowsTheModel(t *testing.T) {
	streamed := `{"model":"m","stream":true,"messages":[{"role":"user","content":"q"}]}`
	whole := `{"model":"m","messages":[{"role":"user","content":"q"}]}`
	for _, tc := range []struct {
		name        string
		body        string
		speed       int
		first, last time.Duration
	}{
		{"streamed", streamed, 1, 150 * time.Millisecond, 1150 * time.Millisecond}, // 100 tokens at 100 a second
		{"whole", whole, 1, 1150 * time.Millisecond, 1150 * time.Millisecond},
		{"streamed 10x", streamed, 10, 15 * time.Millisecond, 115 * time.Millisecond},
		{"whole 10x", whole, 10, 115 * time.Millisecond, 115 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := New(Config{
					Speed: tc.speed, Answers: fixed{Text: strings.Repeat(" word", 100)},
					Models: []Model{{ID: "m", TTFT: 150 * time.Millisecond, TPS: 100}},
				})
				if err != nil {
					t.Fatal(err)
				}
				w := clocked(t, s, tc.body)
				if w.first != tc.first || w.last != tc.last {
					t.Errorf("first %v, last %v; want %v, %v", w.first, w.last, tc.first, tc.last)
				}
			})
		})
	}
}

func TestLatencySpreadsAboutItsMedian(t *testing.T) {
	s, err := New(Config{Seed: 2026, Models: []Model{{ID: "m", TTFT: time.Second, Sigma: 0.3}}})
	if err != nil {
		t.Fatal(err)
	}
	below, wide := 0, 0
	for i := range 1000 {
		p := s.pace(&ask{model: s.models["m"], Query: Query{Seed: uint64(i)}})
		if p.first < time.Second {
			below++
		}
		if p.first < 549*time.Millisecond || p.first > 1822*time.Millisecond { // beyond 2 sigma
			wide++
		}
	}
	if below < 470 || below > 530 || wide < 25 || wide > 70 {
		t.Errorf("%d of 1000 below the median, %d beyond two sigma", below, wide)
	}
}

func TestClientThatLeavesIsBilledForWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{
			Answers: fixed{Text: strings.Repeat(" word", 100)},
			Models:  []Model{{ID: "m", TTFT: time.Second, TPS: 100}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, stream := range []string{"true", "false"} {
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			r := httptest.NewRequestWithContext(ctx, "POST", "/v1/chat/completions", strings.NewReader(
				`{"model":"m","stream":`+stream+`,"messages":[{"role":"user","content":"q"}]}`))
			r.Header.Set("Authorization", "Bearer k")
			s.ServeHTTP(httptest.NewRecorder(), r)
			cancel()
			rows := s.Requests()
			got := rows[len(rows)-1]
			if !got.Canceled || got.Status != http.StatusOK || got.Output < 48 || got.Output > 52 {
				t.Errorf("stream %s: %+v, want canceled after about 50 tokens", stream, got)
			}
		}
		if n := s.Stats().Models["m"].Canceled; n != 2 {
			t.Errorf("%d canceled, want 2", n)
		}
	})
}
