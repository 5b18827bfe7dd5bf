package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/server"
)

// nullProvider answers at once, without a network.
type nullProvider struct{}

const nullAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"mini-wire","choices":[{"index":0,` +
	`"message":{"role":"assistant","content":"42"},"finish_reason":"stop"}],` +
	`"usage":{"prompt_tokens":12,"completion_tokens":2,"total_tokens":14}}`

func (nullProvider) Send(context.Context, call.Target, call.Wire) (*call.Reply, error) {
	return &call.Reply{
		Status: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(nullAnswer))),
	}, nil
}

type nullClient struct{}

func (nullClient) Head(gateway.Head)        {}
func (nullClient) Write([]byte, bool) error { return nil }

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAttempt256 is the money of an attempt at speed: scan, permit, hold, journal, settle and the durable row in real
// SQLite, by 256 callers at a time, on a provider that costs nothing.
func BenchmarkAttempt256(b *testing.B) { attempts(b, layout, "mini") }

// BenchmarkObserved256 is the same on a route of one layer, and on one in observe mode whose last layer is that one.
func BenchmarkObserved256(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		attempts(b, strings.Replace(layout, "      - {name: edge, use: [flash, mini], checks: [number]}\n", "", 1), "counting")
	})
	b.Run("observed", func(b *testing.B) { attempts(b, observed(""), "counting") })
}

func attempts(b *testing.B, text, model string) {
	b.Helper()
	h := &house{t: b, dir: b.TempDir()}
	c := h.config(strings.Replace(text, "$1/day", "$1000000/day", 1), "http://127.0.0.1:1")
	s, err := server.New(server.Options{Config: c, Sender: nullProvider{}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	body := []byte(chat(model, "how many words does it take to fill about one kilobyte? "+string(bytes.Repeat([]byte("word "), 180)), false))
	key := &identity.Key{ID: "bench", UseCase: "counting"}
	var made atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before, begun := cpu(b), time.Now()
	for range 256 {
		wg.Go(func() {
			for made.Add(1) <= int64(b.N) {
				in := gateway.Inbound{Dialect: llm.OpenAI, Key: key, Body: body, Start: time.Now()}
				if _, err := rand.Read(in.ID[6:]); err != nil {
					b.Error(err)
				}
				if err := s.Handle(context.Background(), in, nullClient{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/attempt")
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "attempts/s")
}
