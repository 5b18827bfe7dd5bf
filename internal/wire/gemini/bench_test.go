package gemini

import (
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/wire"
)

func BenchmarkStreamLiveFrame(b *testing.B) {
	r := Back{}.Stream(wire.StreamOptions{})
	f := []byte(chunk(say(`{"text":"a few words of an answer "}`) + "," + usage1("2", "7")))
	b.ReportAllocs()
	b.SetBytes(int64(len(f)))
	for b.Loop() {
		if _, err := r.Read(f); err != nil {
			b.Fatal(err)
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
