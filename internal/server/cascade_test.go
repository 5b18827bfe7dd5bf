package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/sim"
)

func TestEveryDialectReachesEveryProvider(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	for _, deployment := range []string{"flash", "mini", "sonnet", "gpt"} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("chat/%s/stream=%v", deployment, stream), func(t *testing.T) {
				a := h.post("/v1/chat/completions", chat(deployment, "how many?", stream))
				if a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
				if stream {
					if !strings.Contains(a.body, `"finish_reason":"stop"`) || !strings.HasSuffix(a.body, "data: [DONE]\n\n") {
						t.Errorf("stream:\n%s", a.body)
					}
				} else if got := a.json(t, "choices", "0", "message", "content"); got != "42" {
					t.Errorf("content = %q", got)
				}
				check(t, h, a, deployment)
			})
			t.Run(fmt.Sprintf("messages/%s/stream=%v", deployment, stream), func(t *testing.T) {
				a := h.post("/v1/messages", messages(deployment, "how many?", stream), "anthropic-version", "2023-06-01")
				if a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
				if stream {
					if !strings.Contains(a.body, "event: message_start\n") || !strings.Contains(a.body, "event: message_stop\n") {
						t.Errorf("stream:\n%s", a.body)
					}
				} else if got := a.json(t, "content", "0", "text"); got != "42" {
					t.Errorf("text = %q", got)
				}
				check(t, h, a, deployment)
			})
		}
	}
}

// check compares what the ledger says of a call with what the provider counted.
func check(t *testing.T, h *house, a answer, deployment string) {
	t.Helper()
	s := h.story(a)
	if want := deployment + ":ok:accepted"; s.path() != want {
		t.Errorf("attempts = %q, want %q", s.path(), want)
	}
	all := h.sim.Requests()
	last := all[len(all)-1]
	if got := s.Attempts[0]; got.Settlement != "settled" || got.Usage["input"] != last.Input || got.Usage["output"] != last.Output {
		t.Errorf("ledger says %+v, the provider counted %d in, %d out", got, last.Input, last.Output)
	}
}

func TestTheCheapestLayerAnswers(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		h := open(t, fixed{"flash-wire": "7"})
		a := h.post("/v1/chat/completions", chat("counting", "how many?", stream))
		if s := h.story(a); s.path() != "flash:ok:accepted" || !strings.Contains(a.body, "7") {
			t.Errorf("stream=%v: %s\n%s", stream, s.path(), a.body)
		}
		if got := a.header.Get("X-Weir-Layer"); got != "1" {
			t.Errorf("x-weir-layer = %q", got)
		}
	}
}

func TestARejectedAnswerEscalatesAndIsNeverSeen(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		h := open(t, fixed{"flash-wire": "seven or so", "gpt-wire": "1234"})
		a := h.post("/v1/chat/completions", chat("counting", "how many?", stream))
		s := h.story(a)
		if want := "flash:ok:rejected gpt:ok:accepted"; s.path() != want {
			t.Errorf("attempts = %q, want %q", s.path(), want)
		}
		if strings.Contains(a.body, "or so") {
			t.Errorf("the rejected answer reached the caller:\n%s", a.body)
		}
		if s.Attempts[0].Check != "number" || !strings.Contains(string(s.Attempts[1].Notes), "number") {
			t.Errorf("the reason is lost: %+v", s.Attempts)
		}
	}
}

func TestEveryProviderFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"500", "503", "429", "cut", "garbage", "error200", "truncated"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			h := open(t, fixed{})
			a := h.post("/v1/chat/completions", chat("counting", "how many? [[sim:"+fault+"]]", true))
			s := h.story(a)
			if s.Answered || strings.Contains(a.body, "[DONE]") || !strings.Contains(a.body, `"error"`) {
				t.Errorf("status %d, %s\n%s", a.status, s.path(), a.body)
			}
			if a.status == 200 && !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
				t.Errorf("status 200 without a stream: %s", a.body)
			}
		})
	}
}

// TestARequestThatTheFirstModelRefusesEscalates holds that a small model that cannot take the request does not end a cascade
// that has a larger one.
func TestARequestThatTheFirstModelRefusesEscalates(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]string{
		"too long": `{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error",` +
			`"param":"messages","code":"context_length_exceeded"}}`,
		"unknown parameter": `{"error":{"message":"Unsupported parameter: 'seed'","type":"invalid_request_error","param":"seed"}}`,
	} {
		h := played(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(bodyOf(t, r), "mini-wire") {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = fmt.Fprint(w, refusal)
				return
			}
			whole(w, "42", 10, 5)
		})
		a := h.post("/v1/chat/completions", chat("counting", "q", false))
		if want := "mini:failed:errored gpt:ok:accepted"; a.status != 200 || h.story(a).path() != want {
			t.Errorf("%s: %d %s, want %s: %s", name, a.status, h.story(a).path(), want, a.body)
		}
	}
}

func TestAFailingProviderFallsBack(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	a := h.post("/v1/chat/completions", chat("counting", "how many? [[sim:500x1]]", false))
	if s := h.story(a); a.status != 200 || s.path() != "flash:failed:errored mini:failed:errored flash:ok:accepted" {
		t.Errorf("%d %s", a.status, s.path())
	}
}

func TestABriefLayerNeverSeesRawHistory(t *testing.T) {
	t.Parallel()
	seen := make(chan sim.Query, 2)
	h := open(t, spy{seen})
	long := strings.Repeat("The supplier wrote again about delivery windows and pallets in general terms. ", 400)
	body := fmt.Sprintf(`{"model":"briefed","messages":[{"role":"user","content":%q},{"role":"assistant","content":"noted"},`+
		`{"role":"user","content":"How many units of PO-7731 must not ship before 2026-03-01?"}]}`,
		long+"Units of PO-7731 must not ship before 2026-03-01. The order PO-7731 is for 480 units. "+long)
	a := h.post("/v1/chat/completions", body)
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	raw, brief := <-seen, <-seen
	if raw.Model != "flash-wire" || brief.Model != "opus-wire" {
		t.Fatalf("models %s, %s", raw.Model, brief.Model)
	}
	var text strings.Builder
	for _, turn := range brief.Turns {
		text.WriteString(turn.Text)
	}
	if !strings.Contains(text.String(), "480 units") || !strings.Contains(text.String(), "must not ship before 2026-03-01") {
		t.Errorf("the brief lost a fact:\n%s", text.String())
	}
	if text.Len() > len(long) {
		t.Errorf("the brief has %d bytes of %d", text.Len(), 2*len(long))
	}
	if s := h.story(a); !strings.Contains(string(s.Attempts[1].Notes), "brief_sha256") {
		t.Errorf("the ledger keeps nothing of the brief: %+v", s.Attempts[1])
	}
	direct := h.post("/v1/chat/completions", chat("opus", "raw, please", false))
	if direct.status != 403 || !strings.Contains(direct.body, "--raw-context") {
		t.Errorf("naming a brief-only deployment: %d %s", direct.status, direct.body)
	}
}

// spy answers the edge wrongly and keeps what every model was asked.
type spy struct{ seen chan sim.Query }

func (s spy) Answer(q sim.Query) (sim.Answer, error) {
	s.seen <- q
	if q.Model == "flash-wire" {
		return sim.Answer{Text: "unclear"}, nil
	}
	return sim.Answer{Text: "480"}, nil
}

// TestAHeldStreamIsReplayedAsItCame holds that the frames of a judged stream reach the caller whole and in order, and tell
// no usage that was not asked for.
func TestAHeldStreamIsReplayedAsItCame(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{"flash-wire": "unclear", "mini-wire": "1234567890123456789012345678901234567890"})
	c := h.config(strings.Replace(layout, "use: [flash, mini]", "use: [mini]", 1), h.providers)
	c.Listen.API, c.Listen.Admin = "127.0.0.1:0", "127.0.0.1:0"
	if err := h.server.Reload(c); err != nil {
		t.Fatal(err)
	}
	a := h.post("/v1/chat/completions", chat("counting", "how many?", true))
	frames := strings.Split(strings.TrimSuffix(a.body, "\n\n"), "\n\n")
	text := ""
	for i, f := range frames {
		data, ok := strings.CutPrefix(f, "data: ")
		last := i == len(frames)-1
		if !ok || last != (data == "[DONE]") {
			t.Fatalf("frame %d is %q", i, f)
		}
		if last {
			break
		}
		one := answer{body: data}
		if finished := one.json(t, "choices", "0", "finish_reason") == "stop"; finished != (i == len(frames)-2) {
			t.Errorf("frame %d of %d: %s", i, len(frames), data)
		}
		if part := one.json(t, "choices", "0", "delta", "content"); part != "<nil>" {
			text += part
		}
	}
	if text != "1234567890123456789012345678901234567890" || strings.Contains(a.body, "usage") {
		t.Errorf("%q in\n%s", text, a.body)
	}
}

// A doubtful answer goes on to the next layer; the grade and its signs stay with the attempt, passed or not.
func TestADoubtfulAnswerEscalatesAndItsGradeIsKept(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"48 / 6 = 9 boxes, and then": "mini:ok:rejected gpt:ok:accepted", "48 / 6 = 8 boxes.": "mini:ok:accepted",
	} {
		h := played(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":`+
				`{"role":"assistant","content":"`+text+`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":9,`+
				`"total_tokens":18}}`)
		}, `{regex: '^\d+$'}`, `{doubt: 50%}`)
		s := h.story(h.post("/v1/chat/completions", chat("counting", "How many boxes of 6 are 48 eggs?", false)))
		if s.path() != want {
			t.Errorf("%s: attempts = %q, want %q", text, s.path(), want)
		}
		if first := string(s.Attempts[0].Notes); !strings.Contains(first, `"doubt":{"score":0.`) || strings.Contains(first, "eggs") {
			t.Errorf("%s: notes %s", text, first)
		}
	}
}
