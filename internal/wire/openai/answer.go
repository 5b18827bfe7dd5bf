package openai

import (
	"slices"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

// Protocol keys of the objects of an answer, whole or chunk.
var (
	answerKeys = scan.NewKeys("id", "object", "created", "model", "system_fingerprint", "service_tier", "choices",
		"usage", "error", "x_groq")
	groqKeys   = scan.NewKeys("usage")
	choiceKeys = scan.NewKeys("index", "message", "delta", "finish_reason", "logprobs")
	speechKeys = scan.NewKeys("role", "content", "refusal", "reasoning_content", "reasoning", "reasoning_details",
		"tool_calls", "function_call", "extra_content")
	calledKeys = scan.NewKeys("id", "type", "index", "function", "extra_content")
	pieceKeys  = scan.NewKeys("type", "text", "thinking")
)

// maxTools bounds the tool calls of one choice that an answer may make Weir keep.
const maxTools = 1024

// walker reads answers: the frames of one stream, or one body. It keeps what later frames need.
type walker struct {
	*scan.Cursor
	text    []byte // what the cursor reads
	decode  bool   // text events too, and tool arguments
	whole   bool   // one body, not chunks
	events  []llm.Event
	bytes   int // answer text of this text
	start   llm.Event
	created int64
	started bool // EvStart was told
	failed  bool // an in-band error was told
	state   []choice

	// Of the text at hand.
	usage      llm.Span // the usage member, key to value
	usageAt    bool     // there is one that is not null
	hasChoices bool
	calls      bool // a piece of a tool call, of whatever kind

	sealed bool // members were told that only the provider's own bytes carry
}

// choice is what was told of one choice so far.
type choice struct {
	begun, stopped bool
	tools          []toolState // by index
	moved          map[int]int // from an index that several calls were told under to the one of the latest of them
}

type toolState struct {
	started bool
	id      string
}

// read walks one JSON text and gathers its events; isError says that the frame's event is "error". The error is the
// cursor's.
func (w *walker) read(text []byte, isError bool) error {
	w.Cursor = scan.Open(text)
	defer func() { w.Cursor.Close(); w.Cursor = nil }()
	w.text, w.events, w.bytes = text, nil, 0
	if w.whole {
		w.events = make([]llm.Event, 0, 4)
	}
	w.usage, w.usageAt, w.hasChoices, w.calls = llm.Span{}, false, false, false
	var meter, groq *llm.Usage
	var failure *llm.Error
	head := w.start
	w.Object(answerKeys)
	for w.Next() {
		switch w.Key() {
		case "id":
			w.once(&head.ID)
		case "model":
			w.once(&head.Model)
		case "system_fingerprint":
			w.once(&head.Fingerprint)
		case "created":
			if !w.started {
				w.created = count(w.Cursor, text)
			}
		case "object":
			isError = isError || w.Kind() == scan.String && w.String().Is(text, "error")
		case "choices":
			w.choices()
		case "usage":
			meter = w.meter()
		case "x_groq":
			groq = w.groq()
		case "error":
			failure = readFailure(w.Cursor, text)
		}
	}
	if err := w.End(); err != nil {
		return err
	}
	if isError && failure == nil && !w.hasChoices {
		failure = wire.ReadFault(text).Error() // its members stand bare
	}
	w.conclude(head, meter, groq, failure)
	return nil
}

// conclude puts the events of the text in order.
func (w *walker) conclude(head llm.Event, meter, groq *llm.Usage, failure *llm.Error) {
	w.start = head
	if !w.started && failure == nil && (w.hasChoices || head.Model != "") {
		w.started = true
		head.Kind = llm.EvStart
		w.events = append(w.events, llm.Event{})
		copy(w.events[1:], w.events)
		w.events[0] = head
	}
	if meter == nil {
		meter = groq
	}
	if meter != nil {
		w.add(llm.Event{Kind: llm.EvMeter, Usage: meter})
	}
	if failure != nil {
		w.failed = true
		w.add(llm.Event{Kind: llm.EvError, Err: failure})
	}
}

func (w *walker) add(ev llm.Event) { w.events = append(w.events, ev) }

// optional reads a string; null and other values are "".
func (w *walker) optional() string {
	if w.Kind() != scan.String {
		w.Skip()
		return ""
	}
	return w.String().Text(w.text)
}

// once keeps the first value told that is not empty.
func (w *walker) once(s *string) {
	if *s != "" {
		w.Skip()
		return
	}
	*s = w.optional()
}

func (w *walker) meter() *llm.Usage {
	key := w.KeySpan()
	w.Kind()
	u, told := readUsage(w.Cursor, w.text)
	w.usage = llm.Span{Start: key.Start, End: w.Pos()}
	w.usageAt = w.text[w.Pos()-1] == '}'
	return kept(u, told)
}

// kept is u on the heap, if it was told.
func kept(u llm.Usage, told bool) *llm.Usage {
	if !told {
		return nil
	}
	v := new(llm.Usage) // not &u, which would be on the heap even when not told
	*v = u
	return v
}

// groq reads x_groq, where Groq's streams tell their usage.
func (w *walker) groq() *llm.Usage {
	if w.Kind() != scan.Object {
		w.Skip()
		return nil
	}
	var out *llm.Usage
	w.Object(groqKeys)
	for w.Next() {
		if w.Key() != "usage" {
			continue
		}
		out = kept(readUsage(w.Cursor, w.text))
	}
	return out
}

func (w *walker) choices() {
	if w.Null() {
		return
	}
	for w.Array(); w.More(); {
		w.hasChoices = true
		if w.Index() == maxChoices {
			w.Fail("more than 128 choices")
			return
		}
		w.choice(w.Index())
	}
}

// choice reads one choice. Its index may stand behind its delta; events are given it at the end.
func (w *walker) choice(i int) {
	from, stop := len(w.events), ""
	if !w.whole {
		i = 0
	}
	w.Object(choiceKeys)
	for w.Next() {
		switch w.Key() {
		case "index":
			i = int(count(w.Cursor, w.text))
		case "delta", "message":
			if !w.Null() {
				w.speech()
			}
		case "finish_reason":
			stop = w.optional()
		}
	}
	if w.Err() != nil {
		return
	}
	if i >= maxChoices {
		w.Fail("more than 128 choices")
		return
	}
	for len(w.state) <= i {
		w.state = append(w.state, choice{})
	}
	st := &w.state[i]
	st.begun = true
	w.settle(st, i, from)
	if stop != "" && !st.stopped {
		st.stopped = true
		w.add(llm.Event{Kind: llm.EvStop, Choice: i, Stop: stopOf(stop)})
	}
}

// noIndex marks a tool call that has no index of its own.
const noIndex = -1

// settle gives the events from on their choice, and tool calls their index.
func (w *walker) settle(st *choice, i, from int) {
	tools := false
	for j := range w.events[from:] {
		ev := &w.events[from+j]
		ev.Choice = i
		tools = tools || ev.Kind == llm.EvToolStart || ev.Kind == llm.EvToolArgs
	}
	if !tools {
		return
	}
	told := w.events[from:]
	w.events = append(make([]llm.Event, 0, len(w.events)+1), w.events[:from]...)
	for _, ev := range told {
		switch ev.Kind {
		case llm.EvToolStart:
			w.toolStart(st, ev)
		case llm.EvToolArgs:
			w.toolArgs(st, ev)
		default:
			w.add(ev)
		}
	}
}

// toolStart tells of a call once its name is known. Providers that give calls no index send each with an id or a name.
func (w *walker) toolStart(st *choice, ev llm.Event) {
	if ev.Tool == noIndex {
		ev.Tool = max(len(st.tools)-1, 0)
		if ev.ID != "" || ev.Name != "" {
			ev.Tool = len(st.tools)
		}
	}
	ev.Tool = w.indexOf(st, ev)
	t := w.toolAt(st, ev.Tool)
	if t == nil || t.started {
		return
	}
	if ev.ID == "" {
		ev.ID = t.id
	}
	t.id = ev.ID
	if ev.Name == "" && !w.whole {
		return
	}
	t.started = true
	w.add(ev)
}

// indexOf is the index of a call that begins or goes on. Some servers tell all parallel calls under index 0: another id
// at an index that is taken is another call, and gets an index of its own.
func (w *walker) indexOf(st *choice, ev llm.Event) int {
	at := ev.Tool
	if n, moved := st.moved[at]; moved {
		at = n
	}
	if w.whole || ev.ID == "" || at >= len(st.tools) || !st.tools[at].started || st.tools[at].id == ev.ID {
		return at
	}
	same := func(t toolState) bool { return t.started && t.id == ev.ID }
	if at = slices.IndexFunc(st.tools, same); at < 0 {
		if ev.Name == "" {
			return ev.Tool // no call begins without a name
		}
		at = len(st.tools)
	}
	if st.moved == nil {
		st.moved = make(map[int]int)
	}
	st.moved[ev.Tool] = at
	return at
}

// toolArgs tells of arguments, after the start of their call.
func (w *walker) toolArgs(st *choice, ev llm.Event) {
	if ev.Tool == noIndex {
		ev.Tool = max(len(st.tools)-1, 0)
	} else if n, moved := st.moved[ev.Tool]; moved {
		ev.Tool = n
	}
	t := w.toolAt(st, ev.Tool)
	if t == nil {
		return
	}
	if !t.started {
		t.started = true
		w.add(llm.Event{Kind: llm.EvToolStart, Choice: ev.Choice, Tool: ev.Tool, ID: t.id})
	}
	w.add(ev)
}

func (w *walker) toolAt(st *choice, i int) *toolState {
	if i >= maxTools {
		w.Fail("more than 1024 tool calls")
		return nil
	}
	for len(st.tools) <= i {
		st.tools = append(st.tools, toolState{})
	}
	return &st.tools[i]
}

// speech reads a delta or a message.
func (w *walker) speech() {
	thought := false
	w.Object(speechKeys)
	for w.Next() {
		switch w.Key() {
		case "content":
			w.content()
		case "refusal":
			w.say(llm.EvRefusal)
		case "reasoning_content", "reasoning": // some servers send both, the same
			if !thought {
				thought = w.Kind() == scan.String
				w.say(llm.EvThink)
			}
		case "tool_calls":
			if !w.Null() {
				for w.Array(); w.More(); {
					w.calls = true
					w.call()
				}
			}
		case "reasoning_details", "extra_content":
			w.seal()
		case "function_call":
			if !w.Null() {
				w.calls = true
				name, args := w.function()
				w.called(llm.Event{Kind: llm.EvToolStart, Name: name}, args)
			}
		}
	}
}

// seal notes a member, unless it is null, that holds what a model signed.
func (w *walker) seal() {
	if !w.Null() {
		w.sealed = true
		w.Skip()
	}
}

// say reads a string of answer text; other values say nothing.
func (w *walker) say(kind llm.EventKind) {
	if w.Kind() != scan.String {
		w.Skip()
		return
	}
	v := w.String()
	w.bytes += v.Len()
	if w.decode && v.Len() > 0 {
		w.add(llm.Event{Kind: kind, Text: v.Text(w.text)})
	}
}

// content reads a string, or the list of pieces that Mistral sends: text, and thinking that holds pieces itself.
func (w *walker) content() {
	if w.Kind() != scan.Array {
		w.say(llm.EvText)
		return
	}
	for w.Array(); w.More(); {
		w.piece(llm.EvText)
	}
}

func (w *walker) piece(kind llm.EventKind) {
	if w.Kind() != scan.Object {
		w.Skip()
		return
	}
	w.Object(pieceKeys)
	for w.Next() {
		switch w.Key() {
		case "text":
			w.say(kind)
		case "thinking":
			if w.Kind() != scan.Array {
				w.say(llm.EvThink)
				continue
			}
			for w.Array(); w.More(); {
				w.piece(llm.EvThink)
			}
		}
	}
}

// call reads one tool call or a fragment of one.
func (w *walker) call() {
	ev := llm.Event{Kind: llm.EvToolStart, Tool: noIndex}
	if w.whole {
		ev.Tool = w.Index()
	}
	var args scan.Str
	w.Object(calledKeys)
	for w.Next() {
		switch w.Key() {
		case "extra_content":
			w.seal()
		case "index":
			if w.Kind() == scan.Number {
				ev.Tool = int(count(w.Cursor, w.text))
			}
		case "id":
			ev.ID = w.optional()
		case "function":
			if !w.Null() {
				ev.Name, args = w.function()
			}
		}
	}
	w.called(ev, args)
}

// function reads a called function's name and arguments.
func (w *walker) function() (name string, args scan.Str) {
	w.Object(nameKeys)
	for w.Next() {
		switch w.Key() {
		case "name":
			name = w.optional()
		case "arguments":
			if w.Kind() == scan.String {
				args = w.String()
			}
		}
	}
	return name, args
}

// called tells of a call; a body that is only peeked at does not tell its arguments.
func (w *walker) called(ev llm.Event, args scan.Str) {
	if w.Err() != nil {
		return
	}
	w.bytes += args.Len() + len(ev.Name)
	w.add(ev)
	if args.Len() > 0 && (w.decode || !w.whole) {
		w.add(llm.Event{Kind: llm.EvToolArgs, Tool: ev.Tool, Text: args.Text(w.text)})
	}
}

// stopOf maps a finish_reason. Words of a provider's own are kept.
func stopOf(reason string) llm.StopReason {
	switch reason {
	case "stop", "eos", "end_turn":
		return llm.StopEnd
	case "length", "max_tokens", "model_length":
		return llm.StopLength
	case "tool_calls", "function_call", "tool_use":
		return llm.StopToolUse
	case "content_filter":
		return llm.StopFilter
	}
	return llm.StopReason(reason)
}
