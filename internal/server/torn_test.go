package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// delta is a frame of a streamed chat answer with this delta.
func delta(members string) string {
	return `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + members +
		`,"finish_reason":null}]}` + "\n\n"
}

// pay offers a tool in both dialects.
func (s speech) pay(model string, stream bool) string {
	tools := `{"tools":[{"type":"function","function":{"name":"pay","parameters":{"type":"object"}}}],"model"`
	if s.name == "messages" {
		tools = `{"tools":[{"name":"pay","input_schema":{"type":"object"}}],"model"`
	}
	return strings.Replace(s.ask(model, "q", stream), `{"model"`, tools, 1)
}

// TestWhatFindsNoRoomIsNotDeliveredInPart has an accepted answer run out of memory while it is handed over.
func TestWhatFindsNoRoomIsNotDeliveredInPart(t *testing.T) {
	t.Parallel()
	piece := strings.Repeat("1", 45<<10)
	p := func(w http.ResponseWriter, _ *http.Request) {
		put := sse(w)
		put(delta(`{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"pay","arguments":"{\"iban\":\""}}]}`))
		for range 8 {
			put(delta(fmt.Sprintf(`{"tool_calls":[{"index":0,"function":{"arguments":%q}}]}`, piece)))
		}
		put(delta(`{"tool_calls":[{"index":0,"function":{"arguments":"\"}"}}]}`), chunk(0, "", "tool_calls"), usageChunk, doneChunk)
	}
	for _, s := range speeches() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			h := played(t, p, "limits: {", "limits: {body: 64 KiB, inflight: 1 MiB, ", "use: [mini], checks: [number]", "use: [mini]")
			a := h.post(s.path, s.pay("counting", true))
			whole := strings.Count(a.body, "1111111111")*10 >= 8*(45<<10)-100
			if a.status == http.StatusOK && !whole && (!strings.Contains(a.body, s.inBand) || strings.Contains(a.body, s.end)) {
				t.Errorf("a part of a tool call was delivered as the whole: %s", h.story(a).path())
			}
		})
	}
}

// TestNoRoomIsNotTheCallersLeaving books a live tool call that found no room as what it was.
func TestNoRoomIsNotTheCallersLeaving(t *testing.T) {
	t.Parallel()
	start, _ := toolFrames()
	p := func(w http.ResponseWriter, r *http.Request) {
		put := sse(w)
		if strings.Contains(bodyOf(t, r), "mini-wire") {
			put(answerChunks("no number")...)
			return
		}
		put(chunk(0, "I will pay", ""), start)
		for range 20 {
			put(delta(`{"tool_calls":[{"index":0,"function":{"arguments":"` + strings.Repeat("1", 60<<10) + `"}}]}`))
		}
		put(chunk(0, "", "tool_calls"), usageChunk, doneChunk)
	}
	h := played(t, p, "limits: {", "limits: {body: 64 KiB, inflight: 1 MiB, ")
	st := h.story(h.post("/v1/chat/completions", chat("counting", "q", true)))
	if last := st.Attempts[len(st.Attempts)-1]; last.Deployment != "gpt" || last.Error != "overloaded" {
		t.Errorf("%s, error %q", st.path(), last.Error)
	}
}

// TestACommentIsNoAnswer has the first deployment of a live layer say that it works, and fail: the second one answers.
func TestACommentIsNoAnswer(t *testing.T) {
	t.Parallel()
	p := func(w http.ResponseWriter, r *http.Request) {
		put := sse(w)
		if strings.Contains(bodyOf(t, r), "mini-wire") {
			put(": PROCESSING\n\n")
			put(`data: {"error":{"message":"down","type":"server_error","code":null,"param":null}}` + "\n\n")
			return
		}
		put(append([]string{": PROCESSING\n\n"}, answerChunks("from the second")...)...)
	}
	for _, s := range speeches() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			h := played(t, p, "- {name: edge, use: [mini], checks: [number]}\n", "", "use: [gpt]}", "use: [mini, gpt]}")
			a := h.post(s.path, s.ask("counting", "q", true))
			if st := h.story(a); st.path() != "mini:cut:errored gpt:ok:accepted" || !strings.Contains(a.body, "from the second") {
				t.Errorf("%d %s\n%s", a.status, st.path(), a.body)
			}
			if want := s.name == "chat"; strings.Contains(a.body, ": PROCESSING") != want {
				t.Errorf("what the second deployment sent before its answer passes on in its own dialect:\n%s", a.body)
			}
		})
	}
}

// TestOddToolCallsWaitForTheirEndToo are a live call whose name comes late, and one of a custom tool.
func TestOddToolCallsWaitForTheirEndToo(t *testing.T) {
	t.Parallel()
	for name, frames := range map[string][]string{
		"name later": {
			delta(`{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"arguments":""}}]}`),
			delta(`{"tool_calls":[{"index":0,"function":{"name":"pay"}}]}`),
		},
		"custom": {
			delta(`{"tool_calls":[{"index":0,"id":"call_1","type":"custom","custom":{"name":"pay","input":""}}]}`),
			delta(`{"tool_calls":[{"index":0,"custom":{"input":"transfer 1"}}]}`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newWaiting("gpt-wire", answerChunks("no number")...)
			h := played(t, p.handler(t), quick...)
			resp := h.stream("/v1/chat/completions", speeches()[0].pay("counting", true))
			p.tell <- []string{chunk(0, "I will pay", "")}
			read(t, resp.Body, "I will pay")
			p.tell <- frames
			if seen := read(t, resp.Body, ": weir\n"); strings.Contains(seen, "call_1") || strings.Contains(seen, "transfer") {
				t.Errorf("a part of the tool call left before its end:\n%s", seen)
			}
			close(p.tell)
		})
	}
}

// TestALayerThatCannotReadTheRequestIsToldOf sends a tool that only its own dialect has a word for.
func TestALayerThatCannotReadTheRequestIsToldOf(t *testing.T) {
	t.Parallel()
	h := played(t, func(w http.ResponseWriter, _ *http.Request) { whole(w, "42", 10, 5) })
	body := strings.Replace(chat("counting", "q", false), `{"model"`, `{"tools":[{"type":"custom","custom":{"name":"pay"}}],"model"`, 1)
	st := h.story(h.post("/v1/chat/completions", body))
	if st.path() != "gpt:ok:accepted" || !strings.Contains(string(st.Attempts[0].Notes), `"layer":"edge"`) {
		t.Errorf("%s; nothing is told of the layer that was passed over: %s", st.path(), st.Attempts[0].Notes)
	}
}

// TestAStreamHasItsEnd plays providers that tell why the model stopped and then hang, or close, without an end.
func TestAStreamHasItsEnd(t *testing.T) {
	t.Parallel()
	for _, held := range []bool{false, true} {
		for _, s := range speeches() {
			for _, hang := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/held=%v/hang=%v", s.name, held, hang), func(t *testing.T) {
					t.Parallel()
					p := func(w http.ResponseWriter, r *http.Request) {
						b, put := bodyOf(t, r), sse(w)
						if strings.Contains(b, "opus-wire") {
							put(messageStart, blockStart, blockDelta, blockStop, messageDelta)
						} else {
							put(chunk(0, "HELLO", ""), chunk(0, "", "stop"), usageChunk)
						}
						if hang {
							<-r.Context().Done()
						}
					}
					model := map[string]string{"chat": "gpt", "messages": "opus"}[s.name]
					layers := "- {name: only, use: [" + model + "]}\n"
					if held {
						layers += "      - {name: top, use: [" + model + "]}\n"
					}
					const was = "- {name: edge, use: [mini], checks: [number]}\n      - {name: top, use: [gpt]}\n  farther"
					h := played(t, p, was, layers+"  farther")
					resp := h.stream(s.path, s.ask("counting", "q", true))
					all, err := io.ReadAll(resp.Body)
					if err != nil || !strings.Contains(string(all), s.end) && !strings.Contains(string(all), s.inBand) {
						t.Errorf("%v: no end and no error:\n%s", err, all)
					}
				})
			}
		}
	}
}

// TestASealedAnswerIsNotMended holds that no answer loses what its model signed because its arguments had a comma too many.
func TestASealedAnswerIsNotMended(t *testing.T) {
	t.Parallel()
	const call = `"tool_calls":[{"index":0,"id":"call_1","type":"function","extra_content":{"google":{"thought_signature":"SIGNED"}},` +
		`"function":{"name":"pay","arguments":"{\"amount\":1,}"}}]`
	p := func(w http.ResponseWriter, r *http.Request) {
		b := bodyOf(t, r)
		if strings.Contains(b, "gpt-wire") {
			if strings.Contains(b, `"stream":true`) {
				sse(w)(answerChunks("from the top")...)
			} else {
				whole(w, "from the top", 10, 5)
			}
			return
		}
		if strings.Contains(b, `"stream":true`) {
			sse(w)(delta("{"+call+"}"), chunk(0, "", "tool_calls"), usageChunk, doneChunk)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":`+
			`"assistant","content":null,`+call+`},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`)
	}
	for _, stream := range []bool{true, false} {
		h := played(t, p, "use: [mini], checks: [number]", "use: [mini]")
		a := h.post("/v1/chat/completions", speeches()[0].pay("counting", stream))
		if st := h.story(a); st.path() != "mini:ok:rejected gpt:ok:accepted" || !strings.Contains(a.body, "from the top") {
			t.Errorf("stream=%v: %s\n%s", stream, st.path(), a.body)
		}
	}
}

// TestCopiesOfAnswersCountForShadowsThatWait holds that large answers do not pile up beside limits.inflight.
func TestCopiesOfAnswersCountForShadowsThatWait(t *testing.T) {
	t.Parallel()
	const calls, fit = 24, 10 // 3 MiB each, of 32 MiB
	asked := make(chan struct{}, calls)
	_, changes := blocked(t, asked)
	big := strings.Repeat("word ", (3<<20)/5)
	h := played(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(bodyOf(t, r), "mini-wire") {
			message(w, big, 10, 5)
			return
		}
		asked <- struct{}{}
		<-r.Context().Done()
	}, changes...)
	for range calls {
		if a := h.post("/v1/chat/completions", capped("watched", "how many?", false)); a.status != http.StatusOK {
			t.Fatalf("%d", a.status)
		}
	}
	dropped := 0
	for line := range strings.Lines(h.get(h.admin + "/metrics").body) {
		if strings.HasPrefix(line, "weir_shadows_total{") && strings.Contains(line, `outcome="dropped"`) {
			_, _ = fmt.Sscanf(line[strings.LastIndex(line, " ")+1:], "%d", &dropped)
		}
	}
	if dropped < calls-fit {
		t.Errorf("%d of %d shadows were dropped, want at least %d", dropped, calls, calls-fit)
	}
}
