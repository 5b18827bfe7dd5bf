package session

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

var rules = Rules{Memory: time.Hour, ProbeEvery: 3, StallAfter: 3}

func target(name string, layer int) call.Target {
	return call.Target{
		Deployment: name, Endpoint: "host-of-" + name, Dialect: llm.Anthropic, Model: &catalog.Model{ID: name}, Layer: layer,
	}
}

func three() []Layer {
	return []Layer{
		{Number: 1, Held: true, Targets: []call.Target{target("edge", 1), target("edge2", 1)}},
		{Number: 2, Held: true, Targets: []call.Target{target("mid", 2)}},
		{Number: 3, Targets: []call.Target{target("top", 3)}},
	}
}

// agent plays calls of one session against a store.
type agent struct {
	store *Store
	look  Look
	clock *time.Time
	stall Stall
}

func newAgent() *agent {
	now := time.Unix(1_800_000_000, 0)
	a := &agent{clock: &now}
	a.store = NewStore(100, func() time.Time { return *a.clock })
	a.look = Look{ID: ID{key: "k", route: "r"}, Named: true, Turns: 1, Native: llm.Anthropic}
	return a
}

// ask begins a user turn, loop goes on in it.
func (a *agent) ask() *Turn { return a.begin(false, "") }

func (a *agent) loop(answers string) *Turn { return a.begin(true, answers) }

func (a *agent) begin(open bool, answers string) *Turn {
	l := a.look
	l.Open, l.Answer, l.Spoken = open, answers, l.Turns > 1
	l.Stall = func(int) Stall { return a.stall }
	a.look.Turns += 2
	return a.store.Begin(l, rules, three())
}

func attempt(t call.Target, v call.VerdictResult) call.Attempt {
	return call.Attempt{
		Order: call.Order{Target: t, Purpose: call.Answer}, Outcome: call.OK, Settlement: call.Settled,
		Usage: llm.Usage{Input: 2000}, Verdict: call.Verdict{Result: v, Check: "number", Reason: "no number"},
	}
}

func good(t *Turn, to call.Target, tools ...string) { t.Attempted(attempt(to, call.Accepted), tools) }
func bad(t *Turn, to call.Target)                   { t.Attempted(attempt(to, call.Rejected), nil) }

// path is the deployments in the order in which they would be tried; + marks another try of a pinned one.
func path(t *Turn) string {
	var b strings.Builder
	for _, s := range t.Steps {
		for _, i := range s.Targets {
			b.WriteString(three()[s.Layer].Targets[i].Deployment)
			if s.Again {
				b.WriteByte('+')
			}
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}

func expect(t *testing.T, turn *Turn, want string, events ...Event) {
	t.Helper()
	if got := path(turn); got != want {
		t.Errorf("path %q, want %q (%+v)", got, want, turn.Note)
	}
	if diff := cmp.Diff(events, turn.Events); diff != "" {
		t.Errorf("events: %s", diff)
	}
}

const all = "edge edge2 mid top"

func TestAnOpenLoopStaysWithItsModel(t *testing.T) {
	a := newAgent()
	turn := a.ask()
	expect(t, turn, all)
	good(turn, target("edge2", 1), "call-1", "call-2")
	turn = a.loop("call-2")
	expect(t, turn, "edge2 edge edge2+ mid top", Pinned)
	if turn.Foreign(target("edge2", 1), llm.Signed{Turn: 1}) || !turn.Foreign(target("edge", 1), llm.Signed{Turn: 1}) {
		t.Error("what edge2 signed is its own, and foreign to all others")
	}
	good(turn, target("edge2", 1))
	expect(t, a.ask(), "edge2 edge mid top", Warmed)
	*a.clock = a.clock.Add(10 * time.Minute) // its cache is cold
	expect(t, a.ask(), all)
}

func TestTwoConversationsOfOneSessionKeepTheirModels(t *testing.T) {
	a := newAgent()
	good(a.ask(), target("edge", 1), "of-edge")
	good(a.ask(), target("edge2", 1), "of-edge2")
	expect(t, a.loop("of-edge"), "edge edge2 edge+ mid top", Pinned)
	expect(t, a.loop("of-edge2"), "edge2 edge edge2+ mid top", Pinned)
}

func TestARejectionInALoopEscalatesAtTheNextUserTurn(t *testing.T) {
	a := newAgent()
	good(a.ask(), target("edge", 1), "c1")
	turn := a.loop("c1")
	bad(turn, target("edge", 1))
	good(turn, target("edge", 1), "c2") // the second try
	expect(t, a.loop("c2"), "edge edge2 edge+ mid top", Pinned)
	turn = a.ask()
	expect(t, turn, "mid top", Escalated)
	if turn.Note.Why != "checks failed in the turn before: number" || turn.Note.Start != 2 {
		t.Errorf("note %+v", turn.Note)
	}
	if !turn.Foreign(target("mid", 2), llm.Signed{Turn: 1}) {
		t.Error("what edge signed is not foreign to mid")
	}
	good(turn, target("mid", 2), "c3")
	turn = a.loop("c3")
	expect(t, turn, "mid mid+ top", Pinned)
	if !turn.Foreign(target("mid", 2), llm.Signed{Turn: 3}) || turn.Foreign(target("mid", 2), llm.Signed{Turn: turn.Since}) {
		t.Error("mid's own pieces begin where it took over")
	}
	good(turn, target("mid", 2))
	expect(t, a.ask(), "mid top", Remembered)
}

func TestALoopThatNothingHelpsBends(t *testing.T) {
	a := newAgent()
	good(a.ask(), target("edge", 1), "c1")
	turn := a.loop("c1")
	bad(turn, target("edge", 1))
	bad(turn, target("edge", 1))
	good(turn, target("mid", 2), "c2")
	expect(t, turn, "edge edge2 edge+ mid top", Pinned, Bent)
	expect(t, a.loop("c2"), "mid mid+ top", Pinned)
	expect(t, a.ask(), "mid top", Remembered)
}

func TestProbes(t *testing.T) {
	a := newAgent()
	turn := a.ask()
	bad(turn, target("edge", 1))
	good(turn, target("mid", 2))
	for range rules.ProbeEvery {
		turn = a.ask()
		expect(t, turn, "mid top", Remembered)
		good(turn, target("mid", 2))
	}
	turn = a.ask()
	expect(t, turn, all, Probed)
	bad(turn, target("edge", 1))
	good(turn, target("mid", 2))
	for range rules.ProbeEvery { // a probe that failed: the same wait again
		turn = a.ask()
		expect(t, turn, "mid top", Remembered)
		good(turn, target("mid", 2))
	}
	turn = a.ask()
	expect(t, turn, all, Probed)
	good(turn, target("edge", 1), "c1")
	turn = a.loop("c1")
	good(turn, target("edge", 1))
	expect(t, a.ask(), all, Lowered)
}

func TestStalls(t *testing.T) {
	a := newAgent()
	good(a.ask(), target("edge", 1), "c1")
	a.stall = Stall{What: "the call of ls came 3 times in the last 6 calls"}
	turn := a.loop("c1")
	expect(t, turn, "edge edge2 edge+ mid top", Pinned, Stalled)
	good(turn, target("edge", 1), "c2")
	a.stall.Hard = true
	turn = a.loop("c2")
	expect(t, turn, "mid top", Pinned, Stalled, Bent)
	good(turn, target("mid", 2), "c3")
	a.stall = Stall{}
	expect(t, a.loop("c3"), "mid mid+ top", Pinned)
	turn = a.ask()
	expect(t, turn, "mid top", Remembered)

	a = newAgent()
	good(a.ask(), target("edge", 1), "c1")
	a.stall = Stall{What: "the call of ls came 3 times"}
	good(a.loop("c1"), target("edge", 1))
	a.stall = Stall{}
	turn = a.ask()
	expect(t, turn, "mid top", Escalated)
	if !strings.HasPrefix(turn.Note.Why, "stalled: ") {
		t.Errorf("why %q", turn.Note.Why)
	}
}

func TestAnUnnamedConversationThatBeginsAnewIsNew(t *testing.T) {
	a := newAgent()
	a.look.Named = false
	turn := a.ask()
	bad(turn, target("edge", 1))
	good(turn, target("mid", 2))
	expect(t, a.ask(), "mid top", Remembered)
	a.look.Turns = 1
	expect(t, a.ask(), all)
	a = newAgent()
	a.look.Named = false
	for range 3 { // the same examples before each question
		a.look.Turns = 5
		turn := a.ask()
		expect(t, turn, all)
		bad(turn, target("edge", 1))
		good(turn, target("mid", 2))
	}
}

func TestAnIdleSessionIsForgotten(t *testing.T) {
	a := newAgent()
	turn := a.ask()
	bad(turn, target("edge", 1))
	good(turn, target("mid", 2))
	*a.clock = a.clock.Add(rules.Memory + 1)
	expect(t, a.ask(), all)
}

func TestMemoryIsBounded(t *testing.T) {
	if size := reflect.TypeFor[state]().Size(); size > 1536 {
		t.Errorf("a session takes %d bytes beside its tool calls' ids", size)
	}
	now := time.Unix(1_800_000_000, 0)
	s := NewStore(50, func() time.Time { return now })
	for i := range 1000 {
		turn := s.Begin(Look{ID: ID{key: fmt.Sprint(i)}, Named: true, Turns: 1}, rules, three())
		good(turn, target("edge", 1), strings.Split(strings.Repeat("c ", 100), " ")...)
		if s.Len() > 50 || len(s.byID) != s.used.Len() {
			t.Fatalf("%d sessions, %d names", s.Len(), len(s.byID))
		}
	}
	now = now.Add(2 * rules.Memory)
	for i := range 20 {
		s.Begin(Look{ID: ID{key: "new" + fmt.Sprint(i)}, Turns: 1}, rules, three())
	}
	if s.Len() > 20 {
		t.Errorf("%d sessions, of which 20 are not forgotten", s.Len())
	}
	s.Bound(3)
	if s.Len() != 3 {
		t.Errorf("%d sessions, want 3", s.Len())
	}
}

// drawn is one call of any session with what became of it.
type drawn struct {
	key, name, first string
	open             bool
	answer           string
	turns            int
	verdicts         []call.VerdictResult
	wait             time.Duration
}

func draw(t *rapid.T, keys []string) drawn {
	return drawn{
		key:      rapid.SampledFrom(keys).Draw(t, "key"),
		name:     rapid.SampledFrom([]string{"", "s1", "s2"}).Draw(t, "name"),
		first:    rapid.SampledFrom([]string{"fix it", "hello"}).Draw(t, "first"),
		open:     rapid.Bool().Draw(t, "open"),
		answer:   rapid.SampledFrom([]string{"c0", "c1", "c2"}).Draw(t, "answer"),
		turns:    rapid.IntRange(1, 9).Draw(t, "turns"),
		verdicts: rapid.SliceOfN(rapid.SampledFrom([]call.VerdictResult{call.Accepted, call.Rejected, call.Errored}), 1, 4).Draw(t, "verdicts"),
		wait:     time.Duration(rapid.IntRange(0, 400).Draw(t, "wait")) * time.Second,
	}
}

// play makes the calls of a key and tells every decision.
func play(calls []drawn, of string) []string {
	now := time.Unix(1_800_000_000, 0)
	s := NewStore(1000, func() time.Time { return now })
	var out []string
	for _, d := range calls {
		now = now.Add(d.wait)
		if of != "" && d.key != of {
			continue
		}
		body := []byte(d.first)
		env := llm.Envelope{Turns: d.turns, Talk: llm.Talk{First: llm.Span{End: len(body)}, Spoken: d.turns / 2}}
		look := LookAt(call.Facts{Caller: call.Caller{KeyID: d.key, Session: d.name}}, &env, body, rules)
		look.Open, look.Answer = d.open, d.answer
		turn := s.Begin(look, rules, three())
		told := fmt.Sprintf("%s %s %+v %v", d.key, path(turn), turn.Note, turn.Events)
		for i, v := range d.verdicts {
			step := turn.Steps[min(i, len(turn.Steps)-1)]
			turn.Attempted(attempt(three()[step.Layer].Targets[step.Targets[0]], v), []string{d.answer})
		}
		out = append(out, told)
	}
	return out
}

// TestNoKeyReachesAnothersSession plays any calls of two keys that use the same names and words: each key's decisions are
// those that it gets when it is alone. And the same calls give the same decisions.
func TestNoKeyReachesAnothersSession(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var calls []drawn
		for range rapid.IntRange(1, 40).Draw(t, "calls") {
			calls = append(calls, draw(t, []string{"k1", "k2"}))
		}
		both := play(calls, "")
		if diff := cmp.Diff(both, play(calls, "")); diff != "" {
			t.Fatalf("the same calls, other decisions:\n%s", diff)
		}
		for _, key := range []string{"k1", "k2"} {
			var mixed []string
			for _, line := range both {
				if strings.HasPrefix(line, key+" ") {
					mixed = append(mixed, line)
				}
			}
			if diff := cmp.Diff(play(calls, key), mixed); diff != "" {
				t.Fatalf("%s is led by another key:\n%s", key, diff)
			}
		}
	})
}

// TestEveryDecisionCanBeFollowed holds that each step names targets that are there, each layer's once, and climbs.
func TestEveryDecisionCanBeFollowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewStore(10, func() time.Time { return time.Unix(1_800_000_000, 0) })
		for range rapid.IntRange(1, 30).Draw(t, "calls") {
			d := draw(t, []string{"k"})
			layers := three()[rapid.IntRange(0, 2).Draw(t, "cut"):]
			look := Look{ID: ID{key: d.key}, Named: true, Open: d.open, Turns: d.turns, Answer: d.answer, Signed: d.open}
			look.Stall = func(int) Stall { return Stall{What: d.name, Hard: d.first == "hello"} }
			turn := s.Begin(look, rules, layers)
			last := -1
			for i, step := range turn.Steps {
				if step.Layer < last || step.Layer >= len(layers) || len(step.Targets) == 0 {
					t.Fatalf("steps %+v", turn.Steps)
				}
				if step.Again != (step.Layer == last) || (step.Again && i != 1) || !step.Again && len(step.Targets) != len(layers[step.Layer].Targets) {
					t.Fatalf("steps %+v", turn.Steps)
				}
				last = step.Layer
			}
			if last != len(layers)-1 {
				t.Fatalf("the cascade does not reach the top: %+v", turn.Steps)
			}
			for i, v := range d.verdicts {
				step := turn.Steps[min(i, len(turn.Steps)-1)]
				turn.Attempted(attempt(layers[step.Layer].Targets[step.Targets[0]], v), []string{d.answer})
			}
		}
	})
}

func TestOf(t *testing.T) {
	facts := func(key, session string) call.Facts {
		return call.Facts{Route: "r", Caller: call.Caller{KeyID: key, Session: session}}
	}
	of := func(f call.Facts, user, first, cacheKey string) ID {
		env := llm.Envelope{User: user, Talk: llm.Talk{First: llm.Span{End: len(first)}, CacheKey: cacheKey}}
		id, _ := Of(f, &env, []byte(first))
		return id
	}
	const claude = "user_0123_account_9f_session_5c0f"
	named := of(facts("k", "5c0f"), "", "q", "")
	for name, tc := range map[string]struct {
		id   ID
		same bool
	}{
		"the header, whatever is asked":         {of(facts("k", "5c0f"), "", "other", "x"), true},
		"Claude Code's user id":                 {of(facts("k", ""), claude, "other", ""), true},
		"Claude Code's user id as an object":    {of(facts("k", ""), `{"device_id":"d","session_id":"5c0f"}`, "other", ""), true},
		"another key":                           {of(facts("k2", "5c0f"), "", "q", ""), false},
		"another session":                       {of(facts("k", "5c"), "", "q", ""), false},
		"a user id without a session":           {of(facts("k", ""), "user_1", "q", ""), false},
		"words that look like the name of one":  {of(facts("k", ""), "", "5c0f", ""), false},
		"a cache key that looks like a session": {of(facts("k", ""), "", "", "5c0f"), false},
	} {
		if (tc.id == named) != tc.same {
			t.Errorf("%s: the same session = %t", name, !tc.same)
		}
	}
	if of(facts("k", ""), "", "a", "x") == of(facts("k", ""), "", "b", "x") {
		t.Error("a cache key that conversations share makes them one session")
	}
	if of(facts("k", ""), "", strings.Repeat("a", 9999), "") == of(facts("k", ""), "", strings.Repeat("a", 9998), "") {
		t.Error("the length of the beginning does not count")
	}
}

// BenchmarkCall is what a session costs one call of an agent.
func BenchmarkCall(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	s := NewStore(10_000, func() time.Time { return now })
	body, talk := laid([]made{{"ls", "{}", "a", false}, {"read", `{"p":1}`, strings.Repeat("x", 4000), false}}, false)
	talk.First = llm.Span{End: len(body)}
	env := llm.Envelope{Turns: 5, Talk: talk}
	layers, facts := three(), call.Facts{Route: "r", Caller: call.Caller{KeyID: "k"}}
	b.ReportAllocs()
	for b.Loop() {
		turn := s.Begin(LookAt(facts, &env, body, rules), rules, layers)
		good(turn, layers[0].Targets[0], "call-1")
	}
}
