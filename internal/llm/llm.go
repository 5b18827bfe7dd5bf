// Package llm is the vocabulary that every dialect is translated into and out of: requests, messages, parts, tools,
// responses, stream events, usage and errors. It is the hub of hub and spoke. It imports nothing of Weir and knows no
// provider, no HTTP, no policy and no money.
package llm

import "github.com/go-json-experiment/json/jsontext"

// Dialect names a wire format.
type Dialect string

// The dialects Weir speaks.
const (
	OpenAI    Dialect = "openai"    // OpenAI Chat Completions
	Anthropic Dialect = "anthropic" // Anthropic Messages
	Gemini    Dialect = "gemini"    // Gemini generateContent
)

// Role says who speaks in a message.
type Role string

// Roles. System prompts travel in Request.System, never as a message.
const (
	User      Role = "user"
	Assistant Role = "assistant"
)

// PartKind tags a Part.
type PartKind uint8

// Kinds of parts.
const (
	Text       PartKind = iota // Part.Text
	Media                      // Part.Media: image, audio, document
	ToolUse                    // Part.Tool: the model asks for a call
	ToolResult                 // Part.Result: the caller answers one
	Reasoning                  // Part.Text and Part.Opaque: thinking with its signature
	Refusal                    // Part.Text: the model declines in its dialect's own refusal field
)

// Part is one piece of a message's content.
type Part struct {
	Kind   PartKind
	Text   string
	Media  *MediaPart
	Tool   *ToolCall
	Result *ToolAnswer
	Opaque jsontext.Value // signed or encrypted content, byte for byte; only its own dialect may read it
}

// MediaPart is an image, audio or document, by URL or inline.
type MediaPart struct {
	MIME string // "image/png"; may be empty with URL
	URL  string // http(s) URL; empty when Data is set
	Data string // base64, standard alphabet
}

// ToolCall is a model's request to run a tool.
type ToolCall struct {
	ID   string
	Name string
	Args jsontext.Value // a JSON object; the raw text if the model broke it
}

// ToolAnswer is a caller's result for a ToolCall.
type ToolAnswer struct {
	ID      string // of the ToolCall
	Name    string // Gemini addresses results by name
	Content []Part
	IsError bool
}

// Message is one turn.
type Message struct {
	Role  Role
	Parts []Part
}

// Tool is a function the model may call.
type Tool struct {
	Name, Description string
	Schema            jsontext.Value // JSON Schema of the arguments; nil = no arguments
	Strict            bool
}

// ToolChoice restricts tool use. Mode "" means the dialect's default (auto).
type ToolChoice struct {
	Mode       string // "", "auto", "none", "required", "tool"
	Name       string // with "tool"
	NoParallel bool
}

// Format asks for structured output.
type Format struct {
	Kind   string // "json_object" or "json_schema"
	Name   string
	Schema jsontext.Value // with json_schema
	Strict bool
}

// Request is a chat request in no dialect. Pointers are nil where the caller said nothing.
type Request struct {
	Model       string
	System      []Part
	Messages    []Message
	Tools       []Tool
	Choice      ToolChoice
	Format      *Format
	MaxOutput   int // tokens; 0 = not set
	Temperature *float64
	TopP        *float64
	Seed        *int64
	Stop        []string
	N           int // 0 = not set
	Stream      bool
	User        string
}

// StopReason says why a model stopped.
type StopReason string

// Stop reasons, after the dialects' own.
const (
	StopEnd      StopReason = "stop"
	StopLength   StopReason = "length"
	StopToolUse  StopReason = "tool_use"
	StopFilter   StopReason = "content_filter"
	StopRefusal  StopReason = "refusal"
	StopSequence StopReason = "stop_sequence"
)

// Choice is one of a response's answers.
type Choice struct {
	Parts []Part
	Stop  StopReason
	Seq   string // the stop sequence that hit, if the dialect tells
}

// Response is a whole answer in no dialect.
type Response struct {
	ID          string
	Model       string // as the provider names what it served
	Fingerprint string
	Created     int64 // unix seconds; 0 = not told
	Choices     []Choice
	Usage       *Usage // nil = the provider told none
	// Sealed: beside Choices its own bytes hold what the model's next turn needs, signed; written anew it would be lost.
	Sealed bool
}

// Text joins the text parts of choice i.
func (r *Response) Text(i int) string {
	if i >= len(r.Choices) {
		return ""
	}
	s := ""
	for _, p := range r.Choices[i].Parts {
		if p.Kind == Text {
			s += p.Text
		}
	}
	return s
}
