package session

import (
	"strings"

	"github.com/weirhq/weir/internal/call"
)

// Attempted takes in what became of an attempt: whose cache is warm, which tool calls were made, whether the answer was
// good enough. What is no answer to the caller (a summary for a brief, a probe, a shadow) leaves the session as it is. Its
// receiver may be nil: then no session is kept.
func (t *Turn) Attempted(a call.Attempt, tools []string) {
	if t == nil {
		return
	}
	w, made := WriterOf(a.Order.Target), marksOf(tools)
	switch a.Order.Purpose {
	case call.Answer, call.Retry, call.Fallback, call.Escalate:
		t.answered(w, a, made)
	case call.Delivery:
		t.delivered(w)
	case call.Compress, call.Probe, call.Shadow, call.Observed:
	}
}

// answered takes in an attempt at the caller's question.
func (t *Turn) answered(w Writer, a call.Attempt, made []uint64) {
	if t.Pinned && !t.bent && w != t.Home {
		t.bend("")
	}
	now, number := t.store.Now(), a.Order.Target.Layer
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	st := t.store.get(t.look.ID, t.rules.Memory, now)
	if a.Outcome == call.OK && a.Settlement != call.NotSent {
		st.heat(w, a, now)
	}
	switch a.Verdict.Result {
	case call.Rejected:
		t.rejected, t.withheld = true, made
		t.refused(st, number, a.Verdict)
	case call.Accepted:
		t.wrote(st, w, made)
		t.accepted(st, number)
	}
}

// delivered takes in that the latest rejected answer went to the caller after all. The conversation goes on from what its
// writer said; where the session stands it does not change.
func (t *Turn) delivered(w Writer) {
	now := t.store.Now()
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.wrote(t.store.get(t.look.ID, t.rules.Memory, now), w, t.withheld)
}

// wrote remembers who wrote the answer that the caller gets. What was the writer's own in this conversation still is.
func (t *Turn) wrote(st *state, w Writer, made []uint64) {
	since := t.look.Turns
	if w == t.Home {
		since = min(t.Since, since) // less: a conversation that was made shorter
	}
	st.home, st.since = w, since
	if l := st.author(t.answers); l != nil {
		l.closed = true
	}
	st.keep(loop{by: w, since: since, calls: made})
}

// refused takes in a rejected answer. In a loop it waits for the next user turn; at a user turn the cascade climbs by
// itself.
func (t *Turn) refused(st *state, number int, v call.Verdict) {
	if t.look.Open {
		t.demand(st, number, "checks failed in the turn before: "+v.Check)
		return
	}
	if st.probing {
		st.probing, st.good = false, 0
	}
}

// accepted takes in an answer that was good enough. A session that had to climb stays where that led it.
func (t *Turn) accepted(st *state, number int) {
	climbed := (t.rejected || t.Note.Stalled != "" || st.need > 0) && number > st.layer
	if t.look.Open {
		climbed = climbed && number > t.level
	}
	if climbed {
		st.layer, st.good = number, 0
	}
	if number >= st.need || !t.look.Open {
		st.need, st.why = 0, ""
	}
	if !t.look.Open && !t.counted && !t.repeated && !t.rejected {
		t.counted = true
		st.good++
	}
}

// demand remembers that the next user turn must begin above a layer. A probe that fails so is over.
func (t *Turn) demand(st *state, number int, why string) {
	st.good, st.probing = 0, false
	up := 0
	if i := from(t.layers, number); i+1 < len(t.layers) {
		up = t.layers[i+1].Number
	}
	if up > max(st.need, st.layer) {
		st.need, st.why = up, strings.ToValidUTF8(why[:min(len(why), longest)], "")
	}
}
