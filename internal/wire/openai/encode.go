package openai

import (
	"strconv"
	"strings"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

// Encode writes a request of any origin in this dialect. System parts become one system message; tool results become
// tool messages, their media a user message after them, since a tool message holds only text. Lost: reasoning, whose
// signature belongs to another dialect; the mark that a tool result is an error; media in a model's own turn; empty
// texts beside others; an end user's id that is longer than the dialect takes; sampling that the model refuses.
// Media the dialect has no part for, and messages without anything to answer, are CodeUnfit.
func (b Back) Encode(q *llm.Request, o call.Order) (call.Wire, error) {
	e := encoder{}
	e.str(`{"model":`, o.Target.WireID)
	e.raw(`,"messages":[`)
	e.messages(q)
	if e.count == 0 && e.err == nil {
		e.err = unfit("messages", "messages: there is nothing in them for a model to answer", "send at least one text")
	}
	if e.err != nil {
		return call.Wire{}, e.err
	}
	e.raw("]")
	e.tools(q)
	e.format(q.Format)
	e.limits(q, o)
	if o.Stream {
		e.raw(`,"stream":true,"stream_options":{"include_usage":true}`)
	}
	if q.User != "" && len(q.User) <= maxUser {
		e.str(`,"user":`, q.User)
	}
	e.raw("}")
	return call.Wire{Path: path, Body: [][]byte{e.b}, Stream: o.Stream}, nil
}

// maxUser is the longest user that the dialect takes, in characters.
const maxUser = 64

func unfit(param, message, hint string) *llm.Error {
	return &llm.Error{Code: llm.CodeUnfit, Message: message, Hint: hint, Param: param}
}

// encoder appends to b. err is the first part that cannot be said.
type encoder struct {
	b     []byte
	count int // messages written
	err   error
}

func (e *encoder) raw(s string) { e.b = append(e.b, s...) }

// str appends a key and a string.
func (e *encoder) str(key, s string) { e.b = wire.AppendString(append(e.b, key...), s) }

func (e *encoder) num(key string, n int64) { e.b = strconv.AppendInt(append(e.b, key...), n, 10) }

func (e *encoder) float(key string, f float64) {
	e.b = strconv.AppendFloat(append(e.b, key...), f, 'g', -1, 64)
}

func (e *encoder) limits(q *llm.Request, o call.Order) {
	limit := q.MaxOutput
	if o.MaxOut > 0 && (limit == 0 || limit > o.MaxOut) {
		limit = o.MaxOut
	}
	if limit > 0 {
		e.str(",", capKey(o))
		e.num(":", int64(limit))
	}
	free := o.Target.Model == nil || !o.Target.Model.FixedSampling
	if q.Temperature != nil && free {
		e.float(`,"temperature":`, *q.Temperature)
	}
	if q.TopP != nil && free {
		e.float(`,"top_p":`, *q.TopP)
	}
	if q.Seed != nil {
		e.num(`,"seed":`, *q.Seed)
	}
	if n := max(q.N, o.N); n > 1 {
		e.num(`,"n":`, int64(n))
	}
	for i, s := range q.Stop {
		if i == 0 {
			e.raw(`,"stop":[`)
		} else {
			e.raw(",")
		}
		e.str("", s)
	}
	if len(q.Stop) > 0 {
		e.raw("]")
	}
}

func (e *encoder) tools(q *llm.Request) {
	if len(q.Tools) == 0 {
		return
	}
	for i, t := range q.Tools {
		if i == 0 {
			e.raw(`,"tools":[`)
		} else {
			e.raw(",")
		}
		e.str(`{"type":"function","function":{"name":`, t.Name)
		if t.Description != "" {
			e.str(`,"description":`, t.Description)
		}
		if len(t.Schema) > 0 {
			e.raw(`,"parameters":` + string(t.Schema))
		}
		if t.Strict {
			e.raw(`,"strict":true`)
		}
		e.raw("}}")
	}
	e.raw("]")
	switch q.Choice.Mode {
	case "auto", "none", "required":
		e.str(`,"tool_choice":`, q.Choice.Mode)
	case "tool":
		e.str(`,"tool_choice":{"type":"function","function":{"name":`, q.Choice.Name)
		e.raw("}}")
	}
	if q.Choice.NoParallel {
		e.raw(`,"parallel_tool_calls":false`)
	}
}

func (e *encoder) format(f *llm.Format) {
	switch {
	case f == nil:
	case f.Kind == "json_object":
		e.raw(`,"response_format":{"type":"json_object"}`)
	case f.Kind == "json_schema":
		name := f.Name
		if name == "" {
			name = "answer" // the dialect demands a name
		}
		e.str(`,"response_format":{"type":"json_schema","json_schema":{"name":`, name)
		if len(f.Schema) > 0 {
			e.raw(`,"schema":` + string(f.Schema))
		}
		if f.Strict {
			e.raw(`,"strict":true`)
		}
		e.raw("}}")
	}
}

func (e *encoder) messages(q *llm.Request) {
	if system := sayable(q.System); len(system) > 0 {
		e.open("system")
		e.content(system)
		e.raw("}")
	}
	for i := range q.Messages {
		if q.Messages[i].Role == llm.Assistant {
			e.assistant(q.Messages[i].Parts)
		} else {
			e.user(q.Messages[i].Parts)
		}
	}
}

// open begins a message.
func (e *encoder) open(role string) {
	if e.count > 0 {
		e.raw(",")
	}
	e.count++
	e.str(`{"role":`, role)
}

// assistant writes a turn of the model's.
func (e *encoder) assistant(parts []llm.Part) {
	text, hasText := joined(parts, llm.Text)
	refusal, refused := joined(parts, llm.Refusal)
	calls := toolCalls(parts)
	e.open("assistant")
	switch {
	case hasText || !refused && len(calls) == 0:
		e.str(`,"content":`, text)
	default:
		e.raw(`,"content":null`)
	}
	if refused {
		e.str(`,"refusal":`, refusal)
	}
	if len(calls) > 0 {
		e.b = appendCalls(append(e.b, `,"tool_calls":`...), calls)
	}
	e.raw("}")
}

// user writes a caller's turn: its tool results first, since they answer the turn before.
func (e *encoder) user(parts []llm.Part) {
	var media []llm.Part
	for i := range parts {
		r := parts[i].Result
		if r == nil {
			continue
		}
		text, _ := joined(r.Content, llm.Text)
		e.open("tool")
		e.str(`,"tool_call_id":`, r.ID)
		e.str(`,"content":`, text)
		e.raw("}")
		media = append(media, only(r.Content, llm.Media)...)
	}
	if rest := append(media, sayable(parts)...); len(rest) > 0 {
		e.open("user")
		e.content(rest)
		e.raw("}")
	}
}

// sayable are the parts that a caller's message has a place for, without empty texts unless there is nothing else.
func sayable(parts []llm.Part) []llm.Part {
	var out []llm.Part
	var empty *llm.Part
	for i := range parts {
		switch p := &parts[i]; {
		case p.Kind == llm.Media && p.Media != nil, (p.Kind == llm.Text || p.Kind == llm.Refusal) && p.Text != "":
			out = append(out, *p)
		case p.Kind == llm.Text:
			empty = p
		}
	}
	if len(out) == 0 && empty != nil {
		out = append(out, *empty)
	}
	return out
}

func only(parts []llm.Part, kind llm.PartKind) []llm.Part {
	var out []llm.Part
	for i := range parts {
		if parts[i].Kind == kind {
			out = append(out, parts[i])
		}
	}
	return out
}

// content writes parts as a string when they are one text, else as an array.
func (e *encoder) content(parts []llm.Part) {
	if len(parts) == 1 && parts[0].Kind == llm.Text {
		e.str(`,"content":`, parts[0].Text)
		return
	}
	e.raw(`,"content":[`)
	for i := range parts {
		p := &parts[i]
		if i > 0 {
			e.raw(",")
		}
		if p.Kind == llm.Media {
			e.media(p.Media)
		} else {
			e.str(`{"type":"text","text":`, p.Text)
			e.raw("}")
		}
	}
	e.raw("]")
}

func (e *encoder) media(m *llm.MediaPart) {
	switch kind, sub, _ := strings.Cut(m.MIME, "/"); {
	case kind == "image" || m.MIME == "" && m.URL != "":
		url := m.URL
		if url == "" {
			url = dataURL(m)
		}
		e.str(`{"type":"image_url","image_url":{"url":`, url)
		e.raw("}}")
	case kind == "audio" && m.Data != "" && soundFormat(sub) != "":
		e.str(`{"type":"input_audio","input_audio":{"data":`, m.Data)
		e.str(`,"format":`, soundFormat(sub))
		e.raw("}}")
	case m.Data != "" && kind != "audio" && kind != "video":
		e.str(`{"type":"file","file":{"filename":`, "document."+fileSuffix(sub))
		e.str(`,"file_data":`, dataURL(m))
		e.raw("}}")
	default:
		e.refuse(m)
	}
}

func (e *encoder) refuse(m *llm.MediaPart) {
	if e.err != nil {
		return
	}
	what := m.MIME
	if m.URL != "" {
		what += " by URL"
	}
	e.err = unfit("messages", "media of type "+what+" cannot be sent to an OpenAI-compatible provider",
		"send images, wav or mp3 sound, or documents inline")
}

func dataURL(m *llm.MediaPart) string { return "data:" + m.MIME + ";base64," + m.Data }

// soundFormat is input_audio's word for a subtype of audio/.
func soundFormat(sub string) string {
	switch sub {
	case "wav", "x-wav", "wave", "vnd.wave":
		return "wav"
	case "mp3", "mpeg":
		return "mp3"
	}
	return ""
}

func fileSuffix(sub string) string {
	if sub == "pdf" {
		return "pdf"
	}
	return "txt"
}
