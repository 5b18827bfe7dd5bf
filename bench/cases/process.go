package cases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/bench/lab"
)

const mb = 1 << 20

// binary measures the binary as it is released: static, without symbols.
func binary(s *Settings) ([]Bar, error) {
	if err := s.Lab.Build(); err != nil {
		return nil, err
	}
	info, err := os.Stat(s.Lab.Bin("weir"))
	if err != nil {
		return nil, err
	}
	return []Bar{most("binary, MB", float64(info.Size())/mb, 35, nil)}, nil
}

// idle is how long the gateway does nothing before its memory is read.
const idle = 2 * time.Second

// start measures from the start of the process on an empty folder to the first answer, and the memory it then keeps.
func start(s *Settings) ([]Bar, error) {
	up, err := s.Lab.Upstream()
	if err != nil {
		return nil, err
	}
	defer up.Stop()
	var took, memory []float64
	for range max(3, s.Rounds.Want) {
		ms, rss, err := firstAnswer(s, up.Addr)
		if err != nil {
			return nil, err
		}
		took, memory = append(took, ms), append(memory, rss)
	}
	t, m := lab.SpreadOf(took), lab.SpreadOf(memory)
	return []Bar{
		most("start to first answer, milliseconds", t.Median, 500, t),
		most("idle memory, MB", m.Median, 60, m),
	}, nil
}

func firstAnswer(s *Settings, upstream string) (ms, rss float64, err error) {
	w, err := s.Lab.Lay(upstream, "")
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := w.ExecAloud(); err != nil {
		return 0, 0, err
	}
	defer w.Stop()
	if err := w.UntilAnswered(20 * time.Second); err != nil {
		return 0, 0, err
	}
	ms = float64(time.Since(began).Microseconds()) / 1000
	time.Sleep(idle)
	n, err := lab.RSS(w.PID())
	return ms, float64(n) / mb, err
}

// restart kills a gateway under load on a grown ledger and measures how soon the next one answers.
func restart(s *Settings) ([]Bar, error) {
	up, err := s.Lab.Upstream()
	if err != nil {
		return nil, err
	}
	defer up.Stop()
	dir, err := s.Lab.Filled(s.Rows)
	if err != nil {
		return nil, err
	}
	w, err := s.Lab.Prepare(up.Addr, dir)
	if err != nil {
		return nil, err
	}
	if err := w.Serve(); err != nil {
		return nil, err
	}
	var took []float64
	for range max(3, s.Rounds.Want) {
		ms, err := killed(s, w)
		if err != nil {
			w.Stop()
			return nil, err
		}
		took = append(took, ms)
	}
	w.Stop()
	t := lab.SpreadOf(took)
	name := fmt.Sprintf("restart after kill -9, ledger of %d rows, to the first answer, milliseconds", s.Rows)
	return []Bar{most(name, t.Median, 1000, t)}, nil
}

// killed kills a gateway while it serves and starts it again.
func killed(s *Settings, w *lab.Weir) (ms float64, err error) {
	loaded := make(chan struct{})
	go func() {
		_, _ = s.Lab.Load(w.Addr, w.Key, "-for", "2s") // it is cut: it can only fail
		close(loaded)
	}()
	time.Sleep(time.Second)
	w.Kill()
	<-loaded
	began := time.Now()
	if err := w.Exec(); err != nil {
		return 0, err
	}
	if err := w.UntilAnswered(20 * time.Second); err != nil {
		return 0, err
	}
	return float64(time.Since(began).Microseconds()) / 1000, nil
}

// attempts are the benchmarks of what one attempt costs: the spine of money alone, and with the whole of dispatch.
var attempts = []struct{ name, dir, benchmark, rate string }{
	{"durable attempts", "./internal/store/sqlite", "BenchmarkDurable256", "rows/s"},
	{"durable attempts, dispatch+hold+journal+SQLite", "./internal/server", "BenchmarkAttempt256", "attempts/s"},
}

func durable(s *Settings) ([]Bar, error) {
	var bars []Bar
	for _, a := range attempts {
		count := "60000x"
		if s.Short {
			count = "20000x"
		}
		out, err := s.Lab.Output(context.Background(), nil, "go", "test", "-run", "^$", "-bench", "^"+a.benchmark+"$",
			"-benchtime", count, "-count", strconv.Itoa(s.Rounds.Want), a.dir)
		if err != nil {
			return nil, err
		}
		rate, cpu := metric(out, a.benchmark, a.rate), metric(out, a.benchmark, "cpu-us/attempt")
		if len(rate) == 0 || len(cpu) == 0 {
			bars = append(bars, Bar{Name: a.name, Bar: "measured", Detail: a.benchmark + " is not there"})
			continue
		}
		command := fmt.Sprintf("go test -run '^$' -bench '^%s$' -benchtime %s %s", a.benchmark, count, a.dir)
		r, c := lab.SpreadOf(rate), lab.SpreadOf(cpu)
		both := []Bar{
			least(a.name+", 256 waiters, per second", r.Median, 15_000, r),
			most(a.name+", 256 waiters: CPU of one, microseconds", c.Median, 40, c),
		}
		for i := range both {
			both[i].Command = command
		}
		bars = append(bars, both...)
	}
	return bars, nil
}

// metric finds a benchmark's values of a unit in the output of go test.
func metric(out []byte, benchmark, unit string) (values []float64) {
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != benchmark && !strings.HasPrefix(f[0], benchmark+"-") {
			continue
		}
		for i := 2; i+1 < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil && f[i+1] == unit {
				values = append(values, v)
			}
		}
	}
	return values
}

// exists tells whether a folder of the project has Go files.
func exists(s *Settings, dir string) error {
	files, err := os.ReadDir(s.Lab.Root + "/" + dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".go") {
			return nil
		}
	}
	return fmt.Errorf("%s %w", dir, ErrAbsent)
}
