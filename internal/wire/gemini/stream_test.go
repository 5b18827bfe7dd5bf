package gemini

import (
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/sse"
)

func chunk(members string) string {
	return `data: {` + members + `,"modelVersion":"gemini-3-pro","responseId":"r1"}` + "\r\n\r\n"
}

func say(parts string) string {
	return `"candidates":[{"content":{"role":"model","parts":[` + parts + `]},"index":0}]`
}

func usage1(out, thoughts string) string {
	return `"usageMetadata":{"promptTokenCount":20,"cachedContentTokenCount":5,"candidatesTokenCount":` + out +
		`,"thoughtsTokenCount":` + thoughts + `}`
}

// recorded is a stream with a thought, text cut inside an escape's neighbourhood, a signature and a call.
var recorded = chunk(say(`{"text":"I must ","thought":true}`)+`,"usageMetadata":{"promptTokenCount":20,`+
	`"totalTokenCount":20}`) +
	chunk(say(`{"text":"look.","thought":true}`)+","+usage1("0", "7")) +
	chunk(say(`{"text":"One \"mo"}`)+","+usage1("2", "7")) +
	chunk(say(`{"text":"ment\" \u00e9"}`)+","+usage1("4", "7")) +
	chunk(say(`{"functionCall":{"name":"find","args":{"id":"4\u00302"}},"thoughtSignature":"c2ln"}`)+","+usage1("9",
		"7")) +
	chunk(`"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],`+
		``+usage1("11", "8"))

var recordedUsage = llm.Usage{Input: 15, CacheRead: 5, Output: 11, Reasoning: 8}

func readAll(t testing.TB, r wire.StreamReader, stream string) []llm.Delta {
	t.Helper()
	f := sse.NewFramer(strings.NewReader(stream))
	var out []llm.Delta
	for {
		fr, err := f.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Read(append([]byte(nil), fr.Raw...))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
}

// eventsOf leaves out the meters but the last, which comes at the end.
func eventsOf(ds []llm.Delta) []llm.Event {
	var out []llm.Event
	var last *llm.Usage
	for _, d := range ds {
		for _, ev := range d.Events {
			if ev.Kind == llm.EvMeter {
				last = ev.Usage
				continue
			}
			out = append(out, ev)
		}
	}
	if last != nil {
		out = append(out, llm.Event{Kind: llm.EvMeter, Usage: last})
	}
	return out
}

func TestStreamFull(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	ds := readAll(t, r, recorded)
	sig := []byte(`{"thoughtSignature":"c2ln"}`)
	want := []llm.Event{
		{Kind: llm.EvStart, ID: "r1", Model: "gemini-3-pro"},
		{Kind: llm.EvThink, Text: "I must "},
		{Kind: llm.EvThink, Text: "look."},
		{Kind: llm.EvText, Text: `One "mo`},
		{Kind: llm.EvText, Text: `ment" é`},
		{Kind: llm.EvToolStart, ID: "call_r1_0", Name: "find", Opaque: sig},
		{Kind: llm.EvToolArgs, Text: `{"id":"4\u00302"}`},
		{Kind: llm.EvStop, Stop: llm.StopToolUse},
		{Kind: llm.EvMeter, Usage: &recordedUsage},
	}
	if d := cmp.Diff(want, eventsOf(ds)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	for i, d := range ds {
		if d.Terminal != (i == len(ds)-1) {
			t.Errorf("frame %d: terminal %v", i, d.Terminal)
		}
	}
	got, complete := r.Finish()
	find := toolUse("call_r1_0", "find", `{"id":"4\u00302"}`)
	find.Opaque = sig
	answer := &llm.Response{ID: "r1", Model: "gemini-3-pro", Usage: &recordedUsage, Choices: []llm.Choice{{
		Stop: llm.StopToolUse, Parts: []llm.Part{{Kind: llm.Reasoning, Text: "I must look."}, text(`One "moment" é`), find},
	}}}
	if d := cmp.Diff(answer, got); d != "" || !complete {
		t.Errorf("complete %v; answer (-want +got):\n%s", complete, d)
	}
}

func TestStreamLive(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{})
	ds := readAll(t, r, recorded)
	raw, n := "", 0
	for _, d := range ds {
		raw += string(d.Raw)
		n += d.Bytes
		for _, ev := range d.Events {
			if ev.Kind == llm.EvText || ev.Kind == llm.EvThink {
				t.Errorf("a live stream decodes %+v", ev)
			}
		}
	}
	if raw != recorded {
		t.Error("the frames are not the provider's bytes")
	}
	if want := len(`I must look.One \"moment\" \u00e9{"id":"4\u00302"}`); n != want {
		t.Errorf("text bytes = %d, want %d", n, want)
	}
	last := ds[len(ds)-1].Events
	want := []llm.Event{{Kind: llm.EvStop, Stop: llm.StopToolUse}, {Kind: llm.EvMeter, Usage: &recordedUsage}}
	if d := cmp.Diff(want, last); d != "" {
		t.Errorf("last events (-want +got):\n%s", d)
	}
	if answer, complete := r.Finish(); answer != nil || !complete {
		t.Errorf("Finish = %v, %v", answer, complete)
	}
}

func TestStreamOfSeveralCandidates(t *testing.T) {
	two := func(a, b, finish string) string {
		return chunk(`"candidates":[{"content":{"parts":[{"text":"` + a + `"}]}` + finish +
			`},{"content":{"parts":[{"text":"` + b +
			`"}]},"index":1}],` + usage1("1", "0"))
	}
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	readAll(t, r, two("a", "x", "")+two("b", "y", `,"finishReason":"STOP"`))
	if _, complete := r.Finish(); complete {
		t.Error("complete before the second candidate finished")
	}
	readAll(t, r, chunk(`"candidates":[{"index":1,"finishReason":"SAFETY"}],`+usage1("4", "0")))
	got, complete := r.Finish()
	want := []llm.Choice{
		{Stop: llm.StopEnd, Parts: []llm.Part{text("ab")}}, {Stop: llm.StopFilter, Parts: []llm.Part{text("xy")}},
	}
	if d := cmp.Diff(want, got.Choices); d != "" || !complete {
		t.Errorf("complete %v; choices (-want +got):\n%s", complete, d)
	}
}

func TestStreamSignedText(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	readAll(t, r, chunk(say(`{"text":"a"}`))+chunk(say(`{"text":"b"}`))+chunk(say(`{"text":"",`+
		`"thoughtSignature":"dA=="}`))+
		chunk(say(`{"text":"c"}`)))
	got, _ := r.Finish()
	signed := text("")
	signed.Opaque = jsontext.Value(`{"thoughtSignature":"dA=="}`)
	if d := cmp.Diff([]llm.Part{text("ab"), signed, text("c")}, got.Choices[0].Parts); d != "" {
		t.Errorf("parts (-want +got):\n%s", d)
	}
}

func TestStreamUsageMayComeAfterTheStop(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{})
	ds := readAll(t, r, chunk(`"candidates":[{"finishReason":"STOP"}]`)+chunk(usage1("3", "0"))+chunk(usage1("4", "0")))
	if evs := ds[0].Events; evs[len(evs)-1].Kind != llm.EvStop || !ds[0].Terminal || !ds[1].Terminal {
		t.Errorf("deltas %+v", ds)
	}
	if evs := ds[2].Events; len(evs) != 1 || evs[0].Kind != llm.EvMeter || evs[0].Usage.Output != 4 {
		t.Errorf("events with the last usage: %+v", evs)
	}
}

// A candidate that is first heard of after the others have finished is not lost.
func TestStreamOfACandidateThatComesLate(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	ds := readAll(t, r,
		chunk(`"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","index":0}],`+usage1("1", "0"))+
			chunk(`"candidates":[{"content":{"parts":[{"text":"b"}]},"index":1}]`)+
			chunk(`"candidates":[{"finishReason":"MAX_TOKENS","index":1}],`+usage1("2", "0")))
	for _, ev := range eventsOf(ds) {
		if ev.Kind == llm.EvEnd {
			t.Error("an end mark is told, which the dialect does not have")
		}
	}
	got, complete := r.Finish()
	want := []llm.Choice{
		{Stop: llm.StopEnd, Parts: []llm.Part{text("a")}}, {Stop: llm.StopLength, Parts: []llm.Part{text("b")}},
	}
	if d := cmp.Diff(want, got.Choices); d != "" || !complete {
		t.Errorf("complete %v; choices (-want +got):\n%s", complete, d)
	}
}

func TestStreamOfABlockedPrompt(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	ds := readAll(t, r, chunk(`"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}`))
	text := "The provider blocked the prompt (SAFETY)."
	want := []llm.Event{
		{Kind: llm.EvStart, ID: "r1", Model: "gemini-3-pro"},
		{Kind: llm.EvRefusal, Text: text},
		{Kind: llm.EvStop, Stop: llm.StopFilter},
		{Kind: llm.EvMeter, Usage: &llm.Usage{Input: 3}},
	}
	if d := cmp.Diff(want, ds[0].Events); d != "" || !ds[0].Terminal {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if got, complete := r.Finish(); !complete || got.Choices[0].Parts[0].Text != text {
		t.Errorf("Finish = %+v, %v", got, complete)
	}
}

func TestStreamThatWasCutIsNotComplete(t *testing.T) {
	whole := strings.SplitAfter(recorded, "\r\n\r\n")
	for n := range whole[:len(whole)-1] {
		r := Back{}.Stream(wire.StreamOptions{})
		readAll(t, r, strings.Join(whole[:n], ""))
		if _, complete := r.Finish(); complete {
			t.Errorf("complete after %d frames", n)
		}
	}
}

func TestStreamError(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{})
	ds := readAll(t, r, recorded+`data: {"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}`+"\n\n")
	ev := ds[len(ds)-1].Events[0]
	if ev.Kind != llm.EvError || ev.Err.Code != llm.CodeRate || ev.Err.Upstream != 429 {
		t.Errorf("event %+v", ev)
	}
	if _, complete := r.Finish(); complete {
		t.Error("complete after an error")
	}
}

func TestStreamFramesThatCannotBeRead(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{})
	for _, f := range []string{"data: [DONE]\n\n", "data: {\n\n", "data: {\"candidates\":{}}\n\n"} {
		if _, err := r.Read([]byte(f)); err == nil || llm.AsError(err).Code != llm.CodeUpstream {
			t.Errorf("%q: error = %v", f, err)
		}
	}
	if d, err := r.Read([]byte("\n")); err != nil || len(d.Events) != 0 {
		t.Errorf("a blank line: %+v, %v", d, err)
	}
}
