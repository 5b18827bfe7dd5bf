package anthropic

import (
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/wire"
)

func BenchmarkStreamLiveFrame(b *testing.B) {
	r := Back{}.Stream(wire.StreamOptions{})
	f := []byte(delta1("1", `"type":"text_delta","text":"a few words of an answer "`))
	b.ReportAllocs()
	b.SetBytes(int64(len(f)))
	for b.Loop() {
		if _, err := r.Read(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStreamFullFrame(b *testing.B) {
	f := []byte(delta1("1", `"type":"text_delta","text":"a few words of an answer "`))
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := Back{}.Stream(wire.StreamOptions{Full: true})
		readAll(b, r, block1("1", `"type":"text","text":""`))
		b.StartTimer()
		for range 100 {
			if _, err := r.Read(f); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkPeek(b *testing.B) {
	for _, n := range []int{1, 100} {
		body := []byte(strings.Replace(fullAnswer, `I \"look\".`, strings.Repeat("A kilobyte. ", 85*n), 1))
		b.Run(map[int]string{1: "1KB", 100: "100KB"}[n], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, _, err := (Back{}).Peek(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScanForward(b *testing.B) {
	for _, n := range []int{1, 100} {
		body := []byte(`{"model":"route","max_tokens":100,"messages":[{"role":"user","content":"` +
			strings.Repeat("A kilobyte. ", 85*n) + `"}]}`)
		b.Run(map[int]string{1: "1KB", 100: "100KB"}[n], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				env, err := Front{}.Scan(body)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := (Back{}).Forward(call.NewRaw(body, env, Front{}.Decode), order(50)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
