package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

const recording = `
{"prompt":"Natalia sold clips to 48 of her friends in April. How many?","model":"gpt-x","answer":"72"}
{"prompt":"Natalia sold clips to 48 of her friends in April. How many? Show steps.","model":"gpt-x","answer":"48+24=72"}

{"prompt":"  Hi  ","model":"gpt-x","answer":"Hello!"}
{"prompt":"What is the capital of the country with the tulips?","answer":"Amsterdam","finish_reason":"length"}
`

func TestRecordedAnswersSurviveAGateway(t *testing.T) {
	rec, err := ReadRecorded(strings.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, model, text, want string }{
		{"exact", "gpt-x", "Natalia sold clips to 48 of her friends in April. How many?", "72"},
		{"longest", "gpt-x", "Natalia sold clips to 48 of her friends in April. How many? Show steps.", "48+24=72"},
		{"with notes after", "gpt-x", "Natalia sold clips to 48 of her friends in April. How many?\n\nThe previous answer " +
			"failed: not JSON.", "72"},
		{"with a brief before", "gpt-x", "Brief: a shop.\n\nNatalia sold clips to 48 of her friends in April. How many? " +
			"Show " +
			"steps. (2nd try)", "48+24=72"},
		{"short", "gpt-x", "Hi", "Hello!"},
		{"short inside", "gpt-x", "note: Hi there", "Hello!"},
		{"any model", "claude-x", "What is the capital of the country with the tulips?", "Amsterdam"},
		{"unknown prompt", "gpt-x", "Why is the sky blue, and since when has it been so?", ""},
		{"another model's", "claude-x", "Natalia sold clips to 48 of her friends in April. How many?", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := rec.Answer(Query{Model: tc.model, Turns: []Turn{{"user", tc.text}, {"assistant", "hm"}}})
			if (err != nil) != (tc.want == "") || a.Text != tc.want {
				t.Errorf("answer %q, %v; want %q", a.Text, err, tc.want)
			}
		})
	}
	if rec.Misses() != 2 {
		t.Errorf("%d misses, want 2", rec.Misses())
	}
}

func TestUnrecordedPromptIsA404InTheDialect(t *testing.T) {
	rec, err := ReadRecorded(strings.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	for d, sd := range sides {
		s, srv := start(t, Config{Answers: rec})
		got := post(t, srv, sd.path, fmt.Sprintf(sd.ask, "never heard of"), sd.header)
		if got.status != 404 || !strings.Contains(got.body, "no recorded answer") {
			t.Errorf("%s: %d %s", d, got.status, got.body)
		}
		if n := s.Stats().Models[s.Requests()[0].Model].Notes["unrecorded"]; n != 1 {
			t.Errorf("%s: %d unrecorded counted, want 1", d, n)
		}
	}
}

func TestBadRecordings(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty":     {"", "no lines"},
		"json":      {"{", "line 1"},
		"member":    {`{"prompt":"p","answr":"a"}`, "answr"},
		"no prompt": {`{"answer":"a"}`, "prompt is empty"},
		"finish":    {`{"prompt":"p","answer":"a","finish_reason":"done"}`, "unknown finish_reason"},
		"twice":     {"{\"prompt\":\"p\",\"answer\":\"a\"}\n{\"prompt\":\"p \",\"answer\":\"b\"}", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadRecorded(strings.NewReader(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func FuzzReadRecorded(f *testing.F) {
	f.Add(recording, "Natalia sold clips to 48 of her friends in April. How many? ...")
	f.Add(`{"prompt":"`+strings.Repeat("a", 40)+`","answer":"x"}`, strings.Repeat("a", 100))
	f.Fuzz(func(t *testing.T, lines, text string) {
		rec, err := ReadRecorded(strings.NewReader(lines))
		if err != nil {
			return
		}
		got, err := rec.Answer(Query{Turns: []Turn{{"user", text}}})
		want := ""
		for p := range rec.models[""].prompts() {
			if strings.Contains(strings.TrimSpace(text), p) && len(p) > len(want) {
				want = p
			}
		}
		if (err == nil) != (want != "") {
			t.Fatalf("found %q (%v), the longest contained prompt is %q", got.Text, err, want)
		}
	})
}

// prompts are all recorded prompts, none for a nil set.
func (m *recordings) prompts() map[string]Answer {
	if m == nil {
		return nil
	}
	return m.exact
}

func TestEchoAnswersWhatIsAskedFor(t *testing.T) {
	tool := []Tool{{Name: "hold_payment", Schema: jsontext.Value(
		`{"type":"object","properties":{"invoice":{"type":"string"},"amount":{"type":"number","minimum":5}}}`)}}
	schema := jsontext.Value(`{"$defs":{"S":{"enum":["approved","pending"]}},"type":"object","properties":{"status":` +
		`{"$ref":"#/$defs/S"},"lines":{"type":"array","minItems":2,"items":{"type":"integer"}},"ok":{"type":"boolean"},` +
		`"note":{"anyOf":[{"type":"null"},{"type":"string"}]},"v":{"const":3}}}`)
	endless := jsontext.Value(`{"$defs":{"A":{"$ref":"#/$defs/A"}},"$ref":"#/$defs/A"}`)
	user := []Turn{{"user", "please hold_payment now"}}
	for _, tc := range []struct {
		name string
		q    Query
		text string
		call string
	}{
		{"text", Query{Model: "m", Turns: user}, "m heard you say: please hold_payment now", ""},
		{"json", Query{JSON: true, Turns: user}, "{}", ""},
		{
			"schema",
			Query{JSON: true, Schema: schema, Turns: user},
			`{"lines":[1,1],"note":null,"ok":true,"status":"approved","v":3}`, "",
		},
		{
			"endless schema",
			Query{JSON: true, Schema: endless},
			"{}", "",
		},
		{
			"gemini schema",
			Query{JSON: true, Schema: jsontext.Value(`{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}`)},
			`{"a":"lorem ipsum"}`, "",
		},
		{"named tool", Query{Tools: tool, Turns: user}, "", `{"amount":5,"invoice":"lorem ipsum"}`},
		{
			"forced tool",
			Query{Tools: tool, Force: "required", Turns: []Turn{{"user", "q"}}},
			"",
			`{"amount":5,"invoice":"lorem ipsum"}`,
		},
		{
			"no tool",
			Query{Model: "m", Tools: tool, Force: "none", Turns: user},
			"m heard you say: please hold_payment now",
			"",
		},
		{
			"after the result",
			Query{Model: "m", Tools: tool, Turns: append(user, Turn{"tool", "held"})},
			"m heard you say: please hold_payment now", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := Echo{}.Answer(tc.q)
			if err != nil || a.Text != tc.text {
				t.Errorf("text %q, %v; want %q", a.Text, err, tc.text)
			}
			if tc.call != "" && (len(a.Calls) != 1 || string(a.Calls[0].Args) != tc.call) {
				t.Errorf("calls %v, want %s", a.Calls, tc.call)
			}
		})
	}
}

// FuzzDecode feeds all three readers: a request is either understood or refused, never a panic, and what is understood
// has something to answer.
func FuzzDecode(f *testing.F) {
	for _, sd := range sides {
		f.Add(fmt.Sprintf(sd.ask, "q"))
		f.Add(fmt.Sprintf(sd.streamed, "q"))
	}
	f.Add(`{"contents":[{"parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f"}}]}]}`)
	s, err := New(Config{Models: models()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for d, sd := range sides {
			code := serveOnce(s, sd, body)
			if code != 200 && code != 400 && code != 404 {
				t.Fatalf("%s: status %d for %q", d, code, body)
			}
		}
	})
}
