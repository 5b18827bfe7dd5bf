package upstream

import (
	"context"
	"io"
	"net"
	"testing"
)

// looping is a connection that answers every write with the same bytes.
type looping struct {
	canned
	raw []byte
}

func (c *looping) Write(p []byte) (int, error) {
	c.in.Reset(c.raw)
	return len(p), nil
}

// BenchmarkSend is what the lean client itself costs for a call, without system calls.
func BenchmarkSend(b *testing.B) {
	head := okHead + "Date: Mon, 01 Jun 2026 00:00:00 GMT\r\nServer: mock\r\n" +
		"X-Request-Id: req_1\r\nX-Ratelimit-Remaining: 99\r\n"
	body := string(make([]byte, 1100))
	for _, tt := range []struct{ name, raw string }{
		{"length", head + length(body)},
		{"chunked", head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(body[:500], body[500:])},
	} {
		b.Run(tt.name, func(b *testing.B) {
			s := mustMake(b, "lean", Config{
				Endpoints: oneEndpoint(Endpoint{
					BaseURL: "http://provider.test/v1", Auth: Auth{Prefix: "Bearer ", Secret: func() string { return "key" }},
				}),
				Dial: func(context.Context, string, string) (net.Conn, error) {
					return &looping{canned: canned{step: 64 << 10}, raw: []byte(tt.raw)}, nil
				},
			})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			w := wire(body)
			buf := make([]byte, 8<<10)
			b.ReportAllocs()
			for b.Loop() {
				r, err := s.Send(ctx, flash, w)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = r.Body.Read(buf)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				_ = r.Body.Close()
			}
		})
	}
}
