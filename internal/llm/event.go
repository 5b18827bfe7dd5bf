package llm

// EventKind tags an Event.
type EventKind uint8

// Kinds of stream events, in the order in which they may come: Start, then Text/Think/ToolStart/ToolArgs in any
// order, then Stop once a choice, Meter once or more (the last counts), End once.
const (
	EvStart     EventKind = iota // ID, Model, Fingerprint
	EvText                       // Choice, Text
	EvThink                      // Choice, Text: reasoning shown by the provider; Opaque: its signature
	EvRefusal                    // Choice, Text: the dialect's own refusal field
	EvToolStart                  // Choice, Tool (index of the call), ID, Name
	EvToolArgs                   // Choice, Tool, Text: a fragment of the arguments' JSON text
	EvStop                       // Choice, Stop
	EvMeter                      // Usage
	EvEnd                        // the provider's own end mark ([DONE], message_stop)
	EvPing                       // keep-alive; carries nothing
	EvError                      // Err: in-band error; the stream is over
)

// Event is one thing that a stream said, in no dialect.
type Event struct {
	Kind        EventKind
	Choice      int
	Tool        int // index of the tool call within the choice, from 0
	ID          string
	Name        string
	Model       string
	Fingerprint string
	Text        string
	Opaque      []byte
	Stop        StopReason
	Usage       *Usage
	Err         *Error
}

// Delta is one frame of an answer. For a non-streamed answer there is exactly one Delta: the whole body, with Final set
// when the order was judged.
type Delta struct {
	Raw      []byte  // the provider's own bytes (an SSE frame with its blank line, or the body)
	Events   []Event // what the frame says; a live same-dialect stream decodes only frames that carry usage, stop, tools or errors
	Bytes    int     // bytes of answer text (escapes not undone) in this frame: the estimate when no usage comes
	More     bool    // the next frame is already here: no need to flush after this one
	Calls    bool    // holds a piece of a tool call, also of a kind that events do not tell
	Terminal bool    // from here on an agent may act: finish_reason chunk, message_delta, finishReason chunk, or the body
	Final    *Response
}
