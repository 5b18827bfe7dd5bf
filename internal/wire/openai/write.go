package openai

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

// Response is an answer as a chat.completion body. Reasoning becomes reasoning_content, as compatible servers do; its
// signature is lost.
func (f Front) Response(r *llm.Response) ([]byte, error) {
	if len(r.Choices) == 0 {
		return nil, &llm.Error{Code: llm.CodeUpstream, Message: "the provider sent an answer without choices"}
	}
	created := r.Created
	if created == 0 {
		created = f.now()
	}
	b := appendHead(nil, "chat.completion", head{r.ID, r.Model, r.Fingerprint, created})
	b = append(b, `,"choices":[`...)
	for i := range r.Choices {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendChoice(b, i, &r.Choices[i])
	}
	b = append(b, ']')
	if r.Usage != nil {
		b = appendUsage(append(b, `,"usage":`...), *r.Usage)
	}
	return append(b, '}'), nil
}

// head is what every answer and chunk begins with.
type head struct {
	id, model, fingerprint string
	created                int64
}

// appendHead writes the members up to the choices, without the closing brace.
func appendHead(b []byte, object string, h head) []byte {
	b = wire.AppendString(append(b, `{"id":`...), h.id)
	b = wire.AppendString(append(b, `,"object":`...), object)
	b = strconv.AppendInt(append(b, `,"created":`...), h.created, 10)
	b = wire.AppendString(append(b, `,"model":`...), h.model)
	if h.fingerprint != "" {
		b = wire.AppendString(append(b, `,"system_fingerprint":`...), h.fingerprint)
	}
	return b
}

func appendChoice(b []byte, i int, c *llm.Choice) []byte {
	text, hasText := joined(c.Parts, llm.Text)
	refusal, refused := joined(c.Parts, llm.Refusal)
	b = strconv.AppendInt(append(b, `{"index":`...), int64(i), 10)
	b = append(b, `,"message":{"role":"assistant","content":`...)
	calls := toolCalls(c.Parts)
	if hasText || !refused && len(calls) == 0 {
		b = wire.AppendString(b, text)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"refusal":`...)
	if refused {
		b = wire.AppendString(b, refusal)
	} else {
		b = append(b, "null"...)
	}
	if think, ok := joined(c.Parts, llm.Reasoning); ok {
		b = wire.AppendString(append(b, `,"reasoning_content":`...), think)
	}
	if len(calls) > 0 {
		b = appendCalls(append(b, `,"tool_calls":`...), calls)
	}
	b = append(b, `},"logprobs":null,"finish_reason":`...)
	b = wire.AppendString(b, reasonOf(c.Stop, refused, len(calls) > 0))
	return append(b, '}')
}

// joined is the text of the parts of one kind, and whether there are any.
func joined(parts []llm.Part, kind llm.PartKind) (string, bool) {
	var texts []string
	for i := range parts {
		if parts[i].Kind == kind {
			texts = append(texts, parts[i].Text)
		}
	}
	return strings.Join(texts, ""), len(texts) > 0
}

func toolCalls(parts []llm.Part) []*llm.ToolCall {
	var calls []*llm.ToolCall
	for i := range parts {
		if parts[i].Kind == llm.ToolUse && parts[i].Tool != nil {
			calls = append(calls, parts[i].Tool)
		}
	}
	return calls
}

func appendCalls(b []byte, calls []*llm.ToolCall) []byte {
	b = append(b, '[')
	for i, t := range calls {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendString(append(b, `{"id":`...), t.ID)
		b = wire.AppendString(append(b, `,"type":"function","function":{"name":`...), t.Name)
		args := []byte(t.Args)
		if len(args) == 0 {
			args = []byte("{}")
		}
		b = wire.AppendString(append(b, `,"arguments":`...), args)
		b = append(b, "}}"...)
	}
	return append(b, ']')
}

// reasonOf is the finish_reason for a stop. A model that refuses in words stops; one that is cut off for what it says
// is filtered. What a dialect calls otherwise has no word here and is a plain stop, which an answer that calls tools
// never has: agents run the calls by this word.
func reasonOf(s llm.StopReason, refused, called bool) string {
	switch s {
	case llm.StopLength:
		return "length"
	case llm.StopToolUse:
		return "tool_calls"
	case llm.StopFilter:
		return "content_filter"
	case llm.StopRefusal:
		if !refused {
			return "content_filter"
		}
	}
	if called && !refused {
		return "tool_calls"
	}
	return "stop"
}

var _ wire.StreamWriter = (*writer)(nil)

// writer writes one stream.
type writer struct {
	head    head
	ask     bool // the client asked for usage
	usage   *llm.Usage
	begun   []bool // role chunk written, by choice
	refused []bool
	called  []bool
	bare    []toolRef // calls whose arguments have not come
	over    bool
}

type toolRef struct{ choice, tool int }

// Stream makes the writer of chunk frames: role first, then what is said, finish_reason, usage if the client asked, and
// [DONE]. After an error nothing follows.
func (f Front) Stream(env llm.Envelope) wire.StreamWriter {
	return &writer{head: head{model: env.Model, created: f.now()}, ask: env.IncludeUsage}
}

// Write appends the frames that say ev.
func (w *writer) Write(dst []byte, ev llm.Event) []byte {
	if w.over {
		return dst
	}
	switch ev.Kind {
	case llm.EvStart:
		w.head.id, w.head.fingerprint = ev.ID, ev.Fingerprint
		if ev.Model != "" {
			w.head.model = ev.Model
		}
		return w.begin(dst, ev.Choice)
	case llm.EvText, llm.EvThink, llm.EvRefusal, llm.EvToolStart, llm.EvToolArgs:
		return w.say(w.begin(dst, ev.Choice), ev)
	case llm.EvStop:
		dst = w.complete(w.begin(dst, ev.Choice), ev.Choice)
		return w.end(w.open(dst, ev.Choice), reasonOf(ev.Stop, w.refused[ev.Choice], w.called[ev.Choice]))
	case llm.EvMeter:
		w.usage = ev.Usage
	case llm.EvEnd:
		w.over = true
		if w.ask && w.usage != nil {
			dst = appendHead(append(dst, "data: "...), "chat.completion.chunk", w.head)
			dst = appendUsage(append(dst, `,"choices":[],"usage":`...), *w.usage)
			dst = append(dst, "}\n\n"...)
		}
		dst = append(dst, "data: [DONE]\n\n"...)
	case llm.EvError:
		w.over = true
		e := ev.Err
		if e == nil {
			e = &llm.Error{Code: llm.CodeUpstream, Message: "the provider reported an error"}
		}
		dst = append(dst, Front{}.Error(e, true)...)
	}
	return dst
}

// begin writes the role chunk of a choice that has not begun.
func (w *writer) begin(dst []byte, choice int) []byte {
	for len(w.begun) <= choice {
		w.begun, w.refused, w.called = append(w.begun, false), append(w.refused, false), append(w.called, false)
	}
	if w.begun[choice] {
		return dst
	}
	w.begun[choice] = true
	return w.end(append(w.open(dst, choice), `"role":"assistant","content":""`...), "")
}

// say writes the chunk of one event of a choice that has begun.
func (w *writer) say(dst []byte, ev llm.Event) []byte {
	var key string
	switch ev.Kind {
	case llm.EvText:
		key = `"content":`
	case llm.EvThink:
		key = `"reasoning_content":`
	case llm.EvRefusal:
		key, w.refused[ev.Choice] = `"refusal":`, true
	default:
		return w.tool(dst, ev)
	}
	if ev.Text == "" {
		return dst // a signature alone
	}
	dst = append(w.open(dst, ev.Choice), key...)
	return w.end(wire.AppendString(dst, ev.Text), "")
}

// complete writes {} as the arguments of a choice's calls that have none: clients read arguments as JSON.
func (w *writer) complete(dst []byte, choice int) []byte {
	for _, ref := range slices.Clone(w.bare) {
		if ref.choice == choice {
			dst = w.tool(dst, llm.Event{Kind: llm.EvToolArgs, Choice: choice, Tool: ref.tool, Text: "{}"})
		}
	}
	return dst
}

func (w *writer) tool(dst []byte, ev llm.Event) []byte {
	ref := toolRef{ev.Choice, ev.Tool}
	switch {
	case ev.Kind == llm.EvToolStart:
		w.bare, w.called[ev.Choice] = append(w.bare, ref), true
	case ev.Text == "":
		return dst
	default:
		w.bare = slices.DeleteFunc(w.bare, func(r toolRef) bool { return r == ref })
	}
	dst = append(w.open(dst, ev.Choice), `"tool_calls":[{"index":`...)
	dst = strconv.AppendInt(dst, int64(ev.Tool), 10)
	if ev.Kind == llm.EvToolStart {
		dst = wire.AppendString(append(dst, `,"id":`...), ev.ID)
		dst = wire.AppendString(append(dst, `,"type":"function","function":{"name":`...), ev.Name)
		dst = append(dst, `,"arguments":""}}]`...)
	} else {
		dst = wire.AppendString(append(dst, `,"function":{"arguments":`...), ev.Text)
		dst = append(dst, "}}]"...)
	}
	return w.end(dst, "")
}

// open begins a chunk, up to the inside of its delta.
func (w *writer) open(dst []byte, choice int) []byte {
	dst = appendHead(append(dst, "data: "...), "chat.completion.chunk", w.head)
	dst = strconv.AppendInt(append(dst, `,"choices":[{"index":`...), int64(choice), 10)
	return append(dst, `,"delta":{`...)
}

// end closes a chunk after its delta.
func (w *writer) end(dst []byte, reason string) []byte {
	dst = append(dst, `},"logprobs":null,"finish_reason":`...)
	if reason == "" {
		dst = append(dst, "null"...)
	} else {
		dst = wire.AppendString(dst, reason)
	}
	dst = append(dst, "}]"...)
	if w.ask {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...)
}
