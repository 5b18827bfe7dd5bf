package anthropic

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

func frame(event, data string) string { return "event: " + event + "\ndata: " + data + "\n\n" }

func delta1(index, inner string) string {
	return frame("content_block_delta", `{"type":"content_block_delta","index":`+index+`,"delta":{`+inner+`}}`)
}

func stop1(index string) string {
	return frame("content_block_stop", `{"type":"content_block_stop","index":`+index+`}`)
}

// recorded is a stream with thinking, text, a server tool and a tool whose arguments are cut at odd bytes.
var recorded = frame("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message",`+
	`"role":"assistant",`+
	`"model":"claude-s","content":[],"stop_reason":null,"stop_sequence":null,`+
	`"usage":{"input_tokens":25,"cache_creation_input_tokens":3,"cache_read_input_tokens":4,"output_tokens":1}}}`) +
	frame("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking",`+
		`"thinking":"","signature":""}}`) +
	frame("ping", `{"type": "ping"}`) +
	delta1("0", `"type":"thinking_delta","thinking":"I must "`) +
	delta1("0", `"type":"thinking_delta","thinking":"look."`) +
	delta1("0", `"type":"signature_delta","signature":"c2ln"`) + stop1("0") +
	frame("content_block_start", `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`) +
	delta1("1", `"type":"text_delta","text":"One \"mo"`) +
	delta1("1", `"type":"text_delta","text":"ment\" \u00e9"`) + stop1("1") +
	frame("content_block_start", `{"type":"content_block_start","index":2,`+
		`"content_block":{"type":"server_tool_use","id":"srv","name":"web_search","input":{}}}`) +
	delta1("2", `"type":"input_json_delta","partial_json":"{\"q\":\"a\"}"`) + stop1("2") +
	frame("content_block_start", `{"type":"content_block_start","index":3,"content_block":{"type":"tool_use",`+
		`"id":"toolu_1","name":"find","input":{}}}`) +
	delta1("3", `"type":"input_json_delta","partial_json":""`) +
	delta1("3", `"type":"input_json_delta","partial_json":"{\"in"`) +
	delta1("3", `"type":"input_json_delta","partial_json":"voice\": \"4"`) +
	delta1("3", `"type":"input_json_delta","partial_json":"02\\u00"`) +
	delta1("3", `"type":"input_json_delta","partial_json":"e9\"}"`) + stop1("3") +
	frame("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},`+
		`"usage":{"output_tokens":89}}`) +
	frame("message_stop", `{"type":"message_stop"}`)

var recordedUsage = llm.Usage{Input: 25, CacheWrite5m: 3, CacheRead: 4, Output: 89}

// readAll reads a stream as the gateway does.
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

func eventsOf(ds []llm.Delta) []llm.Event {
	var out []llm.Event
	for _, d := range ds {
		out = append(out, d.Events...)
	}
	return out
}

func TestStreamFull(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	ds := readAll(t, r, recorded)
	first := recordedUsage
	first.Output = 1
	want := []llm.Event{
		{Kind: llm.EvStart, ID: "msg_1", Model: "claude-s"},
		{Kind: llm.EvMeter, Usage: &first},
		{Kind: llm.EvPing},
		{Kind: llm.EvThink, Text: "I must "},
		{Kind: llm.EvThink, Text: "look."},
		{Kind: llm.EvThink, Opaque: []byte(`{"type":"thinking","signature":"c2ln"}`)},
		{Kind: llm.EvText, Text: `One "mo`},
		{Kind: llm.EvText, Text: `ment" é`},
		{Kind: llm.EvThink, Opaque: []byte(`{"type":"server_tool_use","id":"srv","name":"web_search","input":{}}`)},
		{Kind: llm.EvToolStart, ID: "toolu_1", Name: "find"},
		{Kind: llm.EvToolArgs, Text: `{"in`},
		{Kind: llm.EvToolArgs, Text: `voice": "4`},
		{Kind: llm.EvToolArgs, Text: `02\u00`},
		{Kind: llm.EvToolArgs, Text: `e9"}`},
		{Kind: llm.EvStop, Stop: llm.StopToolUse},
		{Kind: llm.EvMeter, Usage: &recordedUsage},
		{Kind: llm.EvEnd},
	}
	if d := cmp.Diff(want, eventsOf(ds)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	got, complete := r.Finish()
	if !complete {
		t.Error("the stream is not complete")
	}
	answer := &llm.Response{ID: "msg_1", Model: "claude-s", Usage: &recordedUsage, Choices: []llm.Choice{{
		Stop: llm.StopToolUse, Parts: []llm.Part{
			{
				Kind: llm.Reasoning, Text: "I must look.",
				Opaque: jsontext.Value(`{"type":"thinking","thinking":"I must look.","signature":"c2ln"}`),
			},
			text(`One "moment" é`),
			{Kind: llm.Reasoning, Opaque: jsontext.Value(`{"input":{"q":"a"},"type":"server_tool_use","id":"srv",` +
				`"name":"web_search"}`)},
			{Kind: llm.ToolUse, Tool: &llm.ToolCall{
				ID: "toolu_1", Name: "find",
				Args: jsontext.Value(`{"invoice": "402\u00e9"}`),
			}},
		},
	}}}
	if d := cmp.Diff(answer, got); d != "" {
		t.Errorf("answer (-want +got):\n%s", d)
	}
}

func TestStreamLive(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{})
	ds := readAll(t, r, recorded)
	kinds := ""
	for _, ev := range eventsOf(ds) {
		kinds += map[llm.EventKind]string{
			llm.EvStart: "start ", llm.EvMeter: "meter ", llm.EvPing: "ping ", llm.EvToolStart: "tool ",
			llm.EvToolArgs: "args ",
			llm.EvStop:     "stop ", llm.EvEnd: "end ", llm.EvText: "TEXT ", llm.EvThink: "THINK ",
		}[ev.Kind]
	}
	if want := "start meter ping tool args args args args stop meter end "; kinds != want {
		t.Errorf("events: %s; want %s", kinds, want)
	}
	raw, n, terminal := "", 0, ""
	for _, d := range ds {
		raw += string(d.Raw)
		n += d.Bytes
		if d.Terminal {
			terminal += string(d.Raw)
		}
	}
	if raw != recorded {
		t.Error("the frames are not the provider's bytes")
	}
	if at := strings.Index(recorded, "event: message_delta"); terminal != recorded[at:] {
		t.Errorf("terminal group = %q", terminal)
	}
	if want := len(`I must look.One \"moment\" \u00e9{\"q\":\"a\"}{\"invoice\": \"402\\u00e9\"}`); n != want {
		t.Errorf("text bytes = %d, want %d", n, want)
	}
	if answer, complete := r.Finish(); answer != nil || !complete {
		t.Errorf("Finish = %v, %v", answer, complete)
	}
}

func TestStreamThatWasCutIsNotComplete(t *testing.T) {
	whole := strings.SplitAfter(recorded, "\n\n")
	for n := range whole {
		cut := strings.Join(whole[:n], "")
		if cut == recorded {
			break
		}
		r := Back{}.Stream(wire.StreamOptions{Full: true})
		readAll(t, r, cut)
		if _, complete := r.Finish(); complete {
			t.Fatalf("complete after %d frames", n)
		}
	}
}

func TestStreamError(t *testing.T) {
	for _, tt := range []struct {
		kind     string
		code     llm.Code
		upstream int
	}{
		{"overloaded_error", llm.CodeUpstream, 529},
		{"api_error", llm.CodeUpstream, 500},
		{"rate_limit_error", llm.CodeRate, 429},
		{"timeout_error", llm.CodeTimeout, 504},
		{"invalid_request_error", llm.CodeInvalid, 400},
		{"authentication_error", llm.CodeUpstream, 401},
	} {
		r := Back{}.Stream(wire.StreamOptions{})
		ds := readAll(t, r, frame("error", `{"type":"error","error":{"type":"`+tt.kind+`","message":"m"}}`))
		ev := ds[0].Events[0]
		if ev.Kind != llm.EvError || ev.Err.Code != tt.code || ev.Err.Upstream != tt.upstream {
			t.Errorf("%s: %+v", tt.kind, ev.Err)
		}
		readAll(t, r, frame("message_stop", `{"type":"message_stop"}`))
		if _, complete := r.Finish(); complete {
			t.Errorf("%s: complete after an error", tt.kind)
		}
	}
}

func TestStreamFramesWithoutMeaning(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	for _, f := range []string{
		": comment\n\n", "\n", "event: new\ndata: {\"type\":\"new\",\"index\":3}\n\n",
		delta1("9", `"type":"text_delta","text":"of no block"`),
		"data: {\"type\":\"ping\"}\r\n\r\n",
	} {
		d, err := r.Read([]byte(f))
		if err != nil || string(d.Raw) != f || len(d.Events) > 1 {
			t.Errorf("%q: %+v, %v", f, d, err)
		}
	}
	for _, f := range []string{
		"data: {\n\n", "data: [1]\n\n", "data: {\"type\":1}\n\n",
		"data: {\"delta\":{},\"delta\":{}}\n\n",
	} {
		if _, err := r.Read([]byte(f)); llm.AsError(err).Code != llm.CodeUpstream {
			t.Errorf("%q: error = %v", f, err)
		}
	}
}

func TestStreamToolThatOpensWithItsArguments(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	ds := readAll(t, r, block1("0", `"type":"tool_use","id":"a","name":"f","input":{ }`)+
		block1("1", `"type":"tool_use","id":"b","name":"g","input":{"k":1}`))
	want := []llm.Event{
		{Kind: llm.EvToolStart, ID: "a", Name: "f"},
		{Kind: llm.EvToolStart, Tool: 1, ID: "b", Name: "g"},
		{Kind: llm.EvToolArgs, Tool: 1, Text: `{"k":1}`},
	}
	if d := cmp.Diff(want, eventsOf(ds)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	answer, _ := r.Finish()
	for i, args := range []string{`{}`, `{"k":1}`} {
		if got := string(answer.Choices[0].Parts[i].Tool.Args); got != args {
			t.Errorf("arguments %d = %s, want %s", i, got, args)
		}
	}
}

func writeAll(evs ...llm.Event) string {
	w := Front{}.Stream(llm.Envelope{})
	var dst []byte
	for _, ev := range evs {
		dst = w.Write(dst, ev)
	}
	return string(dst)
}

const noUsage = `"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,` +
	`"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":0}`

const someUsage = `"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,` +
	`"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":3}`

var opening = frame("message_start", `{"type":"message_start","message":{"id":"i","type":"message",`+
	`"role":"assistant",`+
	`"model":"m","content":[],"stop_reason":null,"stop_sequence":null,`+noUsage+`}}`)

func closing(reason, usage string) string {
	return frame("message_delta", `{"type":"message_delta",`+
		`"delta":{"stop_reason":"`+reason+`","stop_sequence":null},`+usage+`}`) +
		frame("message_stop", `{"type":"message_stop"}`)
}

func block1(index, inner string) string {
	return frame("content_block_start", `{"type":"content_block_start","index":`+index+`,"content_block":{`+inner+`}}`)
}

func TestWriter(t *testing.T) {
	start := llm.Event{Kind: llm.EvStart, ID: "i", Model: "m"}
	say := func(s string) llm.Event { return llm.Event{Kind: llm.EvText, Text: s} }
	tool := func(i int, id, name string) llm.Event {
		return llm.Event{Kind: llm.EvToolStart, Tool: i, ID: id, Name: name}
	}
	args := func(i int, s string) llm.Event { return llm.Event{Kind: llm.EvToolArgs, Tool: i, Text: s} }
	stop := func(s llm.StopReason) llm.Event { return llm.Event{Kind: llm.EvStop, Stop: s} }
	meter := llm.Event{Kind: llm.EvMeter, Usage: &llm.Usage{Input: 7, Output: 3}}
	end := llm.Event{Kind: llm.EvEnd}
	textStart := `"type":"text","text":""`
	toolA := `"type":"tool_use","id":"a","name":"f","input":{}`
	toolB := `"type":"tool_use","id":"toolu_1","name":"g","input":{}`
	for _, tt := range []struct {
		name string
		evs  []llm.Event
		want string
	}{
		{
			"text",
			[]llm.Event{start, say("Hel"), say("lo\n"), stop(llm.StopEnd), meter, end},
			opening + block1("0", textStart) + delta1("0", `"type":"text_delta","text":"Hel"`) +
				delta1("0", `"type":"text_delta","text":"lo\n"`) + stop1("0") + closing("end_turn", someUsage),
		},
		{"nothing", []llm.Event{start, stop(llm.StopLength), end}, opening + closing("max_tokens", noUsage)},
		{
			"text, then a tool",
			[]llm.Event{
				start, say("x"), tool(0, "a", "f"), args(0, `{"in`), args(0, `":1}`),
				stop(llm.StopToolUse), end,
			},
			opening + block1("0", textStart) + delta1("0", `"type":"text_delta","text":"x"`) + stop1("0") +
				block1("1", toolA) + delta1("1", `"type":"input_json_delta","partial_json":"{\"in"`) +
				delta1("1", `"type":"input_json_delta","partial_json":"\":1}"`) + stop1("1") + closing("tool_use", noUsage),
		},
		{
			"interleaved tools do not overlap",
			[]llm.Event{
				start, tool(0, "a", "f"), args(0, `{`), tool(1, "", "g"), args(1,
					`{"k"`),
				args(0, `}`), say("after"), args(1, `:2}`), stop(llm.StopToolUse), end,
			},
			opening + block1("0", toolA) + delta1("0", `"type":"input_json_delta","partial_json":"{"`) +
				delta1("0", `"type":"input_json_delta","partial_json":"}"`) + stop1("0") +
				block1("1", toolB) + delta1("1", `"type":"input_json_delta","partial_json":"{\"k\":2}"`) + stop1("1") +
				block1("2", textStart) + delta1("2", `"type":"text_delta","text":"after"`) + stop1("2") +
				closing("tool_use", noUsage),
		},
		{
			"thinking with its signature",
			[]llm.Event{
				start,
				{Kind: llm.EvThink, Text: "h"},
				{Kind: llm.EvThink, Text: "m"},
				{Kind: llm.EvThink, Opaque: []byte(`{"type":"thinking","signature":"s"}`)},
				say("x"), stop(llm.StopEnd), end,
			},
			opening + block1("0", `"type":"thinking","thinking":"","signature":""`) +
				delta1("0", `"type":"thinking_delta","thinking":"hm"`) + delta1("0", `"type":"signature_delta","signature":"s"`) +
				stop1("0") + block1("1", textStart) + delta1("1", `"type":"text_delta","text":"x"`) + stop1("1") +
				closing("end_turn", noUsage),
		},
		{
			"redacted thinking",
			[]llm.Event{
				start,
				{
					Kind:   llm.EvThink,
					Opaque: []byte(`{"type":"redacted_thinking","data":"d"}`),
				},
				stop(llm.StopEnd), end,
			},
			opening + block1("0", `"type":"redacted_thinking","data":"d"`) + stop1("0") + closing("end_turn", noUsage),
		},
		{
			"reasoning of another dialect",
			[]llm.Event{
				start,
				{Kind: llm.EvThink, Text: "h"},
				{Kind: llm.EvThink, Text: "g", Opaque: []byte(`{"thoughtSignature":"s"}`)},
				say("x"), stop(llm.StopEnd), end,
			},
			opening + block1("0", textStart) + delta1("0", `"type":"text_delta","text":"x"`) + stop1("0") +
				closing("end_turn", noUsage),
		},
		{
			"refusal",
			[]llm.Event{start, {Kind: llm.EvRefusal, Text: "no"}, stop(llm.StopEnd), end},
			opening + block1("0", textStart) + delta1("0", `"type":"text_delta","text":"no"`) + stop1("0") +
				closing("refusal", noUsage),
		},
		{
			"ping before the start",
			[]llm.Event{{Kind: llm.EvPing}, start, stop(llm.StopEnd), end},
			frame("ping", `{"type":"ping"}`) + opening + closing("end_turn", noUsage),
		},
		{
			"nothing after an error",
			[]llm.Event{
				start, say("x"),
				{Kind: llm.EvError, Err: &llm.Error{
					Code:    llm.CodeTimeout,
					Message: "m",
				}},
				say("y"), end,
				{Kind: llm.EvPing},
			},
			opening + block1("0", textStart) + delta1("0", `"type":"text_delta","text":"x"`) +
				frame("error", `{"type":"error","error":{"type":"timeout_error","message":"m"}}`),
		},
		{
			"other choices have no place",
			[]llm.Event{
				start,
				{Kind: llm.EvText, Choice: 1, Text: "x"},
				stop(llm.StopEnd),
				end,
			},
			opening + closing("end_turn", noUsage),
		},
		{"stop sequence", []llm.Event{start, stop(llm.StopSequence), end}, opening + closing("stop_sequence", noUsage)},
		{"arguments of no call", []llm.Event{start, args(3, "{}"), stop(llm.StopEnd), end}, opening + closing("end_turn",
			noUsage)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, writeAll(tt.evs...)); d != "" {
				t.Errorf("stream (-want +got):\n%s", d)
			}
		})
	}
}

func TestWrittenStreamReadsAsTheSameAnswer(t *testing.T) {
	r := Back{}.Stream(wire.StreamOptions{Full: true})
	evs := eventsOf(readAll(t, r, recorded))
	first, _ := r.Finish()
	again := Back{}.Stream(wire.StreamOptions{Full: true})
	readAll(t, again, writeAll(evs...))
	second, complete := again.Finish()
	// What a server tool did is not written: it ran where this stream does not come from.
	first.Choices[0].Parts = append(first.Choices[0].Parts[:2:2], first.Choices[0].Parts[3])
	if d := cmp.Diff(first, second); d != "" || !complete {
		t.Errorf("complete %v; answer (-first +second):\n%s", complete, d)
	}
}
