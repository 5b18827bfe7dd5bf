package script

import (
	"fmt"
	"strings"
)

// responses is the dialect of OpenAI's Responses. Sequence numbers go on through the whole answer.
func responses() Dialect {
	n := -1
	next := func(kind, rest string) string {
		n++
		return event(kind, fmt.Sprintf(`{"type":"%s","sequence_number":%d%s}`, kind, n, rest))
	}
	state := func(status, output, more string) string {
		return `,"response":{"id":"resp_1","object":"response","created_at":1790000000,"status":"` + status + `","model":"m","output":` + output +
			`,"error":null,"incomplete_details":null,"instructions":null,"metadata":{},"parallel_tool_calls":true,"temperature":1,` +
			`"tool_choice":"auto","tools":[],"top_p":1` + more + `}`
	}
	text := func(s string) string {
		return next("response.output_text.delta", `,"item_id":"msg_1","output_index":0,"content_index":0,"logprobs":[],"delta":"`+s+`"`)
	}
	part := `{"type":"output_text","annotations":[],"logprobs":[],"text":"` + Said + `"}`
	item := `{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[` + part + `]}`
	failed := func(code string) string {
		told := `"error":{"code":"` + code + `","message":"` + Refusal + `"}`
		return event("response.failed",
			`{"type":"response.failed","sequence_number":90`+strings.Replace(state("failed", "[]", ""), `"error":null`, told, 1)+`}`)
	}
	return Dialect{
		Name: "responses",
		Head: []string{
			next("response.created", state("in_progress", "[]", "")),
			next("response.in_progress", state("in_progress", "[]", "")),
			next("response.output_item.added",
				`,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}`),
			next("response.content_part.added", `,"item_id":"msg_1","output_index":0,"content_index":0,`+
				`"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}`),
		},
		Text: []string{text("Water finds"), text(" its"), text(" way.")},
		Tail: []string{
			next("response.output_text.done",
				`,"item_id":"msg_1","output_index":0,"content_index":0,"logprobs":[],"text":"`+Said+`"`),
			next("response.content_part.done", `,"item_id":"msg_1","output_index":0,"content_index":0,"part":`+part),
			next("response.output_item.done", `,"output_index":0,"item":`+item),
			next("response.completed", state("completed", "["+item+"]", `,"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0},`+
				`"output_tokens":7,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":18}`)),
		},
		KeepAlives: append(common(),
			Form{"keepalive event", event("keepalive", `{"type":"keepalive","sequence_number":0}`)},
			Form{"keepalive without a name", data(`{"type":"keepalive","sequence_number":0}`)},
		),
		Errors: []Form{
			{"response.failed, close", failed("invalid_prompt")},
			{"response.failed of a server's error, close", failed("server_error")},
			{"error event, close", event("error", `{"type":"error","sequence_number":90,"code":"server_error","message":"`+Refusal+`","param":null}`)},
			{"error object, close", data(`{"error":{"message":"` + Refusal + `","type":"server_error","param":null,"code":"no_answer_accepted"}}`)},
		},
		Safe: comment,
	}
}
