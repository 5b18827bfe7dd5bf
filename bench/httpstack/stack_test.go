package httpstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/models/upstream"
)

const connections = 64

// sender is the seam: what the gateway needs of an upstream client.
type sender interface {
	Send(context.Context, call.Target, call.Wire) (*call.Reply, error)
	Close()
}

// stacks make the gateway's handler in front of a provider. All stand behind the same net/http server.
var stacks = []struct {
	name string
	make func(tb testing.TB, providerAddr string) http.Handler
}{
	{"reverseproxy", func(_ testing.TB, addr string) http.Handler {
		p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
		p.Transport = &http.Transport{MaxIdleConnsPerHost: 20000, DisableCompression: true}
		p.BufferPool = &copyBuffers{}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = calmBody{r.Body}
			p.ServeHTTP(w, r)
		})
	}},
	{"std", func(tb testing.TB, addr string) http.Handler {
		s, err := upstream.NewStd(config(addr))
		return relay(tb, s, err)
	}},
	{"lean", func(tb testing.TB, addr string) http.Handler {
		s, err := upstream.New(config(addr))
		return relay(tb, s, err)
	}},
}

// calmBody ends where it would tell that it is closed. When a provider answers fast, the server closes the request's
// body before the Transport has looked for its end, and the Transport takes that for a failed write and breaks the
// answer.
type calmBody struct{ io.ReadCloser }

func (b calmBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, http.ErrBodyReadAfterClose) {
		err = io.EOF
	}
	return n, err
}

func config(addr string) upstream.Config {
	key := upstream.Auth{Prefix: "Bearer ", Secret: func() string { return "provider-key" }}
	return upstream.Config{Endpoints: map[string]upstream.Endpoint{"mock": {BaseURL: "http://" + addr, Auth: key}}}
}

type copyBuffers struct{ pool sync.Pool }

func (c *copyBuffers) Get() []byte {
	if b, ok := c.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 4<<10)
}

func (c *copyBuffers) Put(b []byte) { c.pool.Put(&b) }

// relay is the least gateway: body in, one attempt, answer out, streams flushed read by read.
func relay(tb testing.TB, s sender, err error) http.Handler {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	buffers := &copyBuffers{}
	bodies := sync.Pool{New: func() any { return new([]byte) }}
	target := call.Target{Deployment: "mock", Provider: "mock"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := bodies.Get().(*[]byte)
		defer bodies.Put(buf)
		*buf = slices.Grow((*buf)[:0], int(r.ContentLength))
		body := (*buf)[:r.ContentLength]
		if _, err := io.ReadFull(r.Body, body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		reply, err := s.Send(r.Context(), target, call.Wire{Path: r.URL.Path, Body: [][]byte{body}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer reply.Body.Close()
		copyAnswer(w, reply, buffers)
	})
}

func copyAnswer(w http.ResponseWriter, reply *call.Reply, buffers *copyBuffers) {
	kind := reply.Header.Get("Content-Type")
	w.Header().Set("Content-Type", kind)
	stream := strings.HasPrefix(kind, "text/event-stream")
	if n := reply.Header.Get("Content-Length"); n != "" {
		w.Header().Set("Content-Length", n)
	}
	w.WriteHeader(reply.Status)
	buf := buffers.Get()
	defer buffers.Put(buf)
	flusher, _ := w.(http.Flusher)
	for {
		n, err := reply.Body.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return
			}
			if stream {
				flusher.Flush()
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the client must not take a cut answer for a whole one
		}
	}
}

// gateway serves a handler in this process and returns its address.
func gateway(tb testing.TB, h http.Handler) string {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.Listener.Addr().String()
}

// cpu is the time that this process has spent on a CPU.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCPU(b *testing.B) {
	provider := start(b, "provider")
	addr := provider.line(b)
	clients := start(b, "load")
	for _, traffic := range []struct {
		name, path string
		bytes      int
	}{{"1KB", "/chat", 1 << 10}, {"100KB", "/chat", 100 << 10}, {"burst-stream", "/stream", 1 << 10}} {
		for _, stack := range stacks {
			b.Run(traffic.name+"/"+stack.name, func(b *testing.B) {
				gw := gateway(b, stack.make(b, addr))
				calls := func(n int) {
					if got := clients.tell(b, "run %s %s %d %d %d", gw, traffic.path, connections, n, traffic.bytes); got != "ok" {
						b.Fatal(got)
					}
				}
				calls(4 * connections) // connections, pools
				before := cpu(b)
				b.ResetTimer()
				calls(b.N)
				b.StopTimer()
				b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-us/call")
			})
		}
	}
}

// resident is the resident memory of this process in bytes, after a collection.
func resident(tb testing.TB) int {
	tb.Helper()
	debug.FreeOSMemory()
	var size, pages int
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Skip("needs /proc")
	}
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		tb.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func BenchmarkHeldStreams(b *testing.B) {
	const streams = 2000
	provider := start(b, "provider")
	addr := provider.line(b)
	clients := start(b, "load")
	for _, stack := range stacks {
		b.Run(stack.name, func(b *testing.B) {
			for b.Loop() {
				gw := gateway(b, stack.make(b, addr))
				before := resident(b)
				if got := clients.tell(b, "hold %s %d", gw, streams); got != "ok" {
					b.Fatal(got)
				}
				b.ReportMetric(float64(resident(b)-before)/streams/1024, "KB/stream")
				clients.tell(b, "drop")
			}
		})
	}
}

// holding is a provider in this process: it streams one event, then tells when its connection ends.
func holding(tb testing.TB) (addr string, ended <-chan time.Time) {
	tb.Helper()
	ch := make(chan time.Time, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, event)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		ch <- time.Now()
	}))
	tb.Cleanup(s.Close)
	return s.Listener.Addr().String(), ch
}

func BenchmarkCancel(b *testing.B) {
	for _, stack := range stacks {
		b.Run(stack.name, func(b *testing.B) {
			addr, ended := holding(b)
			gw := gateway(b, stack.make(b, addr))
			var took []time.Duration
			for b.Loop() {
				c, err := net.Dial("tcp", gw)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Write(request("/hold", 100)); err != nil {
					b.Fatal(err)
				}
				if err := awaitEvent(c); err != nil {
					b.Fatal(err)
				}
				from := time.Now()
				_ = c.Close()
				took = append(took, (<-ended).Sub(from))
			}
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
			b.ReportMetric(ms(took[len(took)/2]), "cancel-ms-p50")
			b.ReportMetric(ms(took[len(took)-1]), "cancel-ms-max")
		})
	}
}

// TestHTTP2TowardsClients streams through the lean stack to a client that speaks HTTP/2, and cancels in the middle.
func TestHTTP2TowardsClients(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "cleartext", true: "tls"}[secure], func(t *testing.T) {
			addr, ended := holding(t)
			s := httptest.NewUnstartedServer(stacks[len(stacks)-1].make(t, addr))
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetHTTP1(true)
			s.Config.Protocols.SetHTTP2(true)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			transport := &http.Transport{Protocols: new(http.Protocols)}
			if secure {
				s.EnableHTTP2 = true
				s.StartTLS()
				transport = s.Client().Transport.(*http.Transport)
			} else {
				transport.Protocols.SetUnencryptedHTTP2(true)
				s.Start()
			}
			defer s.Close()
			defer transport.CloseIdleConnections()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/hold", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.ProtoMajor != 2 {
				t.Errorf("spoke %s", resp.Proto)
			}
			got := make([]byte, len(event))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != event {
				t.Errorf("first event %q, %v", got, err)
			}
			cancel()
			<-ended // the provider's connection was broken while it held the stream
		})
	}
}
