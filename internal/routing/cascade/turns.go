package cascade

import (
	"net/http"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Bounds of the waits between attempts within one layer.
const (
	firstWait = 200 * time.Millisecond
	maxWait   = 10 * time.Second
	perTarget = 2 // attempts
)

// turns orders the attempts within one layer: every target once, then once more those whose error may pass, after a wait
// that honours Retry-After. A pinned first target has its second attempt before the others have their first.
type turns struct {
	targets []call.Target
	pinned  bool
	first   call.Purpose
	n       int
	last    int             // target of the attempt before
	after   []time.Duration // per target: what its provider asked for; < 0 = do not come back
}

// next gives the following attempt. last is the error of the attempt before; nil at the start.
func (t *turns) next(last *llm.Error) (target call.Target, why call.Purpose, wait time.Duration, more bool) {
	if t.n > 0 && last != nil {
		t.after[t.last] = comeBack(last)
	}
	if t.n == 0 {
		t.after = make([]time.Duration, len(t.targets))
	}
	for ; t.n < perTarget*len(t.targets); t.n++ {
		i, round := t.place()
		if round > 0 && t.after[i] < 0 {
			continue
		}
		why = call.Fallback
		switch {
		case t.n == 0:
			why = t.first
		case round > 0:
			why, wait = call.Retry, max(firstWait<<(round-1), t.after[i])
		}
		t.n, t.last = t.n+1, i
		return t.targets[i], why, wait, true
	}
	return call.Target{}, "", 0, false
}

// place is the target of the n-th attempt, and how often it was asked before.
func (t *turns) place() (target, round int) {
	switch others := len(t.targets) - 1; {
	case !t.pinned || others == 0:
		return t.n % len(t.targets), t.n / len(t.targets)
	case t.n < perTarget:
		return 0, t.n
	default:
		n := t.n - perTarget
		return 1 + n%others, n / others
	}
}

// comeBack says after how long a target that failed so may be asked again; negative = not in this call.
func comeBack(e *llm.Error) time.Duration {
	switch {
	case e.Code == llm.CodePolicy, e.Code == llm.CodeUnfit, e.RetryAfter > maxWait:
		return -1
	case e.Upstream >= 400 && e.Upstream < 500 && e.Upstream != http.StatusRequestTimeout && e.Upstream != http.StatusTooManyRequests:
		return -1
	}
	return e.RetryAfter
}
