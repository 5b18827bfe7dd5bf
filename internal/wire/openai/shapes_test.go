package openai

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

func TestEncodeToolChoiceAndFormat(t *testing.T) {
	const head = `{"model":"w","messages":[{"role":"user","content":"x"}]`
	const tools = `,"tools":[{"type":"function","function":{"name":"f"}}]`
	f := []llm.Tool{{Name: "f"}}
	schema := jsontext.Value(`{"type":"object"}`)
	for _, tt := range []struct {
		q    llm.Request
		want string
	}{
		{llm.Request{Tools: f}, tools},
		{llm.Request{Tools: f, Choice: llm.ToolChoice{Mode: "none"}}, tools + `,"tool_choice":"none"`},
		{llm.Request{Tools: f, Choice: llm.ToolChoice{Mode: "tool", Name: "f", NoParallel: true}}, tools +
			`,"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false`},
		{llm.Request{Choice: llm.ToolChoice{Mode: "required", NoParallel: true}}, ``},
		{llm.Request{Format: &llm.Format{Kind: "json_object"}}, `,"response_format":{"type":"json_object"}`},
		{
			llm.Request{Format: &llm.Format{Kind: "json_schema", Schema: schema}},
			`,"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}`,
		},
		{
			llm.Request{Format: &llm.Format{Kind: "json_schema", Name: "n", Strict: true}},
			`,"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true}}`,
		},
		{
			llm.Request{Stop: []string{"a", "\n"}, Seed: ptr(int64(-7)), User: "u", N: 3},
			`,"seed":-7,"n":3,"stop":["a","\n"],"user":"u"`,
		},
	} {
		tt.q.Messages = []llm.Message{{Role: llm.User, Parts: []llm.Part{text("x")}}}
		got := encode(t, &tt.q, call.Order{Target: call.Target{WireID: "w"}})
		if want := head + tt.want + "}"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestDecodeToolChoice(t *testing.T) {
	for in, want := range map[string]llm.ToolChoice{
		`"tool_choice":"auto"`:     {Mode: "auto"},
		`"tool_choice":"none"`:     {Mode: "none"},
		`"tool_choice":"required"`: {Mode: "required"},
		`"tool_choice":{"function":{"name":"f"},"type":"function"}`: {Mode: "tool", Name: "f"},
		`"tool_choice":null`:           {},
		`"function_call":"auto"`:       {Mode: "auto"},
		`"function_call":{"name":"f"}`: {Mode: "tool", Name: "f"},
		`"parallel_tool_calls":false`:  {NoParallel: true},
		`"parallel_tool_calls":true`:   {},
	} {
		q, err := Front{}.Decode([]byte(`{"model":"m","messages":[{"role":"user","content":"x"}],` + in + `}`))
		if err != nil || q.Choice != want {
			t.Errorf("%s: %+v, %v, want %+v", in, q, err, want)
		}
	}
	for _, in := range []string{
		`"tool_choice":{"type":"function"}`, `"tool_choice":7`, `"function_call":{}`, `"tool_choice":{"type":7}`,
	} {
		_, err := Front{}.Decode([]byte(`{"model":"m","messages":[{"role":"user","content":"x"}],` + in + `}`))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeUnfit {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestDecodeMedia(t *testing.T) {
	for in, want := range map[string]llm.MediaPart{
		`{"type":"image_url","image_url":"https://x/a"}`:                        {URL: "https://x/a"},
		`{"type":"image_url","image_url":{"url":"http://x/a"}}`:                 {URL: "http://x/a"},
		`{"type":"image_url","image_url":{"url":"DATA:image/gif;base64,R0lG"}}`: {MIME: "image/gif", Data: "R0lG"},
		`{"type":"image_url","image_url":{"url":"data:image/svg+xml;charset=utf-8;base64,PHN2"}}`: {
			MIME: "image/svg+xml", Data: "PHN2",
		},
		`{"type":"input_audio","input_audio":{"format":"wav","data":"UklG"}}`: {MIME: "audio/wav", Data: "UklG"},
		`{"type":"input_audio","input_audio":{"format":"mp3","data":"SUQz"}}`: {MIME: "audio/mpeg", Data: "SUQz"},
		`{"type":"file","file":{"file_id":null,"file_data":"JVBE"}}`: {
			MIME: "application/pdf", Data: "JVBE",
		},
		`{"type":"file","file":{"file_data":"data:text/csv;base64,YQ==","filename":""}}`: {MIME: "text/csv", Data: "YQ=="},
	} {
		q, err := Front{}.Decode([]byte(`{"model":"m","messages":[{"role":"user","content":[` + in + `]}]}`))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if p := q.Messages[0].Parts[0]; p.Kind != llm.Media || *p.Media != want {
			t.Errorf("%s: %+v, want %+v", in, p.Media, want)
		}
	}
	for _, in := range []string{
		`{"type":"image_url","image_url":{"url":"data:image/png,raw"}}`, `{"type":"image_url","image_url":"file:///etc/x"}`,
		`{"type":"image_url","image_url":7}`, `{"type":"file","file":{}}`, `{"type":"file"}`, `{"type":"text"}x`,
		`{"type":"image_url","text":"x"}`, `{"text":"x"}`,
	} {
		body := `{"model":"m","messages":[{"role":"user","content":[` + in + `]}]}`
		if _, err := (Front{}).Decode([]byte(body)); err == nil {
			t.Errorf("%s is media", in)
		}
	}
}

// Every call has arguments that are JSON when its choice stops, whether or not the provider sent any.
func TestStreamWriterGivesEveryCallArguments(t *testing.T) {
	start := func(choice, tool int) llm.Event {
		return llm.Event{Kind: llm.EvToolStart, Choice: choice, Tool: tool, ID: fmt.Sprint(choice, tool), Name: "f"}
	}
	args := func(choice, tool int, s string) llm.Event {
		return llm.Event{Kind: llm.EvToolArgs, Choice: choice, Tool: tool, Text: s}
	}
	stop := func(choice int) llm.Event { return llm.Event{Kind: llm.EvStop, Choice: choice, Stop: llm.StopToolUse} }
	out := write(llm.Envelope{}, start(0, 0), start(1, 0), start(0, 1), args(0, 1, ""), start(0, 2), args(0, 2, `{"a":`),
		args(0, 2, `1}`), stop(0), args(1, 0, `{"b":2}`), stop(1), llm.Event{Kind: llm.EvEnd})
	s := readStream(t, out, wire.StreamOptions{Full: true})
	var got []string
	for i, c := range s.answer.Choices {
		for j, p := range c.Parts {
			got = append(got, fmt.Sprintf("%d.%d %s", i, j, p.Tool.Args))
		}
	}
	if d := cmp.Diff([]string{`0.0 {}`, `0.1 {}`, `0.2 {"a":1}`, `1.0 {"b":2}`}, got); d != "" || !s.complete {
		t.Errorf("complete %v; arguments (-want +got):\n%s", s.complete, d)
	}
	if n := strings.Count(out, `"arguments":"{}"`); n != 2 {
		t.Errorf("%d calls were given {}:\n%s", n, out)
	}
}

// What compatible servers put where an object or a string is expected says nothing, and breaks nothing.
func TestStreamOddValues(t *testing.T) {
	for _, in := range []string{
		`{"choices":[{"delta":{"content":7,"tool_calls":null,"function_call":null,"refusal":{}}}],"x_groq":7}`,
		`{"choices":[{"delta":null,"finish_reason":null,"logprobs":{"content":[]}}],"x_groq":{"id":"r"},"usage":[]}`,
		`{"choices":[{"delta":{"content":[7,{"type":"image"},{"type":"thinking","thinking":null}]}}],"usage":"none"}`,
		`{"choices":[{"delta":{"tool_calls":[]}}],"x_groq":{"usage":null},"usage":{}}`,
		`{"choices":[],"model":"m","prompt_filter_results":[{}]}`, `{"choices":null,"model":null,"id":7}`,
	} {
		s := readStream(t, frames(roleChunk, in, stopChunk, "[DONE]"), wire.StreamOptions{Full: true})
		want := []llm.Event{startEvent, stopEvent, {Kind: llm.EvEnd}}
		if d := cmp.Diff(want, s.events); d != "" || s.err != nil || !s.complete {
			t.Errorf("%s: %v, complete %v, events (-want +got):\n%s", in, s.err, s.complete, d)
		}
	}
}

// An answer of several choices ends when all that began have stopped, in whichever order their chunks come.
func TestStreamOfSeveralChoices(t *testing.T) {
	say := func(i int, s string) string {
		return fmt.Sprintf(`{"id":"c","model":"m","choices":[{"index":%d,"delta":{"content":%q}}]}`, i, s)
	}
	stop := func(i int) string {
		return fmt.Sprintf(`{"id":"c","model":"m","choices":[{"index":%d,"delta":{},"finish_reason":"stop"}]}`, i)
	}
	chunks := []string{say(1, "b"), say(0, "a"), stop(1), say(0, "a"), say(2, "c"), stop(0), stop(2)}
	for n := range chunks {
		if s := readStream(t, frames(chunks[:n]...), wire.StreamOptions{}); s.complete {
			t.Errorf("complete after %d chunks", n)
		}
	}
	s := readStream(t, frames(chunks...), wire.StreamOptions{Full: true})
	for i, want := range []string{"aa", "b", "c"} {
		if got := s.answer.Text(i); got != want || s.answer.Choices[i].Stop != llm.StopEnd || !s.complete {
			t.Errorf("choice %d says %q, want %q; complete %v", i, got, want, s.complete)
		}
	}
}

// Some servers tell every parallel call under index 0, or repeat a call's id with each piece of it.
func TestStreamOfParallelCallsUnderOneIndex(t *testing.T) {
	piece := func(index, id, name, args string) string {
		return `{"id":"i","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":` + index + `,"id":"` + id +
			`","function":{"name":"` + name + `","arguments":"` + args + `"}}]}}]}`
	}
	stream := frames(piece("0", "a", "f", `{\"x\"`), piece("0", "", "", `:1}`), piece("0", "b", "g", ``),
		piece("0", "b", "g", `{}`), piece("0", "a", "f", ` `), piece("1", "c", "h", `[`), piece("1", "", "", `]`),
		piece("0", "d", "", `!`), `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, "[DONE]")
	for _, full := range []bool{true, false} {
		var got []string
		calls := map[int]string{}
		for _, ev := range readStream(t, stream, wire.StreamOptions{Full: full}).events {
			switch ev.Kind {
			case llm.EvToolStart:
				got = append(got, ev.ID+" "+ev.Name)
			case llm.EvToolArgs:
				calls[ev.Tool] += ev.Text
			}
		}
		want := map[int]string{0: `{"x":1} !`, 1: `{}`, 2: `[]`}
		if d := cmp.Diff([]string{"a f", "b g", "c h"}, got) + cmp.Diff(want, calls); d != "" {
			t.Errorf("full %t (-want +got):\n%s", full, d)
		}
	}
}
