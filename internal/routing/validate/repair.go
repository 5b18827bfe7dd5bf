package validate

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
)

// Repaired is an answer whose form was mended. Answer is the given one, untouched, when nothing Changed.
type Repaired struct {
	Answer  *llm.Response
	Notes   []string // what was done, safe to show
	Changed bool
}

// Repair mends the form of an answer: JSON in code fences, prose around one JSON value, trailing commas,
// typographic quotes as delimiters, brackets missing at the end (only when the model stopped by itself). It never
// changes a key or a value, and never touches what already parses. wantJSON says that the text ought to be JSON:
// the request has a Format, or a schema check applies. Arguments of tool calls are always JSON and are mended in
// any case.
func Repair(req *llm.Request, a *llm.Response, wantJSON bool) Repaired {
	out := Repaired{Answer: a}
	if a == nil {
		return out
	}
	if req != nil && req.Format != nil && strings.HasPrefix(req.Format.Kind, "json") {
		wantJSON = true
	}
	for i := range a.Choices {
		parts, notes := repairChoice(&a.Choices[i], wantJSON)
		if len(notes) == 0 {
			continue
		}
		if !out.Changed {
			fresh := *a
			fresh.Choices = slices.Clone(a.Choices)
			out.Answer, out.Changed = &fresh, true
		}
		out.Answer.Choices[i].Parts = parts
		out.Notes = append(out.Notes, notes...)
	}
	return out
}

// repairChoice returns the mended parts of a choice and what was done; no notes = nothing.
func repairChoice(c *llm.Choice, wantJSON bool) (parts []llm.Part, notes []string) {
	parts = slices.Clone(c.Parts)
	whole := c.Stop != llm.StopLength && c.Stop != llm.StopFilter
	tools := false
	for i, p := range parts {
		if p.Kind != llm.ToolUse || p.Tool == nil {
			continue
		}
		tools = true
		fixed, note := repairArgs(p.Tool.Args, whole)
		if note == "" {
			continue
		}
		t := *p.Tool
		t.Args = jsontext.Value(fixed)
		parts[i].Tool = &t
		notes = append(notes, "tool arguments: "+note)
	}
	if !wantJSON || tools {
		return parts, notes
	}
	fixed, note := repairJSON(joinText(c.Parts), whole)
	if note == "" {
		return parts, notes
	}
	return replaceText(parts, fixed), append(notes, note)
}

// replaceText puts text where the first text part stands and drops the other text parts.
func replaceText(parts []llm.Part, text string) []llm.Part {
	out := parts[:0]
	placed := false
	for _, p := range parts {
		if p.Kind != llm.Text {
			out = append(out, p)
			continue
		}
		if !placed {
			out = append(out, llm.Part{Kind: llm.Text, Text: text})
			placed = true
		}
	}
	return out
}

// repairArgs mends the arguments of a tool call. Blank arguments become an empty object.
func repairArgs(args jsontext.Value, whole bool) (fixed, note string) {
	if len(bytes.TrimSpace(args)) == 0 {
		return "{}", "blank arguments written as {}"
	}
	return repairJSON(string(args), whole)
}

// repairJSON returns the one JSON value that a text holds and how it was got at, or note "" when the text already
// parses, holds no value, or holds several so that any choice would be a guess.
func repairJSON(text string, whole bool) (fixed, note string) {
	body := strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if body == "" || valid(text) {
		return "", ""
	}
	if valid(body) { // a byte order mark stood before it
		return body, "stray characters removed"
	}
	if inner, closed, ok := fenced(body); ok {
		if got, how := oneValue(inner, whole || closed); got != "" {
			return got, join("code fence removed", how)
		}
	}
	got, how := oneValue(body, whole)
	if got == "" {
		return "", ""
	}
	return got, how
}

// valid reports whether s is one strict JSON value.
func valid(s string) bool {
	return jsontext.Value(s).IsValid()
}

// fenced finds the content of the one code fence of a text. closed says that the fence ends, so that what it holds is
// whole whatever became of the rest. Two fences that open = not ok.
func fenced(s string) (inner string, closed, ok bool) {
	const mark = "```"
	at := strings.Index(s, mark)
	if at < 0 {
		return "", false, false
	}
	inner = s[at+len(mark):]
	for len(inner) > 0 && (isWord(inner[0]) || inner[0] == '+' || inner[0] == '-') { // info string: json, jsonc, JSON5
		inner = inner[1:]
	}
	end := strings.Index(inner, mark)
	if end < 0 {
		return inner, false, true
	}
	if strings.Contains(inner[end+len(mark):], mark) {
		return "", false, false
	}
	return inner[:end], true, true
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// oneValue picks the one object of a text, or its one array where it has no object, and mends it.
func oneValue(s string, whole bool) (value, how string) {
	var objects, arrays []span
	for _, v := range spans(s, whole) {
		fixed := v.fixed
		if !valid(fixed) {
			continue
		}
		if fixed[0] == '{' {
			objects = append(objects, v)
		} else {
			arrays = append(arrays, v)
		}
	}
	pick := objects
	if len(pick) == 0 {
		pick = arrays
	}
	if len(pick) != 1 {
		return "", ""
	}
	v := pick[0]
	if strings.TrimSpace(s[:v.start]) != "" || strings.TrimSpace(s[v.end:]) != "" {
		how = "text around the JSON value removed"
	}
	for _, h := range v.how {
		how = join(how, h)
	}
	if how == "" {
		how = "stray characters removed"
	}
	return v.fixed, how
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}
