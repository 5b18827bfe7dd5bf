package cascade

import (
	"encoding/hex"

	"github.com/weirhq/weir/internal/call"
)

// briefNote is what the ledger keeps of a brief: never its text.
type briefNote struct {
	SourceSHA    string `json:"source_sha256"`
	BriefSHA     string `json:"brief_sha256"`
	SourceTokens int    `json:"source_tokens"`
	BriefTokens  int    `json:"brief_tokens"`
	Pinned       int    `json:"pinned"`
	Kept         int    `json:"kept"`
}

// payload is what a layer gets: the caller's bytes, with the failure text of the layer below spliced in, or a brief.
func (r *run) payload(l *Layer) (call.Payload, *briefNote, error) {
	if isHeld(l, l == &r.plan.Layers[len(r.plan.Layers)-1]) || l.Brief {
		if _, err := r.raw.Request(); err != nil {
			return nil, nil, err
		}
	}
	if !l.Brief {
		if r.rejected.Why == "" {
			return r.raw, nil, nil
		}
		return r.raw.Noted(failureNote(r.rejected)), nil, nil
	}
	b, err := r.Compress(r.request(), r.rejected)
	if err != nil {
		return nil, nil, err
	}
	f := b.Fidelity()
	return b, &briefNote{
		SourceSHA: hex.EncodeToString(f.SourceSHA[:]), BriefSHA: hex.EncodeToString(f.BriefSHA[:]),
		SourceTokens: f.SourceTokens, BriefTokens: f.BriefTokens, Pinned: f.Pinned, Kept: f.Kept,
	}, nil
}

// failureNote tells the next model what was wrong with the answer before it.
func failureNote(r Rejected) string {
	return "\n\n[A previous answer was rejected by an automatic check: " + r.Why + ". Answer the request above correctly.]"
}
