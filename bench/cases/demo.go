package cases

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/bench/lab"
	"github.com/weirhq/weir/internal/sim/scenario"
)

// played is one run of the demo.
type played struct {
	out   []byte
	first time.Duration // to the first line, on either output
	took  time.Duration
}

// clocked notes when the first line passes.
type clocked struct {
	to    io.Writer
	first func()
	mu    *sync.Mutex
}

func (c clocked) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.IndexByte(p, '\n') >= 0 {
		c.first()
	}
	return c.to.Write(p)
}

func play(s *Settings, dir string, flags ...string) (played, error) {
	var p played
	var out, errs bytes.Buffer
	var mu sync.Mutex
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, s.Lab.Bin("weir"), append([]string{"demo", "--dir", dir}, flags...)...)
	began := time.Now()
	first := func() { p.first = cmp.Or(p.first, time.Since(began)) }
	c.Dir, c.Stdout, c.Stderr = dir, clocked{&out, first, &mu}, clocked{&errs, first, &mu}
	err := c.Run()
	p.took, p.out = time.Since(began), out.Bytes()
	if err != nil {
		return p, fmt.Errorf("weir demo: %w: %.2000s", err, errs.Bytes())
	}
	return p, nil
}

// demo plays the demo three times: twice as a reader sees it, once as JSON, whose figures are held against the
// scenario's own expectation and against the ledger.
func demo(s *Settings) ([]Bar, error) {
	if err := s.Lab.Build(); err != nil {
		return nil, err
	}
	var runs []played
	var dirs []string
	for _, flags := range [][]string{nil, nil, {"--json"}} {
		dir, err := s.Lab.Folder()
		if err != nil {
			return nil, err
		}
		if s.Short {
			flags = append(flags, "--sample", "200")
		}
		p, err := play(s, dir, flags...)
		if err != nil {
			return nil, err
		}
		s.Lab.Say("  demo: first line after %s, all after %s", p.first.Round(time.Millisecond), p.took.Round(time.Millisecond))
		runs, dirs = append(runs, p), append(dirs, dir)
	}
	var r result
	if err := json.Unmarshal(runs[2].out, &r); err != nil {
		return nil, fmt.Errorf("weir demo --json: %w", err)
	}
	off, detail, err := r.deviation()
	if err != nil {
		return nil, err
	}
	wrong, err := r.unlikeLedger(s, dirs[2])
	if err != nil {
		return nil, err
	}
	return []Bar{
		most("demo: first line, seconds", runs[0].first.Seconds(), 2, nil),
		most("demo: all, seconds", max(runs[0].took, runs[1].took).Seconds(), 60, nil),
		most("demo: same seed twice, lines that differ, count", float64(differing(runs[0].out, runs[1].out)), 0, nil),
		most("demo: uniform profile against the scenario's expectation, percent off", off, 0.1, detail),
		most("demo: sampled figures unlike weir usage, count", float64(len(wrong)), 0, wrong),
	}, nil
}

// differing counts lines that are not the same in two texts.
func differing(a, b []byte) (n int) {
	as, bs := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range max(len(as), len(bs)) {
		if i >= len(as) || i >= len(bs) || !bytes.Equal(as[i], bs[i]) {
			n++
		}
	}
	return n
}

// result is what of weir demo --json is checked. Amounts of the analytic section are in nano-dollars.
type result struct {
	Analytic []struct {
		Profile, Book string
		Before        struct{ Day int64 }
		Honest        map[string]struct{ Day int64 }
	} `json:"analytic"`
	Sampled []struct {
		Profile string `json:"profile"`
		Book    string `json:"prices"`
		Before  side   `json:"all_frontier"`
		After   side   `json:"cascade"`
	} `json:"sampled"`
}

type side struct {
	Cost     string `json:"sample_usd"`
	Attempts int64  `json:"attempts"`
}

// deviation is how far the analytic day lies from what the scenario expects, at worst, in percent.
func (r result) deviation() (worst float64, detail map[string]float64, err error) {
	e := scenario.Procurement().Profiles["uniform"].Expect
	if e == nil {
		return 0, nil, fmt.Errorf("the scenario expects nothing")
	}
	detail = map[string]float64{}
	for _, a := range r.Analytic {
		if a.Profile != "uniform" {
			continue
		}
		before, after := e.Before, e.After
		if a.Book != "article-2026-06" {
			before, after = e.Real.Before, e.Real.After
		}
		for name, pair := range map[string][2]int64{
			"before":            {a.Before.Day, int64(before)},
			"after, pro":        {a.Honest[scenario.CompressorPro].Day, int64(after.Pro)},
			"after, flash-lite": {a.Honest[scenario.CompressorFlashLite].Day, int64(after.FlashLite)},
		} {
			off := lab.Round(100 * math.Abs(float64(pair[0]-pair[1])) / float64(pair[1]))
			detail[a.Book+": "+name] = off
			worst = max(worst, off)
		}
	}
	if len(detail) != 6 {
		return 0, detail, fmt.Errorf("the uniform profile has %d figures, not 6: %v", len(detail), detail)
	}
	return worst, detail, nil
}

// unlikeLedger compares the sampled figures with what weir usage reads from the ledger.
func (r result) unlikeLedger(s *Settings, dir string) (wrong []string, err error) {
	out, err := s.Lab.Output(context.Background(), nil, s.Lab.Bin("weir"), "usage", "--by", "use-case", "--json",
		"--dir", filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	var usage struct {
		Groups []struct {
			Name     string `json:"name"`
			Cost     string `json:"cost_usd"`
			Attempts int64  `json:"attempts"`
		} `json:"groups"`
	}
	if err := json.Unmarshal(out, &usage); err != nil {
		return nil, fmt.Errorf("weir usage --json: %w", err)
	}
	ledger := map[string]side{}
	for _, g := range usage.Groups {
		ledger[g.Name] = side{g.Cost, g.Attempts}
	}
	checked := 0
	for _, x := range r.Sampled {
		if x.Book != "article-2026-06" { // the ledger has the prices of the configuration
			continue
		}
		for name, got := range map[string]side{x.Profile + "-before": x.Before, x.Profile + "-after": x.After} {
			checked++
			if want := ledger[name]; got != want {
				wrong = append(wrong, fmt.Sprintf("%s: demo %+v, ledger %+v", name, got, want))
			}
		}
	}
	if checked != 4 {
		return nil, fmt.Errorf("%d sampled figures to compare, not 4", checked)
	}
	return wrong, nil
}
