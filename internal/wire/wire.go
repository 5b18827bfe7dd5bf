// Package wire holds what the dialects share: how frames are read from a provider's stream and written to a client's,
// what a provider's error means (Fault), and how a body is edited without decoding it (Splice). Each dialect (openai,
// anthropic, gemini) decodes into llm and encodes from llm, on both sides: hub and spoke, so a new dialect is one
// package and never a matrix. wire knows no policy, no money and no HTTP server.
//
// Invariants: a fault has the same code, words and Upstream status whichever dialect told it, under its HTTP status or
// in band; no provider's credential is repeated.
package wire

import "github.com/weirhq/weir/internal/llm"

// StreamOptions steer a StreamReader.
type StreamOptions struct {
	// Full decodes every frame into events (translation, held answers). Without it only frames that carry usage,
	// stop, tool or error marks are decoded, and Delta.Raw alone tells the rest.
	Full bool
	// StripUsage removes what Weir's own injected usage flag made the provider add: usage fields of chunks, and the
	// usage-only chunk whole (its Delta then has an empty Raw).
	StripUsage bool
}

// StreamReader turns a provider's frames into deltas. It keeps state over one stream; not safe for concurrent use.
type StreamReader interface {
	// Read takes one frame as the framer cut it, blank line included. Delta.Raw may alias it. The error is an
	// *llm.Error for a frame that cannot be read.
	Read(frame []byte) (llm.Delta, error)
	// Finish is called at the end of the bytes: the whole answer as it was told (Full only, else nil), and whether the
	// stream ended as its dialect demands. A stream that was cut is never complete.
	Finish() (answer *llm.Response, complete bool)
}

// StreamWriter turns events into a client's frames. It keeps state over one stream; not safe for concurrent use.
type StreamWriter interface {
	// Write appends to dst the frames that say ev (none for events the dialect has no word for).
	Write(dst []byte, ev llm.Event) []byte
}
