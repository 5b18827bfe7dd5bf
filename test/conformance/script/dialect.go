package script

// Form is one way to write something into a stream.
type Form struct {
	Name  string
	Bytes string
}

// Dialect is a healthy answer of one dialect, and what may be tried in it. The answer says Text, in three pieces, and
// tells 11 tokens in and 7 out.
type Dialect struct {
	Name string
	// Head comes before the text, Text are the three pieces, Tail is the end.
	Head, Text, Tail []string
	KeepAlives       []Form
	Errors           []Form
	// Safe is the keep-alive that goes before an error where the answer has not begun.
	Safe string
}

// The answer and the error of every script.
const (
	Said    = "Water finds its way."
	Refusal = "no layer gave an answer that passes its checks"
	Input   = 11
	Output  = 7
)

// Dialects are all that is scripted.
func Dialects() []Dialect { return []Dialect{chat(), messages(), responses(), gemini()} }

const comment = ": weir\n"

// common are the forms that every dialect is tried with.
func common() []Form {
	return []Form{
		{"comment line", comment},
		{"comment and blank line", comment + "\n"},
		{"blank line", "\n"},
	}
}

func data(s string) string { return "data: " + s + "\n\n" }

func event(name, s string) string { return "event: " + name + "\n" + data(s) }

func chat() Dialect {
	chunk := func(delta, finish string) string {
		return data(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"m","choices":[{"index":0,"delta":` +
			delta + `,"finish_reason":` + finish + `}]}`)
	}
	bare := func(choices, usage string) string {
		return data(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"m","choices":` + choices + usage + `}`)
	}
	failure := func(kind, code string) string {
		return data(`{"error":{"message":"` + Refusal + `","type":"` + kind + `","param":null,"code":"` + code + `"}}`)
	}
	refusal := failure("invalid_request_error", "validation_exhausted")
	return Dialect{
		Name: "chat",
		Head: []string{chunk(`{"role":"assistant","content":""}`, "null")},
		Text: []string{chunk(`{"content":"Water finds"}`, "null"), chunk(`{"content":" its"}`, "null"), chunk(`{"content":" way."}`, "null")},
		Tail: []string{
			chunk(`{}`, `"stop"`),
			bare(`[]`, `,"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}`),
			data("[DONE]"),
		},
		KeepAlives: append(common(),
			Form{"chunk without choices", bare(`[]`, "")},
			Form{"chunk with an empty delta", chunk(`{}`, "null")},
			Form{"empty object", data("{}")},
		),
		Errors: []Form{
			{"error object, close", refusal},
			{"error object, [DONE]", refusal + data("[DONE]")},
			{"error event, close", "event: error\n" + refusal},
			{"error object of a server's error, close", failure("server_error", "upstream_error")},
		},
		Safe: comment,
	}
}

func messages() Dialect {
	text := func(s string) string {
		return event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+s+`"}}`)
	}
	failure := func(kind string) string {
		return `{"type":"error","error":{"type":"` + kind + `","message":"` + Refusal + `"}}`
	}
	return Dialect{
		Name: "messages",
		Head: []string{
			event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],`+
				`"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":11,"output_tokens":1}}}`),
			event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
		},
		Text: []string{text("Water finds"), text(" its"), text(" way.")},
		Tail: []string{
			event("content_block_stop", `{"type":"content_block_stop","index":0}`),
			event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}`),
			event("message_stop", `{"type":"message_stop"}`),
		},
		KeepAlives: append(common(),
			Form{"ping event", event("ping", `{"type": "ping"}`)},
			Form{"ping without a name", data(`{"type": "ping"}`)},
		),
		Errors: []Form{
			{"error event, close", event("error", failure("api_error"))},
			{"error without a name, close", data(failure("api_error"))},
			{"error event of an overload, close", event("error", failure("overloaded_error"))},
		},
		Safe: event("ping", `{"type": "ping"}`),
	}
}

func gemini() Dialect {
	frame := func(text, more string) string {
		return data(`{"candidates":[{"content":{"parts":[{"text":"` + text + `"}],"role":"model"}` + more + `,"modelVersion":"m","responseId":"r1"}`)
	}
	refusal := `{"error":{"code":503,"message":"` + Refusal + `","status":"UNAVAILABLE"}}`
	return Dialect{
		Name: "gemini",
		Text: []string{frame("Water finds", `,"index":0}]`), frame(" its", `,"index":0}]`), frame(" way.", `,"index":0}]`)},
		Tail: []string{frame("", `,"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":11,"candidatesTokenCount":7,"totalTokenCount":18}`)},
		KeepAlives: append(common(),
			Form{"empty object", data("{}")},
			Form{"no candidates", data(`{"candidates":[]}`)},
		),
		Errors: []Form{
			{"error object as data, close", data(refusal)},
			{"error event, close", "event: error\n" + data(refusal)},
		},
		Safe: data("{}"),
	}
}
