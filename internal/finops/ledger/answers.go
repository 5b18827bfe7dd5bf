package ledger

import (
	"cmp"
	"slices"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Rate is how often a thing was so, of how many of which it is known.
type Rate struct{ Yes, N int64 }

// BP is the rate in basis points; 0 when nothing is known.
func (r Rate) BP() int64 { return basisPoints(r.Yes, r.N) }

func (r *Rate) count(f call.Finding) {
	if f != call.Unknown {
		r.add(f == call.Yes)
	}
}

func (r *Rate) add(yes bool) {
	r.N++
	if yes {
		r.Yes++
	}
}

// Answers is what some answers were like. Every rate has an N of its own: what is unknown of an answer counts in none.
type Answers struct {
	N         int64
	Passed    Rate // of judged answers: all checks; in a group by check, that one
	Truncated Rate // stop reason length
	Filtered  Rate // stop reason content_filter
	Refused   Rate // of answers that were read: declined by the provider's word or their own
	Empty     Rate
	Repaired  Rate   // of judged answers: the form was mended before
	Called    Rate   // called a tool
	Calls     int64  // tool calls in all
	Broken    Rate   // of tool calls that were looked at: arguments are no JSON object
	Tokens    Length // of visible output, as the provider counted
	Bytes     Length // of text, thinking and tool calls
	Checks    []NamedRate
	Stops     []NamedCount // most first; those that are told
	Languages []NamedCount // most first; of answers that were read
}

// NamedRate is how often a check passed, of the answers that it judged.
type NamedRate struct {
	Name string
	Rate
}

// NamedCount is how many answers had a word.
type NamedCount struct {
	Name string
	N    int64
}

// Length is how long answers were: nearest-rank quantiles, off by less than 1 %, and the mean.
type Length struct{ N, P50, P95, Mean int64 }

// answerSums are Answers being summed up.
type answerSums struct {
	Answers
	tokens, bytes    sketch
	checks           map[string]*Rate
	stops, languages map[string]int64
}

// add counts an answer; check "" = by its verdict, else by that check.
func (s *answerSums) add(a *call.Attempt, check string) {
	if s.checks == nil {
		s.checks, s.stops, s.languages = map[string]*Rate{}, map[string]int64{}, map[string]int64{}
	}
	o := &a.Output
	s.N++
	s.count(a, check)
	if o.Stop != "" {
		s.Truncated.add(o.Stop == llm.StopLength)
		s.Filtered.add(o.Stop == llm.StopFilter)
		s.stops[string(o.Stop)]++
	}
	if o.Refusal != "" {
		s.Refused.add(o.Refusal != call.NotRefused)
	}
	if o.Language != "" {
		s.languages[o.Language]++
	}
	s.Empty.count(o.Empty)
	s.Repaired.count(a.Verdict.Repaired)
	s.Called.add(o.Tools > 0)
	s.Calls += int64(o.Tools)
	if o.Args != call.Unknown {
		s.Broken.Yes += int64(o.Broken)
		s.Broken.N += int64(o.Tools)
	}
	s.bytes.add(int64(o.Bytes))
	if a.Settlement == call.Settled {
		s.tokens.add(a.Usage.Output)
	}
}

// count counts what the checks said.
func (s *answerSums) count(a *call.Attempt, only string) {
	some := false
	for check, passed := range a.Verdict.Judged() {
		some = true
		r := s.checks[check]
		if r == nil {
			r = &Rate{}
			s.checks[check] = r
		}
		r.add(passed)
		if check == only {
			s.Passed.add(passed)
		}
	}
	if some && only == "" {
		s.Passed.add(a.Verdict.Check == "")
	}
}

func (s *answerSums) answers() Answers {
	a := s.Answers
	a.Tokens, a.Bytes = s.tokens.length(), s.bytes.length()
	for name, r := range s.checks {
		a.Checks = append(a.Checks, NamedRate{name, *r})
	}
	slices.SortFunc(a.Checks, func(x, y NamedRate) int { return cmp.Compare(x.Name, y.Name) })
	a.Stops, a.Languages = mostFirst(s.stops), mostFirst(s.languages)
	return a
}

func mostFirst(counts map[string]int64) []NamedCount {
	var all []NamedCount
	for name, n := range counts {
		all = append(all, NamedCount{name, n})
	}
	slices.SortFunc(all, func(a, b NamedCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name))
	})
	return all
}
