package call

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
)

// Payload is what an attempt sends: *Raw, the caller's own bytes, Brief, a checked and compressed stand-in, or Written,
// what Weir itself asks.
type Payload interface{ payload() }

// Raw is a request as the caller sent it: its bytes, what one pass told of them, and the request decoded at most once.
type Raw struct {
	Body     []byte
	Envelope llm.Envelope
	Forward  []Field // caller's headers that go upstream unchanged on the same dialect (anthropic-beta, ...)
	// Scan reads a body that was cut anew; Without needs it.
	Scan func([]byte) (llm.Envelope, error)

	noted   bool
	decode  func([]byte) (*llm.Request, error)
	decoded *llm.Request
}

// NewRaw wraps a scanned body; decode is called at most once, when someone must translate or read it.
func NewRaw(body []byte, env llm.Envelope, decode func([]byte) (*llm.Request, error)) *Raw {
	return &Raw{Body: body, Envelope: env, decode: decode}
}

// Request decodes the body on first use. The result is shared: do not change it.
func (r *Raw) Request() (*llm.Request, error) {
	if r.decoded == nil {
		q, err := r.decode(r.Body)
		if err != nil {
			return nil, err
		}
		r.decoded = q
	}
	return r.decoded, nil
}

// Noted returns the request with a note appended to the last user turn's text, spliced into the caller's bytes; without
// such a text it returns r itself. Where a tool loop is open the note stands behind its results, so that nothing before
// them changes: providers keep what they have read of it. The spans of the copy fit its bytes. Bytes of the note that are
// no UTF-8 become the replacement character.
func (r *Raw) Noted(note string) *Raw {
	at, tail := r.Envelope.LastUser.End, r.Envelope.Talk.Tail
	if !r.Envelope.LastUser.Present() && tail.At == 0 {
		return r
	}
	quoted, _ := jsontext.AppendQuote(nil, note) // its one error tells of bad UTF-8, which it has replaced
	insert := quoted[1 : len(quoted)-1]
	if tail.At > 0 {
		at, insert = tail.At, slices.Concat([]byte(tail.Before), quoted, []byte(tail.After))
	}
	body := make([]byte, 0, len(r.Body)+len(insert))
	body = append(append(append(body, r.Body[:at]...), insert...), r.Body[at:]...)
	return &Raw{Body: body, Envelope: r.Envelope.Shifted(at, len(insert)), Forward: r.Forward, noted: true, decode: r.decode}
}

// HasNote reports whether the request differs from what the caller sent: it has a note, or pieces were cut out.
func (r *Raw) HasNote() bool { return r.noted }

// Without returns the request without those of its signed pieces that are foreign to the model that it goes to, and how
// many they were. With loop, another model began the open tool loop: this one is asked not to think, since it would
// demand thoughts of its own before the calls.
func (r *Raw) Without(foreign func(llm.Signed) bool, loop bool) (*Raw, int, error) {
	t := &r.Envelope.Talk
	silence := loop && t.Open && t.Thinking.Present()
	if !silence && !slices.ContainsFunc(t.Signed, foreign) {
		return r, 0, nil
	}
	body := make([]byte, 0, len(r.Body))
	from, cut := 0, 0
	for _, s := range t.Signed {
		if !foreign(s) {
			continue
		}
		cut++
		body = append(body, r.Body[from:s.Start]...)
		if from = pastSpace(r.Body, s.End); from < len(r.Body) && r.Body[from] == ',' {
			from++
			continue
		}
		body = bytes.TrimRight(body, " \t\r\n") // the last of its list: the comma before it goes with it
		body = bytes.TrimSuffix(body, []byte{','})
	}
	body = append(body, r.Body[from:]...)
	env, err := r.Scan(body)
	if err != nil {
		return nil, cut, err
	}
	if at := env.Talk.Thinking; silence && at.Present() {
		body = slices.Concat(body[:at.Start], []byte(env.Talk.Silent), body[at.End:])
		if env, err = r.Scan(body); err != nil {
			return nil, cut, err
		}
	}
	env.BodyBytes = len(body)
	return &Raw{Body: body, Envelope: env, Forward: r.Forward, Scan: r.Scan, noted: true, decode: r.decode}, cut, nil
}

// pastSpace is the first place from on that is no white space.
func pastSpace(b []byte, from int) int {
	for from < len(b) && bytes.IndexByte([]byte(" \t\r\n"), b[from]) >= 0 {
		from++
	}
	return from
}

func (*Raw) payload() {}

// Fidelity is the result of comparing a brief with its source: facts of pinned classes (amounts, dates, ids, negated
// obligations) that the source holds, how many of them the brief keeps, and how many it states that the source lacks.
type Fidelity struct {
	Pinned   int // facts that must survive
	Kept     int // of those, found in the brief
	Invented int // numbers or ids in the brief that the source lacks
	// SourceSHA and BriefSHA are the SHA-256 of the text before and after.
	SourceSHA, BriefSHA [32]byte
	SourceTokens        int // estimated
	BriefTokens         int // estimated
	Kind                BriefKind
	Appended            int // pinned facts that the words of the brief lacked, added to them as a list
}

// BriefKind says how a brief was made.
type BriefKind string

// Kinds of briefs.
const (
	WholeBrief      BriefKind = "whole"      // nothing had to be left out
	ExtractiveBrief BriefKind = "extractive" // words of the source
	SummaryBrief    BriefKind = "summary"    // a model's words, held against the source
)

// Passed reports whether nothing pinned was lost and nothing was invented.
func (f Fidelity) Passed() bool {
	return f.Kept == f.Pinned && f.Invented == 0 && f.SourceSHA != [32]byte{}
}

// Brief is what may go to a layer marked context: brief. Raw does not fit there.
type Brief struct {
	req      *llm.Request
	text     string
	fidelity Fidelity
}

// NewBrief is the one constructor. text is the brief as one string (what the fidelity check read); req carries it with
// instructions, schema, tools and the last user turn verbatim. It fails unless fidelity passed on exactly this text.
func NewBrief(req *llm.Request, text string, f Fidelity) (Brief, error) {
	if !f.Passed() {
		return Brief{}, fmt.Errorf("brief refused: %d of %d pinned facts kept, %d invented", f.Kept, f.Pinned, f.Invented)
	}
	if sha256.Sum256([]byte(text)) != f.BriefSHA {
		return Brief{}, fmt.Errorf("brief refused: the fidelity check read another text")
	}
	return Brief{req: req, text: text, fidelity: f}, nil
}

// Request is the request to encode. Shared: do not change it.
func (b Brief) Request() *llm.Request { return b.req }

// Text is the brief's own text, for people to read.
func (b Brief) Text() string { return b.text }

// Fidelity tells what was kept.
func (b Brief) Fidelity() Fidelity { return b.fidelity }

func (Brief) payload() {}

// Written is a request that Weir writes, to a model that compresses context. It may hold what the caller sent.
type Written struct {
	Request *llm.Request
}

func (Written) payload() {}

// Field is one header field.
type Field struct{ Name, Value string }

// Wire is one request in a provider's dialect, ready to send; credentials are added by the sender.
type Wire struct {
	Path   string   // after the provider's base URL, with query
	Header []Field  // beside content-type and credentials
	Body   [][]byte // written one after the other; never changed
	Stream bool
}

// Size is the body's length in bytes.
func (w Wire) Size() int {
	n := 0
	for _, b := range w.Body {
		n += len(b)
	}
	return n
}

// Reply is a provider's answer as it begins to arrive. Close frees the connection, or breaks it when the body has not
// been read to its end; cancelling the context of the send breaks it too.
type Reply struct {
	Status int
	Header http.Header
	Body   io.ReadCloser
}
