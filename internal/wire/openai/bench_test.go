package openai

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

const sampleText = `The buyer asks whether invoice INV-402 over 1,250.00 EUR was approved,\nand if \"yes\" by whom. `

// chatBody is a request of about size bytes.
func chatBody(size int) []byte {
	head := `{"model":"procurement","messages":[{"role":"system","content":"You answer questions on invoices."}`
	tail := `,{"role":"user","content":"Has Invoice #402 been approved?"}],"temperature":0.2,"max_tokens":300,` +
		`"stream":true,"metadata":{"use_case":"invoice-status","session":"s-17"},"user":"u-1"}`
	b := []byte(head)
	for i := 0; len(b)+len(tail) < size; i++ {
		role := [...]string{"user", "assistant"}[i%2]
		room := max(1, min(size-len(b)-len(tail)-40, 2000)/len(sampleText))
		b = fmt.Appendf(b, `,{"role":"%s","content":"%s"}`, role, strings.Repeat(sampleText, room))
	}
	return append(b, tail...)
}

func benchmarkScan(b *testing.B, size int) {
	body := chatBody(size)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Front{}).Scan(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan1KB(b *testing.B)   { benchmarkScan(b, 1<<10) }
func BenchmarkScan100KB(b *testing.B) { benchmarkScan(b, 100<<10) }

func BenchmarkForward(b *testing.B) {
	body := chatBody(1 << 10)
	env, err := Front{}.Scan(body)
	if err != nil {
		b.Fatal(err)
	}
	raw := call.NewRaw(body, env, Front{}.Decode)
	order := call.Order{Target: call.Target{WireID: "gpt-5.5"}, MaxOut: 200, Stream: true}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Back{}).Forward(raw, order); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanAndForward1KB(b *testing.B) {
	body := chatBody(1 << 10)
	order := call.Order{Target: call.Target{WireID: "gpt-5.5"}, MaxOut: 200, Stream: true}
	b.ReportAllocs()
	for b.Loop() {
		env, err := Front{}.Scan(body)
		if err != nil {
			b.Fatal(err)
		}
		raw := call.Raw{Body: body, Envelope: env}
		if _, err := (Back{}).Forward(&raw, order); err != nil {
			b.Fatal(err)
		}
	}
}

// textFrame is a chunk of about 300 bytes, as OpenAI sends it.
var textFrame = []byte(`data: {"id":"chatcmpl-ABCdef1234567890","object":"chat.completion.chunk","create` +
	`d":1748300000,` +
	`"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_44add55e","choices":[{"index":0,` +
	`"delta":{"content":" approved"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aB3dE"}` + "\n\n")

func benchmarkStream(b *testing.B, o wire.StreamOptions) {
	r := Back{}.Stream(o)
	b.SetBytes(int64(len(textFrame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(textFrame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStreamFrameLight(b *testing.B) { benchmarkStream(b, wire.StreamOptions{}) }
func BenchmarkStreamFrameStripped(b *testing.B) {
	benchmarkStream(b, wire.StreamOptions{StripUsage: true})
}
func BenchmarkStreamFrameFull(b *testing.B) { benchmarkStream(b, wire.StreamOptions{Full: true}) }

func BenchmarkPeek(b *testing.B) {
	body := []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1748300000,"model":"gpt-4o","ch` +
		`oices":[{"index":0,` +
		`"message":{"role":"assistant","content":"` + strings.Repeat(sampleText, 8) + `","refusal":null},"logprobs":null,` +
		`"finish_reason":"stop"}],"usage":{"prompt_tokens":120,"completion_tokens":180,"total_tokens":300,` +
		`"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":10}}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := (Back{}).Peek(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	w := Front{}.Stream(llm.Envelope{Model: "m"})
	dst := w.Write(nil, llm.Event{Kind: llm.EvStart, ID: "x"})
	b.ReportAllocs()
	for b.Loop() {
		dst = w.Write(dst[:0], llm.Event{Kind: llm.EvText, Text: " approved"})
	}
	if !bytes.HasPrefix(dst, []byte("data: ")) {
		b.Fatal("no frame")
	}
}
