package gemini

import (
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/sse"
)

var _ wire.StreamReader = (*reader)(nil)

// Stream makes a reader of frames. The dialect always tells usage, so there is nothing to strip.
//
// The dialect has no end mark, so no EvEnd is told: after every candidate seen has finished, another one may begin and
// usage may come. The stream ends with its bytes, and is complete when no candidate is left unfinished.
func (Back) Stream(o wire.StreamOptions) wire.StreamReader { return &reader{full: o.Full} }

type reader struct {
	full     bool
	a        answer
	id       string
	model    string
	started  bool
	terminal bool
	failed   bool
	calls    int
	choices  []choice // by index
}

// choice is one candidate as its chunks arrive.
type choice struct {
	seen, finished bool
	tools          int
	stop           llm.StopReason
	parts          []llm.Part
	open           []byte // text of the last part, while more may come
}

// Read takes one frame: a whole GenerateContentResponse.
func (r *reader) Read(frame []byte) (llm.Delta, error) {
	d := llm.Delta{Raw: frame, Terminal: r.terminal}
	_, data := sse.Fields(frame)
	if len(data) == 0 {
		return d, nil
	}
	a := &r.a
	if err := a.scan(data); err != nil {
		return d, wire.Unreadable("a stream frame", err)
	}
	defer func() { a.text = nil }()
	if a.failure != nil {
		r.failed = true
		d.Events = []llm.Event{{Kind: llm.EvError, Err: a.failure}}
		return d, nil
	}
	r.start(&d)
	finishing := false
	for i := range a.candidates {
		finishing = r.candidate(&d, &a.candidates[i]) || finishing
	}
	if a.blocked.Len() > 0 && len(a.candidates) == 0 {
		finishing = r.block(&d) || finishing
	}
	if finishing {
		r.terminal, d.Terminal = true, true
	}
	if a.usage.told && (r.full || r.terminal) {
		d.Events = append(d.Events, llm.Event{Kind: llm.EvMeter, Usage: a.usage.meter()})
	}
	return d, nil
}

func (r *reader) start(d *llm.Delta) {
	if r.started {
		return
	}
	r.started = true
	r.id, r.model = r.a.id.Text(r.a.text), r.a.model.Text(r.a.text)
	d.Events = append(d.Events, llm.Event{Kind: llm.EvStart, ID: r.id, Model: r.model})
}

func (r *reader) choice(i int) *choice {
	for len(r.choices) <= i {
		r.choices = append(r.choices, choice{})
	}
	r.choices[i].seen = true
	return &r.choices[i]
}

// candidate takes one candidate's share of a chunk and reports whether it finished.
func (r *reader) candidate(d *llm.Delta, x *candidate) bool {
	ch := r.choice(x.index)
	for i := range r.a.parts[x.from:x.to] {
		p := &r.a.parts[x.from+i]
		d.Bytes += p.bytes()
		if r.full || p.called {
			r.part(d, ch, p, x.index)
		}
	}
	if x.finish.Len() == 0 || ch.finished {
		return false
	}
	ch.finished = true
	ch.stop = stopOf(x.finish.Text(r.a.text), ch.tools > 0)
	d.Events = append(d.Events, llm.Event{Kind: llm.EvStop, Choice: x.index, Stop: ch.stop})
	return true
}

func (r *reader) part(d *llm.Delta, ch *choice, p *part, index int) {
	out, ok := r.a.part(p, r.id, r.calls)
	if !ok {
		return
	}
	ev := llm.Event{Choice: index, Text: out.Text, Opaque: out.Opaque}
	switch out.Kind {
	case llm.Text:
		ev.Kind, ev.Opaque = llm.EvText, nil
	case llm.Reasoning:
		ev.Kind = llm.EvThink
	case llm.ToolUse:
		d.Calls = true
		ev.Kind, ev.Tool, ev.ID, ev.Name = llm.EvToolStart, ch.tools, out.Tool.ID, out.Tool.Name
		d.Events = append(d.Events, ev)
		ev = llm.Event{Kind: llm.EvToolArgs, Choice: index, Tool: ch.tools, Text: string(out.Tool.Args)}
		ch.tools++
		r.calls++
	default:
		ch.add(out) // media has no event; it is in the whole answer
		return
	}
	if ev.Text != "" || len(ev.Opaque) > 0 {
		d.Events = append(d.Events, ev)
	}
	if r.full {
		ch.add(out)
	}
}

// block ends a stream whose prompt the provider refused.
func (r *reader) block(d *llm.Delta) bool {
	ch := r.choice(0)
	if ch.finished {
		return false
	}
	text := blockedText(r.a.blocked.Text(r.a.text))
	ch.finished, ch.stop = true, llm.StopFilter
	ch.add(llm.Part{Kind: llm.Refusal, Text: text})
	d.Events = append(d.Events, llm.Event{Kind: llm.EvRefusal, Text: text}, llm.Event{Kind: llm.EvStop, Stop: ch.stop})
	return true
}

// add appends a part; text goes on where the part before is the same kind and was not signed.
func (ch *choice) add(p llm.Part) {
	if n := len(ch.parts); n > 0 && (p.Kind == llm.Text || p.Kind == llm.Reasoning) {
		last := &ch.parts[n-1]
		if last.Kind == p.Kind && last.Opaque == nil && (p.Opaque == nil || p.Kind == llm.Reasoning) {
			ch.open = append(ch.open, p.Text...)
			last.Opaque = p.Opaque
			return
		}
	}
	ch.settle()
	ch.parts = append(ch.parts, p)
	ch.open = append(ch.open[:0], p.Text...)
}

// settle gives the last part its text.
func (ch *choice) settle() {
	if n := len(ch.parts); n > 0 && ch.parts[n-1].Tool == nil {
		ch.parts[n-1].Text = string(ch.open)
	}
}

// finished reports whether every candidate seen has told why it stopped.
func (r *reader) finished() bool {
	seen := false
	for i := range r.choices {
		if r.choices[i].seen && !r.choices[i].finished {
			return false
		}
		seen = seen || r.choices[i].seen
	}
	return seen
}

// Finish gives the whole answer (Full only) and whether every candidate finished.
func (r *reader) Finish() (*llm.Response, bool) {
	complete := r.finished() && !r.failed
	if !r.full {
		return nil, complete
	}
	out := &llm.Response{ID: r.id, Model: r.model, Usage: r.a.usage.meter()}
	for i := range r.choices {
		ch := &r.choices[i]
		ch.settle()
		out.Choices = append(out.Choices, llm.Choice{Parts: ch.parts, Stop: ch.stop})
	}
	return out, complete
}
