package main

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/bench/rawhttp"
)

func TestRequestsAreJSONOfTheSizeAskedFor(t *testing.T) {
	for _, o := range []options{
		{size: 1024}, {size: 200}, {size: 102_400, escape: 1000}, {size: 5000, escape: 1}, {size: 777, stream: true}, {size: 900, hold: true},
	} {
		o.addr, o.key, o.model, o.maxOut = "127.0.0.1:1", "k", "bench", 9
		body, err := rawhttp.ReadBody(bufio.NewReader(strings.NewReader(string(request(o)))), nil)
		if err != nil {
			t.Fatal(err)
		}
		var asked struct {
			Model    string `json:"model"`
			Stream   bool   `json:"stream"`
			Messages []struct {
				Content string `json:"content"`
			} `json:"messages"`
		}
		if err := json.Unmarshal(body, &asked); err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if len(body) != o.size || asked.Model != "bench" || asked.Stream != (o.stream || o.hold) || len(asked.Messages) != 2 {
			t.Errorf("%+v: %d bytes, %+v", o, len(body), asked.Model)
		}
		if got := strings.Contains(asked.Messages[1].Content, "\n"); got != (o.escape > 0) {
			t.Errorf("escape %d: a newline: %v", o.escape, got)
		}
	}
}

func TestQuantilesByNearestRank(t *testing.T) {
	var ds []time.Duration
	for i := range 200 {
		ds = append(ds, time.Duration(200-i)*time.Microsecond)
	}
	if diff := cmp.Diff(Quantiles{P50: 100, P99: 198, Max: 200}, quantiles(ds)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Quantiles{}, quantiles(nil)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyLoopbackAndBoundedLoads(t *testing.T) {
	good := options{addr: "127.0.0.1:80", size: 1024, conns: 1, calls: 1, length: time.Second}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*options){
		"another machine": func(o *options) { o.addr = "192.0.2.1:80" },
		"no address":      func(o *options) { o.addr = "" },
		"no connections":  func(o *options) { o.conns = 0 },
		"too many":        func(o *options) { o.conns = maxConns + 1 },
		"no end":          func(o *options) { o.length = 2 * maxFor },
		"no calls":        func(o *options) { o.calls = 0 },
		"tiny body":       func(o *options) { o.size = 10 },
		"negative rate":   func(o *options) { o.rate = -1 },
	} {
		o := good
		change(&o)
		if o.check() == nil {
			t.Errorf("%s is allowed", name)
		}
	}
}

// provider answers each connection's requests with what it is given, one after another.
func provider(t *testing.T, answers ...string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for n := 0; ; {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(c)
			for ; n < len(answers); n++ {
				if _, err := rawhttp.ReadBody(r, nil); err != nil {
					break
				}
				if _, err := c.Write([]byte(answers[n])); err != nil {
					break
				}
			}
			_ = c.Close()
		}
	}()
	return ln.Addr().String()
}

func TestCallsAreCountedAndFailuresToldApart(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	const no = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull"
	o := options{addr: provider(t, ok, no, ok), size: 300, conns: 1, calls: 3, length: time.Minute, timeout: time.Minute}
	out, err := drive(o)
	if err != nil {
		t.Fatal(err)
	}
	r := out.(Report)
	if r.Calls != 2 || r.Failed != 1 || r.Error != "status 503: full" || r.Bytes != 4 {
		t.Errorf("%+v", r)
	}
}

func TestAStreamMustEndAsStreamsDo(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	o := options{
		addr: provider(t, head+"8\r\ndata: a\n\r\n0\r\n\r\n", head+"17\r\ndata: a\n\ndata: [DONE]\n\n\r\n0\r\n\r\n"),
		size: 300, conns: 1, calls: 2, length: time.Minute, timeout: time.Minute, stream: true,
	}
	out, err := drive(o)
	if err != nil {
		t.Fatal(err)
	}
	if r := out.(Report); r.Calls != 1 || r.Failed != 1 || r.Events != 2 {
		t.Errorf("%+v", r)
	}
}
