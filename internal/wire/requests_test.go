package wire_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/gemini"
)

// drawRequest draws a request that every dialect can say: a conversation in which all calls are answered at once.
func drawRequest(rt *rapid.T) *llm.Request {
	words := func(label string) string { return "w " + drawText(rt, label) + "." }
	text := func(label string) llm.Part { return llm.Part{Kind: llm.Text, Text: words(label)} }
	q := &llm.Request{MaxOutput: rapid.IntRange(1, 900).Draw(rt, "cap"), Stream: rapid.Bool().Draw(rt, "stream")}
	for range rapid.IntRange(0, 2).Draw(rt, "system parts") {
		q.System = append(q.System, text("system"))
	}
	var open []llm.Part // results for the calls of the turn before
	for turn := range rapid.IntRange(1, 4).Draw(rt, "turns") {
		parts := append(open, text("user"))
		open = nil
		if rapid.Bool().Draw(rt, "looks") {
			m := rapid.SampledFrom([]llm.MediaPart{
				{MIME: "image/png", Data: "iVBORw0KGgo="},
				{MIME: "application/pdf", Data: "JVBE"},
				{URL: "https://example.com/a.png"},
			}).Draw(rt, "media")
			parts = append(parts, llm.Part{Kind: llm.Media, Media: &m}, text("after the media"))
		}
		q.Messages = append(q.Messages, llm.Message{Role: llm.User, Parts: parts})
		answer := []llm.Part{text("assistant")}
		for i := range rapid.IntRange(0, 3).Draw(rt, "calls") {
			id, name := fmt.Sprintf("call_%d-%d", turn, i), fmt.Sprintf("tool_%d", i)
			answer = append(answer, llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: id, Name: name, Args: drawArgs(rt)}})
			open = append(open, llm.Part{Kind: llm.ToolResult, Result: &llm.ToolAnswer{
				ID: id, Name: name, Content: []llm.Part{text("result")},
			}})
		}
		if open != nil || rapid.Bool().Draw(rt, "goes on") {
			q.Messages = append(q.Messages, llm.Message{Role: llm.Assistant, Parts: answer})
		}
	}
	if open != nil {
		q.Messages = append(q.Messages, llm.Message{Role: llm.User, Parts: open})
	}
	drawSettings(rt, q)
	return q
}

func drawSettings(rt *rapid.T, q *llm.Request) {
	schema := jsontext.Value(`{"type":"object","properties":{"a":{"type":"string"}}}`)
	for i := range rapid.IntRange(0, 3).Draw(rt, "tools") {
		q.Tools = append(q.Tools, llm.Tool{
			Name: fmt.Sprintf("tool_%d", i), Description: drawText(rt, "description"), Schema: schema,
			Strict: rapid.Bool().Draw(rt, "strict"),
		})
	}
	if len(q.Tools) > 0 {
		q.Choice.Mode = rapid.SampledFrom([]string{"auto", "none", "required", "tool"}).Draw(rt, "mode")
		if q.Choice.Mode == "tool" {
			q.Choice.Name = "tool_0"
		}
		q.Choice.NoParallel = q.Choice.Mode != "none" && rapid.Bool().Draw(rt, "one call only")
	}
	if rapid.Bool().Draw(rt, "schema") {
		q.Format = &llm.Format{Kind: "json_schema", Name: "answer", Schema: schema, Strict: true}
	}
	if rapid.Bool().Draw(rt, "temperature set") {
		t := float64(rapid.IntRange(0, 10).Draw(rt, "temperature")) / 10
		q.Temperature = &t
	}
	for range rapid.IntRange(0, 2).Draw(rt, "stops") {
		q.Stop = append(q.Stop, words5(rt))
	}
	if rapid.Bool().Draw(rt, "user told") {
		q.User = "user-1"
	}
}

func words5(rt *rapid.T) string { return rapid.StringMatching(`[A-Z]{1,5}`).Draw(rt, "stop") }

// joinedTurns makes neighbours of one role one turn: dialects differ in whether they part them.
func joinedTurns(in []llm.Message) []llm.Message {
	var out []llm.Message
	for _, m := range in {
		if n := len(out); n > 0 && out[n-1].Role == m.Role {
			out[n-1].Parts = append(out[n-1].Parts, m.Parts...)
			continue
		}
		out = append(out, llm.Message{Role: m.Role, Parts: append([]llm.Part(nil), m.Parts...)})
	}
	return out
}

// nameless takes the names off results: a dialect that addresses them by id has no place for them.
func nameless(in []llm.Message) {
	for _, m := range in {
		for i := range m.Parts {
			if r := m.Parts[i].Result; r != nil {
				bare := *r
				bare.Name = ""
				m.Parts[i].Result = &bare
			}
		}
	}
}

// What a back writes, a front of the same dialect reads as the same request: nothing is lost or put elsewhere on the
// way through the hub, and what Scan tells of the bytes is true of it.
func TestRequestsSurviveTheirDialect(t *testing.T) {
	for name, f := range fronts {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				q := drawRequest(rt)
				o := call.Order{Target: call.Target{WireID: "wire-1"}, MaxOut: 1000, Stream: q.Stream, N: 1}
				w, err := coders[name].Encode(q, o)
				if err != nil {
					rt.Fatal(err)
				}
				body := bytes.Join(w.Body, nil)
				got, err := f.Decode(body)
				if err != nil {
					rt.Fatalf("%s: %v", body, err)
				}
				want := *q
				want.Model, want.Messages = "wire-1", joinedTurns(q.Messages)
				got.Messages = joinedTurns(got.Messages)
				if name == "anthropic" { // no name for a schema; results by id alone
					nameless(want.Messages)
					if q.Format != nil {
						want.Format = &llm.Format{Kind: q.Format.Kind, Schema: q.Format.Schema, Strict: true}
					}
				}
				if d := cmp.Diff(&want, got, cmpopts.EquateEmpty()); d != "" {
					rt.Fatalf("%s\n(-written +read):\n%s", body, d)
				}
				checkEnvelope(rt, f, body, got)
			})
		})
	}
}

// checkEnvelope compares what Scan tells of a body with what Decode makes of it.
func checkEnvelope(rt *rapid.T, f front, body []byte, q *llm.Request) {
	env, err := f.Scan(body)
	if err != nil {
		rt.Fatalf("%s: %v", body, err)
	}
	if env.Model != q.Model || env.Stream != q.Stream || env.MaxOutput != q.MaxOutput || env.User != q.User {
		rt.Fatalf("%s: scanned %+v", body, env)
	}
	need := llm.Needs{Tools: len(q.Tools) > 0, Schema: q.Format != nil}
	media, heads := 0, 0 // bytes of data, and at most of what stands before it in a data: URL
	for _, m := range q.Messages {
		for _, p := range m.Parts {
			switch {
			case p.Kind == llm.ToolUse, p.Kind == llm.ToolResult:
				need.Tools = true
			case p.Kind == llm.Media && p.Media.MIME == "application/pdf":
				need.Documents = true
			case p.Kind == llm.Media:
				need.Vision = true
			}
			if p.Kind == llm.Media {
				media, heads = media+len(p.Media.Data), heads+len("data:application/pdf;base64,")
			}
		}
	}
	if env.Needs != need || env.MediaBytes < media || env.MediaBytes > media+heads {
		rt.Fatalf("%s: needs %+v and %d bytes of media, want %+v and %d", body, env.Needs, env.MediaBytes, need, media)
	}
}

// geminiRequest is what a test looks at of a generateContent request.
type geminiRequest struct {
	Contents []struct {
		Role  string `json:"role"`
		Parts []struct {
			Text   *string                `json:"text"`
			Inline jsontext.Value         `json:"inlineData"`
			File   jsontext.Value         `json:"fileData"`
			Call   *struct{ Name string } `json:"functionCall"`
			Result *struct {
				Name     string
				Response jsontext.Value
			} `json:"functionResponse"`
		} `json:"parts"`
	} `json:"contents"`
}

// What the dialect demands of a conversation holds for whatever is asked: turns alternate, the results after a turn
// answer all of its calls by name, and every part says exactly one thing.
func TestGeminiConversationsAreWellFormed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := drawRequest(rt)
		w, err := gemini.Back{}.Encode(q, call.Order{Target: call.Target{WireID: "g"}, MaxOut: 1000, N: 1})
		if err != nil {
			rt.Fatal(err)
		}
		body := bytes.Join(w.Body, nil)
		var got geminiRequest
		if err := json.Unmarshal(body, &got, json.MatchCaseInsensitiveNames(true)); err != nil {
			rt.Fatalf("%s: %v", body, err)
		}
		var calls []string
		role := "model"
		for _, c := range got.Contents {
			if c.Role == role || len(c.Parts) == 0 {
				rt.Fatalf("%s: a turn of %s with %d parts after one of %s", body, c.Role, len(c.Parts), role)
			}
			role = c.Role
			var made, answered []string
			for _, p := range c.Parts {
				said := 0
				for _, has := range []bool{p.Text != nil, p.Inline != nil, p.File != nil, p.Call != nil, p.Result != nil} {
					if has {
						said++
					}
				}
				if said != 1 {
					rt.Fatalf("%s: a part says %d things", body, said)
				}
				switch {
				case p.Call != nil:
					made = append(made, p.Call.Name)
				case p.Result != nil:
					answered = append(answered, p.Result.Name)
					if p.Result.Response.Kind() != '{' {
						rt.Fatalf("%s: a response that is no object", body)
					}
				}
			}
			if !cmp.Equal(calls, answered) {
				rt.Fatalf("%s: %v were called, %v answered", body, calls, answered)
			}
			calls = made
		}
	})
}
