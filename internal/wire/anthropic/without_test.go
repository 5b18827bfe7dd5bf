package anthropic

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// TestWhatIsCutIsSignedAndNothingElse cuts any choice of thinking blocks out of any talk: the rest stays as it was, byte
// for byte, and the request can be read.
func TestWhatIsCutIsSignedAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		space := func() string { return rapid.SampledFrom([]string{"", " ", "\n\t "}).Draw(t, "space") }
		var turns []string
		for range rapid.IntRange(1, 6).Draw(t, "turns") {
			var blocks []string
			for range rapid.IntRange(1, 5).Draw(t, "blocks") {
				blocks = append(blocks, rapid.SampledFrom([]string{
					`{"type":"thinking","thinking":"a","signature":"s"}`, `{"type":"redacted_thinking","data":"d"}`,
					`{"type":"text","text":"said"}`, `{"type":"tool_use","id":"t","name":"n","input":{}}`,
				}).Draw(t, "block"))
			}
			list := "[" + space() + strings.Join(blocks, space()+","+space()) + space() + "]"
			turns = append(turns, `{"role":"user","content":"q"}`, `{"content":`+list+`,"role":"assistant"}`)
		}
		turns = append(turns, `{"role":"user","content":"last"}`)
		body := []byte(`{"model":"m","max_tokens":9,"messages":[` + strings.Join(turns, space()+","+space()) + "]}")
		env, err := Front{}.Scan(body)
		if err != nil {
			t.Fatal(err)
		}
		raw := call.NewRaw(body, env, Front{}.Decode)
		raw.Scan = Front{}.Scan
		before := rapid.IntRange(0, env.Turns).Draw(t, "before")
		foreign := func(s llm.Signed) bool { return s.Turn < before }
		got, n, err := raw.Without(foreign, false)
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		left := slices.DeleteFunc(slices.Clone(env.Talk.Signed), foreign)
		if n != len(env.Talk.Signed)-len(left) || len(got.Envelope.Talk.Signed) != len(left) {
			t.Fatalf("%d cut, %d left; want %d left\n%s\n%s", n, len(got.Envelope.Talk.Signed), len(left), body, got.Body)
		}
		for _, word := range []string{`"said"`, `"tool_use"`, `"q"`, `"last"`} {
			if strings.Count(string(body), word) != strings.Count(string(got.Body), word) {
				t.Fatalf("%s is lost:\n%s\n%s", word, body, got.Body)
			}
		}
		for i, s := range got.Envelope.Talk.Signed {
			if a, b := body[left[i].Start:left[i].End], got.Body[s.Start:s.End]; string(a) != string(b) {
				t.Fatalf("%s became %s", a, b)
			}
		}
	})
}

func TestAModelThatLosesItsLoopsThoughtsDoesNotThink(t *testing.T) {
	body := []byte(`{"model":"m","max_tokens":9,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[` +
		`{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"s"},` +
		`{"type":"tool_use","id":"t","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}]}`)
	env, err := Front{}.Scan(body)
	if err != nil {
		t.Fatal(err)
	}
	raw := call.NewRaw(body, env, Front{}.Decode)
	raw.Scan = Front{}.Scan
	got, n, err := raw.Without(func(llm.Signed) bool { return true }, true)
	if err != nil || n != 1 || !strings.Contains(string(got.Body), `"thinking":{"type":"disabled"},`) ||
		strings.Contains(string(got.Body), "signature") {
		t.Errorf("%d, %v\n%s", n, err, got.Body)
	}
	noted := string(got.Noted("say \"why\"").Body)
	if !strings.HasSuffix(noted, `"tool_use_id":"t"},{"type":"text","text":"say \"why\""}]}]}`) {
		t.Errorf("the note does not stand behind the results:\n%s", noted)
	}
}
