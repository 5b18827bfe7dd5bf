// Package demo shows Weir at work without keys or network: the procurement day of sim/scenario goes over HTTP through a
// real gateway to simulated providers, once all on the frontier model and once through the cascade. What it prints on Out
// is the same for the same seed; what the machine has a say in (clocks, paths, addresses) goes to Err.
//
// It is a client of the gateway like any other and computes no cost of its own: sampled figures are the ledger's.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/sim/scenario"
)

// Options say what to show. Zero fields take the defaults named.
type Options struct {
	Out, Err io.Writer
	Terminal bool   // Err is one: a progress bar is drawn there
	Dir      string // for weir.yaml and the ledger; must exist and hold neither
	Seed     uint64
	Sample   int    // interactions a profile and architecture; default DefaultSample
	Keep     bool   // stay up for the reader's own calls until ctx ends
	Listen   string // of the gateway; default 127.0.0.1:0
	JSON     bool   // Out gets one JSON object
	Version  string
	Program  string // how the reader calls weir; default weir
}

// Defaults of Options.
const (
	DefaultSample = 1000
	DefaultSeed   = scenario.Seed
	workers       = 48
	// speed is how many times faster than in the scenario the simulated models answer; clocks are shown in the scenario's
	// own time.
	speed = 20
)

// profiles in the order in which they are shown.
var profiles = []string{"uniform", "mixed"}

// books in the order in which they are shown: the article's prices and the real ones.
var books = []string{"article-2026-06", "list-2026-08"}

// Result is everything that the demo found, for --json.
type Result struct {
	Seed     uint64              `json:"seed"`
	Sample   int                 `json:"sample"`
	Analytic []scenario.Analytic `json:"analytic"`
	Claims   []scenario.Claim    `json:"claims"`
	Sampled  []Sampled           `json:"sampled"`
	Measured []Measured          `json:"-"` // varies from run to run, so it is told apart
}

// Run shows the demo and returns when it is over; with Keep when ctx ends.
func Run(ctx context.Context, o Options) error {
	if o.Sample <= 0 {
		o.Sample = DefaultSample
	}
	o.Program = cmp.Or(o.Program, "weir")
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	fmt.Fprintf(o.Err,
		"weir demo: the procurement day of the article \"The Multi-Model Imperative\" (Katalyst Street, June 2026), seed %d;\n"+
			"simulated providers on loopback, a real gateway, a real ledger\n", o.Seed)
	st, err := raise(o)
	if err != nil {
		return err
	}
	defer st.strike()
	p := printer{w: o.Out}
	if o.JSON {
		p.w = io.Discard
	}
	if err := st.walk(ctx, &p); err != nil {
		return err
	}
	r := Result{Seed: o.Seed, Sample: o.Sample}
	if err := st.analytic(&r, &p); err != nil {
		return err
	}
	if err := st.playAll(ctx); err != nil {
		return err
	}
	if err := st.figures(ctx, &r); err != nil {
		return err
	}
	p.sampled(r)
	p.short(r)
	if o.JSON {
		b, err := json.Marshal(r, jsontext.WithIndent("  "))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(o.Out, "%s\n", b); err != nil {
			return err
		}
	}
	measured(o.Err, r.Measured)
	if o.Keep {
		st.keep(ctx)
	}
	st.farewell()
	return p.err
}

// analytic prints the day on paper: means times prices, before anything is played.
func (st *stage) analytic(r *Result, p *printer) error {
	p.title("On paper: means x prices", "exact, no sampling; naive accounting bills only the attempt that answered, honest every attempt")
	for _, profile := range profiles {
		for _, id := range books {
			a, err := st.day.Analytic(profile, scenario.BookOf(st.catalog, id, time.Now()))
			if err != nil {
				return err
			}
			r.Analytic = append(r.Analytic, a)
			p.report(a.Report)
		}
	}
	p.title("Where the article's $1,250 a day does not follow from its numbers, and what does", "")
	for _, id := range books {
		c, err := st.day.Claim(scenario.BookOf(st.catalog, id, time.Now()), scenario.CompressorPro)
		if err != nil {
			return err
		}
		r.Claims = append(r.Claims, c)
		p.report(c.Report)
	}
	return nil
}
