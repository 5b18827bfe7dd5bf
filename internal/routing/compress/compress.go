// Package compress makes the brief that may go upward in place of raw history. Its first form is extractive: it picks
// sentences and rows of the source by their bearing on the question, word for word, in order, with no model.
//
// What stays verbatim: system text, tools, format, sampling, the question of the last user turn with its images,
// and the last exchange of an open tool loop. What is compressed into one text block: earlier turns, tool results
// outside an open loop, and long documents that stand beside the question. Reasoning blocks are left out on
// purpose: another model cannot read their signatures.
//
// What "pinned" means, so that fidelity is honest. A pinned fact must be found in the brief, or no brief is made.
// Pinned are:
//
//   - every negated obligation (must not, shall not, never, unless, not ... until, and their like) in a turn of the
//     conversation, whatever the question is; a text of more than 600 tokens in a turn counts as a document;
//   - every amount, date, id and negated obligation in a sentence or row that is on topic: one that the extraction
//     kept, or one of the best-scoring rows (8 to 64, a fiftieth of the target in tokens) that share a rare word with
//     the question or the failure. A word is rare when at most one row in twenty, or eight rows, hold it.
//
// Facts of other rows are not pinned: a ledger of ten thousand amounts asked about one order would not compress at
// all. A source short enough to be passed on whole pins everything. Conversely every number, date, amount and id in
// the brief must occur in the source. Both texts are hashed.
//
// A token of more than 1,920 bytes without a seam (a JWT, base64) is never cut: it is left out of a brief, which says
// so, and nothing in it is pinned.
//
// A rejected answer that is carried counts as source and is labelled as what it is. Tokens are counted without the
// header line, which is the same in every brief.
//
// It asks no model, holds no state and is deterministic; its cost is linear in the source up to sorting: facts
// and obligations are looked up, never searched for.
package compress

import (
	"crypto/sha256"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Options steer one extraction. The zero value is ready to use.
type Options struct {
	// Failure is what the lower layer's checks said, "" = none. It is part of the query and shown before the question.
	Failure string
	// Answer is the lower layer's rejected answer, "" = not carried. It is treated as a piece of the source.
	Answer string
	// Target is how many tokens history and documents should have; 0 = a quarter of the source, at least 400.
	Target int
	// Tokens estimates a text's tokens; nil = a quarter of its bytes, rounded up.
	Tokens func(string) int
}

const (
	shortSource = 500 // tokens: a source below is passed on whole
	longPart    = 600 // tokens: a text part above is a document
	leastTarget = 400 // tokens: the default target's floor
)

// Header opens the brief's text block in the request.
const Header = "Context (compressed and checked by the gateway; not raw history):"

func (o Options) tokens(s string) int {
	if o.Tokens != nil {
		return o.Tokens(s)
	}
	return (len(s) + 3) / 4
}

func (o Options) target(source int) int {
	if o.Target > 0 {
		return o.Target
	}
	return max(source/4, leastTarget)
}

// Extract compresses what may be compressed of req and returns the checked brief. req is not changed; the brief
// shares its tools and media. The error is an *llm.Error: validation_exhausted when there is no user turn to brief,
// or when the fidelity check fails.
func Extract(req *llm.Request, o Options) (call.Brief, error) {
	f, err := frameOf(req, o)
	if err != nil {
		return call.Brief{}, err
	}
	source := transcript(f.pieces)
	sourceTokens := o.tokens(source)
	if len(f.pieces) == 0 {
		ask := plainText(f.ask)
		return f.seal(ask, draft{text: ask}, nil, o)
	}
	if sourceTokens < shortSource || o.target(sourceTokens) >= sourceTokens {
		units := split(f.pieces)
		return f.seal(source, draft{text: source}, pinnedOf(units, everyUnit(units)), o)
	}
	body, pins := f.extract(o.target(sourceTokens), o)
	if o.tokens(body.text) >= sourceTokens {
		return f.seal(source, draft{text: source}, pins, o)
	}
	return f.seal(source, body, pins, o)
}

// extract picks what the target has room for. Pinned facts that the pick lacks are added; when that overshoots, the
// pick is made once more with that much less room.
func (f *frame) extract(target int, o Options) (body draft, pins []pin) {
	units := split(f.pieces)
	r := rank(units, f.query)
	topic := r.topic(min(max(target/50, 8), 64))
	room := target
	for range 2 {
		kept := r.pick(units, room, o)
		pins = pinnedOf(units, union(kept, topic))
		body = render(f.pieces, units, kept, pins)
		over := o.tokens(body.text) - target
		if over <= 0 {
			break
		}
		room -= over
	}
	return body, pins
}

// seal measures the brief against its source and builds the request that carries it.
func (f *frame) seal(source string, body draft, pins []pin, o Options) (call.Brief, error) {
	text := body.text
	if len(f.pieces) > 0 {
		text = Header + "\n" + body.text
	}
	fid := measure(source, body, pins)
	fid.SourceSHA, fid.BriefSHA = sha256.Sum256([]byte(source)), sha256.Sum256([]byte(text))
	fid.SourceTokens, fid.BriefTokens = o.tokens(source), o.tokens(body.text)
	b, err := call.NewBrief(f.request(text, o.Failure), text, fid)
	if err != nil {
		return call.Brief{}, &llm.Error{
			Code: llm.CodeUnaccepted, Message: "the context could not be compressed without losing pinned facts", Err: err,
			Hint: "raise the compression target, or give the layer context: raw",
		}
	}
	return b, nil
}
