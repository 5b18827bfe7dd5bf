package session

import (
	"strings"

	"github.com/weirhq/weir/internal/call"
)

// Attempted takes in what became of an attempt: whose cache is warm, which tool calls were made, whether the answer was
// good enough. Its receiver may be nil: then no session is kept.
func (t *Turn) Attempted(a call.Attempt, tools []string) {
	if t == nil {
		return
	}
	w, number := WriterOf(a.Order.Target), a.Order.Target.Layer
	if t.Pinned && !t.bent && w != t.Home {
		t.bend("")
	}
	now := t.store.Now()
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	st := t.store.get(t.look.ID, t.rules.Memory, now)
	if a.Outcome == call.OK && a.Settlement != call.NotSent {
		st.heat(w, a, now)
	}
	switch a.Verdict.Result {
	case call.Rejected:
		t.rejected = true
		t.refused(st, number, a.Verdict)
	case call.Accepted:
		if st.home != w {
			st.home, st.since = w, t.look.Turns
		}
		st.since = min(st.since, t.look.Turns) // a conversation that was made shorter
		st.sign(w, tools)
		if a.Order.Purpose != call.Delivery { // an answer that was good enough
			t.accepted(st, number)
		}
	}
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
