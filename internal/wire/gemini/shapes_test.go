package gemini

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

func TestNullsAndOddPartsSayNothing(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		parts      []llm.Part
	}{
		{"null content", `{"candidates":[{"content":null,"finishReason":"STOP"}]}`, nil},
		{
			"null feedback and usage", `{"candidates":[{"finishReason":"STOP"}],"promptFeedback":null,"usageMetadata":null}`,
			nil,
		},
		{"parts of its own tools", `{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1"}},
			{"codeExecutionResult":{"output":"1"}},{"text":"one"}]},"finishReason":"STOP"}]}`, []llm.Part{text("one")}},
		{"empty text", `{"candidates":[{"content":{"parts":[{"text":""},{}]},"finishReason":"STOP"}]}`, nil},
		{
			"a call without arguments", `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":null}}]}}]}`,
			[]llm.Part{toolUse("call_0", "f", "{}")},
		},
		{
			"grounding", `{"candidates":[{"content":{"parts":[{"text":"x"}]},"groundingMetadata":{"webSearchQueries":["q"]}}]}`,
			[]llm.Part{text("x")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Back{}.Response([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.parts, r.Choices[0].Parts); d != "" || r.Usage != nil {
				t.Errorf("usage %v; parts (-want +got):\n%s", r.Usage, d)
			}
			events, _, err := Back{}.Peek([]byte(tt.body))
			if err != nil || events[0].Kind != llm.EvStart {
				t.Errorf("Peek: %+v, %v", events, err)
			}
			s := Back{}.Stream(wire.StreamOptions{Full: true})
			readAll(t, s, "data: "+oneLine(tt.body)+"\n\n")
			got, _ := s.Finish()
			if d := cmp.Diff(tt.parts, got.Choices[0].Parts); d != "" {
				t.Errorf("streamed parts (-want +got):\n%s", d)
			}
		})
	}
}

func oneLine(s string) string {
	out := []byte(s)
	for i, b := range out {
		if b == '\n' || b == '\t' {
			out[i] = ' '
		}
	}
	return string(out)
}

// Ids are unique within an answer and across answers, since results of several turns are matched by them.
func TestCallIDs(t *testing.T) {
	for _, tt := range []struct {
		told, answer string
		n            int
		want         string
	}{{"own", "r1", 3, "own"}, {"", "r1", 0, "call_r1_0"}, {"", "r1", 1, "call_r1_1"}, {"", "", 2, "call_2"}} {
		if got := callID(tt.told, tt.answer, tt.n); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	r := Back{}.Stream(wire.StreamOptions{})
	two := say(`{"functionCall":{"name":"f"}},{"functionCall":{"name":"f"}}`)
	ds := readAll(t, r, chunk(two)+chunk(two)+chunk(`"candidates":[{"finishReason":"STOP"}]`))
	seen := map[string]bool{}
	for _, ev := range eventsOf(ds) {
		if ev.Kind == llm.EvToolStart {
			if seen[ev.ID] {
				t.Errorf("the id %s stands for two calls", ev.ID)
			}
			seen[ev.ID] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d calls", len(seen))
	}
}

// Pictures that a model made are in the answer; a stream tells them only there.
func TestPicturesOfAnAnswer(t *testing.T) {
	const parts = `{"text":"Here:"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}},{"text":"Done."}`
	want := []llm.Part{
		text("Here:"), {Kind: llm.Media, Media: &llm.MediaPart{MIME: "image/png", Data: "iVBO"}}, text("Done."),
	}
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	ds := readAll(t, r, chunk(say(parts))+chunk(`"candidates":[{"finishReason":"STOP"}]`))
	got, complete := r.Finish()
	if d := cmp.Diff(want, got.Choices[0].Parts); d != "" || !complete {
		t.Errorf("complete %v; parts (-want +got):\n%s", complete, d)
	}
	whole, err := Back{}.Response([]byte(`{` + say(parts) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, whole.Choices[0].Parts); d != "" {
		t.Errorf("whole (-want +got):\n%s", d)
	}
	said := ""
	for _, ev := range eventsOf(ds) {
		said += ev.Text
	}
	if said != "Here:Done." {
		t.Errorf("the stream says %q", said)
	}
}

// A result's media follow it in the same turn; without a type they are refused, as they are elsewhere.
func TestResultsWithMedia(t *testing.T) {
	shot := llm.Part{Kind: llm.Media, Media: &llm.MediaPart{MIME: "image/png", Data: "iVBO"}}
	q := llm.Request{Messages: []llm.Message{
		user(text("hi")), model(toolUse("c", "shot", "{}")), user(toolResult("c", false, text("done"), shot)),
	}}
	w, err := Back{}.Encode(&q, order("gemini-2.5-pro"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"contents":[{"role":"user","parts":[{"text":"hi"}]},` +
		`{"role":"model","parts":[{"functionCall":{"id":"c","name":"shot","args":{}}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"id":"c","name":"shot","response":{"output":"done"}}},` +
		`{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]}],"generationConfig":{"maxOutputTokens":100}}`
	if d := cmp.Diff(want, string(w.Body[0])); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
	shot.Media.MIME = ""
	if _, err := (Back{}).Encode(&q, order("gemini-2.5-pro")); err == nil {
		t.Error("media without a type are sent")
	}
}

// A prompt that is blocked after all, twice, is refused once.
func TestStreamOfAPromptBlockedTwice(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	blocked := chunk(`"promptFeedback":{"blockReason":"OTHER"}`)
	ds := readAll(t, r, blocked+blocked)
	refusals := 0
	for _, ev := range eventsOf(ds) {
		if ev.Kind == llm.EvRefusal {
			refusals++
		}
	}
	if got, complete := r.Finish(); refusals != 1 || !complete || len(got.Choices[0].Parts) != 1 {
		t.Errorf("%d refusals, complete %v, answer %+v", refusals, complete, got)
	}
}
