// Command load sends chat completions over plain sockets and says how long they took, as one JSON line.
//
//	load -addr 127.0.0.1:8080 -key $WEIR_KEY -conns 64 -for 3s           saturation
//	load -addr 127.0.0.1:8080 -key $WEIR_KEY -conns 64 -rate 500 -for 5s open loop
//	load -addr 127.0.0.1:8080 -key $WEIR_KEY -conns 1 -calls 500         one call at a time
//	load -addr 127.0.0.1:8080 -key $WEIR_KEY -conns 5000 -hold           streams held open until standard input ends
//
// Requests are bytes made beforehand; answers are parsed for framing, status and the number of events only. It calls
// loopback only, for at most -for or -calls, whichever ends first.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/go-json-experiment/json"
)

// Bounds of what may be asked for.
const (
	maxConns = 20_000
	maxCalls = 5_000_000
	maxFor   = 10 * time.Minute
)

type options struct {
	addr, path, key, model string
	size, escape, maxOut   int
	stream, hold, refusals bool
	conns, calls           int
	rate                   float64
	length                 time.Duration
	timeout                time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.addr, "addr", "", "loopback address to call")
	flag.StringVar(&o.path, "path", "/v1/chat/completions", "path")
	flag.StringVar(&o.key, "key", "", "bearer key")
	flag.StringVar(&o.model, "model", "bench", "model to ask for")
	flag.IntVar(&o.size, "size", 1024, "bytes of a request's body")
	flag.IntVar(&o.escape, "escape", 0, "put a newline, escaped, after so many characters of the prompt; 0 = none")
	flag.IntVar(&o.maxOut, "max-tokens", 200, "max_tokens of the request")
	flag.BoolVar(&o.stream, "stream", false, "ask for streams")
	flag.BoolVar(&o.hold, "hold", false, "open -conns streams, tell when all have begun, and hold them until standard input ends")
	flag.IntVar(&o.conns, "conns", 64, "connections")
	flag.IntVar(&o.calls, "calls", maxCalls, "calls at most")
	flag.Float64Var(&o.rate, "rate", 0, "calls a second, started on time whatever the answers do; 0 = as many as the connections carry")
	flag.BoolVar(&o.refusals, "refusals", false, "count answers with status 503 apart: a refusal is no failure")
	flag.DurationVar(&o.length, "for", maxFor, "time at most")
	flag.DurationVar(&o.timeout, "timeout", 30*time.Second, "longest that one answer may be silent")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func (o options) check() error {
	addr, err := net.ResolveTCPAddr("tcp", o.addr)
	switch {
	case err != nil:
		return err
	case !addr.IP.IsLoopback():
		return fmt.Errorf("%s is not on loopback", o.addr)
	case o.conns < 1 || o.conns > maxConns:
		return fmt.Errorf("-conns %d: choose 1 to %d", o.conns, maxConns)
	case o.calls < 1 || o.calls > maxCalls:
		return fmt.Errorf("-calls %d: choose 1 to %d", o.calls, maxCalls)
	case o.length <= 0 || o.length > maxFor:
		return fmt.Errorf("-for %s: choose up to %s", o.length, maxFor)
	case o.size < 200 || o.size > 64<<20:
		return fmt.Errorf("-size %d: choose 200 to %d", o.size, 64<<20)
	case o.rate < 0 || o.rate > 100_000:
		return fmt.Errorf("-rate %g: choose up to 100000", o.rate)
	}
	return nil
}

func run(o options) error {
	if err := o.check(); err != nil {
		return err
	}
	var out any
	var err error
	if o.hold {
		out, err = hold(o)
	} else {
		out, err = drive(o)
	}
	if err != nil {
		return err
	}
	return say(out)
}

func say(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s\n", b)
	return err
}
