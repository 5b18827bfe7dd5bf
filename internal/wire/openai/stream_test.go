package openai

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/sse"
)

// said is what a stream told in all.
type said struct {
	raw      string
	events   []llm.Event
	bytes    int
	terminal int // number of the first terminal frame, from 1
	answer   *llm.Response
	complete bool
	err      error
}

// readStream reads a stream as the gateway does, up to the first error.
func readStream(t testing.TB, stream string, o wire.StreamOptions) said {
	t.Helper()
	f, r := sse.NewFramer(strings.NewReader(stream)), Back{}.Stream(o)
	var s said
	var out bytes.Buffer
	for n := 1; ; n++ {
		frame, err := f.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Read(frame.Raw)
		if err != nil {
			s.err = err
			break
		}
		out.Write(d.Raw)
		s.events = append(s.events, d.Events...)
		s.bytes += d.Bytes
		if d.Terminal && s.terminal == 0 {
			s.terminal = n
		} else if !d.Terminal && s.terminal > 0 {
			t.Errorf("frame %d is not terminal, but one before it was", n)
		}
	}
	s.raw = out.String()
	s.answer, s.complete = r.Finish()
	return s
}

// frames makes a stream of chunks; each is a JSON text or a bare word.
func frames(chunks ...string) string {
	var b strings.Builder
	for _, c := range chunks {
		b.WriteString("data: " + c + "\n\n")
	}
	return b.String()
}

const (
	chunkHead = `{"id":"c1","object":"chat.completion.chunk","created":7,"model":"gpt-4o","system_fingerprint":"fp",`
	roleChunk = chunkHead + `"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":nul` +
		`l,"finish_reason":null}],"usage":null}`
	textChunk = chunkHead + `"choices":[{"index":0,"delta":{"content":"He said \"yes\""},"logprobs":null,"f` +
		`inish_reason":null}],"usage":null}`
	stopChunk = chunkHead + `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}`
	useChunk  = chunkHead + `"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}`
)

var (
	startEvent = llm.Event{Kind: llm.EvStart, ID: "c1", Model: "gpt-4o", Fingerprint: "fp"}
	stopEvent  = llm.Event{Kind: llm.EvStop, Stop: llm.StopEnd}
	useEvent   = llm.Event{Kind: llm.EvMeter, Usage: &llm.Usage{Input: 12, Output: 5}}
	endEvent   = llm.Event{Kind: llm.EvEnd}
)

func TestStreamLight(t *testing.T) {
	in := ": keep-alive\n\n" + frames(roleChunk, textChunk, textChunk, stopChunk, useChunk, "[DONE]")
	s := readStream(t, in, wire.StreamOptions{})
	if s.err != nil || !s.complete || s.answer != nil || s.raw != in {
		t.Errorf("error %v, complete %v, answer %v, bytes same %v", s.err, s.complete, s.answer, s.raw == in)
	}
	if d := cmp.Diff([]llm.Event{startEvent, stopEvent, useEvent, endEvent}, s.events); d != "" {
		t.Error(d)
	}
	if want := 2 * len(`He said \"yes\"`); s.bytes != want || s.terminal != 5 {
		t.Errorf("%d bytes of text, want %d; terminal from frame %d", s.bytes, want, s.terminal)
	}
}

func TestStreamFull(t *testing.T) {
	s := readStream(t, frames(roleChunk, textChunk, stopChunk, useChunk, "[DONE]"), wire.StreamOptions{Full: true})
	if d := cmp.Diff([]llm.Event{startEvent, {Kind: llm.EvText, Text: `He said "yes"`}, stopEvent, useEvent, endEvent},
		s.events); d != "" {
		t.Error(d)
	}
	want := &llm.Response{
		ID: "c1", Model: "gpt-4o", Fingerprint: "fp", Created: 7, Usage: useEvent.Usage,
		Choices: []llm.Choice{{Parts: []llm.Part{text(`He said "yes"`)}, Stop: llm.StopEnd}},
	}
	if d := cmp.Diff(want, s.answer); d != "" || !s.complete {
		t.Error(s.complete, d)
	}
}

func TestStreamStripsInjectedUsage(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"null at the end", textChunk, strings.Replace(textChunk, `,"usage":null`, "", 1)},
		{
			"null in front", `{"usage":null , "choices":[{"index":0,"delta":{"content":"x"}}]}`,
			`{"choices":[{"index":0,"delta":{"content":"x"}}]}`,
		},
		{
			"figures beside a choice",
			`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}], "usage": {"prompt_tokens":1,"completion_` +
				`tokens":2} ,"x":"usage"}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}], "x":"usage"}`,
		},
		{
			"no usage", `{"choices":[{"index":0,"delta":{"content":"\"usage\":null"}}]}`,
			`{"choices":[{"index":0,"delta":{"content":"\"usage\":null"}}]}`,
		},
		{"null alone", `{"choices":[],"usage":null}`, `{"choices":[]}`},
		{"the usage-only chunk", useChunk, ""},
		{"an error with usage", `{"error":{"message":"x"},"usage":{"prompt_tokens":1}}`, `{"error":{"message":"x"}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := ""
			if tc.want != "" {
				want = frames(tc.want)
			}
			for _, full := range []bool{false, true} {
				if s := readStream(t, frames(tc.in),
					wire.StreamOptions{StripUsage: true, Full: full}); s.raw != want || s.err != nil {
					t.Errorf("full %v:\n got %q %v\nwant %q", full, s.raw, s.err, want)
				}
			}
		})
	}
	s := readStream(t, "data: {\"choices\":[],\ndata: \"usage\":null}\n\n", wire.StreamOptions{StripUsage: true})
	if s.raw != "data: {\"choices\":[]}\n\n" {
		t.Errorf("data of two lines became %q", s.raw)
	}
	s = readStream(t, frames(roleChunk, stopChunk, useChunk, "[DONE]"), wire.StreamOptions{StripUsage: true})
	if !s.complete || !cmp.Equal(s.events, []llm.Event{startEvent, stopEvent, useEvent, endEvent}) {
		t.Errorf("complete %v, events %+v", s.complete, s.events)
	}
}

func TestStreamToolCalls(t *testing.T) {
	delta := func(d string) string { return `{"id":"c","model":"m","choices":[{"delta":` + d + `,"index":0}]}` }
	start := func(i int, id, name string) llm.Event {
		return llm.Event{Kind: llm.EvToolStart, Tool: i, ID: id, Name: name}
	}
	args := func(i int, s string) llm.Event { return llm.Event{Kind: llm.EvToolArgs, Tool: i, Text: s} }
	for _, tc := range []struct {
		name   string
		deltas []string
		want   []llm.Event
	}{
		{"as OpenAI sends them", []string{
			`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}`,
			`{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}`,
			`{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}`,
			`{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]}`,
		}, []llm.Event{start(0, "a", "f"), args(0, `{"x"`), args(0, ":1}"), start(1, "b", "g")}},
		{
			"whole, without index",
			[]string{`{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"n` +
				`ame":"g","arguments":"{}"}}]}`},
			[]llm.Event{start(0, "a", "f"), args(0, "{}"), start(1, "b", "g"), args(1, "{}")},
		},
		{"name after id", []string{
			`{"tool_calls":[{"index":0,"id":"a"}]}`,
			`{"tool_calls":[{"index":0,"function":{"name":"f"}}]}`,
		}, []llm.Event{start(0, "a", "f")}},
		{
			"id and name again and again",
			[]string{
				`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}`,
				`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}`,
			},
			[]llm.Event{start(0, "a", "f"), args(0, "{"), args(0, "}")},
		},
		{
			"arguments of a call without name",
			[]string{`{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}`},
			[]llm.Event{start(0, "a", ""), args(0, "{}")},
		},
		{
			"function_call",
			[]string{`{"function_call":{"name":"f","arguments":""}}`, `{"function_call":{"arguments":"{}"}}`},
			[]llm.Event{start(0, "", "f"), args(0, "{}")},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var chunks []string
			for _, d := range tc.deltas {
				chunks = append(chunks, delta(d))
			}
			for _, full := range []bool{false, true} {
				s := readStream(t, frames(chunks...), wire.StreamOptions{Full: full})
				if s.err != nil || len(s.events) == 0 {
					t.Fatal(s.err)
				}
				if d := cmp.Diff(tc.want, s.events[1:]); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestStreamEnds(t *testing.T) {
	two := `{"id":"c","model":"m","choices":[{"index":1,"delta":{"content":"b"}}]}`
	for _, tc := range []struct {
		name, in string
		complete bool
	}{
		{"as it should", frames(roleChunk, stopChunk, "[DONE]"), true},
		{"without [DONE]", frames(roleChunk, textChunk, stopChunk), true},
		{"without [DONE], usage last", frames(roleChunk, stopChunk, useChunk), true},
		{"[DONE] without its blank line", frames(roleChunk, stopChunk) + "data: [DONE]", true},
		{"CRLF", strings.ReplaceAll(frames(roleChunk, stopChunk, "[DONE]"), "\n", "\r\n"), true},
		{
			"finish_reason empty until the end",
			frames(`{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":""}]}`), false,
		},
		{"cut before the stop", frames(roleChunk, textChunk), false},
		{"cut at once", "", false},
		{"cut with one of two choices stopped", frames(roleChunk, two, stopChunk), false},
		{"error after the stop", frames(roleChunk, stopChunk, `{"error":{"message":"x"}}`), false},
		{"error, then [DONE]", frames(roleChunk, `{"error":{"message":"x"}}`, "[DONE]"), false},
		{"usage alone", frames(useChunk), false},
	} {
		for _, full := range []bool{false, true} {
			if s := readStream(t, tc.in, wire.StreamOptions{Full: full}); s.complete != tc.complete || s.err != nil {
				t.Errorf("%s, full %v: complete %v, error %v", tc.name, full, s.complete, s.err)
			}
		}
	}
	if s := readStream(t, frames(stopChunk, "[DONE]", textChunk), wire.StreamOptions{}); s.raw != frames(stopChunk,
		"[DONE]") {
		t.Errorf("after [DONE]: %q", s.raw)
	}
}

func TestStreamInBandErrors(t *testing.T) {
	for _, tc := range []struct {
		in, says string
		code     llm.Code
	}{
		{frames(`{"error":{"message":"overloaded","type":"server_error","code":503}}`), "overloaded", llm.CodeUpstream},
		{frames(`{"error":{"message":"slow","code":"rate_limit_exceeded"}}`), "slow", llm.CodeRate},
		{frames(`{"error":"plain"}`), "plain", llm.CodeUpstream},
		{frames(`{"error":{"message":"late","type":"timeout"},"choices":[]}`), "late", llm.CodeTimeout},
		{frames(`{"object":"error","message":"vllm","code":400}`), "vllm: provider answered HTTP 400", llm.CodeInvalid},
		{"event: error\ndata: {\"message\":\"named\"}\n\n", "named", llm.CodeUpstream},
		{
			frames(`{"error":{"message":"your key sk-proj-abcdef123456 is bad"}}`), "your key [removed] is bad",
			llm.CodeUpstream,
		},
	} {
		s := readStream(t, tc.in, wire.StreamOptions{})
		if len(s.events) != 1 || s.events[0].Kind != llm.EvError || s.terminal != 1 || s.raw != tc.in {
			t.Errorf("%q: %+v", tc.in, s)
			continue
		}
		if e := s.events[0].Err; e.Code != tc.code || !strings.HasSuffix(e.Error(), tc.says) {
			t.Errorf("%q: %v", tc.in, e)
		}
	}
	if s := readStream(t, frames(`{"error":null,"choices":[{"index":0,"delta":{}}]}`),
		wire.StreamOptions{}); len(s.events) != 1 {
		t.Errorf("a null error: %+v", s.events)
	}
}

func TestStreamGarbage(t *testing.T) {
	for _, in := range []string{
		"data: hello\n\n", "data: {\"a\":\n\n", "data: []\n\n", "data: {} {}\n\n", "data: {\"choices\":7}\n\n",
		"data: {\"choices\":[{\"index\":4000}]}\n\n",
		"data: {\"id\":1,\"id\":2}\n\n", "data: [DONE] x\n\n", frames(strings.Repeat("[", 100)), "data: {\"x\":\"\xff\"}\n\n",
	} {
		s := readStream(t, in, wire.StreamOptions{})
		var e *llm.Error
		if !errors.As(s.err, &e) || e.Code != llm.CodeUpstream || s.complete {
			t.Errorf("%q: error %v, complete %v", in, s.err, s.complete)
		}
	}
}

func TestStreamAnswerIsBounded(t *testing.T) {
	frame := []byte(frames(`{"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("x", 8<<20) + `"}}]}`))
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	for i := range 9 {
		_, err := r.Read(frame)
		if (err != nil) != (i == 8) {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	if _, complete := r.Finish(); complete {
		t.Error("complete")
	}
}

func TestStreamArgumentsWithoutACall(t *testing.T) {
	in := frames(`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":2000,"function":{"arguments":"{}"}}]}}]}`)
	if s := readStream(t, in, wire.StreamOptions{}); s.err == nil {
		t.Error("tool call 2000 was accepted")
	}
	in = frames(`{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]}}]}`)
	s := readStream(t, in, wire.StreamOptions{Full: true})
	if d := cmp.Diff([]llm.Choice{{Parts: []llm.Part{toolUse("", "", "{}")}}}, s.answer.Choices); d != "" {
		t.Error(d)
	}
}

func TestStreamStartWaitsForTheModel(t *testing.T) {
	azure := `{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}`
	s := readStream(t, frames(azure, roleChunk, stopChunk, "[DONE]"), wire.StreamOptions{Full: true})
	if len(s.events) == 0 || !cmp.Equal(s.events[0], startEvent) || s.answer.Created != 7 {
		t.Errorf("%+v", s.events)
	}
}

func TestStreamUsageOfGroq(t *testing.T) {
	s := readStream(t, frames(roleChunk, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_gro`+
		`q":{"id":"r","usage":{"prompt_tokens":12,"completion_tokens":5}}}`), wire.StreamOptions{})
	if d := cmp.Diff([]llm.Event{startEvent, stopEvent, useEvent}, s.events); d != "" {
		t.Error(d)
	}
}

// A stream read whole and the same stream read light tell the same, and cutting it anywhere never makes it complete.
func FuzzStream(f *testing.F) {
	f.Add([]byte(frames(roleChunk, textChunk, stopChunk, useChunk, "[DONE]")), 10)
	f.Add([]byte(frames(`{"choices":[{"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"f","ar`+
		`guments":"{}"}}]}}]}`)), 30)
	f.Add([]byte(": x\n\ndata: {\"error\":\"e\"}\r\n\r\ndata: {\"choices\":[],\ndata: \"usage\":null}\n\n"), 0)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		light := readStream(t, string(in), wire.StreamOptions{})
		full := readStream(t, string(in), wire.StreamOptions{Full: true, StripUsage: true})
		same := light.complete == full.complete && light.bytes == full.bytes && light.terminal == full.terminal
		if !same || (light.err == nil) != (full.err == nil) {
			t.Fatalf("%q:\nlight %+v\nfull %+v", in, light, full)
		}
		if !strings.HasPrefix(string(in), light.raw) {
			t.Fatalf("%q was forwarded as %q", in, light.raw)
		}
		kept := func(k llm.EventKind) bool {
			return k != llm.EvText && k != llm.EvThink && k != llm.EvRefusal && k != llm.EvPing
		}
		var decoded []llm.Event
		for _, ev := range full.events {
			if kept(ev.Kind) {
				decoded = append(decoded, ev)
			}
		}
		if d := cmp.Diff(decoded, light.events, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(llm.Error{}, "Err")); d != "" {
			t.Fatalf("%q: %s", in, d)
		}
		stripped := readStream(t, full.raw, wire.StreamOptions{Full: true})
		if full.err == nil && stripped.err != nil {
			t.Fatalf("%q without usage is %q: %v", in, full.raw, stripped.err)
		}
		cut = min(max(cut, 0), len(in))
		early := readStream(t, string(in[:cut]), wire.StreamOptions{})
		if early.complete && !early.ended() {
			t.Fatalf("%q, cut at %d, counts as complete", in, cut)
		}
	})
}

// ended reports whether a stop or the end mark was told.
func (s said) ended() bool {
	for _, ev := range s.events {
		if ev.Kind == llm.EvStop || ev.Kind == llm.EvEnd {
			return true
		}
	}
	return false
}
