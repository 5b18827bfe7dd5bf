// Command profile says where the processor time of a call goes: the gateway runs in this process under Go's profilers,
// the null upstream and the load in processes of their own.
//
//	go run ./bench/profile -out cpu.pprof && go tool pprof -top cpu.pprof
//	go run ./bench/profile -size 102400 -escape 1000 -conns 16
//	go run ./bench/profile -stream -conns 100
//	go run ./bench/profile -rate 500
//
// It writes the profile of the processor to -out, that of allocations to -mem, and prints processor time, allocations
// and bytes a call. The figures are those of an unpinned, profiled process: bench/ratio has the ones to quote.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/weirhq/weir/bench/lab"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/telemetry"
)

type options struct {
	size, escape, conns int
	stream              bool
	rate                int
	length              time.Duration
	cpu, mem            string
}

func main() {
	var o options
	flag.IntVar(&o.size, "size", 1024, "bytes of a request's body")
	flag.IntVar(&o.escape, "escape", 0, "an escaped newline after so many characters; 0 = none")
	flag.IntVar(&o.conns, "conns", 64, "connections")
	flag.BoolVar(&o.stream, "stream", false, "ask for streams")
	flag.IntVar(&o.rate, "rate", 0, "calls a second; 0 = saturation")
	flag.DurationVar(&o.length, "for", 5*time.Second, "length of the load")
	flag.StringVar(&o.cpu, "out", "cpu.pprof", "file for the profile of the processor")
	flag.StringVar(&o.mem, "mem", "", "file for the profile of allocations; none = not written")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		os.Exit(1)
	}
}

func run(o options) (err error) {
	l, err := lab.New(os.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	up, err := l.Upstream()
	if err != nil {
		return err
	}
	defer up.Stop()
	w, err := l.Prepare(up.Addr, "")
	if err != nil {
		return err
	}
	stop, err := serve(w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	flags := []string{"-conns", fmt.Sprint(o.conns), "-size", fmt.Sprint(o.size), "-escape", fmt.Sprint(o.escape)}
	if o.stream {
		flags = append(flags, "-stream")
	}
	if _, err := l.Load(w.Addr, w.Key, append(flags, "-for", "1s")...); err != nil { // warm
		return err
	}
	return o.measure(l, w, append(flags, "-rate", fmt.Sprint(o.rate), "-for", o.length.String()))
}

// serve runs the gateway in this process as weir serve would, access log to /dev/null.
func serve(w *lab.Weir) (stop func() error, err error) {
	c, err := config.Load(w.Config(), lab.Env)
	if err != nil {
		return nil, err
	}
	debug.SetGCPercent(400) // as weir serve
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	lines := telemetry.NewLines(ctx, null)
	s, err := server.New(server.Options{Config: c, Access: telemetry.Logger(lines, slog.LevelInfo)})
	if err != nil {
		cancel()
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}, nil
}

func (o options) measure(l *lab.Lab, w *lab.Weir, flags []string) error {
	f, err := os.Create(o.cpu)
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used, err := lab.CPU(os.Getpid())
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	r, err := l.Load(w.Addr, w.Key, flags...)
	pprof.StopCPUProfile()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	now, err := lab.CPU(os.Getpid())
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	per := func(n uint64) float64 { return float64(n) / float64(r.Calls) }
	fmt.Printf("%d calls: %.1f us of processor, %.0f allocations, %.0f bytes a call; %d collections\n", r.Calls,
		per(uint64((now-used).Nanoseconds()))/1000, per(after.Mallocs-before.Mallocs), per(after.TotalAlloc-before.TotalAlloc),
		after.NumGC-before.NumGC)
	if o.mem == "" {
		return nil
	}
	m, err := os.Create(o.mem)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(m, 0), m.Close())
}
