package session

import (
	"slices"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Look is one request as its session sees it.
type Look struct {
	ID     ID
	Named  bool
	Open   bool   // it ends in tool results, or in a turn of the model's own that is signed and goes on
	Spoken bool   // a model has answered in it before
	Turns  int    // messages
	Answer string // id of the tool call that its latest result answers
	Signed bool   // something signed stands in the part that the model must get back
	Native llm.Dialect
	// Stall looks for circles in what was said after a message. No lock is held meanwhile.
	Stall func(after int) Stall
}

// LookAt is the look of a request.
func LookAt(f call.Facts, env *llm.Envelope, body []byte, rules Rules) Look {
	t := &env.Talk
	l := Look{Open: t.Open || t.Pinning(), Spoken: t.Spoken > 0, Turns: env.Turns, Signed: t.Pinning(), Native: env.Dialect}
	l.ID, l.Named = Of(f, env, body)
	if (t.Open || !l.Open) && t.Results.Len() > 0 {
		at := t.Results.Back(0).ID
		l.Answer = string(body[at.Start:at.End])
	}
	l.Stall = func(after int) Stall { return StallOf(body, t, max(after, t.Asked), rules.StallAfter) }
	return l
}

// Step is one layer of the cascade as the session wants it.
type Step struct {
	Layer   int   // index into the layers
	Targets []int // indexes into the layer's targets, in order
	// Again is one more try of the model that a pin holds, only after its answer was rejected.
	Again bool
}

// Decision is what a session makes of a call.
type Decision struct {
	Steps  []Step
	Pinned bool // the first target wrote the open tool loop
	Home   Writer
	Since  int // messages before the first that Home wrote; what others signed is foreign
	Note   Note
	Events []Event
}

// Foreign reports whether a signed piece was written by another model than a target's, as far as is known.
func (d *Decision) Foreign(t call.Target, s llm.Signed) bool {
	switch d.Home {
	case Writer{}:
		return false
	case WriterOf(t):
		return s.Turn < d.Since
	}
	return true
}

// Joined reports whether a target's model did not write the whole of an open tool loop that began at a user's message.
func (d *Decision) Joined(t call.Target, asked int) bool {
	return WriterOf(t) != d.Home || d.Since > asked+1
}

// Turn is one call of a session. Not safe for concurrent use.
type Turn struct {
	Decision
	store  *Store
	look   Look
	rules  Rules
	layers []Layer

	answers  uint64   // mark of the tool call that its latest result answers
	level    int      // number of the layer at which the open loop stands
	repeated bool     // the same user turn came before
	rejected bool     // an answer was
	withheld []uint64 // tool calls of the latest rejected answer
	bent     bool
	counted  bool // its user turn is
}

// Begin decides about a call. layers are those that it may use, in order; at least one.
func (s *Store) Begin(l Look, rules Rules, layers []Layer) *Turn {
	t := &Turn{store: s, look: l, rules: rules, layers: layers, answers: markOf(l.Answer)}
	t.Steps = make([]Step, 0, len(layers)+1)
	now := s.Now()
	var stall Stall
	if l.Open {
		t.recall(now)
		if _, _, found := find(layers, t.Home, 0); found {
			stall = l.Stall(t.Since - 1)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.get(l.ID, rules.Memory, now)
	// Without a name, only a conversation that grows is the same: another that begins in the same words (a template, examples
	// before a question) has to show for itself what it needs.
	if !l.Named && !l.Open && (!l.Spoken || l.Turns <= st.turns) {
		st.layer, st.need, st.why, st.probing, st.good, st.turns = 0, 0, "", false, 0, 0
	}
	if l.Open {
		t.inLoop(st, layers, stall, now)
	} else {
		t.atUserTurn(st, layers, now)
	}
	return t
}

func (t *Turn) note(e Event) { t.Events = append(t.Events, e) }

// atUserTurn decides where a user turn begins: where the last answers were good, higher when the turn before asked for
// it, now and then one layer lower.
func (t *Turn) atUserTurn(st *state, layers []Layer, now time.Time) {
	repeated := st.turns == t.look.Turns && st.turns > 0
	t.repeated = repeated
	if st.probing && !repeated {
		st.probing, st.good, st.layer = false, 0, below(layers, st.layer)
		t.note(Lowered)
	}
	start := from(layers, max(st.layer, st.need))
	switch {
	case st.need > 0 && layers[start].Number > max(st.layer, layers[0].Number):
		t.Note.Why = st.why
		t.note(Escalated)
	case repeated && st.probing:
		start = max(start-1, 0)
	case t.rules.ProbeEvery > 0 && st.good >= t.rules.ProbeEvery && start > 0 && !repeated && st.need == 0:
		start--
		st.probing = true
		t.Note.Why = "a probe: the layer above answered well for long enough"
		t.note(Probed)
	case start > 0:
		t.Note.Why = "the layer that last answered well"
		t.note(Remembered)
	}
	if start > 0 || t.Note.Why != "" {
		t.Note.Start = layers[start].Number
	}
	st.turns = t.look.Turns
	t.Home, t.Since = st.home, st.since
	t.climb(st, layers, start, -1, now)
}

// from is the first layer of at least a number, or else the last.
func from(layers []Layer, number int) int {
	for i, l := range layers {
		if l.Number >= number {
			return i
		}
	}
	return len(layers) - 1
}

// below is the number of the layer before the one of a number.
func below(layers []Layer, number int) int {
	i := from(layers, number)
	return layers[max(i-1, 0)].Number
}

// climb makes the steps from a layer upward, in each the warm targets first. pin is the target to begin with, -1 = none.
func (t *Turn) climb(st *state, layers []Layer, start, pin int, now time.Time) {
	for i := start; i < len(layers); i++ {
		l := &layers[i]
		order := st.ordered(l.Targets, now)
		if i == start && pin >= 0 {
			order = slices.Insert(slices.DeleteFunc(slices.Clone(order), func(j int) bool { return j == pin }), 0, pin)
		} else if i == start && order[0] != 0 {
			t.Note.Warm = l.Targets[order[0]].Deployment
			t.note(Warmed)
		}
		t.Steps = append(t.Steps, Step{Layer: i, Targets: order})
		if i == start && pin >= 0 && l.Held {
			t.Steps = append(t.Steps, Step{Layer: i, Targets: []int{pin}, Again: true})
		}
	}
}

// lone is the order of one target.
var lone = []int{0}

// ordered are the indexes of targets, the one whose cache was used last first, then as they stand.
func (st *state) ordered(targets []call.Target, now time.Time) []int {
	if len(targets) == 1 {
		return lone
	}
	order, heat := make([]int, len(targets)), make([]time.Time, len(targets))
	for j := range order {
		order[j], heat[j] = j, st.warmAt(WriterOf(targets[j]), now)
	}
	slices.SortStableFunc(order, func(a, b int) int { return heat[b].Compare(heat[a]) })
	return order
}

// recall finds who wrote the open tool loop, by the tool call that its latest result answers. A call that is not known
// may be of any conversation that shares the session's name, so the writer of the latest answer is not taken for its own.
// What is signed then goes to the first model that may have signed it.
func (t *Turn) recall(now time.Time) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	st := t.store.get(t.look.ID, t.rules.Memory, now)
	if l := st.author(t.answers); l != nil {
		t.Home, t.Since = l.by, l.since
	} else if t.answers == 0 || !t.look.Named {
		t.Home, t.Since = st.home, st.since
	}
	if t.Home == (Writer{}) && t.look.Signed {
		t.Home = native(t.layers, t.look.Native)
	}
}

// inLoop keeps a call at the model that wrote the open tool loop, unless the loop cannot end there.
func (t *Turn) inLoop(st *state, layers []Layer, stall Stall, now time.Time) {
	at, pin, found := find(layers, t.Home, st.layer)
	if !found {
		if t.Home != (Writer{}) {
			t.bend("its model may not be used for this call any more")
		}
		start := from(layers, st.layer)
		t.level = layers[start].Number
		t.climb(st, layers, start, -1, now)
		return
	}
	t.level = layers[at].Number
	t.Pinned, t.Note.Pinned = true, layers[at].Targets[pin].Deployment
	t.note(Pinned)
	if stall.What == "" {
		t.climb(st, layers, at, pin, now)
		return
	}
	t.Note.Stalled = stall.What
	t.note(Stalled)
	t.demand(st, layers[at].Number, "stalled: "+stall.What)
	if !stall.Hard || at+1 == len(layers) {
		t.climb(st, layers, at, pin, now)
		return
	}
	t.bend("stalled: the loop does not end by itself")
	t.Pinned, t.Note.Start, t.Note.Why = false, layers[at+1].Number, st.why
	t.climb(st, layers, at+1, -1, now)
}

// bend notes that an open loop goes to another model.
func (t *Turn) bend(why string) {
	t.Note.Bent, t.bent = why, true
	t.note(Bent)
}

// native is the first writer of a dialect that gets the history as it is.
func native(layers []Layer, d llm.Dialect) Writer {
	for _, l := range layers {
		for _, t := range l.Targets {
			if t.Dialect == d && !l.Brief {
				return WriterOf(t)
			}
		}
	}
	return Writer{}
}

// find is where a writer stands: in the layer of a number or above it, else below.
func find(layers []Layer, w Writer, number int) (layer, target int, found bool) {
	for i, l := range layers {
		if j := slices.IndexFunc(l.Targets, func(t call.Target) bool { return WriterOf(t) == w }); j >= 0 {
			layer, target, found = i, j, true
			if l.Number >= number {
				break
			}
		}
	}
	return layer, target, found
}
