package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/llm"
)

// Reasons for which a call or a connection is turned away.
const (
	byCalls       = "calls"           // limits.calls are under way
	byKey         = "key"             // the key has its part of limits.calls
	byBytes       = "bytes"           // limits.inflight are in memory
	byKeyBytes    = "key_bytes"       // the key has its part of limits.inflight
	byDrain       = "draining"        // the server is stopping
	byConnections = "connections"     // limits.connections are open
	byAddress     = "connections_one" // the address has its part of limits.connections
)

// Bounds of turning away: what is read of a body that nobody wants, so that its client reads the answer in peace, and how
// long; the most seconds over which the turned away are spread.
const (
	unwanted  = 256 << 10 // as net/http does
	linger    = time.Second
	mostApart = 30
)

// door lets calls in, as many at once as limits.calls, and of each key no more than leaves room for others. It decides
// before a body is read, and without waiting: while it is full a freed place is taken by the next call at once, so a
// queue would add latency and memory, but no answered call.
type door struct {
	calls   pool[string]
	refused *prometheus.CounterVec
	jitter  func(below int64) int64
	now     func() time.Time

	mu    sync.Mutex
	herd  herd
	storm storm
	worst map[string]int // calls turned away by key since report
}

func newDoor(now func() time.Time, jitter func(int64) int64) *door {
	d := &door{now: now, jitter: jitter, worst: map[string]int{}, refused: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "weir_refused_total", Help: "Calls and connections turned away before they were read, by reason.",
	}, []string{"reason"})}
	for _, reason := range []string{byCalls, byKey, byBytes, byKeyBytes, byDrain, byConnections, byAddress} {
		d.refused.WithLabelValues(reason)
	}
	return d
}

// enter lets a call of a key in; leave must be called when it has ended.
func (d *door) enter(key string, limit int) error {
	switch d.calls.take(key, 1, 0, int64(limit)) {
	case shut:
		return d.turned(key, byDrain, "this server is stopping", "send the call again; another replica takes it")
	case full:
		return d.turned(key, byCalls, "too many calls are under way",
			"send the call again after the time that Retry-After tells; limits.calls in weir.yaml is the bound")
	case unfair:
		return d.turned(key, byKey, "this key has too many calls under way",
			"send the call again after the time that Retry-After tells; the rest of limits.calls is kept for other keys")
	}
	return nil
}

func (d *door) leave(key string) {
	d.calls.give(key, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.herd.tick(d.now()).ended++
}

// turned is the refusal of a call. It tells when to come again.
func (d *door) turned(key, reason, message, hint string) error {
	d.refused.WithLabelValues(reason).Inc()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.worst[key]++
	now := d.now()
	h := d.herd.tick(now)
	h.turned++
	d.storm.turned(now)
	return &llm.Error{
		Code: llm.CodeOverload, Message: message, Hint: hint,
		RetryAfter: time.Second * time.Duration(1+d.jitter(h.apart)),
	}
}

// herd counts what ends and what is turned away, by the second, so that those who were turned away come back over as
// many seconds as it takes to serve them.
type herd struct {
	second        int64
	ended, turned int64
	apart         int64 // seconds over which to spread, from what the last second counted
}

func (h *herd) tick(now time.Time) *herd {
	if s := now.Unix(); s != h.second {
		h.apart = min(max(2, h.turned/max(1, h.ended)), mostApart)
		h.second, h.ended, h.turned = s, 0, 0
	}
	h.apart = max(2, h.apart)
	return h
}

// calm is how many calls a second may be turned away before connections rest, and the bounds of a rest. Turning away
// costs a processor some 20 microseconds, so clients that ask again at once would soon leave none for answers.
const (
	calm      = 5000
	leastRest = 4 * time.Millisecond
	mostRest  = time.Second
	stormTick = 100 * time.Millisecond
)

// storm makes the connections of those that were turned away rest before more is read from them, for as long as keeps
// the rate at which calls are turned away bearable. Who waits for Retry-After notices nothing.
type storm struct {
	tick int64 // in which n are counted
	n    int64
	rest time.Duration
}

func (s *storm) turned(now time.Time) {
	if t := now.UnixNano() / int64(stormTick); t != s.tick {
		s.turn(t - s.tick)
		s.tick, s.n = t, 0
	}
	s.n++
}

// turn ends so many ticks: the rest follows their rate, by a factor of two at most.
func (s *storm) turn(ticks int64) {
	const share = calm * int64(stormTick) / int64(time.Second)
	s.n /= max(1, ticks)
	switch {
	case ticks > int64(mostRest/stormTick): // it is long over
		s.rest = 0
	case s.n > share:
		s.rest = min(max(s.rest, leastRest)*time.Duration(min(s.n, 2*share))/time.Duration(share), mostRest)
	default:
		s.rest = s.rest * time.Duration(max(s.n, share/2)) / time.Duration(share)
	}
	if s.rest < leastRest {
		s.rest = 0
	}
}

// calmed waits until a connection whose call was turned away may ask again.
func (d *door) calmed(ctx context.Context) {
	d.mu.Lock()
	rest := d.storm.rest
	d.mu.Unlock()
	if rest == 0 {
		return
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// report logs who was turned away since it was last called: metrics have no label for keys, of which there may be many.
func (d *door) report(log *slog.Logger) {
	d.mu.Lock()
	worst := d.worst
	d.worst = map[string]int{}
	d.mu.Unlock()
	if len(worst) == 0 {
		return
	}
	all, top, most := 0, "", 0
	for key, n := range worst {
		all += n
		if n > most || n == most && cmp.Less(key, top) {
			top, most = key, n
		}
	}
	log.LogAttrs(context.Background(), slog.LevelWarn, "calls were turned away", slog.Int("calls", all),
		slog.Int("keys", len(worst)), slog.String("most_of_key", top), slog.Int("of_it", most))
}

// admit decides about a call by its header alone.
func (s *Server) admit(r *http.Request) (*identity.Key, error) {
	if headerBytes(r.Header) > maxHeaderBytes {
		return nil, largeHeader()
	}
	key, err := s.keys.Lookup(presented(r.Header))
	if err != nil {
		return nil, err
	}
	return key, s.door.enter(key.ID, s.config.Load().Limits.Calls)
}

// turnAway answers a call whose body was not read to its end. The answer leaves first: net/http would wait for the body of
// an HTTP/1 request before. What the client still sends is then taken for a moment and forgotten, so that it reads the
// answer in peace and may keep its connection.
func (d *door) turnAway(w http.ResponseWriter, r *http.Request, front gateway.Front, err error) {
	over := llm.AsError(err).Code == llm.CodeOverload
	if over { // nothing was spent: clients may repeat it by themselves
		w.Header()["X-Should-Retry"] = []string{"true"}
	}
	rc := http.NewResponseController(w)
	if r.ProtoMajor > 1 {
		writeError(w, front, err)
		if over && rc.Flush() == nil { // a stream that rests keeps its place among those of its connection
			d.calmed(r.Context())
		}
		return
	}
	_ = rc.SetReadDeadline(time.Now().Add(linger)) // where it cannot be set, there is no connection to wait for
	if errors.Is(err, os.ErrDeadlineExceeded) || r.ContentLength < 0 || r.ContentLength > unwanted || rc.EnableFullDuplex() != nil {
		w.Header()["Connection"] = []string{"close"}
		writeError(w, front, err)
		return
	}
	writeError(w, front, err)
	_ = rc.Flush() // a client that is gone is seen below
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(http.ErrAbortHandler) // what may still come must not be taken for another request
	}
	if over {
		d.calmed(r.Context())
	}
}
