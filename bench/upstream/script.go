package main

import (
	"fmt"
	"strings"
	"time"
)

// Sizes of what is answered, in bytes.
const (
	answerSize = 1150
	chunkSize  = 300
)

// script is what the upstream says, with HTTP framing.
type script struct {
	answer, head, chunk, end []byte
	chunks                   int
	pace, hold               time.Duration
}

func newScript(o options) *script {
	body := fill(answerSize, `{"id":"chatcmpl-bench0000000000000000000000","object":"chat.completion","created":1780000000,`+
		`"model":"null-1","choices":[{"index":0,"message":{"role":"assistant","content":"`, `","refusal":null},`+
		`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":250,"completion_tokens":180,"total_tokens":430,`+
		`"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},`+
		`"system_fingerprint":"fp_bench"}`)
	const open = `data: {"id":"chatcmpl-bench0000000000000000000000","object":"chat.completion.chunk","created":1780000000,` +
		`"model":"null-1","system_fingerprint":"fp_bench","choices":[`
	return &script{
		answer: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
		head:   []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
		chunk: framed(fill(chunkSize, open+`{"index":0,"delta":{"content":"`,
			`"},"logprobs":null,"finish_reason":null}]}`+"\n\n")),
		end: framed(open + `{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}` + "\n\n" +
			open + `],"usage":{"prompt_tokens":250,"completion_tokens":180,"total_tokens":430}}` + "\n\n" +
			"data: [DONE]\n\n" + "\x00"),
		chunks: o.chunks, pace: o.pace, hold: o.hold,
	}
}

// fill puts text between two parts so that all has a size.
func fill(size int, before, after string) string {
	const words = "the order was checked against the invoice and the goods receipt "
	n := max(0, size-len(before)-len(after))
	return before + strings.Repeat(words, n/len(words)+1)[:n] + after
}

// framed is a chunk of a chunked body; one that ends in a zero byte is the last.
func framed(text string) []byte {
	body, last := strings.CutSuffix(text, "\x00")
	b := fmt.Appendf(nil, "%x\r\n%s\r\n", len(body), body)
	if last {
		b = append(b, "0\r\n\r\n"...)
	}
	return b
}
