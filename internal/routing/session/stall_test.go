package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/llm"
)

// made is a tool call and its result.
type made struct {
	name, args, result string
	failed             bool
}

// laid writes calls into a body, as a scan finds them. Each stands in a message of its own.
func laid(calls []made, quoted bool) ([]byte, llm.Talk) {
	var body []byte
	put := func(text string) llm.Span {
		start := len(body)
		body = append(body, text...)
		return llm.Span{Start: start, End: len(body)}
	}
	t := llm.Talk{Open: true}
	for i, m := range calls {
		id := fmt.Sprintf("call-%d", i)
		t.Calls.Add(llm.ToolSpans{ID: put(id), Name: put(m.name), Args: put(m.args), Quoted: quoted, Turn: 2*i + 1})
		t.Results.Add(llm.ResultSpans{ID: put(id), Content: put(`"` + m.result + `"`), Failed: m.failed, Turn: 2*i + 2})
	}
	return body, t
}

func TestStallOf(t *testing.T) {
	run := made{"run", `{"cmd":"go test","dir":"."}`, "FAIL x", true}
	ls := made{"ls", `{}`, "a.go", false}
	edit := func(i int) made { return made{"edit", fmt.Sprintf(`{"n":%d}`, i), "ok", false} }
	tests := func(i int) made { return made{run.name, run.args, fmt.Sprintf("FAIL: %d left", i), false} }
	for name, tc := range map[string]struct {
		calls  []made
		quoted bool
		from   int
		want   string
		hard   bool
	}{
		"nothing":                  {},
		"twice is no stall":        {calls: []made{ls, ls}},
		"three in a row":           {calls: []made{edit(1), ls, ls, ls}, want: "the call of ls came 3 times in the last 4 calls"},
		"three of six, no news":    {calls: []made{ls, edit(1), ls, edit(2), ls}, want: "the call of ls came 3 times in the last 5 calls"},
		"tests after each change":  {calls: []made{tests(3), edit(1), tests(2), edit(2), tests(1)}},
		"polling":                  {calls: []made{tests(3), tests(2), tests(1)}, want: "the call of run came 3 times in the last 3 calls"},
		"it was so, and is over":   {calls: []made{ls, ls, ls, edit(1)}},
		"the same, long ago":       {calls: []made{ls, edit(1), edit(2), edit(3), ls, edit(4), edit(5), ls}},
		"before the model changed": {calls: []made{ls, ls, ls}, from: 3},
		"keys in another order": {
			calls: []made{run, {"run", `{ "dir":".", "cmd":"go test" }`, "FAIL x", true}, run},
			want:  "the call of run came 3 times in the last 3 calls",
		},
		"quoted arguments": {
			calls: []made{
				{"run", `{\"a\":1,\"b\":2}`, "1", false},
				{"run", `{\"b\":2,\"a\":1}`, "2", false},
				{"run", `{\"a\":1, \"b\":2}`, "3", false},
			},
			quoted: true, want: "the call of run came 3 times in the last 3 calls",
		},
		"other calls, the same failure": {
			calls: []made{
				{"edit", `{"n":1}`, "no such file", true}, ls, {"edit", `{"n":2}`, "no such file", true}, {"edit", `{"n":3}`, "no such file", true},
			},
			want: "the same failure of edit came 3 times in the last 4 calls",
		},
		"a failure without the caller's word": {
			calls: []made{{"edit", `{"n":1}`, "Error: gone", false}, {"edit", `{"n":2}`, "Error: gone", false}, {"edit", `{"n":3}`, "Error: gone", false}},
			want:  "the same failure of edit came 3 times in the last 3 calls",
		},
		"nothing else any more": {
			calls: []made{edit(1), ls, run, ls, run, ls, run}, want: "the call of run came 3 times in the last 6 calls", hard: true,
		},
	} {
		body, talk := laid(tc.calls, tc.quoted)
		if got := StallOf(body, &talk, tc.from, 3); got.What != tc.want || got.Hard != tc.hard {
			t.Errorf("%s: %+v, want %q, hard %t", name, got, tc.want, tc.hard)
		}
	}
	body, talk := laid([]made{ls, ls, ls}, false)
	talk.Open = false
	if s := StallOf(body, &talk, 0, 3); s != (Stall{}) {
		t.Errorf("a loop that is closed stalls: %+v", s)
	}
}

// turned are arguments of so many keys, which begin at another one each time.
func turned(keys, from int) string {
	parts := make([]string, keys)
	for i := range parts {
		k := (i + from) % keys
		parts[i] = fmt.Sprintf(`"key%04d":%d`, k, k%10)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// TestALookForCirclesIsBounded holds that large arguments are seen through, and that what is too large is no stall.
func TestALookForCirclesIsBounded(t *testing.T) {
	var calls []made
	for i := range 32 {
		calls = append(calls, made{"run", turned(1100, i), "same", false})
	}
	body, talk := laid(calls, false)
	want := Stall{What: "the call of run came 19 times in the last 32 calls"}
	if got := StallOf(body, &talk, 0, 16); got != want {
		t.Errorf("%+v, want %+v: as many as %d bytes hold", got, want, mostCanonical)
	}
	for size, stall := range map[int]bool{mostCompared / 4: true, mostCompared: false} {
		same := made{"ls", "{}", strings.Repeat("x", size), false}
		body, talk := laid([]made{same, {"edit", "1", "a", false}, same, {"edit", "2", "b", false}, same}, false)
		if got := StallOf(body, &talk, 0, 3); (got.What != "") != stall {
			t.Errorf("results of %d bytes: %+v", size, got)
		}
	}
}
