package cascade

import (
	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/routing/session"
)

// seat makes a payload fit a target as the call's session has it: what other models signed is left out, since none but
// its writer can read it. The note says so, and why an open tool loop went to another model than the one that wrote it.
func (r *run) seat(p call.Payload, t call.Target) call.Payload {
	s := r.plan.Session
	r.standing = session.Note{}
	if s == nil {
		return p
	}
	if r.made == 1 {
		r.standing = s.Note
	}
	if s.Pinned && session.WriterOf(t) != s.Home {
		r.standing.Bent = r.unseated()
	}
	raw, ok := p.(*call.Raw)
	if !ok {
		return p
	}
	if t.Dialect != r.facts.Dialect { // it has no place for them
		r.standing.Dropped = len(r.raw.Envelope.Talk.Signed)
		return p
	}
	talk := &r.raw.Envelope.Talk
	cut, n, err := r.raw.Without(func(x session.Signed) bool { return s.Foreign(t, x) }, s.Joined(t, talk.Asked))
	if cut == r.raw || err != nil {
		return p
	}
	r.standing.Dropped = n
	if raw.HasNote() {
		return cut.Noted(failureNote(r.rejected))
	}
	return cut
}

// unseated says why the model of an open tool loop does not go on.
func (r *run) unseated() string {
	if r.lastErr != nil {
		return "its model failed: " + string(r.lastErr.Code)
	}
	return "its model's answers failed " + r.rejected.Why
}

// past reports whether a layer's turn does not come: another try of a pinned model is for an answer of its own that was
// rejected.
func (r *run) past(l *Layer) bool {
	return l.Again && (r.lastErr != nil || r.best == nil || r.best.order.Target.Deployment != l.Targets[0].Deployment)
}
