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
// that honours Retry-After.
type turns struct {
	targets []call.Target
	first   call.Purpose
	n       int
	after   []time.Duration // per target: what its provider asked for; < 0 = do not come back
}

// next gives the following attempt. last is the error of the attempt before; nil at the start.
func (t *turns) next(last *llm.Error) (target call.Target, why call.Purpose, wait time.Duration, more bool) {
	if t.n > 0 && last != nil {
		t.after[(t.n-1)%len(t.targets)] = comeBack(last)
	}
	if t.n == 0 {
		t.after = make([]time.Duration, len(t.targets))
	}
	for ; t.n < perTarget*len(t.targets); t.n++ {
		i, round := t.n%len(t.targets), t.n/len(t.targets)
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
		t.n++
		return t.targets[i], why, wait, true
	}
	return call.Target{}, "", 0, false
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
