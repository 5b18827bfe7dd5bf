package anthropic

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// told is a talk as the texts that its spans cover.
type told struct {
	System, First, Thinking string
	Spoken, Asked           int
	Open, Pinning           bool
	Signed                  []string
	Calls, Results          []string
}

func textOf(body string, t llm.Talk) told {
	at := func(s llm.Span) string { return body[s.Start:s.End] }
	out := told{
		System: at(t.System), First: at(t.First), Thinking: at(t.Thinking), Spoken: t.Spoken, Asked: t.Asked, Open: t.Open,
		Pinning: t.Pinning(),
	}
	for _, s := range t.Signed {
		out.Signed = append(out.Signed, at(s.Span))
	}
	for i := range t.Calls.Len() {
		c := t.Calls.Back(i)
		out.Calls = append(out.Calls, at(c.ID)+" "+at(c.Name)+" "+at(c.Args))
	}
	for i := range t.Results.Len() {
		r := t.Results.Back(i)
		failed := map[bool]string{true: " failed"}[r.Failed]
		out.Results = append(out.Results, at(r.ID)+" "+at(r.Content)+failed)
	}
	return out
}

func TestScanTellsTheStateOfATalk(t *testing.T) {
	const head = `{"model":"m","max_tokens":9,"system":[{"type":"text","text":"x-anthropic-billing-header: cch=1"},` +
		`{"type":"text","text":"Be brief."}],"thinking":{"type":"enabled","budget_tokens":1024},"messages":[`
	const loop = `{"role":"user","content":"fix it"},{"role":"assistant","content":[` +
		`{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"tool_use","id":"t1","name":"read","input":{"a":1}},` +
		`{"id":"t2","input":{"b":[2]},"name":"run","type":"tool_use"}]},{"role":"user","content":[` +
		`{"type":"tool_result","tool_use_id":"t1","content":"ok"},` +
		`{"tool_use_id":"t2","is_error":true,"content":[{"type":"text","text":"no"}],"type":"tool_result"}]}`
	const signed = `{"type":"thinking","thinking":"hm","signature":"c2ln"}`
	calls := []string{`t2 run {"b":[2]}`, `t1 read {"a":1}`}
	results := []string{`t2 [{"type":"text","text":"no"}] failed`, `t1 "ok"`}
	base := told{System: "Be brief.", Thinking: `{"type":"enabled","budget_tokens":1024}`}
	for name, tc := range map[string]struct {
		messages string
		want     told
	}{
		"a question": {`{"role":"user","content":[{"type":"text","text":"hi"}]}`, told{First: "hi"}},
		"an open loop": {loop, told{
			First: "fix it", Spoken: 1, Open: true, Pinning: true, Signed: []string{signed}, Calls: calls, Results: results,
		}},
		"the next question": {loop + `,{"role":"assistant","content":"done"},{"role":"user","content":"more"}`, told{
			First: "fix it", Spoken: 2, Asked: 4, Signed: []string{signed}, Calls: calls, Results: results,
		}},
		"a turn of thinking alone": {
			`{"role":"user","content":"q"},{"role":"assistant","content":[` + signed + `]},{"role":"user","content":"on"}`,
			told{First: "q", Spoken: 1, Asked: 2, Signed: []string{`{"role":"assistant","content":[` + signed + `]}`}},
		},
	} {
		body := head + tc.messages + "]}"
		env, err := Front{}.Scan([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tc.want.System, tc.want.Thinking = base.System, base.Thinking
		if diff := cmp.Diff(tc.want, textOf(body, env.Talk)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		tail := env.Talk.Tail
		if tail.At == 0 {
			if env.Talk.Open {
				t.Errorf("%s: an open loop without a place for a note", name)
			}
			continue
		}
		noted := body[:tail.At] + tail.Before + `"note"` + tail.After + body[tail.At:]
		again, err := Front{}.Scan([]byte(noted))
		if err != nil || !again.Talk.Open || strings.Count(noted, `"note"`) != 1 {
			t.Errorf("%s: with a note: %v\n%s", name, err, noted)
		}
	}
}

func TestOnlyTheLatestCallsAreKept(t *testing.T) {
	one := `{"type":"tool_use","id":"t","name":"n","input":{}},`
	body := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[` +
		strings.Repeat(one, 5000) + `{"type":"tool_use","id":"last","name":"n","input":{}}]}]}`
	env, err := Front{}.Scan([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	c := env.Talk.Calls
	if last := c.Back(0).ID; c.Len() > 64 || body[last.Start:last.End] != "last" {
		t.Errorf("%d kept, the last is %q", c.Len(), body[last.Start:last.End])
	}
}

// checkTalk holds that a note can be put in and everything signed cut out of any request that was read.
func checkTalk(t *testing.T, body []byte, env llm.Envelope) {
	t.Helper()
	raw := call.NewRaw(body, env, Front{}.Decode)
	raw.Scan = Front{}.Scan
	noted := raw.Noted("a \"note\"\n").Body
	if _, err := (Front{}).Scan(noted); err != nil {
		t.Fatalf("with a note: %v\n%s", err, noted)
	}
	cut, n, err := raw.Without(func(llm.Signed) bool { return true }, true)
	if n != len(env.Talk.Signed) {
		t.Fatalf("%d of %d cut", n, len(env.Talk.Signed))
	}
	if err == nil && len(cut.Envelope.Talk.Signed) > 0 {
		t.Fatalf("still signed: %s", cut.Body)
	}
	if err != nil && !strings.Contains(err.Error(), "at least one message") {
		t.Fatalf("cut: %v\n%s", err, body)
	}
}
