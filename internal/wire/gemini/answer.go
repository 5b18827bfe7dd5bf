package gemini

import (
	"errors"
	"strconv"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

var (
	answerKeys = scan.NewKeys("candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "error",
		"createTime", "modelStatus")
	candidateKeys = scan.NewKeys("content", "finishReason", "index", "finishMessage", "safetyRatings", "tokenCount",
		"citationMetadata", "groundingMetadata", "avgLogprobs", "logprobsResult", "urlContextMetadata")
	contentKeys = scan.NewKeys("role", "parts")
	partKeys    = scan.NewKeys("text", "thought", "thoughtSignature", "functionCall", "inlineData", "functionResponse",
		"fileData", "executableCode", "codeExecutionResult", "videoMetadata")
	callKeys     = scan.NewKeys("id", "name", "args")
	inlineKeys   = scan.NewKeys("mimeType", "data")
	feedbackKeys = scan.NewKeys("blockReason", "blockReasonMessage", "safetyRatings")
	usageKeys    = scan.NewKeys("promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount",
		"thoughtsTokenCount", "toolUsePromptTokenCount", "totalTokenCount")
)

// answer is one GenerateContentResponse: a whole answer, or a chunk of a stream. Spans lie in the text.
type answer struct {
	text       []byte
	id, model  scan.Str
	candidates []candidate
	parts      []part // of all candidates
	blocked    scan.Str
	usage      usage
	failure    *llm.Error // the provider told an error
}

type candidate struct {
	index    int
	finish   scan.Str
	from, to int // its parts
}

type part struct {
	hasText, thought, called bool
	text, signature          scan.Str
	id, name                 scan.Str // of the call
	args                     llm.Span
	mime, data               scan.Str // inline media
}

// scan reads text as one answer. The slices of a are used again.
func (a *answer) scan(text []byte) error {
	c := scan.Open(text)
	defer c.Close()
	u := a.usage
	*a = answer{text: text, candidates: a.candidates[:0], parts: a.parts[:0], usage: u}
	for c.Object(answerKeys); c.Next(); {
		switch c.Key() {
		case "candidates":
			for c.Array(); c.More(); {
				a.candidate(c)
			}
		case "promptFeedback":
			a.feedback(c)
		case "usageMetadata":
			a.usage.scan(c)
		case "modelVersion":
			a.model = c.String()
		case "responseId":
			a.id = c.String()
		case "error":
			if !c.Null() {
				a.failure = wire.FaultAt(c, text).Error()
			}
		}
	}
	return c.End()
}

func (a *answer) feedback(c *scan.Cursor) {
	if c.Null() {
		return
	}
	for c.Object(feedbackKeys); c.Next(); {
		if c.Key() == "blockReason" {
			a.blocked = c.String()
		}
	}
}

func (a *answer) candidate(c *scan.Cursor) {
	x := candidate{index: c.Index(), from: len(a.parts)}
	for c.Object(candidateKeys); c.Next(); {
		switch c.Key() {
		case "content":
			a.content(c)
		case "finishReason":
			x.finish = c.String()
		case "index":
			n, _ := c.Int()
			if n < 0 || n >= maxIndex {
				c.Fail("out of range")
			}
			x.index = int(n)
		}
	}
	x.to = len(a.parts)
	a.candidates = append(a.candidates, x)
}

// maxIndex bounds how many candidates are told apart.
const maxIndex = 128

func (a *answer) content(c *scan.Cursor) {
	if c.Null() {
		return
	}
	for c.Object(contentKeys); c.Next(); {
		if c.Key() != "parts" {
			continue
		}
		for c.Array(); c.More(); {
			a.parts = append(a.parts, scanPart(c))
		}
	}
}

func scanPart(c *scan.Cursor) part {
	var p part
	for c.Object(partKeys); c.Next(); {
		switch c.Key() {
		case "text":
			p.text, p.hasText = c.String(), true
		case "thought":
			p.thought = c.Bool()
		case "thoughtSignature":
			p.signature = c.String()
		case "functionCall":
			p.call(c)
		case "inlineData":
			p.inline(c)
		}
	}
	return p
}

func (p *part) call(c *scan.Cursor) {
	p.called = true
	for c.Object(callKeys); c.Next(); {
		switch c.Key() {
		case "id":
			p.id = c.String()
		case "name":
			p.name = c.String()
		case "args":
			if !c.Null() {
				p.args = c.Skip()
			}
		}
	}
}

func (p *part) inline(c *scan.Cursor) {
	for c.Object(inlineKeys); c.Next(); {
		switch c.Key() {
		case "mimeType":
			p.mime = c.String()
		case "data":
			p.data = c.String()
		}
	}
}

// bytes is what counts as answer text.
func (p *part) bytes() int { return p.text.Len() + p.args.End - p.args.Start }

// calls reports whether a candidate calls a tool.
func (a *answer) calls(x *candidate) bool {
	for i := range a.parts[x.from:x.to] {
		if a.parts[x.from+i].called {
			return true
		}
	}
	return false
}

// callID is the id of a call: the provider's, or one made of the answer's id and the call's number.
func callID(told, answer string, n int) string {
	if told != "" {
		return told
	}
	if answer == "" {
		return "call_" + strconv.Itoa(n)
	}
	return "call_" + answer + "_" + strconv.Itoa(n)
}

// part translates one part; ok is false when llm has no word for it. id is the answer's, n the number of the call.
func (a *answer) part(p *part, id string, n int) (out llm.Part, ok bool) {
	sig := opaqueOf(p.signature.Text(a.text))
	switch {
	case p.called:
		args := []byte("{}")
		if p.args.Present() {
			args = append([]byte(nil), a.text[p.args.Start:p.args.End]...)
		}
		return llm.Part{Kind: llm.ToolUse, Opaque: sig, Tool: &llm.ToolCall{
			ID: callID(p.id.Text(a.text), id, n), Name: p.name.Text(a.text), Args: args,
		}}, true
	case p.data.Len() > 0:
		return llm.Part{Kind: llm.Media, Opaque: sig, Media: &llm.MediaPart{
			MIME: p.mime.Text(a.text), Data: p.data.Text(a.text),
		}}, true
	case p.thought:
		return llm.Part{Kind: llm.Reasoning, Text: p.text.Text(a.text), Opaque: sig}, true
	case p.hasText && (p.text.Len() > 0 || sig != nil):
		return llm.Part{Kind: llm.Text, Text: p.text.Text(a.text), Opaque: sig}, true
	}
	return out, false
}

// blockedText tells why there is no answer.
func blockedText(reason string) string { return "The provider blocked the prompt (" + reason + ")." }

// read scans a whole body and finds out whether it is an answer at all.
func (a *answer) read(body []byte) error {
	if err := a.scan(body); err != nil {
		return wire.Unreadable("an answer", err)
	}
	if a.failure != nil {
		return a.failure
	}
	if len(a.candidates) == 0 && a.blocked.Len() == 0 && !a.usage.told {
		return wire.Unreadable("an answer", errors.New("it has no candidates"))
	}
	return nil
}

// Response reads the whole body of a non-streamed answer. A blocked prompt is an answer: a refusal.
func (Back) Response(body []byte) (*llm.Response, error) {
	var a answer
	if err := a.read(body); err != nil {
		return nil, err
	}
	out := &llm.Response{ID: a.id.Text(body), Model: a.model.Text(body), Usage: a.usage.meter()}
	calls := 0
	for i := range a.candidates {
		x := &a.candidates[i]
		choice := llm.Choice{Stop: stopOf(x.finish.Text(body), a.calls(x))}
		for j := range a.parts[x.from:x.to] {
			p, ok := a.part(&a.parts[x.from+j], out.ID, calls)
			if !ok {
				continue
			}
			if p.Kind == llm.ToolUse {
				calls++
			}
			choice.Parts = append(choice.Parts, p)
		}
		out.Choices = append(out.Choices, choice)
	}
	if len(out.Choices) == 0 {
		out.Choices = []llm.Choice{{Stop: llm.StopEnd}}
		if a.blocked.Len() > 0 {
			refusal := llm.Part{Kind: llm.Refusal, Text: blockedText(a.blocked.Text(body))}
			out.Choices[0] = llm.Choice{Stop: llm.StopFilter, Parts: []llm.Part{refusal}}
		}
	}
	return out, nil
}

// Peek scans the body of a non-streamed answer without decoding its content.
func (Back) Peek(body []byte) (events []llm.Event, textBytes int, err error) {
	var a answer
	if err := a.read(body); err != nil {
		return nil, 0, err
	}
	id := a.id.Text(body)
	events = append(make([]llm.Event, 0, 4), llm.Event{Kind: llm.EvStart, ID: id, Model: a.model.Text(body)})
	calls := 0
	for i := range a.candidates {
		x := &a.candidates[i]
		tool := 0
		for j := range a.parts[x.from:x.to] {
			p := &a.parts[x.from+j]
			textBytes += p.bytes()
			if p.called {
				events = append(events, llm.Event{
					Kind: llm.EvToolStart, Choice: i, Tool: tool, Name: p.name.Text(body),
					ID: callID(p.id.Text(body), id, calls), Opaque: opaqueOf(p.signature.Text(body)),
				})
				tool++
				calls++
			}
		}
		events = append(events, llm.Event{Kind: llm.EvStop, Choice: i, Stop: stopOf(x.finish.Text(body), tool > 0)})
	}
	if len(a.candidates) == 0 {
		stop := llm.StopEnd
		if a.blocked.Len() > 0 {
			stop = llm.StopFilter
		}
		events = append(events, llm.Event{Kind: llm.EvStop, Stop: stop})
	}
	if u := a.usage.meter(); u != nil {
		events = append(events, llm.Event{Kind: llm.EvMeter, Usage: u})
	}
	return events, textBytes, nil
}
