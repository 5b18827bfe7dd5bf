// Package compress makes the brief that may go upward in place of raw history. It is extractive: it picks sentences and
// rows of the source by their bearing on the question, word for word, with no model. Where that cannot do, and a model's
// price pays, a model summarises; the same ledger of facts is held against its words.
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
// What a rejected answer extracted travels as parameters, a line each, labelled as unverified: only values that the source
// has too. The answer itself is no source. Tokens are counted without the header line, which is the same in every brief.
//
// Structure: a JSON document is cut into its elements and shown with the brackets around those that are kept; a table's
// row brings the head of its columns; of a log's lines of one form a few are kept, and those that tell of errors first;
// what repeats in other words what was kept is left out. Passages that carry labels of their own, as retrieval numbers
// them, stand in no order: the best comes first and the second best last. Everything else keeps its order.
//
// Extract asks no model, holds no state and is deterministic; its cost is linear in the source up to sorting: facts
// and obligations are looked up, never searched for. Make may ask models, through whoever gives it a Writer, and falls
// back to Extract.
package compress

import (
	"crypto/sha256"
	"io"
	"strings"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Options steer one extraction. The zero value is ready to use.
type Options struct {
	// Failure is what the lower layer's checks said, "" = none. It is part of the query and shown before the question.
	Failure string
	// Answer is the lower layer's rejected answer, "" = none. What it extracted and the source has is carried.
	Answer string
	// Target is how many tokens history and documents should have; 0 = a quarter of the source, at least 400.
	Target int
	// Room is how many tokens history and documents may have at most; 0 = as many as Target says.
	Room int
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
	target := max(source/4, leastTarget)
	if o.Target > 0 {
		target = o.Target
	}
	if o.Room > 0 {
		target = min(target, o.Room)
	}
	return target
}

// Extract compresses what may be compressed of req and returns the checked brief. req is not changed; the brief
// shares its tools and media. The error is an *llm.Error: validation_exhausted when there is no user turn to brief,
// or when the fidelity check fails.
func Extract(req *llm.Request, o Options) (call.Brief, error) {
	f, err := frameOf(req, o)
	if err != nil {
		return call.Brief{}, err
	}
	return f.extract(o)
}

// whole reports whether the source is passed on as it is.
func (f *frame) whole(o Options) bool {
	n := f.size(o)
	return len(f.pieces) == 0 || n < shortSource && (o.Room == 0 || n <= o.Room) || o.target(n) >= n
}

// size is the source's tokens.
func (f *frame) size(o Options) int {
	if o.Tokens == nil {
		return (transcribed(f.pieces, io.Discard) + 3) / 4
	}
	n := 0
	for _, p := range f.pieces {
		n += o.tokens(p.label) + o.tokens(p.text) + 1
	}
	return n
}

// extract makes the extractive brief. Elements of JSON documents are picked first by their structure; should such a brief
// fail its check, the documents are taken as lines.
func (f *frame) extract(o Options) (call.Brief, error) {
	if f.whole(o) {
		units := split(f.pieces).units
		return f.seal(draft{text: transcript(f.pieces)}, pinnedOf(units, everyUnit(units)), 0, call.WholeBrief, o)
	}
	b, err := f.extractFrom(split(f.pieces), o)
	if err != nil {
		return f.extractFrom(splitFlat(f.pieces), o)
	}
	return b, nil
}

// extractFrom picks what the target has room for. Pinned facts that the pick lacks are added; when that overshoots, the
// pick is made once more with that much less room.
func (f *frame) extractFrom(src source, o Options) (call.Brief, error) {
	size := f.size(o)
	target := o.target(size)
	r := rank(src.units, f.query)
	topic := r.topic(topicRows(target))
	var body draft
	var pins []pin
	var appended int
	room := target
	for range 2 {
		kept := r.pick(src.units, room, o)
		pins = pinnedOf(src.units, union(kept, topic))
		body, appended = render(f.pieces, src, r.edged(f.pieces, src.units, kept), pins)
		over := o.tokens(body.text) - target
		if over <= 0 {
			break
		}
		room -= over
	}
	if o.tokens(body.text) >= size {
		return f.seal(draft{text: transcript(f.pieces)}, pins, 0, call.WholeBrief, o)
	}
	return f.seal(body, pins, appended, call.ExtractiveBrief, o)
}

// topicRows is how many rows on topic have their facts pinned.
func topicRows(target int) int { return min(max(target/50, 8), 64) }

// paramsHead opens the list of what a rejected answer extracted.
const paramsHead = "parameters that a rejected attempt extracted (unverified; each value occurs in the context):"

// seal measures the brief against its source and builds the request that carries it.
func (f *frame) seal(body draft, pins []pin, appended int, kind call.BriefKind, o Options) (call.Brief, error) {
	if len(f.params) > 0 {
		if body.text != "" {
			body.text += "\n"
		}
		body.text += paramsHead + "\n- " + strings.Join(f.params, "\n- ")
	}
	fid := call.Fidelity{Kind: kind, Pinned: len(pins), Appended: appended}
	fid.Kept, fid.Invented = measure(f.evidence(), body, pins)
	text := body.text
	if text != "" {
		text = Header + "\n" + text
	}
	hashed := text
	if kind == call.WholeBrief { // the pins are of the source
		fid.Kept = len(pins)
	}
	if text == "" { // the question alone is the brief
		hashed = plainText(f.ask)
	}
	sum := sha256.New()
	transcribed(f.pieces, sum)
	if len(f.pieces) == 0 {
		sum.Write([]byte(hashed))
	}
	fid.SourceSHA, fid.BriefSHA = [32]byte(sum.Sum(nil)), sha256.Sum256([]byte(hashed))
	fid.SourceTokens, fid.BriefTokens = f.size(o), o.tokens(body.text)
	b, err := call.NewBrief(f.request(text, o.Failure), hashed, fid)
	if err != nil {
		return call.Brief{}, &llm.Error{
			Code: llm.CodeUnaccepted, Message: "the context could not be compressed without losing pinned facts", Err: err,
			Hint: "raise brief_tokens of the layer, or remove context: brief",
		}
	}
	return b, nil
}
