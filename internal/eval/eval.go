// Package eval tells how well a cascade would do on recorded answers of real models: it plays them to the production
// code and reads from the attempts' own records which layer answered, what the checks said and what it cost. Offline the
// cascade runs in process on a dispatcher over the recording; on the wire a simulator plays the recording behind a
// running gateway, and everything is asked and read over HTTP. Both give the same figures.
//
// It recognises forms of data, never a data set, and which model is the weak one is measured. It is no benchmark of
// models: whether an answer is right says the recording alone. Invariants: no figure depends on the order in which
// answers come or on the clock; what is learnt from the data is never measured on the rows that it was learnt from.
package eval

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// Part says which rows count. A fifth of them, by the hash of set and prompt, can be kept back while something is
// designed on the others.
type Part string

// Parts.
const (
	All    Part = "all"
	Design Part = "design"
	Held   Part = "held"
)

// Options say what to evaluate and how. Data and Err are required.
type Options struct {
	Data         string // folder or file
	Weak, Strong string // models; "" = the least and the most accurate
	Part         Part   // "" = All
	Limit        int    // percent of doubt up to which the weak model's answer passes; 0 = DefaultLimit
	Wire, Stream bool   // over HTTP; streamed
	Seed         uint64 // of everything drawn
	Prices       map[string]Price
	Dir          string // for the gateway's configuration and ledger; "" = a folder that is removed
	Version      string
	Err          io.Writer // progress
}

// DefaultLimit is the limit of doubt, in percent, where none is given.
const DefaultLimit = 50

// run is how the answers were played, as the result names it.
func (o Options) run() string {
	switch {
	case o.Wire && o.Stream:
		return "wire, streamed"
	case o.Wire:
		return "wire"
	}
	return "offline"
}

// Run evaluates every set that lies in the data.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Part == "" {
		o.Part = All
	}
	if o.Limit == 0 {
		o.Limit = DefaultLimit
	}
	data, err := Read(o.Data)
	if err != nil {
		return nil, err
	}
	res := &Result{Run: o.run(), Part: string(o.Part), Seed: o.Seed, Limit: o.Limit, NotRead: data.Not}
	for _, s := range data.Sets {
		p, err := o.pair(s)
		if err != nil {
			return nil, err
		}
		p.prices = o.pricesOf(p, data.Prices)
		one, err := o.set(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		res.Sets = append(res.Sets, *one)
	}
	return res, nil
}

// set evaluates one set.
func (o Options) set(ctx context.Context, p *pair) (*SetResult, error) {
	r := p.result()
	switch {
	case len(p.prompts) == 0:
		r.Note = "no row is left"
		return r, nil
	case average(p.out.strong) <= average(p.out.weak):
		r.Note = "the strong model is not better than the weak one on these rows: there is no gap to recover"
		return r, nil
	}
	rank := p.baselines()
	if !p.said() {
		r.Note = "no answers are recorded, only grades: there is nothing for a check to look at"
		r.Routers = p.routers(rank, o.Seed, nil)
		return r, nil
	}
	played, err := o.play(ctx, p)
	if err != nil {
		return nil, err
	}
	rank = append(p.doubtful(played.cascade), rank...)
	r.Routers = p.routers(rank, o.Seed, played)
	r.Cascade = p.cascade(played)
	r.Wrapper = played.wrapper()
	return r, nil
}

// said reports whether the answers of both models are recorded for every row.
func (p *pair) said() bool {
	return !slices.ContainsFunc(p.answers, func(a [2]Answer) bool { return !a[0].Said || !a[1].Said })
}
