package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// pulse is the one place that writes to a call's client: what the call's own goroutine says, and between that, on a
// stream that says nothing for a while, keep-alives.
type pulse struct {
	out   Out
	every time.Duration // 0 = never
	alive []byte
	early Head // when a keep-alive is the first that leaves
	gone  func()
	first func() // told once, when the first byte leaves

	mu     sync.Mutex
	timer  *time.Timer
	headed bool
	spoke  bool // since the last beat
	over   bool
	beats  int // keep-alives that left
}

// start has keep-alives come from now on, until stop. Later calls do nothing.
func (p *pulse) start() {
	if p.every <= 0 || len(p.alive) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil && !p.over {
		p.timer = time.AfterFunc(p.every, p.beat)
	}
}

// stop ends the keep-alives and tells how many there were.
func (p *pulse) stop() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.timer != nil {
		p.timer.Stop()
	}
	return p.beats
}

// begun reports whether the headers have left.
func (p *pulse) begun() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.headed
}

// beat writes a keep-alive when nothing was said since the last one.
func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	if !p.spoke {
		if err := p.say(p.alive, false, func() { p.out.Head(p.early) }); err != nil {
			p.over = true
			p.gone()
			return
		}
		p.beats++
	}
	p.spoke = false
	p.timer.Reset(p.every)
}

// write says a part of the answer. head sends the headers, should they not have left.
func (p *pulse) write(b []byte, more bool, head func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoke = true
	return p.say(b, more, head)
}

func (p *pulse) say(b []byte, more bool, head func()) error {
	if !p.headed {
		p.headed = true
		head()
		if p.first != nil {
			p.first()
		}
	}
	if err := p.out.Write(b, more); err != nil {
		return fmt.Errorf("write to the caller: %w: %w", err, context.Canceled)
	}
	return nil
}
