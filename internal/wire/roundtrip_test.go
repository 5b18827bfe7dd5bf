package wire_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/anthropic"
	"github.com/weirhq/weir/internal/wire/gemini"
	"github.com/weirhq/weir/internal/wire/openai"
	"github.com/weirhq/weir/internal/wire/sse"
)

// drawText draws answer text: words, line ends, quotes, what JSON and event streams must escape.
func drawText(rt *rapid.T, label string) string {
	word := rapid.SampledFrom([]string{
		"a", "Invoice ", "\"", "\\", "\n", "\r\n", "\u2028", "é", "😀", "data: x\n\n", "[DONE]", "{",
	})
	s := ""
	for _, w := range rapid.SliceOfN(word, 1, 6).Draw(rt, label) {
		s += w
	}
	return s
}

// drawArgs draws a tool's arguments as a model writes them.
func drawArgs(rt *rapid.T) jsontext.Value {
	args := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(rt, "arguments") {
		name := rapid.StringMatching(`[a-z]{1,4}`).Draw(rt, "name")
		args[name] = rapid.OneOf(
			rapid.Just[any](nil), rapid.Just[any](true), rapid.Just[any]([]any{1.5, "x"}),
			rapid.Map(rapid.IntRange(-9, 1<<40), func(n int) any { return n }),
			rapid.Map(rapid.SampledFrom([]string{"", "é", "\"q\"", "\n"}), func(s string) any { return s }),
		).Draw(rt, "value")
	}
	v, err := json.Marshal(args, json.Deterministic(true))
	if err != nil {
		rt.Fatal(err)
	}
	return v
}

// drawResponse draws an answer of at most n choices.
func drawResponse(rt *rapid.T, n int) *llm.Response {
	r := &llm.Response{ID: "id-" + rapid.StringMatching(`[a-z0-9]{1,8}`).Draw(rt, "id"), Model: "m-1", Created: 1700000000}
	for i := range rapid.IntRange(1, n).Draw(rt, "choices") {
		c := llm.Choice{Stop: rapid.SampledFrom([]llm.StopReason{
			llm.StopEnd, llm.StopLength, llm.StopToolUse, llm.StopFilter,
		}).Draw(rt, "stop")}
		for j := range rapid.IntRange(0, 5).Draw(rt, "parts") {
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0, 1:
				c.Parts = append(c.Parts, llm.Part{Kind: llm.Text, Text: drawText(rt, "text")})
			case 2:
				c.Parts = append(c.Parts, llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{
					ID: fmt.Sprintf("call_%d_%d", i, j), Name: "find", Args: drawArgs(rt),
				}})
			case 3:
				thought := drawText(rt, "thought")
				c.Parts = append(c.Parts, llm.Part{Kind: llm.Reasoning, Text: thought, Opaque: append(wire.AppendString(
					[]byte(`{"type":"thinking","thinking":`), thought), `,"signature":"c2ln"}`...)})
			}
		}
		r.Choices = append(r.Choices, c)
	}
	if rapid.Bool().Draw(rt, "usage told") {
		n := func(what string) int64 { return rapid.Int64Range(0, 1<<20).Draw(rt, what) }
		r.Usage = &llm.Usage{Input: n("input"), CacheRead: n("read"), Output: n("output"), Reasoning: n("reasoning")}
	}
	return r
}

// drawEvents tells r in the events of a stream: text and arguments in fragments, the fragments of a choice's calls one
// after the other or in turns.
func drawEvents(rt *rapid.T, r *llm.Response) []llm.Event {
	var out, held []llm.Event
	mixed := rapid.Bool().Draw(rt, "calls interleave")
	flush := func() {
		for len(held) > 0 {
			i := rapid.IntRange(0, len(held)-1).Draw(rt, "next call")
			for k := range i { // fragments of one call keep their order
				if held[k].Tool == held[i].Tool {
					i = k
					break
				}
			}
			out = append(out, held[i])
			held = append(held[:i:i], held[i+1:]...)
		}
	}
	for _, ev := range r.Events() {
		switch {
		case ev.Kind == llm.EvToolArgs && mixed:
			held = append(held, fragments(rt, ev)...)
			continue
		case ev.Kind == llm.EvToolStart && mixed:
		case ev.Kind == llm.EvText, ev.Kind == llm.EvToolArgs:
			flush()
			out = append(out, fragments(rt, ev)...)
			continue
		default:
			flush()
		}
		out = append(out, ev)
	}
	return out
}

// fragments cuts an event's text between any two characters.
func fragments(rt *rapid.T, ev llm.Event) []llm.Event {
	var out []llm.Event
	text := []rune(ev.Text)
	for len(text) > 0 {
		n := rapid.IntRange(1, len(text)).Draw(rt, "fragment")
		part := ev
		part.Text, text = string(text[:n]), text[n:]
		out = append(out, part)
	}
	return out
}

// read is a stream as a reader puts it together.
func read(rt *rapid.T, b back, stream []byte) *llm.Response {
	r := b.Stream(wire.StreamOptions{Full: true})
	frames := sse.NewFramer(split(rt, stream))
	for {
		f, err := frames.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := r.Read(append([]byte(nil), f.Raw...)); err != nil {
			rt.Fatalf("%q: %v", f.Raw, err)
		}
	}
	answer, complete := r.Finish()
	if !complete {
		rt.Fatalf("the stream counts as cut: %q", stream)
	}
	return answer
}

// merged joins neighbouring texts: how an answer's text was cut says nothing.
func merged(r *llm.Response) *llm.Response {
	out := *r
	out.Choices = nil
	for _, c := range r.Choices {
		var parts []llm.Part
		for _, p := range c.Parts {
			if n := len(parts); n > 0 && p.Kind == llm.Text && parts[n-1].Kind == llm.Text {
				parts[n-1].Text += p.Text
				continue
			}
			parts = append(parts, p)
		}
		c.Parts = parts
		out.Choices = append(out.Choices, c)
	}
	return &out
}

// An answer is the same answer whether it came whole or on a stream, whatever its fragments: what a validator judges in
// one way holds in the other.
func TestStreamsTellTheAnswerThatABodyTells(t *testing.T) {
	for name, tt := range map[string]struct {
		f       front
		choices int
	}{"openai": {openai.Front{Now: noon}, 3}, "anthropic": {anthropic.Front{}, 1}} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				r := drawResponse(rt, tt.choices)
				if name == "anthropic" && r.Usage == nil {
					r.Usage = &llm.Usage{} // the dialect's usage is never absent
				}
				body, err := tt.f.Response(r)
				if err != nil {
					rt.Fatal(err)
				}
				whole, err := coders[name].Response(body)
				if err != nil {
					rt.Fatalf("%s: %v", body, err)
				}
				stream := written(tt.f, llm.Envelope{IncludeUsage: true}, drawEvents(rt, r))
				streamed := read(rt, coders[name], stream)
				if d := cmp.Diff(merged(whole), merged(streamed), cmpopts.EquateEmpty()); d != "" {
					rt.Fatalf("%s\n%s\n(-whole +streamed):\n%s", body, stream, d)
				}
				for i := range r.Choices {
					if whole.Text(i) != r.Text(i) {
						rt.Fatalf("text %q became %q", r.Text(i), whole.Text(i))
					}
				}
				if d := cmp.Diff(r.Usage, whole.Usage); d != "" {
					rt.Fatalf("usage (-told +read):\n%s", d)
				}
			})
		})
	}
}

// geminiAnswer is a GenerateContentResponse as a test writes it.
type geminiAnswer struct {
	Candidates []geminiCandidate `json:"candidates"`
	Usage      map[string]int    `json:"usageMetadata,omitzero"`
	ID         string            `json:"responseId"`
	Model      string            `json:"modelVersion"`
}

type geminiCandidate struct {
	Content struct {
		Parts []map[string]any `json:"parts"`
	} `json:"content"`
	Finish string `json:"finishReason,omitzero"`
	Index  int    `json:"index"`
}

// drawGemini draws an answer of one candidate. The thought comes first and signs itself, as the dialect has it.
func drawGemini(rt *rapid.T) geminiAnswer {
	a := geminiAnswer{ID: "r1", Model: "g", Candidates: make([]geminiCandidate, 1)}
	c := &a.Candidates[0]
	c.Finish = rapid.SampledFrom([]string{"STOP", "MAX_TOKENS", "SAFETY"}).Draw(rt, "finish")
	add := func(p map[string]any) { c.Content.Parts = append(c.Content.Parts, p) }
	if rapid.Bool().Draw(rt, "thinks") {
		add(map[string]any{"text": drawText(rt, "thought"), "thought": true})
	}
	for range rapid.IntRange(0, 4).Draw(rt, "parts") {
		if rapid.Bool().Draw(rt, "calls") {
			add(map[string]any{"functionCall": map[string]any{"name": "find", "args": drawArgs(rt)}, "thoughtSignature": "c2ln"})
		} else {
			add(map[string]any{"text": drawText(rt, "text")})
		}
	}
	if rapid.Bool().Draw(rt, "usage told") {
		a.Usage = map[string]int{
			"promptTokenCount": rapid.IntRange(0, 99).Draw(rt, "prompt"), "candidatesTokenCount": len(c.Content.Parts),
		}
	}
	return a
}

func (a geminiAnswer) body(rt *rapid.T) []byte {
	b, err := json.Marshal(a, json.Deterministic(true))
	if err != nil {
		rt.Fatal(err)
	}
	return b
}

// geminiStream tells an answer chunk by chunk, texts in fragments.
func geminiStream(rt *rapid.T, a geminiAnswer) []byte {
	var out []byte
	chunk := func(parts []map[string]any, finish string) {
		c := a
		c.Candidates = make([]geminiCandidate, 1)
		c.Candidates[0].Content.Parts, c.Candidates[0].Finish = parts, finish
		out = append(append(append(out, "data: "...), c.body(rt)...), "\n\n"...)
	}
	for _, p := range a.Candidates[0].Content.Parts {
		text, ok := p["text"].(string)
		if !ok {
			chunk([]map[string]any{p}, "")
			continue
		}
		for _, f := range fragments(rt, llm.Event{Text: text}) {
			piece := map[string]any{"text": f.Text}
			if p["thought"] == true {
				piece["thought"] = true
			}
			chunk([]map[string]any{piece}, "")
		}
	}
	chunk(nil, a.Candidates[0].Finish)
	return out
}

func TestGeminiStreamsTellTheAnswerThatABodyTells(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := drawGemini(rt)
		body := a.body(rt)
		whole, err := gemini.Back{}.Response(body)
		if err != nil {
			rt.Fatalf("%s: %v", body, err)
		}
		stream := geminiStream(rt, a)
		streamed := read(rt, gemini.Back{}, stream)
		if d := cmp.Diff(merged(whole), merged(streamed), cmpopts.EquateEmpty()); d != "" {
			rt.Fatalf("%s\n%s\n(-whole +streamed):\n%s", body, stream, d)
		}
	})
}
