package ledger

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"
)

// retryFirst and retryMost bound the pause between two tries of a failing commit.
const (
	retryFirst = 10 * time.Millisecond
	retryMost  = time.Second
)

// write is the one goroutine that commits.
func (j *Journal) write() {
	defer close(j.exited)
	for b := j.next(); b != nil; b = j.next() {
		if err := j.commit(b); err != nil {
			j.fatal = err
			return
		}
	}
	j.fatal = j.append(&Batch{Mark: Clean})
}

// next waits for the next batch that is due and takes it; nil = closed and all written.
func (j *Journal) next() *batch {
	gathered := false
	for {
		b, pause := j.take(gathered)
		if b != nil || pause == 0 {
			return b
		}
		gathered = j.idle(pause)
	}
}

// idle waits for a poke, which returns false, or at most so long, which returns true; negative = for ever.
func (j *Journal) idle(pause time.Duration) bool {
	if pause < 0 {
		<-j.wake
		return false
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-j.wake:
		return false
	case <-t.C:
		return true
	}
}

// take gives the head of the queue when it is due, or how long to wait for it: negative = until a row comes, 0 = there
// is none and none will come. gathered says that the head has waited its time.
func (j *Journal) take(gathered bool) (*batch, time.Duration) {
	// Those whom the last commit woke run first, so that their next rows go into this commit together.
	runtime.Gosched()
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.queue[0]
	switch {
	case b.first == 0 && j.closing:
		return nil, 0
	case b.first == 0:
		return nil, -1
	case !gathered && !b.wanted && !j.closing && len(j.queue) == 1 && b.rows() < batchRows:
		return nil, j.opt.Gather
	}
	j.queue = slices.Delete(j.queue, 0, 1)
	if len(j.queue) == 0 {
		j.queue = append(j.queue, j.fresh())
	}
	j.flight = b
	b.settle()
	return b, 0
}

// settle drops the intents that ended here.
func (b *batch) settle() {
	b.Intents = slices.DeleteFunc(b.Intents, func(o OpenIntent) bool { return o.LSN == 0 })
	b.dead = 0
}

// commit writes a batch and wakes those who wait for it.
func (j *Journal) commit(b *batch) error {
	if err := j.append(&b.Batch); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.durable, j.flight = b.last, nil
	j.rows -= b.rows()
	if b.done != nil {
		close(b.done)
	}
	if len(j.free) < 4 {
		b.reset()
		j.free = append(j.free, b)
	}
	return nil
}

func (b *batch) reset() {
	clear(b.Intents)
	clear(b.Entries)
	clear(b.Ceilings)
	*b = batch{Batch: Batch{
		Intents: b.Intents[:0], Resolved: b.Resolved[:0], Entries: b.Entries[:0], Ceilings: b.Ceilings[:0],
	}}
}

// append tries until the store takes the batch; only Close gives up.
func (j *Journal) append(b *Batch) error {
	pause := retryFirst
	for {
		err := j.store.Append(b)
		j.mu.Lock()
		told := j.failure != nil
		j.failure = err
		j.mu.Unlock()
		if err == nil {
			if told {
				j.opt.Log.Info("ledger: commits succeed again")
			}
			return nil
		}
		if !told {
			j.opt.Log.Error("ledger: a commit failed and is tried again", slog.Any("err", err))
		}
		select {
		case <-j.quit:
			return fmt.Errorf("ledger given up: %w", err)
		case <-time.After(pause):
			pause = min(2*pause, retryMost)
		}
	}
}
