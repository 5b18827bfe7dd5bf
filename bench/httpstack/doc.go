// Package httpstack measures which HTTP stack carries a call: Go's net/http server in front of either net/http's own
// Transport or Weir's lean HTTP/1.1 client (internal/models/upstream), behind one seam. It holds only tests and
// benchmarks and is no part of the product:
//
//	go test ./bench/httpstack -run xxx -bench . -benchtime 1s
//
// The gateway under test runs in the test's own process; provider and load run in child processes, so that getrusage of
// the test's process is the gateway's CPU and nothing else. Figures:
//
//	cpu-us/call     user + system CPU of the gateway per call, 64 connections at saturation
//	KB/stream       growth of resident memory per held stream
//	cancel-ms-p50   from the client closing its connection to the provider seeing its own closed
package httpstack
