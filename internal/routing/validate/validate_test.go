package validate

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

func compile(t testing.TB, s Spec) Check {
	t.Helper()
	c, err := Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompileRefuses(t *testing.T) {
	for name, s := range map[string]Spec{
		"no name": {Regex: "x"}, "nothing set": {Name: "c"}, "two set": {Name: "c", Regex: "x", Arithmetic: true},
		"bad regex": {Name: "c", Regex: "("}, "bad references": {Name: "c", References: "["},
		"schema is no JSON":   {Name: "c", Schema: []byte("{")},
		"schema is no schema": {Name: "c", Schema: []byte(`{"type": 5}`)},
		"schema loads a file": {Name: "c", Schema: []byte(`{"$ref": "file:///etc/passwd"}`)},
		"schema loads a host": {Name: "c", Schema: []byte(`{"$ref": "https://example.com/s.json"}`)},
		"schema with a bomb":  {Name: "c", Schema: []byte(`{"minimum": 1e999999999}`)},
		"schema nested deeply": {Name: "c", Schema: []byte(strings.Repeat(`{"not":`, 100) + "true" + strings.Repeat("}",
			100))},
	} {
		_, err := Compile(s)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalid || e.Hint == "" {
			t.Errorf("%s: error %v, want an invalid_request with a hint", name, err)
		}
	}
}

const invoiceSchema = `{
	"type": "object", "required": ["id", "amount"], "additionalProperties": false,
	"properties": {
		"id": {"type": "string", "pattern": "^INV-"}, "amount": {"type": "number", "minimum": 0, "multipleOf": 0.01},
		"status": {"enum": ["open", "paid"]}, "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}
	},
	"$defs": {"line": {"type": "object", "required": ["qty"], "properties": {"qty": {"type": "integer"}}}}
}`

func TestSchemaCheck(t *testing.T) {
	c := compile(t, Spec{Name: "invoice-shape", Schema: []byte(invoiceSchema)})
	for text, want := range map[string]string{
		`{"id":"INV-1","amount":12.30}`:                 "",
		`{"id":"INV-1","amount":9007199254740993.01}`:   "",
		`{"id":"INV-1","amount":1,"lines":[{"qty":1}]}`: "",
		`{"id":"INV-1"}`:                                     `at "": required: missing "amount"`,
		`{"id":"INV-1","amount":-5}`:                         `at "/amount": minimum: want at least 0`,
		`{"id":"INV-1","amount":0.001}`:                      `at "/amount": multipleOf: not met`,
		`{"id":"INV-1","amount":"12"}`:                       `at "/amount": type: got string, want number`,
		`{"id":"secret","amount":1}`:                         `at "/id": pattern: not met`,
		`{"id":"INV-1","amount":1,"status":"secret"}`:        `at "/status": enum: not one of the allowed values`,
		`{"id":"INV-1","amount":1,"x":2}`:                    `at "": additionalProperties: not allowed "x"`,
		`{"id":"INV-1","amount":1,"lines":[{"qty":1},{}]}`:   `at "/lines/1": required: missing "qty"`,
		`{"id":"INV-1","amount":1e999999999}`:                "a number too large to compare at byte",
		`{"id":"INV-1","amount":1,"amount":2}`:               "not valid JSON at byte",
		`{"id":"INV-1","amount":1} x`:                        "JSON",
		`The id is INV-1`:                                    "not valid JSON at byte",
		``:                                                   "not valid JSON at byte",
		strings.Repeat("[", 100) + strings.Repeat("]", 100):  "JSON nested deeper than 64",
		`{"id":"INV-1","amount":1,"lines":[{},{},{},{},{}]}`: "and 2 more",
	} {
		f := c.Judge(answer("q", text))
		if f.OK != (want == "") || !strings.Contains(f.Reason, want) {
			t.Errorf("%s: %+v, want reason %q", text, f, want)
		}
		if strings.Contains(f.Reason, "secret") {
			t.Errorf("%s: the reason quotes a value: %s", text, f.Reason)
		}
	}
}

func TestRegexCheck(t *testing.T) {
	c := compile(t, Spec{Name: "final", Regex: `(?s)start.*####\s*\d+\s*$`})
	if f := c.Judge(answer("q", "start\n#### 42\n")); !f.OK {
		t.Errorf("finding %+v, want OK", f)
	}
	if f := c.Judge(answer("q", "start\n#### none")); f.OK || f.Check != "final" || strings.Contains(f.Reason, "none") {
		t.Errorf("finding %+v", f)
	}
}

func TestReferenceCheck(t *testing.T) {
	c := compile(t, Spec{Name: "ids-in-context", References: `\b(INV|PO)[-\x{2010}-\x{2015} ]?\d+\b`})
	req := &llm.Request{
		System: []llm.Part{{Text: "You know PO-7."}},
		Messages: []llm.Message{
			{Role: llm.User, Parts: []llm.Part{{Text: "See INV-402 and inv-9."}}},
			{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.ToolUse, Tool: &llm.ToolCall{Args: []byte(`{"id":"PO-8"}`)}}}},
			{Role: llm.User, Parts: []llm.Part{
				{Kind: llm.ToolResult, Result: &llm.ToolAnswer{Content: []llm.Part{{Text: "INV-5551 is open"}}}},
			}},
		},
	}
	for text, want := range map[string]string{
		"No id at all.": "", "INV-402, PO-7, PO-8, INV-5551": "", "INV\u2011402 and INV–402": "", "INV-9": "",
		"INV-40":            "reference 1 of 1 (at byte 0) does not occur in the request",
		"INV-402 or INV-55": "reference 2 of 2 (at byte 11) does not occur in the request",
		"INV-4021":          "reference 1 of 1",
	} {
		f := c.Judge(Subject{Request: req, Answer: response(llm.StopEnd, llm.Part{Text: text})})
		if f.OK != (want == "") || !strings.Contains(f.Reason, want) {
			t.Errorf("%q: %+v, want reason %q", text, f, want)
		}
	}
	call := llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{Args: []byte(`{"id":"INV-77"}`)}}
	if f := c.Judge(Subject{Request: req, Answer: response(llm.StopToolUse, call)}); f.OK {
		t.Error("an id made up in tool arguments passed")
	}
}

func TestReferencesOnLongRequests(t *testing.T) {
	var doc, text strings.Builder
	for i := range 40_000 { // about 200,000 tokens
		fmt.Fprintf(&doc, "Row %d: INV-%d pending\n", i, 100_000+i)
	}
	for i := range 300 {
		fmt.Fprintf(&text, "INV-%d ", 100_000+i*100)
	}
	c := compile(t, Spec{Name: "ids", References: `INV-\d+`})
	began := time.Now()
	if f := c.Judge(answer(doc.String(), text.String())); !f.OK {
		t.Errorf("finding %+v, want OK", f)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestBasicChecks(t *testing.T) {
	lookup := llm.Tool{Name: "lookup", Schema: []byte(
		`{"type":"object","required":["id"],"properties":{"id":{"type":"string"}},"additionalProperties":false}`)}
	ping := llm.Tool{Name: "ping"}
	use := func(name, args string) llm.Part {
		return llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: "1", Name: name, Args: []byte(args)}}
	}
	text := func(s string) llm.Part { return llm.Part{Text: s} }
	plain, tools := &llm.Request{}, &llm.Request{Tools: []llm.Tool{lookup, ping}}
	must := &llm.Request{Tools: tools.Tools, Choice: llm.ToolChoice{Mode: "required"}}
	named := &llm.Request{Tools: tools.Tools, Choice: llm.ToolChoice{Mode: "tool", Name: "lookup"}}
	object := &llm.Request{Format: &llm.Format{Kind: "json_object"}}
	schema := &llm.Request{Format: &llm.Format{Kind: "json_schema", Schema: lookup.Schema}}
	broken := &llm.Request{Format: &llm.Format{Kind: "json_schema", Schema: []byte(`{"type":7}`)}}
	for name, c := range map[string]struct {
		req    *llm.Request
		stop   llm.StopReason
		parts  []llm.Part
		check  string
		reason string
	}{
		"fine":                {plain, llm.StopEnd, []llm.Part{text("It is approved.")}, "", ""},
		"no parts":            {plain, llm.StopEnd, nil, "empty", "empty"},
		"blank":               {plain, llm.StopEnd, []llm.Part{text(" \n")}, "empty", "empty"},
		"thinking only":       {plain, llm.StopEnd, []llm.Part{{Kind: llm.Reasoning, Text: "hm"}}, "empty", "empty"},
		"cut":                 {plain, llm.StopLength, []llm.Part{text("It is")}, "truncated", "cut off"},
		"stop sequence":       {plain, llm.StopSequence, []llm.Part{text("It is")}, "", ""},
		"refused":             {plain, llm.StopRefusal, nil, "refusal", "refused"},
		"filtered":            {plain, llm.StopFilter, nil, "refusal", "filter"},
		"refusal part":        {plain, llm.StopEnd, []llm.Part{{Kind: llm.Refusal, Text: "no"}}, "refusal", "refused"},
		"call":                {tools, llm.StopToolUse, []llm.Part{use("lookup", `{"id":"a"}`)}, "", ""},
		"call without args":   {tools, llm.StopToolUse, []llm.Part{use("ping", "")}, "", ""},
		"hedge beside a call": {tools, llm.StopToolUse, []llm.Part{text("I don't know yet."), use("ping", "{}")}, "", ""},
		"unknown tool": {
			tools, llm.StopToolUse,
			[]llm.Part{use("rm", "{}")},
			"tool-arguments",
			`the tool "rm" was not offered`,
		},
		"second call bad": {
			tools, llm.StopToolUse,
			[]llm.Part{use("ping", "{}"), use("lookup", "{}")},
			"tool-arguments", `tool call 2: arguments of "lookup": at "": required: missing "id"`,
		},
		"args no JSON": {
			tools, llm.StopToolUse,
			[]llm.Part{use("lookup", `{"id":`)},
			"tool-arguments",
			"not valid JSON",
		},
		"args no object": {
			tools, llm.StopToolUse,
			[]llm.Part{use("lookup", `"a"`)},
			"tool-arguments",
			"not a JSON object",
		},
		"no tools offered": {plain, llm.StopToolUse, []llm.Part{use("builtin", "{}")}, "", ""},
		"call demanded":    {must, llm.StopEnd, []llm.Part{text("Done.")}, "tool-arguments", "demands a tool call"},
		"other tool demanded": {
			named, llm.StopToolUse,
			[]llm.Part{use("ping", "{}")},
			"tool-arguments",
			`demands the tool "lookup"`,
		},
		"JSON wanted":          {object, llm.StopEnd, []llm.Part{text("It is approved.")}, "format", "not valid JSON"},
		"JSON given":           {object, llm.StopEnd, []llm.Part{text(`{"a":1}`)}, "", ""},
		"JSON in two parts":    {object, llm.StopEnd, []llm.Part{text(`{"a"`), text(`:1}`)}, "", ""},
		"schema wanted":        {schema, llm.StopEnd, []llm.Part{text(`{"id":5}`)}, "format", `at "/id": type`},
		"caller's schema bad":  {broken, llm.StopEnd, []llm.Part{text(`{"id":5}`)}, "", ""},
		"call instead of JSON": {schema, llm.StopToolUse, []llm.Part{use("x", "{}")}, "", ""},
	} {
		f := All(Basic(), Subject{Request: c.req, Answer: response(c.stop, c.parts...)})
		if f.OK != (c.check == "") || f.Check != c.check || !strings.Contains(f.Reason, c.reason) {
			t.Errorf("%s: %+v, want check %q, reason %q", name, f, c.check, c.reason)
		}
	}
}

func TestHedges(t *testing.T) {
	for text, want := range map[string]bool{
		"I'm sorry, but I can't help with that.": true, "I’m sorry, but I cannot find it.": true, "I don't know.": true,
		"As an AI language model, I cannot say.": true, "Unfortunately, I do not have access to your files.": true,
		"**I am unable to determine this.**": true, "There is not enough information to say.": true,
		"Leider kann ich das nicht beantworten.": true, "Ich weiß es nicht.": true,
		"Es tut mir leid, aber ich kann nicht helfen.": true,
		"Je ne sais pas.": true, "Désolé, mais je ne peux pas répondre.": true, "Lo siento, no puedo ayudar.": true,
		"Non posso rispondere.": true, "Não sei dizer.": true, "Ik weet het niet.": true,
		"The invoice was approved.": false, "I can help: it is 5.": false, "Unfortunately, the invoice was rejected.": false,
		"I'm sorry for the delay. It ships today.": false, "No, it is not.": false, "": false, "#### 18": false,
		"I cannot stress enough how simple it is. " + strings.Repeat("It is explained here at length. ", 40): false,
	} {
		if got := hedges(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestToolOnlyAnswersPassTextChecks(t *testing.T) {
	s := Subject{Request: &llm.Request{}, Answer: response(llm.StopToolUse,
		llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{Name: "x", Args: []byte("{}")}}, llm.Part{Text: " "})}
	for _, spec := range []Spec{
		{Name: "s", Schema: []byte(invoiceSchema)}, {Name: "r", Regex: "never"}, {Name: "a", Arithmetic: true},
	} {
		if f := compile(t, spec).Judge(s); !f.OK {
			t.Errorf("%s: %+v, want OK", spec.Name, f)
		}
	}
}

func TestChoicesAreJudgedApart(t *testing.T) {
	a := &llm.Response{Choices: []llm.Choice{
		{Parts: []llm.Part{{Text: "1 + 1 = 2"}}},
		{Parts: []llm.Part{{Text: "1 + 1 = 3"}}},
	}}
	c := []Check{compile(t, Spec{Name: "a", Arithmetic: true})}
	if f := All(c, Subject{Answer: a}); !f.OK {
		t.Errorf("choice 0: %+v", f)
	}
	if f := All(c, Subject{Answer: a, Choice: 1}); f.OK {
		t.Error("choice 1 passed")
	}
	if f := All(Basic(), Subject{Answer: a, Choice: 2}); f.OK || f.Check != "empty" {
		t.Errorf("choice 2, which is not there: %+v", f)
	}
}

func TestChecksRunTogether(t *testing.T) {
	checks := append(Basic(), compile(t, Spec{Name: "s", Schema: []byte(invoiceSchema)}), compile(t, Spec{
		Name:       "a",
		Arithmetic: true,
	}))
	req := &llm.Request{Format: &llm.Format{Kind: "json_schema", Schema: []byte(invoiceSchema)}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if f := All(checks, Subject{Request: req, Answer: answer("q", `{"id":"INV-1","amount":1}`).Answer}); !f.OK {
					t.Errorf("finding %+v", f)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzJudge: no answer, schema or request makes a check panic, and a failure always has a name and a bounded reason.
func FuzzJudge(f *testing.F) {
	f.Add(`{"id":"INV-1","amount":1}`, `{"type":"object"}`, "See INV-1", `{"a":1}`)
	f.Add("I cannot say. 1 + 1 = 3", `{"$ref":"#"}`, "", "")
	f.Add(`{"a":1e99}`, `{"anyOf":[{"$ref":"#/anyOf/0"},{"maximum":1}]}`, "INV-2", `{"a":`)
	f.Add("[[[[", `{"pattern":"("}`, "\xff", "\"")
	checks := append(Basic(), compile(f, Spec{Name: "ids", References: `\w+-\d+`}), compile(f, Spec{
		Name:       "sums",
		Arithmetic: true,
	}),
		compile(f, Spec{Name: "shape", Schema: []byte(invoiceSchema)}))
	f.Fuzz(func(t *testing.T, text, schema, question, args string) {
		req := answer(question, "").Request
		req.Tools = []llm.Tool{{Name: "t", Schema: []byte(schema)}}
		req.Format = &llm.Format{Kind: "json_schema", Schema: []byte(schema)}
		for _, a := range []*llm.Response{
			response(llm.StopEnd, llm.Part{Text: text}),
			response(llm.StopToolUse, llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{Name: "t", Args: []byte(args)}}),
		} {
			a = Repair(req, a, true).Answer
			for _, c := range checks {
				got := c.Judge(Subject{Request: req, Answer: a})
				if got.OK != (got.Reason == "") || !got.OK && got.Check != c.Name() || len(got.Reason) > 4000 {
					t.Fatalf("check %s: %+v", c.Name(), got)
				}
			}
		}
	})
}
