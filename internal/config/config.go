// Package config turns weir.yaml into a Config: strict (an unknown key is an error), with file:line:column errors that
// show the line and a suggestion, secrets by env: and file: only. A Config is immutable once loaded; every call keeps
// the one it started with. It knows the file's shape and what refers to what; it opens no connection and reads no
// store.
package config

import (
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// Config is weir.yaml, checked and resolved. Maps are keyed by the names that the file gives.
type Config struct {
	Path        string // of the file; schemas are relative to it
	Listen      Listen
	Storage     Storage
	Prices      string // the price book in force
	Limits      Limits
	Models      *catalog.Catalog // the embedded catalogue with the file's own models and prices laid over it
	Providers   map[string]Provider
	Deployments map[string]Deployment
	Checks      map[string]Check
	Routes      []Route // in the file's order: the first match wins
	Data        Data
	UseCases    map[string]UseCase
	Budgets     []Budget
	Warnings    []string // what is allowed but looks wrong, e.g. a review date that has passed
	Files       []string // read beside the file itself: schemas and secrets
}

// Listen says where Weir listens. The admin address serves health, metrics and the control API.
type Listen struct {
	API   string // default 127.0.0.1:8080
	Admin string // default 127.0.0.1:8081
}

// Storage says where Weir keeps its data.
type Storage struct {
	Dir string // default weir-data beside the file
}

// Limits bound what one process takes on.
type Limits struct {
	BodyBytes     int64         // largest request body; default 64 MiB
	InflightBytes int64         // bytes of bodies in flight; default 256 MiB; over it = 503
	Calls         int           // calls under way at once; default 2048; over it = 503
	Connections   int           // open connections of clients; default 4096; over it new ones are closed
	Attempts      int           // attempts a call may make in all; default 6
	Deadline      time.Duration // of a call; default 300s
	Drain         time.Duration // to finish calls after SIGTERM; default 30s
	Sessions      int           // most conversations that are remembered; default 10,000
}

// Provider is one vendor's endpoint with one credential.
type Provider struct {
	Name       string
	Preset     string // openai | anthropic | gemini | deepseek | vllm | ...
	Dialect    llm.Dialect
	URL        string // base URL, without a trailing slash
	Key        Secret // zero = none is sent
	AuthHeader string // header that carries the key
	AuthPrefix string // what stands before the key there, e.g. "Bearer "
	OutputKey  string // OpenAI dialect: the member that caps output, max_tokens or max_completion_tokens
	Hosting    call.Hosting
	Timeout    Timeouts
}

// Timeouts of one attempt.
type Timeouts struct {
	Connect time.Duration // default 5s
	TTFT    time.Duration // to the first byte of the answer; default 60s
	Idle    time.Duration // between two reads of the answer; default 30s
}

// Deployment is a model at one provider.
type Deployment struct {
	Name     string
	Provider string
	Region   string
	Pin      bool // pin: required refuses provider aliases that move
	Model    *catalog.Model
	WireID   string // what the provider calls the model
	Step     int    // tokens of prompt above which the whole request is charged at other rates; 0 = no such size
}

// Check is one named validator of an answer: by schema, regex, references or arithmetic.
type Check struct {
	Name       string
	Schema     []byte // JSON Schema, read from its file
	SchemaPath string
	Regex      string // must match the answer's text
	Early      bool   // a match of Regex in an answer's beginning is one in the whole
	References string // every match in the answer must occur in the request
	Arithmetic bool   // every "a op b = c" that the answer states must hold
	Doubt      int    // percent of doubt up to which an answer passes; 0 = not this kind
}

// Mode says whether a route's cascade answers.
type Mode string

// Modes.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe" // the asked-for model answers; what the cascade would have done is recorded beside it
)

// Route is a name that clients ask for.
type Route struct {
	Name     string
	Match    []string // names and patterns with *; always holds Name
	Mode     Mode
	Sample   int    // observe.sample: calls for which the cascade runs as a shadow, in parts per million; 0 = none
	Shadows  string // observe.budget: node that shadows count against
	Layers   []Layer
	OnBudget string // refuse | best_effort: what happens when an escalation is unaffordable; default refuse
	Stream   Stream
	Targets  map[string]int // layer name -> share in percent; a gauge, never a quota
	Session  Session
}

// Session says what a route remembers of a conversation.
type Session struct {
	Memory     time.Duration // how long an idle one is remembered; default 1h
	ProbeEvery int           // user turns that went well before a lower layer is tried again; default 10
	StallAfter int           // repetitions of a tool call that are a stall; default 3
}

// Stream says how a route holds answers back until they are judged.
type Stream struct {
	KeepaliveAfter time.Duration // without a byte, a streaming client is told that its answer is under way
	GiveUpAfter    time.Duration // the most that one held layer may take
	Prefix         bool          // release: prefix
}

// Extractive is the compressor that asks no model.
const Extractive = "extractive"

// Layer is one step of a route's cascade. Its number is its place, from 1.
type Layer struct {
	Name      string
	Use       []string // deployments, tried in order
	MaxOutput int      // tokens; 0 = the caller's or the model's
	Checks    []string
	Brief     bool     // context: brief: takes only a checked, compressed brief
	Compress  []string // compress_with: Extractive and deployments that may summarise; set whenever Brief is
	// BriefTokens is brief_tokens: tokens that a brief's history and documents may have; 0 = a share of the source.
	BriefTokens int
}

// Data is the data plane: which class may reach what.
type Data struct {
	Unlabelled string
	Rows       []DataRow // from the least to the most sensitive, in the file's order
}

// DataRow is one class's row of the permit table.
type DataRow struct {
	Class   string
	Nowhere bool // none: barred from every model
	Hosting []call.Hosting
	Region  []string
	Tier    []catalog.Tier
}

// UseCase is one entry of the registry.
type UseCase struct {
	Name, Owner, KPI string
	Stakes           string // low | medium | high
	Floor            string // data class floor; "" = none
	Budget           string // node; "" = none
	Oversight        string // protocol in words; "" = none
	Review           string // YYYY-MM-DD
}

// Budget is a limit on one node.
type Budget struct {
	Node    string // e.g. use-case/procurement, team/ap
	Limit   money.Nano
	Period  string // day | month | total
	Zone    *time.Location
	OnLimit string // refuse (the only one yet)
	AlertAt []int  // percent, ascending
}
