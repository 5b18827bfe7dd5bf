package openai

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// told is a talk as the texts that its spans cover.
type told struct {
	System, First, CacheKey string
	Spoken, Asked           int
	Open, Pinning           bool
	Signed                  []string
	Calls, Results          []string
}

func textOf(body string, t llm.Talk) told {
	at := func(s llm.Span) string { return body[s.Start:s.End] }
	out := told{
		System: at(t.System), First: at(t.First), CacheKey: t.CacheKey, Spoken: t.Spoken, Asked: t.Asked, Open: t.Open,
		Pinning: t.Pinning(),
	}
	for _, s := range t.Signed {
		out.Signed = append(out.Signed, at(s.Span))
	}
	for i := range t.Calls.Len() {
		c := t.Calls.Back(i)
		quoted := map[bool]string{true: " quoted"}[c.Quoted]
		out.Calls = append(out.Calls, at(c.ID)+" "+at(c.Name)+" "+at(c.Args)+quoted)
	}
	for i := range t.Results.Len() {
		r := t.Results.Back(i)
		out.Results = append(out.Results, at(r.ID)+" "+at(r.Content))
	}
	return out
}

func TestScanTellsTheStateOfATalk(t *testing.T) {
	const head = `{"model":"m","prompt_cache_key":"k1","messages":[{"role":"developer","content":"Be brief."},`
	const sealed = `"reasoning_details":[{"type":"reasoning.encrypted","data":"AAA"}]`
	const loop = `{"role":"user","content":[{"type":"text","text":"fix it"}]},{"role":"assistant","content":null,` + sealed +
		`,"tool_calls":[{"id":"t1","type":"function","function":{"name":"read","arguments":"{\"a\":1}"}},` +
		`{"type":"function","function":{"arguments":{"b":2},"name":"run"},"id":"t2"}]},` +
		`{"role":"tool","tool_call_id":"t1","content":"ok"},{"role":"tool","content":"no","tool_call_id":"t2"}`
	calls, results := []string{`t2 run {"b":2}`, `t1 read {\"a\":1} quoted`}, []string{`t2 "no"`, `t1 "ok"`}
	for name, tc := range map[string]struct {
		messages string
		want     told
	}{
		"a question": {`{"role":"user","content":"hi"}`, told{First: "hi", Asked: 1}},
		"an open loop": {loop, told{
			First: "fix it", Spoken: 1, Asked: 1, Open: true, Pinning: true, Signed: []string{sealed}, Calls: calls,
			Results: results,
		}},
		"the next question": {loop + `,{"role":"assistant","content":"done"},{"role":"user","content":"more"}`, told{
			First: "fix it", Spoken: 2, Asked: 6, Signed: []string{sealed}, Calls: calls, Results: results,
		}},
	} {
		body := head + tc.messages + "]}"
		env, err := Front{}.Scan([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tc.want.System, tc.want.CacheKey = "Be brief.", "k1"
		if diff := cmp.Diff(tc.want, textOf(body, env.Talk)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		tail := env.Talk.Tail
		if (tail.At > 0) != env.Talk.Open {
			t.Errorf("%s: a place for a note at %d", name, tail.At)
		}
		if tail.At > 0 {
			noted := body[:tail.At] + tail.Before + `"note"` + tail.After + body[tail.At:]
			again, err := Front{}.Scan([]byte(noted))
			if err != nil || again.Talk.Open || noted[again.LastUser.Start:again.LastUser.End] != "note" {
				t.Errorf("%s: with a note: %v\n%s", name, err, noted)
			}
		}
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
