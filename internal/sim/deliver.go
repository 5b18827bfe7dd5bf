package sim

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/weirhq/weir/internal/sim/tokens"
)

// answer answers a request that was understood, and spoils the answer where a fault says so.
func (s *Sim) answer(w http.ResponseWriter, r *http.Request, d dialect, a *ask) {
	if fail := a.fault.refusal(a); fail != nil {
		s.refuse(w, r, d, a, fail)
		return
	}
	rep, fail := s.reply(a)
	if fail != nil {
		s.refuse(w, r, d, a, fail)
		return
	}
	out := &delivery{sim: s, w: w, ctx: r.Context(), pace: s.pace(a), fault: a.fault, start: s.cfg.Now()}
	id := requestID(r, a)
	setIDs(w.Header(), id)
	out.row = Request{
		ID: id, Status: http.StatusOK, Response: rep.id, Note: rep.answers[0].Note, Input: rep.prompt, Cached: rep.cached(),
	}.of(a)
	defer out.enter() // also when the connection is cut by a panic
	if a.stream {
		out.stream(a, d, rep)
		return
	}
	out.whole(d, a, rep)
}

// reply asks the answerer for each choice.
func (s *Sim) reply(a *ask) (*reply, *failure) {
	rep := &reply{created: s.cfg.Now().Unix(), prompt: a.prompt, silent: a.fault.Kind == "nousage"}
	rep.id = strconv.FormatUint(a.Seed, 16) + strconv.FormatInt(int64(a.occurrence), 16)
	rep.metered = s.cache.meter(a, s.cfg.Now())
	for i := range max(a.n, 1) {
		q := a.Query
		q.Choice = i
		ans, err := s.cfg.Answers.Answer(q)
		if err != nil {
			s.book.note(a, "unrecorded")
			return nil, &failure{kind: failUnrecorded, message: err.Error()}
		}
		if !a.Thinks || a.fill {
			ans.Thinking = ""
		}
		ans, n := limited(ans, a.max)
		if a.fill {
			ans, n = Answer{Finish: FinishLength}, 0
		}
		if ans.Thinking != "" {
			rep.thought = s.thought(a.model.ID, ans)
		}
		rep.answers = append(rep.answers, ans)
		rep.output = append(rep.output, n)
	}
	return rep, nil
}

// pace is how fast a model answers one request.
type pace struct {
	first time.Duration
	token time.Duration
}

// pace draws the latency: log-normal about the model's medians, seeded by the content, divided by Speed.
func (s *Sim) pace(a *ask) pace {
	m := a.model
	draw := rand.New(rand.NewPCG(a.Seed, 0x7a17))
	spread := func() float64 { return math.Exp(m.Sigma * draw.NormFloat64()) }
	p := pace{first: time.Duration(float64(m.TTFT) * spread() / float64(s.cfg.Speed))}
	if m.TPS > 0 {
		p.token = time.Duration(float64(time.Second) / float64(m.TPS) / spread() / float64(s.cfg.Speed))
	}
	return p
}

// delivery writes one answer at its pace.
type delivery struct {
	sim   *Sim
	w     http.ResponseWriter
	ctx   context.Context
	pace  pace
	fault Fault
	start time.Time
	sent  int  // output tokens billed so far
	gone  bool // the client left before the end
	row   Request
	done  bool // the row is in the book
}

// enter books the request, once. Whoever sends the last bytes calls it first, so that a client that has its answer
// finds it counted.
func (o *delivery) enter() {
	if o.done {
		return
	}
	o.done, o.row.Output, o.row.Canceled = true, o.sent, o.gone
	o.sim.book.add(o.row)
}

// shortest is the wait below which a timer costs more than it tells; the schedule is absolute, so nothing is lost.
const shortest = time.Millisecond

// until waits for a moment of the schedule; false = the client left.
func (o *delivery) until(after time.Duration) bool {
	wait := o.start.Add(after).Sub(o.sim.cfg.Now())
	if wait >= shortest && o.sim.cfg.Sleep(o.ctx, wait) != nil {
		o.gone = true
	}
	if o.ctx.Err() != nil {
		o.gone = true
	}
	return !o.gone
}

// hang waits until the client leaves.
func (o *delivery) hang() {
	<-o.ctx.Done()
	o.gone = true
}

// send writes and flushes; false = the client left.
func (o *delivery) send(data []byte) bool {
	if _, err := o.w.Write(data); err != nil {
		o.gone = true
		return false
	}
	o.flush()
	return true
}

func (o *delivery) flush() {
	// A writer that cannot flush (a recorder in a test) has nothing to push on.
	_ = http.NewResponseController(o.w).Flush()
}

// stream writes the frames, each when its tokens are due.
func (o *delivery) stream(a *ask, d dialect, rep *reply) {
	h := o.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	if !a.sse {
		h.Set("Content-Type", "application/json; charset=UTF-8")
	}
	h.Set("Cache-Control", "no-cache")
	frames := spoil(o.fault, d, a, d.frames(a, rep, o.sim.cfg.ChunkTokens))
	o.w.WriteHeader(http.StatusOK)
	due, at := o.pace.first+time.Duration(rep.reasoning())*o.pace.token, o.fault.arg()
	o.sent = rep.reasoning()
	for i, f := range frames {
		if i == at && o.fault.Kind == "cut" {
			panic(http.ErrAbortHandler)
		}
		if i == at && o.fault.Kind == "stall" {
			o.flush()
			o.hang()
			return
		}
		if !o.until(due + o.drip(i)) {
			return
		}
		o.sent += f.tokens
		if i == len(frames)-1 && o.fault.Kind != "cut" {
			o.complete(rep)
		}
		if !o.send(f.data) {
			return
		}
		due += time.Duration(f.tokens) * o.pace.token
	}
	if o.fault.Kind == "cut" {
		panic(http.ErrAbortHandler)
	}
}

// complete books an answer that went out whole: billed is what its usage tells, not the sum of its chunks.
func (o *delivery) complete(rep *reply) {
	switch o.fault.Kind {
	case "error200", "inband", "truncated":
	default:
		o.sent = rep.total()
	}
	o.enter()
}

// drip is how late frame i comes by a drip.
func (o *delivery) drip(i int) time.Duration {
	if o.fault.Kind != "drip" {
		return 0
	}
	return time.Duration(i+1) * time.Duration(o.fault.arg()) * time.Millisecond
}

// spoil changes the frames of a stream as a fault says.
func spoil(f Fault, d dialect, a *ask, frames []frame) []frame {
	at := min(f.arg(), len(frames))
	problem := func() []byte {
		return d.inBand(d.failure(&failure{kind: failOverloaded, model: a.Model}, "req_inband"))
	}
	switch f.Kind {
	case "garbage":
		out := append([]frame{}, frames[:at]...)
		out = append(out, frame{data: []byte("data: {\"id\": <<garbage>>, ]\n\n")})
		return append(out, frames[at:]...)
	case "error200":
		return []frame{{data: problem()}}
	case "inband":
		return append(frames[:at:at], frame{data: problem()})
	case "truncated":
		at = min(at, len(frames)-1)
		half := frame{data: frames[at].data[:len(frames[at].data)/2]}
		return append(frames[:at:at], half)
	}
	return frames
}

// whole writes a body, when its last token is due.
func (o *delivery) whole(d dialect, a *ask, rep *reply) {
	body, kind := d.whole(a, rep), "application/json"
	switch o.fault.Kind {
	case "stall":
		o.w.Header().Set("Content-Type", kind)
		o.w.WriteHeader(http.StatusOK)
		o.flush()
		o.hang()
		return
	case "garbage":
		body, kind = []byte("<html><body><h1>It works!</h1></body></html>"), "text/html"
	case "error200":
		body = d.failure(&failure{kind: failServer, model: a.Model}, "req_inband")
	case "truncated":
		body = body[:len(body)/2]
	}
	if !o.until(o.pace.first + time.Duration(rep.total())*o.pace.token) {
		o.sent = o.generated(rep)
		return
	}
	h := o.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	o.w.WriteHeader(http.StatusOK)
	o.sent = rep.total()
	if o.fault.Kind != "drip" {
		o.enter()
	}
	switch o.fault.Kind {
	case "cut":
		o.send(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case "drip":
		o.dripBody(body)
	default:
		o.send(body)
	}
}

// dripBody sends a body in tenths, each late.
func (o *delivery) dripBody(body []byte) {
	o.start = o.sim.cfg.Now()
	step := max(len(body)/10, 1)
	for i := 0; len(body) > 0; i++ {
		n := min(step, len(body))
		if !o.until(o.drip(i)) {
			return
		}
		if n == len(body) {
			o.enter()
		}
		if !o.send(body[:n]) {
			return
		}
		body = body[n:]
	}
}

// generated is what a model had produced, and bills, when the client left a body that was not yet sent.
func (o *delivery) generated(rep *reply) int {
	spent := o.sim.cfg.Now().Sub(o.start) - o.pace.first
	if o.pace.token <= 0 || spent <= 0 {
		return 0
	}
	return min(int(spent/o.pace.token), rep.total())
}

// chunks cuts a text for streaming and tells each chunk's tokens.
func chunks(text string, n int) []frame {
	var out []frame
	for _, c := range tokens.Chunks(text, n) {
		out = append(out, frame{data: []byte(c), tokens: tokens.Count(c)})
	}
	return out
}
