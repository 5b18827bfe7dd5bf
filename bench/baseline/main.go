// Command baseline is what the standard library offers as a gateway: httputil.ReverseProxy over a tuned Transport, with
// no logic at all. Benchmarks compare Weir with it.
//
//	go run ./bench/baseline -target http://127.0.0.1:9000
//
// It prints its address as one JSON line, serves loopback only, and ends with its standard input or after -life.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "loopback address")
	target := flag.String("target", "", "the upstream's URL")
	life := flag.Duration("life", 30*time.Minute, "end after this long")
	flag.Parse()
	if err := run(*listen, *target, *life); err != nil {
		fmt.Fprintln(os.Stderr, "baseline:", err)
		os.Exit(1)
	}
}

// pool lends the buffers that bodies are copied through.
type pool struct{ buffers sync.Pool }

func (p *pool) Get() []byte {
	if b, ok := p.buffers.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

func (p *pool) Put(b []byte) { p.buffers.Put(&b) }

var _ httputil.BufferPool = (*pool)(nil)

// proxy passes everything on, and streams as they come.
func proxy(to *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     &http.Transport{MaxIdleConns: 20_000, MaxIdleConnsPerHost: 20_000, DisableCompression: true},
		FlushInterval: -1,
		BufferPool:    &pool{},
	}
}

func run(listen, target string, life time.Duration) error {
	to, err := url.Parse(target)
	if err != nil {
		return err
	}
	if to.Host == "" {
		return errors.New("-target is missing")
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if !ln.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return fmt.Errorf("%s is not on loopback", ln.Addr())
	}
	server := &http.Server{Handler: proxy(to), ReadHeaderTimeout: 10 * time.Second}
	fmt.Printf("{\"addr\":%q}\n", ln.Addr())
	time.AfterFunc(life, func() { _ = server.Close() })
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whoever started it is gone
		_ = server.Close()
	}()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
