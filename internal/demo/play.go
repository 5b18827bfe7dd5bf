package demo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// runs are the four that are played, in order: profile, route, use case.
var runs = []struct{ profile, route, useCase string }{
	{"uniform", "frontier", "uniform-before"},
	{"uniform", "procurement", "uniform-after"},
	{"mixed", "frontier", "mixed-before"},
	{"mixed", "procurement", "mixed-after"},
}

// playAll plays every run, with progress.
func (st *stage) playAll(ctx context.Context) error {
	total := int64(len(runs) * st.o.Sample)
	fmt.Fprintf(st.o.Err, "playing %d interactions a run, %d runs, %d at a time, models %dx faster than life\n",
		st.o.Sample, len(runs), workers, speed)
	tick, done := st.progress(total)
	defer done()
	for _, r := range runs {
		if err := st.play(ctx, r.profile, r.route, r.useCase, tick); err != nil {
			return fmt.Errorf("play %s: %w", r.useCase, err)
		}
	}
	return nil
}

// play plays one run by a bounded number of callers at a time.
func (st *stage) play(ctx context.Context, profile, route, useCase string, tick func(run string)) error {
	day, err := st.day.Day(profile, st.o.Seed)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	got := make([]played, st.o.Sample)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= st.o.Sample {
					return
				}
				p, err := st.ask(ctx, day.At(i), route, useCase)
				if err != nil {
					stop(err)
					return
				}
				got[i] = p
				tick(useCase)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	st.played[useCase] = got
	return nil
}

// progress draws a bar on a terminal; elsewhere it writes a line now and then.
func (st *stage) progress(total int64) (tick func(run string), done func()) {
	if st.o.Terminal {
		p := mpb.New(mpb.WithOutput(st.o.Err), mpb.WithWidth(48))
		var run atomic.Value
		run.Store("")
		bar := p.AddBar(total,
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return fmt.Sprintf("%-15s", run.Load()) })),
			mpb.AppendDecorators(decor.CountersNoUnit("%d / %d"), decor.Elapsed(decor.ET_STYLE_GO, decor.WCSyncSpace)),
			mpb.BarRemoveOnComplete())
		return func(name string) {
			run.Store(name)
			bar.Increment()
		}, func() { bar.Abort(true); p.Wait() }
	}
	var made atomic.Int64
	begun := time.Now()
	return func(name string) {
		if n := made.Add(1); n%max(total/8, 1) == 0 {
			fmt.Fprintf(st.o.Err, "  %3d %%  %d of %d calls, %s, %s\n", n*100/total, n, total, name,
				time.Since(begun).Round(100*time.Millisecond))
		}
	}, func() {}
}
