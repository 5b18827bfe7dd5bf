package agree

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/llm"
)

func says(text string) *llm.Response {
	return &llm.Response{Choices: []llm.Choice{{Parts: []llm.Part{{Kind: llm.Text, Text: text}}, Stop: llm.StopEnd}}}
}

func uses(calls ...llm.ToolCall) *llm.Response {
	c := llm.Choice{Stop: llm.StopToolUse}
	for i := range calls {
		c.Parts = append(c.Parts, llm.Part{Kind: llm.ToolUse, Tool: &calls[i]})
	}
	return &llm.Response{Choices: []llm.Choice{c}}
}

func TestCompare(t *testing.T) {
	read := func(id, args string) llm.ToolCall {
		return llm.ToolCall{ID: id, Name: "read", Args: jsontext.Value(args)}
	}
	for _, tt := range []struct {
		name     string
		a, b     *llm.Response
		wantJSON bool
		how      string
		same     bool
	}{
		{"JSON in another order", says(`{"a":1,"b":[1,2]}`), says("{\n \"b\": [1, 2.0], \"a\": 1e0}"), false, JSON, true},
		{"JSON of another value", says(`{"a":1}`), says(`{"a":2}`), false, JSON, false},
		{"a list in another order", says(`[1,2]`), says(`[2,1]`), false, JSON, false},
		{"JSON and prose", says(`{"a":1}`), says("a is 1"), false, JSON, false},
		{"JSON in a fence", says("Here you are:\n```json\n{\"a\":1}\n```"), says(`{"a":1}`), true, JSON, true},
		{"a number", says("So 6 times 7 makes\n#### 42"), says("The answer is 42."), false, Number, true},
		{"a number in another form", says("It costs $1,234.50"), says("**1234.5**"), false, Number, true},
		{"another number", says("42"), says("I get 43."), false, Number, false},
		{"a sign", says("= -7"), says("= 7"), false, Number, false},
		{"zero has no sign", says("-0.0"), says("0"), false, Number, true},
		{"dates are words", says("on 2026-03-01"), says("on 2026-03-02"), false, Words, true},
		{"ids are words", says("see INV-402"), says("see PO-17, please, and soon"), false, Words, false},
		{"one number alone", says("The price is 42"), says("The price is unknown"), false, Words, true},
		{"other words", says("Yes, it was approved."), says("No record exists of this."), false, Words, false},
		{"nothing twice", says(""), says(""), false, Words, true},
		{"tool calls", uses(read("1", `{"p":"a","n":1}`)), uses(read("2", `{ "n":1, "p":"a"}`)), false, Tools, true},
		{
			"tool calls in another order", uses(read("1", `{"p":"a"}`), read("2", `{"p":"b"}`)),
			uses(read("1", `{"p":"b"}`), read("2", `{"p":"a"}`)), false, Tools, true,
		},
		{"other arguments", uses(read("1", `{"p":"a"}`)), uses(read("1", `{"p":"b"}`)), false, Tools, false},
		{"a call more", uses(read("1", `{}`)), uses(read("1", `{}`), read("2", `{}`)), false, Tools, false},
		{"a call and a text", uses(read("1", `{}`)), says("done"), false, Tools, false},
		{"broken arguments", uses(read("1", `{"p":`)), uses(read("1", `{"p":`)), false, Tools, true},
		{"no choices", &llm.Response{}, says("x"), false, Words, false},
	} {
		for _, turned := range []bool{false, true} {
			a, b := tt.a, tt.b
			if turned {
				a, b = b, a
			}
			if f := Compare(nil, a, b, tt.wantJSON); f.How != tt.how || f.Same != tt.same {
				t.Errorf("%s (turned: %v): %+v, want %s %v", tt.name, turned, f, tt.how, tt.same)
			}
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"a b c d", "A, b! c... d?", 10_000},
		{"a b", "a c", 5_000},
		{"a a", "a", 6_666},
		{"a", "b", 0},
		{"", "b", 0},
	} {
		if got := Compare(nil, says(tt.a), says(tt.b), false).Overlap; got != tt.want {
			t.Errorf("%q and %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestEveryAnswerAgreesWithItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, other := rapid.String().Draw(t, "text"), rapid.String().Draw(t, "other")
		if f := Compare(nil, says(text), says(text), false); !f.Same {
			t.Fatalf("%q: %+v", text, f)
		}
		if a, b := Compare(nil, says(text), says(other), false), Compare(nil, says(other), says(text), false); a != b {
			t.Fatalf("%q, %q: %+v, turned %+v", text, other, a, b)
		}
	})
}
