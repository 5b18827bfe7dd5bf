// Command upstream is a provider that costs nearly nothing: it answers every request at once with the same OpenAI chat
// completion, or with a stream of equal chunks when the request asks for one. Benchmarks put it behind gateways.
//
//	go run ./bench/upstream -listen 127.0.0.1:9000 -chunks 100
//	go run ./bench/upstream -hold 2s     # streams stay open, one chunk every two seconds
//
// It prints its address as one JSON line, serves loopback only, and ends with its standard input or after -life.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/weirhq/weir/bench/rawhttp"
)

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "loopback address")
	flag.IntVar(&o.chunks, "chunks", 100, "content chunks a stream, at most 100000")
	flag.DurationVar(&o.pace, "pace", 0, "pause before each chunk; 0 = a burst")
	flag.DurationVar(&o.hold, "hold", 0, "streams never end and send a chunk this often; 0 = off")
	flag.DurationVar(&o.life, "life", 30*time.Minute, "end after this long")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

type options struct {
	listen           string
	chunks           int
	pace, hold, life time.Duration
}

func run(o options) error {
	if o.chunks < 1 || o.chunks > 100_000 {
		return fmt.Errorf("-chunks %d: choose 1 to 100000", o.chunks)
	}
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	if !ln.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return fmt.Errorf("%s is not on loopback", ln.Addr())
	}
	fmt.Printf("{\"addr\":%q}\n", ln.Addr())
	go serve(ln, newScript(o))
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whoever started it is gone
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(o.life):
	}
	return ln.Close()
}

func serve(ln net.Listener, s *script) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = c.Close() }()
			s.connection(c)
		}()
	}
}

// connection answers the requests of one connection until it ends.
func (s *script) connection(c net.Conn) {
	r := bufio.NewReaderSize(c, 8<<10)
	var body []byte
	var err error
	for {
		if body, err = rawhttp.ReadBody(r, body); err != nil {
			return
		}
		if !streams(body) {
			if _, err := c.Write(s.answer); err != nil {
				return
			}
			continue
		}
		if s.stream(c) != nil {
			return
		}
	}
}

// streams tells whether a request asks for a stream.
func streams(body []byte) bool {
	i := bytes.Index(body, []byte(`"stream":`))
	return i >= 0 && bytes.HasPrefix(bytes.TrimLeft(body[i+len(`"stream":`):], " "), []byte("true"))
}

func (s *script) stream(c net.Conn) error {
	if _, err := c.Write(s.head); err != nil {
		return err
	}
	for n := 0; s.hold > 0 || n < s.chunks; n++ {
		if n > 0 && s.hold > 0 {
			time.Sleep(s.hold)
		}
		if s.pace > 0 {
			time.Sleep(s.pace)
		}
		if _, err := c.Write(s.chunk); err != nil {
			return err
		}
	}
	_, err := c.Write(s.end)
	return err
}
