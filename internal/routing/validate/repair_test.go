package validate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

func response(stop llm.StopReason, parts ...llm.Part) *llm.Response {
	return &llm.Response{ID: "r", Choices: []llm.Choice{{Parts: parts, Stop: stop}}}
}

// damages are answers with their repaired form; want "" = they must stay as they are.
var damages = map[string]struct {
	in, want, note string
	cut            bool // the model was cut off
}{
	"valid stays":             {in: `{"a": 1}`},
	"valid with space stays":  {in: " {\"a\": 1}\n"},
	"scalar stays":            {in: `42`},
	"prose stays":             {in: "No JSON here."},
	"empty stays":             {in: ""},
	"fence":                   {in: "```json\n{\"a\": 1}\n```", want: "{\"a\": 1}", note: "code fence removed"},
	"fence without a tag":     {in: "```\n[1, 2]\n```", want: "[1, 2]"},
	"fence and prose":         {in: "Here it is:\n```json\n{\"a\":1}\n```\nAnything else?", want: `{"a":1}`},
	"fence wins over prose":   {in: "Like {this}:\n```\n{\"a\":1}\n```", want: `{"a":1}`},
	"open fence":              {in: "```json\n{\"a\":1}", want: `{"a":1}`},
	"closed fence, cut later": {in: "```json\n{\"a\":[1\n```\nThis sh", want: `{"a":[1]}`, cut: true},
	"text before": {
		in: `The answer is {"a": 1}`, want: `{"a": 1}`,
		note: "text around the JSON value removed",
	},
	"text after":            {in: `{"a": 1} Hope this helps!`, want: `{"a": 1}`},
	"citation is no value":  {in: `As in [1], {"a": 1}.`, want: `{"a": 1}`},
	"array of objects":      {in: `Result: [{"a":1},{"a":2}]`, want: `[{"a":1},{"a":2}]`},
	"extra closer":          {in: `{"a": 1}}`, want: `{"a": 1}`},
	"trailing commas":       {in: `{"a": [1, 2, ], }`, want: `{"a": [1, 2 ] }`, note: howComma},
	"comma in a string":     {in: `{"a": "x,}",}`, want: `{"a": "x,}"}`},
	"missing closers":       {in: `{"a": {"b": [1, 2`, want: `{"a": {"b": [1, 2]}}`, note: howBrackets},
	"missing closer, comma": {in: `[1, 2, `, want: `[1, 2]`},
	"smart quotes":          {in: `{“a”: “x, y”}`, want: `{"a": "x, y"}`, note: howQuotes},
	"smart quotes inside":   {in: `x {"a": "he said “yes”"}`, want: `{"a": "he said “yes”"}`},
	"byte order mark":       {in: "\ufeff{\"a\":1}", want: `{"a":1}`},
	"long number":           {in: "```\n{\"n\": 12345678901234567890.10}\n```", want: `{"n": 12345678901234567890.10}`},
	"cut off stays":         {in: `{"a": {"b": [1, 2`, cut: true},
	"two objects stay":      {in: `{"a":1} or {"a":2}`},
	"two fences stay":       {in: "```\n{\"a\":1}\n```\n```\n{\"a\":2}\n```"},
	"open string stays":     {in: `{"a": "never ends`},
	"crossed brackets stay": {in: `{"a": [1, 2}]`},
	"duplicate keys stay":   {in: `{"a":1,"a":2,}`},
	"missing value stays":   {in: `{"a": `},
	"single quotes stay":    {in: `{'a': 1}`},
}

func TestRepairJSON(t *testing.T) {
	for name, c := range damages {
		stop := llm.StopEnd
		if c.cut {
			stop = llm.StopLength
		}
		a := response(stop, llm.Part{Text: c.in})
		r := Repair(&llm.Request{}, a, true)
		want := c.want
		if want == "" {
			want = c.in
		}
		if got := r.Answer.Text(0); got != want || r.Changed != (c.want != "") {
			t.Errorf("%s: %q (changed %v), want %q", name, got, r.Changed, want)
		}
		if a.Text(0) != c.in {
			t.Errorf("%s: the model's own answer was changed", name)
		}
		if c.note != "" && !strings.Contains(strings.Join(r.Notes, ";"), c.note) {
			t.Errorf("%s: notes %q, want %q", name, r.Notes, c.note)
		}
		if !r.Changed && (r.Answer != a || r.Notes != nil) {
			t.Errorf("%s: nothing changed, yet notes %q", name, r.Notes)
		}
	}
}

func TestRepairOnlyWhereJSONIsWanted(t *testing.T) {
	a := response(llm.StopEnd, llm.Part{Text: "```json\n{\"a\":1}\n```"})
	if r := Repair(&llm.Request{}, a, false); r.Changed {
		t.Error("an answer that may be prose was changed")
	}
	for _, kind := range []string{"json_object", "json_schema"} {
		if r := Repair(&llm.Request{Format: &llm.Format{Kind: kind}}, a, false); !r.Changed {
			t.Errorf("format %s: not repaired", kind)
		}
	}
	if r := Repair(&llm.Request{Format: &llm.Format{Kind: "text"}}, a, false); r.Changed {
		t.Error("format text was repaired")
	}
	if r := Repair(nil, nil, true); r.Changed || r.Answer != nil {
		t.Error("no answer became one")
	}
}

func TestRepairToolArguments(t *testing.T) {
	for in, want := range map[string]string{
		"```json\n{\"id\": \"INV-402\"}\n```": `{"id": "INV-402"}`,
		"":                                    `{}`, "  ": `{}`, `{"id": 1}`: `{"id": 1}`, `{"id": 1,}`: `{"id": 1}`,
		`{"id": `: `{"id": `,
	} {
		call := &llm.ToolCall{ID: "c", Name: "lookup", Args: []byte(in)}
		a := response(llm.StopToolUse, llm.Part{Text: "Let me see [1]."}, llm.Part{Kind: llm.ToolUse, Tool: call})
		r := Repair(&llm.Request{}, a, true)
		got := r.Answer.Choices[0].Parts
		if string(got[1].Tool.Args) != want || got[1].Tool.ID != "c" {
			t.Errorf("%q: arguments %q, want %q", in, got[1].Tool.Args, want)
		}
		if got[0].Text != "Let me see [1]." {
			t.Errorf("%q: the text beside the call became %q", in, got[0].Text)
		}
		if string(call.Args) != in {
			t.Errorf("%q: the model's own call was changed", in)
		}
	}
}

func TestRepairKeepsOtherPartsAndChoices(t *testing.T) {
	thought := llm.Part{Kind: llm.Reasoning, Text: "hm"}
	a := &llm.Response{Choices: []llm.Choice{
		{Parts: []llm.Part{thought, {Text: "Sure: {\"a\""}, {Text: ":1}"}}, Stop: llm.StopEnd},
		{Parts: []llm.Part{{Text: `{"b":2}`}}, Stop: llm.StopEnd},
	}}
	r := Repair(&llm.Request{}, a, true)
	want := []llm.Choice{
		{Parts: []llm.Part{thought, {Text: `{"a":1}`}}, Stop: llm.StopEnd}, a.Choices[1],
	}
	if diff := cmp.Diff(want, r.Answer.Choices); diff != "" {
		t.Errorf("choices (-want +got):\n%s", diff)
	}
}

// FuzzRepair: what is repaired parses, stays as it is when repaired again, and says nothing that the model did not
// say: apart from marks of form, it is one stretch of the answer.
func FuzzRepair(f *testing.F) {
	for _, s := range []string{
		"```json\n{\"a\": 1}\n```", `{"a": {"b": [1, 2`, `{“a”: “x”, }`, `x {"a":1} y`, `[[[[,],],]`, `{"a":"\"}`,
		"\ufeff[1,]",
		"```{}``````", `{"a":1,,}`, `{“a\”: 1}`, `{"a" "b"}`, "[“]”]", "{,}", `[1 2,]`,
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	form := strings.NewReplacer(",", "", "{", "", "}", "", "[", "", "]", "", `"`, "", "“", "", "”", "", " ", "", "\t",
		"", "\r", "", "\n", "")
	f.Fuzz(func(t *testing.T, s string, whole bool) {
		got, note := repairJSON(s, whole)
		if note == "" {
			if got != "" {
				t.Fatalf("%q without a note", got)
			}
			return
		}
		if !valid(got) {
			t.Fatalf("%q is not JSON", got)
		}
		if again, n := repairJSON(got, whole); n != "" {
			t.Fatalf("repaired twice: %q", again)
		}
		if !strings.Contains(form.Replace(s), form.Replace(got)) {
			t.Fatalf("%q says what %q does not", got, s)
		}
	})
}
