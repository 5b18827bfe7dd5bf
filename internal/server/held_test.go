package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// quick makes keep-alives come while a test waits for them.
var quick = []string{"    match: [\"counting\"]\n", "    match: [\"counting\"]\n    stream: {keepalive_after: 50ms}\n"}

// speech is one dialect of clients: what it asks, what keeps it awake, how it is told of an error and of the end.
type speech struct {
	name, path         string
	ask                func(model, question string, stream bool) string
	alive, inBand, end string
}

// speeches are the dialects that clients stream in. The played route's providers speak the first one's.
func speeches() []speech {
	return []speech{{
		name: "chat", path: "/v1/chat/completions", ask: chat, alive: ": weir\n", inBand: `data: {"error":`, end: doneChunk,
	}, {
		name: "messages", path: "/v1/messages", ask: messages, alive: "event: ping\n", inBand: "event: error\n", end: "message_stop",
	}}
}

// waiting is a provider that says nothing to a model until told, and then answers it.
type waiting struct {
	model string // whose answers wait
	tell  chan []string
	asked chan bool
	left  chan bool
	rest  []string // what the others answer
}

func newWaiting(model string, rest ...string) *waiting {
	return &waiting{model, make(chan []string), make(chan bool, 8), make(chan bool, 8), rest}
}

func (p *waiting) handler(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		put := sse(w)
		if !strings.Contains(bodyOf(t, r), p.model) {
			put(p.rest...)
			return
		}
		_ = http.NewResponseController(w).Flush()
		p.asked <- true
		for {
			select {
			case frames, more := <-p.tell:
				if !more {
					return
				}
				put(frames...)
			case <-r.Context().Done():
				p.left <- true
				return
			}
		}
	}
}

func answerChunks(text string) []string {
	return []string{chunk(0, text, ""), chunk(0, "", "stop"), usageChunk, doneChunk}
}

// TestAClientOfAHeldStreamIsKeptAwake waits for keep-alives before the cheap layer answers, and then for the answer.
func TestAClientOfAHeldStreamIsKeptAwake(t *testing.T) {
	t.Parallel()
	for _, s := range speeches() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newWaiting("mini-wire")
			h := played(t, p.handler(t), quick...)
			resp := h.stream(s.path, s.ask("counting", "q", true))
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("%d %v", resp.StatusCode, resp.Header)
			}
			if got := resp.Header.Get("X-Weir-Layer") + resp.Header.Get("X-Weir-Model"); got != "" {
				t.Errorf("headers name a layer or model before any has answered: %s", got)
			}
			seen := read(t, resp.Body, s.alive)
			seen += read(t, resp.Body, s.alive)
			if strings.Trim(strings.ReplaceAll(strings.ReplaceAll(seen, s.alive, ""), `data: {"type": "ping"}`, ""), "\n") != "" {
				t.Errorf("more than keep-alives came before the answer:\n%s", seen)
			}
			p.tell <- answerChunks("42")
			close(p.tell)
			rest := read(t, resp.Body, s.end)
			if !strings.Contains(rest, "42") {
				t.Errorf("the answer:\n%s", rest)
			}
			if start, _, ok := strings.Cut(rest, "event: content_block_start"); ok && !strings.Contains(start, `"input_tokens":10,`) {
				t.Errorf("the usage is known before the answer leaves, and its beginning does not tell it:\n%s", start)
			}
			st := h.story(answer{header: resp.Header})
			if st.path() != "mini:ok:accepted" || st.Attempts[0].Clocks.FirstByte >= st.Attempts[0].Clocks.Accepted {
				t.Errorf("%s %+v: the first byte came before the accepted one", st.path(), st.Attempts[0].Clocks)
			}
		})
	}
}

// TestAfterKeepAlivesErrorsAreToldInTheStream has the cascade fail, and break, after status 200 has left.
func TestAfterKeepAlivesErrorsAreToldInTheStream(t *testing.T) {
	t.Parallel()
	for _, s := range speeches() {
		for what, last := range map[string][]string{
			"cut":     {chunk(0, "4", ""), `data: {"id":"c","obj`},
			"refused": {`data: {"error":{"message":"down","type":"server_error","code":null,"param":null}}` + "\n\n"},
		} {
			t.Run(s.name+"/"+what, func(t *testing.T) {
				t.Parallel()
				p := newWaiting("mini-wire", last...)
				h := played(t, p.handler(t), quick...)
				resp := h.stream(s.path, s.ask("counting", "q", true))
				read(t, resp.Body, s.alive)
				p.tell <- answerChunks("no number")
				close(p.tell)
				rest, err := io.ReadAll(resp.Body)
				if err != nil || !strings.Contains(string(rest), s.inBand) || strings.Contains(string(rest), s.end) ||
					strings.Contains(string(rest), "no number") {
					t.Errorf("%v:\n%s", err, rest)
				}
			})
		}
	}
}

// TestNoLayerPassedIsToldInTheStream holds that clients which ask again by themselves are told not to.
func TestNoLayerPassedIsToldInTheStream(t *testing.T) {
	t.Parallel()
	p := newWaiting("mini-wire", answerChunks("neither")...)
	h := played(t, p.handler(t), append(quick, "- {name: top, use: [gpt]}", "- {name: top, use: [gpt], checks: [number]}")...)
	resp := h.stream("/v1/chat/completions", chat("counting", "q", true))
	read(t, resp.Body, ": weir\n")
	p.tell <- answerChunks("no number")
	close(p.tell)
	rest := read(t, resp.Body, "\n\n")
	if !strings.Contains(rest, `"code":"validation_exhausted"`) || !strings.Contains(rest, `"type":"invalid_request_error"`) {
		t.Errorf("%s", rest)
	}
	if st := h.story(answer{header: resp.Header}); st.path() != "mini:ok:rejected gpt:ok:rejected" {
		t.Errorf("%s", st.path())
	}
}

// TestALayerIsGivenUpAtItsTime has the cheap provider say nothing: the next layer answers, and the silence is booked.
func TestALayerIsGivenUpAtItsTime(t *testing.T) {
	t.Parallel()
	p := newWaiting("mini-wire", answerChunks("from the top")...)
	h := played(t, p.handler(t), quick[0], strings.Replace(quick[1], "50ms", "50ms, give_up_after: 150ms", 1))
	a := h.post("/v1/chat/completions", chat("counting", "q", true))
	if !strings.Contains(a.body, "from the top") || !strings.HasPrefix(a.body, ": weir\n") {
		t.Errorf("%s", a.body)
	}
	<-p.left
	st := h.story(a)
	if got := h.get(h.admin + "/metrics").body; !strings.Contains(got, `weir_given_up_total{layer="edge",route="counting"} 1`) ||
		!strings.Contains(got, `weir_keepalives_total{route="counting"}`) {
		t.Errorf("metrics:\n%s", got)
	}
	if st.path() != "mini:aborted:errored gpt:ok:accepted" || st.Attempts[0].Error != "given_up" || st.Attempts[0].Cost == "0" {
		t.Errorf("%s %+v", st.path(), st.Attempts[0])
	}
}

// TestALeavingClientOfAHeldStreamEndsTheCall leaves between two keep-alives.
func TestALeavingClientOfAHeldStreamEndsTheCall(t *testing.T) {
	t.Parallel()
	p := newWaiting("mini-wire")
	h := played(t, p.handler(t), quick...)
	ctx, leave := context.WithCancel(t.Context())
	resp, err := http.DefaultClient.Do(h.request(ctx, "/v1/chat/completions", chat("counting", "q", true)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	read(t, resp.Body, ": weir\n")
	leave()
	<-p.left
	id := resp.Header.Get("X-Request-Id")
	eventually(t, "the attempt is booked", func() bool {
		return h.get(h.url+"/api/v1/calls/"+id, "Authorization", "Bearer "+h.key).status == http.StatusOK
	})
	if st := h.story(answer{header: resp.Header}); st.path() != "mini:aborted:errored" || st.Attempts[0].Error != "canceled" {
		t.Errorf("%s %+v", st.path(), st.Attempts)
	}
}

// toolFrames are a tool call in pieces, in the dialect of a chat.
func toolFrames() (start, rest string) {
	frame := func(delta string) string {
		return `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[` +
			delta + `]},"finish_reason":null}]}` + "\n\n"
	}
	return frame(`{"index":0,"id":"call_1","type":"function","function":{"name":"pay","arguments":""}}`),
		frame(`{"index":0,"function":{"arguments":"{\"amount\":1}"}}`)
}

// TestALiveToolCallWaitsForItsEnd holds that no part of a tool call leaves before all of it has come, while the client
// is kept awake; the text before it streams.
func TestALiveToolCallWaitsForItsEnd(t *testing.T) {
	t.Parallel()
	start, rest := toolFrames()
	for _, s := range speeches() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newWaiting("gpt-wire", answerChunks("no number")...)
			h := played(t, p.handler(t), quick...)
			resp := h.stream(s.path, s.ask("counting", "q", true))
			p.tell <- []string{chunk(0, "I will pay", "")}
			read(t, resp.Body, "I will pay")
			p.tell <- []string{start}
			seen := read(t, resp.Body, s.alive)
			seen += read(t, resp.Body, s.alive)
			if strings.Contains(seen, "pay") {
				t.Errorf("a part of the tool call left before its end:\n%s", seen)
			}
			p.tell <- []string{rest, chunk(0, "", "tool_calls"), usageChunk, doneChunk}
			close(p.tell)
			if got := read(t, resp.Body, s.end); !strings.Contains(got, "call_1") || !strings.Contains(got, "amount") {
				t.Errorf("the tool call:\n%s", got)
			}
		})
	}
}

// TestAHeldAnswerCountsAgainstTheBytesInFlight holds an answer that does not fit, and then another that does.
func TestAHeldAnswerCountsAgainstTheBytesInFlight(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("1", 100<<10)
	p := func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(bodyOf(t, r), `"stream":true`) {
			whole(w, strings.Repeat(text, 12), 10, 5)
			return
		}
		put := sse(w)
		for range 8 {
			put(chunk(0, text, ""))
		}
		put(answerChunks("1")...)
	}
	h := played(t, p, "limits: {", "limits: {body: 64 KiB, inflight: 1 MiB, ")
	for _, stream := range []bool{true, false} {
		a := h.post("/v1/chat/completions", chat("counting", "q", stream))
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "limits.inflight") {
			t.Errorf("stream=%v: %d %s", stream, a.status, a.body)
		}
		if st := h.story(a); st.path() != "mini:cut:errored" {
			t.Errorf("%s", st.path())
		}
	}
	if _, err := h.server.Probe(t.Context(), "gpt"); err == nil || !strings.Contains(err.Error(), "in memory") {
		t.Errorf("a probe's answer counts too: %v", err)
	}
	if got := h.get(h.admin + "/metrics").body; !strings.Contains(got, "\nweir_inflight_bytes 0\n") {
		t.Errorf("bytes were not given back:\n%s", got)
	}
}

// TestAnswersOfSeveralChoicesAllPassOrNone asks for two answers of which one fails.
func TestAnswersOfSeveralChoicesAllPassOrNone(t *testing.T) {
	t.Parallel()
	p := newWaiting("mini-wire", chunk(0, "1", ""), chunk(1, "2", ""), chunk(0, "", "stop"), chunk(1, "", "stop"), usageChunk, doneChunk)
	h := played(t, p.handler(t))
	body := strings.Replace(chat("counting", "q", true), `{"model"`, `{"n":2,"model"`, 1)
	go func() {
		p.tell <- []string{
			chunk(0, "42", ""), chunk(1, "many", ""), chunk(0, "", "stop"), chunk(1, "", "stop"), usageChunk, doneChunk,
		}
		close(p.tell)
	}()
	a := h.post("/v1/chat/completions", body)
	st := h.story(a)
	if st.path() != "mini:ok:rejected gpt:ok:accepted" || strings.Contains(a.body, "42") || strings.Contains(a.body, "many") {
		t.Errorf("%s\n%s", st.path(), a.body)
	}
	for i := range 2 {
		if !strings.Contains(a.body, fmt.Sprintf(`"index":%d`, i)) {
			t.Errorf("choice %d is missing:\n%s", i, a.body)
		}
	}
}
