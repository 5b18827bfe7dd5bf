// Package report shapes what the ledger holds for people and machines: one call's story, usage tables. It computes no
// money of its own; amounts are exact decimal strings in US dollars.
package report

import (
	"reflect"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// Call is one call's story: who asked, every attempt with its verdict and cost, and what the frontier would have cost.
type Call struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Route     string    `json:"route"`
	Dialect   string    `json:"dialect"`
	Key       string    `json:"key"`
	Team      string    `json:"team,omitzero"`
	UseCase   string    `json:"use_case,omitzero"`
	Workflow  string    `json:"workflow,omitzero"`
	Agent     string    `json:"agent,omitzero"`
	Session   string    `json:"session,omitzero"`
	DataClass string    `json:"data_class"`
	Answered  bool      `json:"answered"`
	Cost      string    `json:"cost_usd"`
	Frontier  string    `json:"frontier_would_have_cost_usd,omitzero"`
	Clocks    *Clocks   `json:"clocks,omitzero"` // of the attempt that answered
	Observed  *Observed `json:"observed,omitzero"`
	Attempts  []Attempt `json:"attempts"`
}

// Attempt is one attempt of a call.
type Attempt struct {
	N           int    `json:"n"`
	Purpose     string `json:"purpose"`
	Layer       int    `json:"layer,omitzero"`
	LayerName   string `json:"layer_name,omitzero"`
	Deployment  string `json:"deployment,omitzero"`
	Model       string `json:"model,omitzero"`
	Served      string `json:"served,omitzero"`
	Fingerprint string `json:"fingerprint,omitzero"`
	Tier        string `json:"tier,omitzero"`
	Rule        string `json:"rule,omitzero"`
	Outcome     string `json:"outcome"`
	Settlement  string `json:"settlement"`
	Verdict     string `json:"verdict"`
	Check       string `json:"check,omitzero"`
	Reason      string `json:"reason,omitzero"`
	Error       string `json:"error,omitzero"`
	Usage       Usage  `json:"usage"`
	Lines       []Line `json:"lines,omitzero"`
	PriceRow    string `json:"price_row,omitzero"`
	Cost        string `json:"cost_usd"`
	Held        string `json:"held_usd"`
	Budget      string `json:"budget,omitzero"`
	Clocks      Clocks `json:"clocks"`
	Notes       *Notes `json:"notes,omitzero"`
	// Output is what is known of the answer; absent = none came, or the row is older than what is known of answers.
	Output *Output `json:"output,omitzero"`
}

// Usage is tokens by meter; Input is uncached input.
type Usage struct {
	Input      int64 `json:"input"`
	CacheRead  int64 `json:"cache_read,omitzero"`
	CacheWrite int64 `json:"cache_write,omitzero"`
	Output     int64 `json:"output"`
	Reasoning  int64 `json:"reasoning,omitzero"`
}

// Line is one priced meter.
type Line struct {
	Meter  string `json:"meter"`
	Units  int64  `json:"units"`
	Rate   string `json:"rate_usd_per_1m"`
	Amount string `json:"amount_usd"`
}

// Notes are what an attempt's row tells beside its figures.
type Notes struct {
	Skipped []Skip   `json:"skipped,omitzero"` // deployments left out before the call's first attempt
	Brief   *Brief   `json:"brief,omitzero"`
	Repairs []string `json:"repairs,omitzero"`
	Carried string   `json:"carried,omitzero"` // why the answer before was rejected, as this attempt was told
	Session *Session `json:"session,omitzero"` // what the conversation's session had to do with the attempt
	// Summary is why a model was asked for a summary of the context.
	Summary  *Summary `json:"summary,omitzero"`
	Warnings []string `json:"warnings,omitzero"` // of the prompt's size: near_window, past_trusted, past_step
	Doubt    *Doubt   `json:"doubt,omitzero"`    // what a check that grades made of the answer, passed or not
}

// Session is what a conversation's session had to do with an attempt.
type Session struct {
	Pinned  string `json:"pinned,omitzero"`  // deployment that wrote the open tool loop
	Bent    string `json:"bent,omitzero"`    // why it did not answer
	Start   int    `json:"start,omitzero"`   // layer at which the call began
	Why     string `json:"why,omitzero"`     // why there
	Stalled string `json:"stalled,omitzero"` // what the agent repeats
	Warm    string `json:"warm,omitzero"`    // deployment that went first for the sake of its provider's cache
	Dropped int    `json:"dropped,omitzero"` // signed pieces of other models that were left out
}

// Doubt is how much speaks against an answer, and what was seen of it.
type Doubt struct {
	Score float64            `json:"score"` // 0 to 1
	Signs map[string]float64 `json:"signs,omitzero"`
}

// Skip is a deployment that was left out, and why.
type Skip struct {
	Layer      string `json:"layer"`
	Deployment string `json:"deployment"`
	Why        string `json:"why"`
}

// Brief is what the ledger keeps of a brief: hashes and sizes, never its text.
type Brief struct {
	SourceSHA    string `json:"source_sha256"`
	BriefSHA     string `json:"brief_sha256"`
	SourceTokens int    `json:"source_tokens"`
	BriefTokens  int    `json:"brief_tokens"`
	Pinned       int    `json:"pinned"`
	Kept         int    `json:"kept"`
	Kind         string `json:"kind,omitzero"` // whole, extractive or summary
	// Ratio is how many times the source is longer, Recall the share of pinned facts that were kept.
	Ratio     float64   `json:"ratio,omitzero"`
	Recall    float64   `json:"recall,omitzero"`
	Appended  int       `json:"appended,omitzero"`  // pinned facts that the brief has as a list
	Summaries []Summary `json:"summaries,omitzero"` // models that were thought of as compressors
}

// Summary is one reckoning of whether a model's summary of the context pays. Amounts are in US dollars.
type Summary struct {
	Deployment string `json:"deployment"`
	Need       string `json:"need"` // why a summary was thought of
	Source     int    `json:"source_tokens"`
	Cached     int    `json:"cached_tokens,omitzero"` // of the source, as far as a provider's cache would spare them
	Raw        string `json:"read_source_usd"`
	Read       string `json:"read_summary_usd"`
	Write      string `json:"write_summary_usd"`
	Pays       bool   `json:"pays"`
	Failed     string `json:"failed,omitzero"` // why it was not used all the same
}

// NotesOf reads an attempt's notes; nil when it has none, or none that can be read.
func NotesOf(text string) *Notes {
	n := new(Notes)
	if text == "" || json.Unmarshal([]byte(text), n) != nil || reflect.ValueOf(n).Elem().IsZero() {
		return nil
	}
	return n
}

// Clocks are milliseconds since the call's start; 0 = did not happen.
type Clocks struct {
	Sent      float64 `json:"sent_ms"`
	Provider  float64 `json:"provider_first_ms"`
	FirstByte float64 `json:"client_first_ms"`
	Accepted  float64 `json:"accepted_ms"`
	End       float64 `json:"end_ms"`
}

// CallOf tells a call by its attempts, in order; at least one.
func CallOf(attempts []call.Attempt) Call {
	f := attempts[0].Facts
	c := Call{
		ID: f.ID.String(), At: f.Start.UTC(), Route: f.Route, Dialect: string(f.Dialect), Key: f.Caller.KeyID,
		Team: f.Caller.Team, UseCase: f.Caller.UseCase, Workflow: f.Caller.Workflow, Agent: f.Caller.Agent,
		Session: f.Caller.Session, DataClass: f.Class.Name(),
	}
	c.Observed = observedOf(attempts)
	var cost money.Nano
	for _, a := range attempts {
		if a.Order.Purpose == call.Observed { // told under observed
			continue
		}
		row := attemptOf(a)
		c.Attempts = append(c.Attempts, row)
		if a.Order.Purpose == call.Shadow { // not the caller's cost, nor its answer
			continue
		}
		cost += a.Cost
		if a.Verdict.Result == call.Accepted {
			c.Answered, c.Clocks = true, &row.Clocks
			c.Frontier = a.Baseline.Decimal()
		}
	}
	c.Cost = cost.Decimal()
	return c
}

func attemptOf(a call.Attempt) Attempt {
	t := a.Order.Target
	row := Attempt{
		N: a.N, Purpose: string(a.Order.Purpose), Layer: t.Layer, LayerName: t.LayerName, Deployment: t.Deployment,
		Served: a.Served, Fingerprint: a.Fingerprint, Rule: a.Rule, Outcome: string(a.Outcome),
		Settlement: string(a.Settlement), Verdict: string(a.Verdict.Result), Check: a.Verdict.Check,
		Reason: a.Verdict.Reason, Error: a.Err, Usage: usageOf(a.Usage), PriceRow: a.PriceRow, Cost: a.Cost.Decimal(),
		Held: a.Held.Decimal(), Budget: a.Budget, Clocks: clocksOf(a.Clocks), Notes: NotesOf(a.Verdict.Notes),
		Output: outputOf(&a),
	}
	if t.Model != nil {
		row.Model, row.Tier = t.Model.ID, string(t.Model.Tier)
	}
	for _, l := range a.Lines {
		row.Lines = append(row.Lines, Line{
			Meter: string(l.Meter), Units: l.Units, Rate: money.Mul(1_000_000, l.Rate).Decimal(), Amount: l.Amount.Decimal(),
		})
	}
	return row
}

func usageOf(u llm.Usage) Usage {
	return Usage{
		Input: u.Input, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite5m + u.CacheWrite1h, Output: u.Output,
		Reasoning: u.Reasoning,
	}
}

func clocksOf(c call.Clocks) Clocks {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Clocks{
		Sent: ms(c.Sent), Provider: ms(c.ProviderTTF), FirstByte: ms(c.FirstByte), Accepted: ms(c.Accepted), End: ms(c.End),
	}
}
