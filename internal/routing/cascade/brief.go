package cascade

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/routing/compress"
)

// Costs tell what a call's tokens are and cost, for the models of its plan. The gateway implements it.
type Costs interface {
	compress.Rates
	// Step is the tokens of prompt above which a target's whole request is charged at other rates; 0 = there is no such.
	Step(call.Target, time.Time) int
	// Prompt is the likely tokens of the caller's own request.
	Prompt(call.Target) int
}

// Meter is told of briefs and of prompts that come near a limit. Implementations must not block.
type Meter interface {
	// Brief tells of a brief of so many tokens made of a source, or with kind "refused" of one that could not be made.
	Brief(layer, kind string, source, brief int)
	Warning(deployment, kind string)
}

// refusedBrief is the kind of a brief that was not made.
const refusedBrief = "refused"

// briefNote is what the ledger keeps of a brief: never its text.
type briefNote struct {
	SourceSHA    string     `json:"source_sha256"`
	BriefSHA     string     `json:"brief_sha256"`
	SourceTokens int        `json:"source_tokens"`
	BriefTokens  int        `json:"brief_tokens"`
	Pinned       int        `json:"pinned"`
	Kept         int        `json:"kept"`
	Kind         string     `json:"kind"`
	Ratio        float64    `json:"ratio"`              // times that the source is longer
	Recall       float64    `json:"recall"`             // of pinned facts
	Appended     int        `json:"appended,omitzero"`  // pinned facts that had to be added as a list
	Summaries    []gateNote `json:"summaries,omitzero"` // models that were thought of as compressors
	prompt       int        // tokens of the request that carries it
}

// gateNote is one reckoning of whether a model's summary pays. Amounts are in US dollars.
type gateNote struct {
	Deployment string `json:"deployment"`
	Need       string `json:"need"`
	Prompt     int    `json:"source_tokens"`
	Cached     int    `json:"cached_tokens,omitzero"`
	Raw        string `json:"read_source_usd"`
	Read       string `json:"read_summary_usd"`
	Write      string `json:"write_summary_usd"`
	Pays       bool   `json:"pays"`
	Failed     string `json:"failed,omitzero"`
}

func gateNoteOf(g compress.Gate) gateNote {
	return gateNote{
		Deployment: g.Deployment, Need: g.Need, Prompt: g.Prompt, Cached: g.Cached, Raw: g.Raw.Decimal(),
		Read: g.Read.Decimal(), Write: g.Write.Decimal(), Pays: g.Pays, Failed: g.Failed,
	}
}

func briefNoteOf(f call.Fidelity, s compress.Story) *briefNote {
	n := &briefNote{
		SourceSHA: hex.EncodeToString(f.SourceSHA[:]), BriefSHA: hex.EncodeToString(f.BriefSHA[:]),
		SourceTokens: f.SourceTokens, BriefTokens: f.BriefTokens, Pinned: f.Pinned, Kept: f.Kept, Kind: string(f.Kind),
		Ratio: 1, Recall: 1, Appended: f.Appended, prompt: s.Prompt,
	}
	if f.BriefTokens > 0 {
		n.Ratio = math.Round(float64(f.SourceTokens)/float64(f.BriefTokens)*100) / 100
	}
	if f.Pinned > 0 {
		n.Recall = float64(f.Kept) / float64(f.Pinned)
	}
	for _, g := range s.Gates {
		n.Summaries = append(n.Summaries, gateNoteOf(g))
	}
	return n
}

// payload is what a layer gets: the caller's bytes, with the failure text of the layer below spliced in, or a brief.
func (r *run) payload(ctx context.Context, l *Layer) (call.Payload, *briefNote, error) {
	if r.plan.held(l) || l.Brief {
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
	b, s, err := compress.Make(ctx, r.request(), r.job(l))
	if err != nil {
		r.meterBrief(l, refusedBrief, call.Fidelity{})
		return nil, nil, err
	}
	r.meterBrief(l, string(b.Fidelity().Kind), b.Fidelity())
	return b, briefNoteOf(b.Fidelity(), s), nil
}

func (r *run) meterBrief(l *Layer, kind string, f call.Fidelity) {
	if r.Meter != nil {
		r.Meter.Brief(l.Name, kind, f.SourceTokens, f.BriefTokens)
	}
}

// job is the brief that a layer wants: small enough for each of its models, for the first of which it is reckoned.
func (r *run) job(l *Layer) compress.Job {
	j := compress.Job{
		Options: compress.Options{Failure: r.rejected.Why, Answer: r.rejected.Answer, Target: l.BriefTokens},
		By:      l.Writers, At: r.facts.Start, Left: r.left - 1, Summary: summaries{r, l},
	}
	if r.plan.Costs != nil {
		j.Rates = r.plan.Costs
	}
	for i, t := range l.Targets {
		out := r.order(l, t, call.Escalate, nil).MaxOut
		if i == 0 {
			j.For = t
		}
		if w := trusted(t); w > 0 && (j.Window == 0 || w-out < j.Window-j.MaxOut) {
			j.Window, j.MaxOut = w, out
		}
	}
	return j
}

// trusted is the window of a model in which its quality is trusted; 0 = not known.
func trusted(t call.Target) int {
	switch {
	case t.Model == nil:
		return 0
	case t.Model.EffectiveWindow > 0:
		return t.Model.EffectiveWindow
	}
	return t.Model.Window
}

// summaries has a layer's summaries written by its dispatcher.
type summaries struct {
	*run
	layer *Layer
}

var _ compress.Writer = summaries{}

// Write makes one attempt for a summary. It counts against the call's attempts.
func (s summaries) Write(ctx context.Context, c compress.Commission) (string, error) {
	s.left--
	t := c.By
	t.Layer, t.LayerName = s.layer.Number, s.layer.Name
	o := call.Order{
		Purpose: call.Compress, Target: t, Payload: call.Written{Request: c.Request}, MaxOut: c.MaxOut, N: 1, Held: true, Judge: true,
	}
	if b, err := json.Marshal(notes{Summary: new(gateNoteOf(c.Gate))}, json.Deterministic(true)); err == nil {
		o.Notes = string(b)
	}
	ex, err := s.d.Open(ctx, s.facts, o)
	if err != nil {
		return "", err
	}
	answer, err := last(ex)
	if err != nil {
		return "", s.fail(ex, err)
	}
	v := call.Verdict{Result: call.Unjudged}
	wrong := c.Accept(answer)
	if wrong != nil {
		v = call.Verdict{Result: call.Rejected, Check: "fidelity", Reason: llm.AsError(wrong).Message}
	}
	ex.Judge(v)
	if _, err := ex.Close(); err != nil {
		return "", err
	}
	return answer.Text(0), wrong
}

// last reads an exchange to its end and returns the whole answer.
func last(ex call.Exchange) (answer *llm.Response, err error) {
	for {
		d, err := ex.Recv()
		switch {
		case errors.Is(err, io.EOF) && answer != nil:
			return answer, nil
		case errors.Is(err, io.EOF):
			return nil, &llm.Error{Code: llm.CodeUpstream, Message: "the provider's answer ended without content"}
		case err != nil:
			return nil, err
		case d.Final != nil:
			answer = d.Final
		}
	}
}

// Kinds of warnings about a prompt's size.
const (
	nearWindow  = "near_window"  // nine tenths of what the provider takes, the answer included
	pastTrusted = "past_trusted" // longer than the window in which the model is trusted
	pastStep    = "past_step"    // long enough for the whole request to be charged at other rates
)

// warn notes what is to be said of the size of the prompt that a target gets.
func (r *run) warn(o call.Order, brief *briefNote) {
	r.warnings = nil
	if r.plan.Costs == nil || o.Target.Model == nil {
		return
	}
	prompt, m := r.plan.Costs.Prompt(o.Target), o.Target.Model
	if brief != nil {
		prompt = brief.prompt
	}
	step := r.plan.Costs.Step(o.Target, r.facts.Start)
	for _, w := range []struct {
		kind string
		is   bool
	}{
		{nearWindow, m.Window > 0 && (prompt+o.MaxOut)*10 > m.Window*9},
		{pastTrusted, m.EffectiveWindow > 0 && prompt > m.EffectiveWindow},
		{pastStep, step > 0 && prompt > step},
	} {
		if !w.is {
			continue
		}
		r.warnings = append(r.warnings, w.kind)
		if r.Meter != nil {
			r.Meter.Warning(o.Target.Deployment, w.kind)
		}
	}
}

// failureNote tells the next model what was wrong with the answer before it.
func failureNote(r Rejected) string {
	return "\n\n[A previous answer was rejected by an automatic check: " + r.Why + ". Answer the request above correctly.]"
}
