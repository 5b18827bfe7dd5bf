package llm

// Span is a half-open byte range [Start, End) of a body. The zero Span means absent.
type Span struct{ Start, End int }

// Present reports whether the span exists.
func (s Span) Present() bool { return s.End > s.Start }

// Segment is one piece of text a caller sent, as it lies in the body.
type Segment struct {
	Span    Span // inside the quotes
	Escaped bool // holds a backslash: must be unquoted before reading
	Role    Role // "" = system, tools or anything else
}

// Needs are the capabilities that a request asks of a model.
type Needs struct{ Vision, Audio, Documents, Tools, Schema bool }

// Envelope is what one pass over a request's bytes tells without decoding it: enough to route, permit, price and
// forward it. Spans cover the JSON value, quotes included.
type Envelope struct {
	Dialect       Dialect
	Model         string
	ModelSpan     Span
	Stream        bool
	MaxOutput     int  // tokens; 0 = not set
	MaxSpan       Span // its JSON value
	N             int  // answers asked for; >= 1
	IncludeUsage  bool // OpenAI stream_options.include_usage
	StreamOptions Span // OpenAI stream_options value
	StreamSpan    Span // JSON value of stream
	ObjectOpen    int  // offset just after the top-level '{'
	Needs         Needs
	Texts         []Segment
	MediaBytes    int    // bytes of inline media, left out of the token estimate
	BodyBytes     int    // length of the body
	ServiceTier   string // what the request asks for beside the standard service (priority, flex, fast); "" = nothing
	Reroute       string // member that would change which model answers or what it costs; "" = none
	Metadata      Hints  // found in the body (metadata, user)
	LastUser      Span   // text of the last user turn (first text segment of it), inside the quotes
	Turns         int    // messages
	User          string // end-user id of the caller's own
	MaxTwin       Span   // JSON value of a second member that names the output cap: null, since two caps are refused
	Temperature   Span   // its JSON value; absent when null
	TopP          Span   // its JSON value; absent when null
	Talk          Talk   // state of the conversation
}

// Shifted returns the envelope of a body into which n bytes were inserted at an offset. Spans that end at the offset or
// hold it grow, those behind it move with their text. Of the talk nothing is kept: what depends on it is decided before.
func (e Envelope) Shifted(at, n int) Envelope {
	for _, s := range []*Span{
		&e.ModelSpan, &e.MaxSpan, &e.StreamOptions, &e.StreamSpan, &e.LastUser, &e.MaxTwin, &e.Temperature, &e.TopP,
	} {
		*s = s.shifted(at, n)
	}
	texts := make([]Segment, len(e.Texts))
	for i, t := range e.Texts {
		t.Span = t.Span.shifted(at, n)
		t.Escaped = t.Escaped || t.Span.Start <= at && at < t.Span.End
		texts[i] = t
	}
	e.Texts = texts
	e.Talk = Talk{}
	e.BodyBytes += n
	return e
}

func (s Span) shifted(at, n int) Span {
	if !s.Present() {
		return s
	}
	if s.Start >= at {
		s.Start += n
	}
	if s.End >= at {
		s.End += n
	}
	return s
}

// Hints say on whose behalf a call is made. They come from headers and request metadata.
type Hints struct{ UseCase, Workflow, Agent, Session, DataClass string }

// Or fills h's gaps from g.
func (h Hints) Or(g Hints) Hints {
	pick := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	return Hints{
		UseCase: pick(h.UseCase, g.UseCase), Workflow: pick(h.Workflow, g.Workflow), Agent: pick(h.Agent, g.Agent),
		Session: pick(h.Session, g.Session), DataClass: pick(h.DataClass, g.DataClass),
	}
}
