package llm

// Events tells the whole answer as the events of a stream, in the order of EventKind.
func (r *Response) Events() []Event {
	evs := []Event{{Kind: EvStart, ID: r.ID, Model: r.Model, Fingerprint: r.Fingerprint}}
	for i, c := range r.Choices {
		tools := 0
		for _, p := range c.Parts {
			switch p.Kind {
			case Text:
				evs = append(evs, Event{Kind: EvText, Choice: i, Text: p.Text})
			case Refusal:
				evs = append(evs, Event{Kind: EvRefusal, Choice: i, Text: p.Text})
			case Reasoning:
				evs = append(evs, Event{Kind: EvThink, Choice: i, Text: p.Text, Opaque: p.Opaque})
			case ToolUse:
				evs = append(evs,
					Event{Kind: EvToolStart, Choice: i, Tool: tools, ID: p.Tool.ID, Name: p.Tool.Name},
					Event{Kind: EvToolArgs, Choice: i, Tool: tools, Text: string(p.Tool.Args)})
				tools++
			}
		}
		evs = append(evs, Event{Kind: EvStop, Choice: i, Stop: c.Stop})
	}
	if r.Usage != nil {
		evs = append(evs, Event{Kind: EvMeter, Usage: r.Usage})
	}
	return append(evs, Event{Kind: EvEnd})
}
