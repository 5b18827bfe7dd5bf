package session

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// ids of so many tool calls.
func ids(name string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(name, i)
	}
	return out
}

// goesOn begins a call of a conversation of so many messages, which ends in the result of a tool call.
func (a *agent) goesOn(turns int, answers string) *Turn {
	l := a.look
	l.Open, l.Answer, l.Spoken, l.Signed, l.Turns = true, answers, true, true, turns
	l.Stall = func(int) Stall { return Stall{} }
	return a.store.Begin(l, rules, three())
}

func TestWhatIsNoAnswerLeavesTheSession(t *testing.T) {
	for _, why := range []call.Purpose{call.Compress, call.Probe, call.Shadow, call.Observed} {
		for _, verdict := range []call.VerdictResult{call.Accepted, call.Rejected} {
			a := newAgent()
			good(a.ask(), target("edge2", 1), "c1")
			turn := a.loop("c1")
			other := attempt(target("mid", 2), verdict)
			other.Order.Purpose = why
			turn.Attempted(other, []string{"d1"})
			good(turn, target("edge2", 1), "c2")
			expect(t, turn, "edge2 edge edge2+ mid top", Pinned)
			turn = a.ask()
			expect(t, turn, "edge2 edge mid top", Warmed)
			if turn.Home != WriterOf(target("edge2", 1)) || a.goesOn(3, "d1").Note.Pinned == "mid" {
				t.Errorf("%s, %s: home %v", why, verdict, turn.Home)
			}
		}
	}
}

// TestADeliveredAnswerIsItsWriters holds that a loop goes on at the model whose rejected answer the caller got after all,
// and that the session stands where it stood.
func TestADeliveredAnswerIsItsWriters(t *testing.T) {
	a := newAgent()
	turn := a.ask()
	refused := attempt(target("edge2", 1), call.Rejected)
	turn.Attempted(refused, []string{"c1"})
	refused.Order.Purpose, refused.Settlement, refused.Verdict.Result = call.Delivery, call.NotSent, call.Accepted
	turn.Attempted(refused, nil)
	expect(t, a.loop("c1"), "edge2 edge edge2+ mid top", Pinned)
	expect(t, a.ask(), "edge2 edge mid top", Warmed)
}

// TestAgentsThatShareANameKeepTheirOwn has one agent wait for a tool while others of its name make many calls, in loops
// that go on and in some that nobody ends.
func TestAgentsThatShareANameKeepTheirOwn(t *testing.T) {
	a := newAgent()
	good(a.ask(), target("edge", 1), "a-1")
	for n := range keptLoops - 2 {
		name := fmt.Sprintf("b%d-", n)
		good(a.ask(), target("mid", 2), name+"0")
		for i := range 50 {
			good(a.loop(fmt.Sprint(name, i)), target("mid", 2), fmt.Sprint(name, i+1))
		}
	}
	turn := a.goesOn(3, "a-1")
	expect(t, turn, "edge edge2 edge+ mid top", Pinned)
	good(turn, target("edge", 1), "a-2")
	turn = a.goesOn(5, "a-2")
	for _, at := range []int{1, 3} {
		if s := (llm.Signed{Turn: at}); turn.Foreign(target("edge", 1), s) || !turn.Foreign(target("mid", 2), s) {
			t.Errorf("what edge signed in message %d counts as another's", at)
		}
	}
}

// TestALoopThatIsNotKnownIsNobodysOwn forgets a loop: what is signed in it goes to the first model of the client's
// dialect, and not to the one that answered the others.
func TestALoopThatIsNotKnownIsNobodysOwn(t *testing.T) {
	a := newAgent()
	good(a.ask(), target("edge2", 1), "a-1")
	for i := range 2 * keptLoops {
		good(a.ask(), target("mid", 2), fmt.Sprint("b-", i))
	}
	turn := a.goesOn(3, "a-1")
	expect(t, turn, "edge edge2 edge+ mid top", Pinned)
	if s := (llm.Signed{Turn: 1}); turn.Foreign(target("edge", 1), s) || !turn.Foreign(target("mid", 2), s) {
		t.Error("what is signed goes to the model that answered others")
	}
}

func TestALoopGoesOnByAnyOfItsCalls(t *testing.T) {
	a := newAgent()
	many := ids("p-", loopCalls)
	good(a.ask(), target("edge2", 1), many...)
	for i := range 3 {
		good(a.ask(), target("mid", 2), ids(fmt.Sprint("q", i), loopCalls)...)
	}
	for _, id := range many {
		expect(t, a.goesOn(3, id), "edge2 edge edge2+ mid top", Pinned)
	}
}

// TestNoCallWaitsForALookForCircles holds that the store is free while the arguments of one call are compared.
func TestNoCallWaitsForALookForCircles(t *testing.T) {
	a := newAgent()
	good(a.ask(), target("edge", 1), "c1")
	l := a.look
	l.Open, l.Answer, l.Spoken = true, "c1", true
	looked := false
	l.Stall = func(int) Stall {
		if looked = a.store.mu.TryLock(); looked {
			a.store.mu.Unlock()
		}
		return Stall{What: "the call of ls came 3 times"}
	}
	expect(t, a.store.Begin(l, rules, three()), "edge edge2 edge+ mid top", Pinned, Stalled)
	if !looked {
		t.Error("all sessions wait while the calls of one are compared")
	}
}

func TestLoopsAreBounded(t *testing.T) {
	if size := reflect.TypeFor[loop]().Size(); size > 72 {
		t.Errorf("a loop takes %d bytes beside its calls", size)
	}
	var st state
	for i := range 500 {
		st.keep(loop{calls: marksOf(ids(fmt.Sprint(i, "-"), i%100)), closed: i%3 == 0})
		n := 0
		for _, l := range st.loops {
			n += len(l.calls)
		}
		if len(st.loops) > keptLoops || n > keptCalls || n != st.calls {
			t.Fatalf("%d loops of %d calls, counted as %d", len(st.loops), n, st.calls)
		}
	}
}
