package main

import (
	"fmt"
	"strings"
)

// prompt is text of a length as it stands in JSON, with an escaped newline after every so many characters.
func prompt(n, escape int) string {
	const words = "please check whether the invoice matches the purchase order and the goods receipt "
	var b strings.Builder
	line := 0
	for b.Len() < n {
		if escape > 0 && line >= escape && n-b.Len() >= 2 {
			b.WriteString(`\n`)
			line = 0
			continue
		}
		b.WriteByte(words[b.Len()%len(words)])
		line++
	}
	return b.String()
}

// request is a whole HTTP request whose body has o.size bytes.
func request(o options) []byte {
	stream := ""
	if o.stream || o.hold {
		stream = `,"stream":true`
	}
	before := fmt.Sprintf(`{"model":%q,"max_tokens":%d,"temperature":0.2%s,"messages":[`+
		`{"role":"system","content":"You are a procurement agent."},{"role":"user","content":"`, o.model, o.maxOut, stream)
	const after = `"}]}`
	body := before + prompt(max(1, o.size-len(before)-len(after)), o.escape) + after
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"+
		"User-Agent: OpenAI/Python 1.99.0\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n%s",
		o.path, o.addr, o.key, len(body), body)
}
