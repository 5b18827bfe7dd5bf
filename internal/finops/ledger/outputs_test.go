package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// TestASketchTellsQuantilesWithinOnePercent compares with the nearest-rank quantile of the sorted values.
func TestASketchTellsQuantilesWithinOnePercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := int64(1) << rapid.IntRange(1, 62).Draw(t, "bits")
		values := rapid.SliceOfN(rapid.Int64Range(0, most), 1, 300).Draw(t, "values")
		var s sketch
		sum := int64(0)
		for _, v := range values {
			v = min(v, 1<<54) // the sum of 300 must fit
			s.add(v)
			sum += v
		}
		for i := range values {
			values[i] = min(values[i], 1<<54)
		}
		slices.Sort(values)
		got := s.length()
		if got.N != int64(len(values)) || got.Mean != sum/got.N {
			t.Fatalf("%+v of %d values that add up to %d", got, len(values), sum)
		}
		for _, q := range []struct{ percent, got int64 }{{50, got.P50}, {95, got.P95}} {
			want := values[(int64(len(values))*q.percent+99)/100-1]
			off := q.got - want
			if want < 2*fine && off != 0 || max(off, -off) > want/(2*fine)+1 {
				t.Fatalf("p%d = %d, want %d", q.percent, q.got, want)
			}
		}
	})
}

func TestASketchStaysSmall(t *testing.T) {
	var s sketch
	for v := int64(1); v > 0; v <<= 1 {
		for k := range int64(1000) {
			s.add(v + v/1000*k)
		}
	}
	s.add(-5)
	s.add(1<<63 - 1)
	if len(s.counts) > 3776 {
		t.Errorf("%d counters", len(s.counts))
	}
	if (&sketch{}).length() != (Length{}) {
		t.Error("no value has a length")
	}
}

// said is a complete answer, booked at a moment, of a route and a layer.
func said(at time.Time, route, layer string, o call.Output, v call.Verdict) Entry {
	o.Seen = true
	return Entry{Booked: at, Attempt: call.Attempt{
		Facts: call.Facts{Route: route}, Output: o, Verdict: v, Outcome: call.OK, Settlement: call.Settled,
		Order: call.Order{Purpose: call.Answer, Target: call.Target{LayerName: layer, Model: flash}},
	}}
}

// anyAnswer is a complete answer of arbitrary kind.
func anyAnswer(t *rapid.T, at time.Time) Entry {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	o := call.Output{
		Stop: llm.StopReason(pick("stop", "", "stop", "length", "content_filter")), Bytes: rapid.IntRange(0, 5000).Draw(t, "bytes"),
		Tools: rapid.IntRange(0, 3).Draw(t, "tools"), Empty: call.Finding(pick("empty", "", "no", "yes")),
		Refusal: call.Refusal(pick("refusal", "", "no", "provider", "words")), Language: pick("language", "", "und", "en", "de"),
	}
	if o.Args = call.Finding(pick("args", "", "no", "yes")); o.Args == call.Yes && o.Tools > 0 {
		o.Broken = rapid.IntRange(1, o.Tools).Draw(t, "broken")
	}
	v := call.Verdict{Repaired: call.Finding(pick("repaired", "", "no", "yes"))}
	v.Passed, v.Check = pick("passed", "", "empty", "empty,shape"), pick("failed", "", "sure")
	e := said(at, pick("route", "a", "b"), pick("layer", "", "edge", "top"), o, v)
	e.Attempt.Usage.Output = int64(rapid.IntRange(0, 100).Draw(t, "tokens"))
	return e
}

// TestOutputsAreWhatTheAnswersAddUpTo compares the fold with sums over the rows of each group and slot.
func TestOutputsAreWhatTheAnswersAddUpTo(t *testing.T) {
	begin := time.Date(2026, 6, 1, 9, 50, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		var s shelf
		at := begin
		for range rapid.IntRange(0, 60).Draw(rt, "rows") {
			at = at.Add(time.Duration(rapid.IntRange(0, 1200).Draw(rt, "pause")) * time.Second)
			s.rows = append(s.rows, anyAnswer(rt, at))
		}
		got, err := ReadOutputs(context.Background(), s, OutputQuery{By: []string{"route", "layer"}, Every: time.Hour})
		if err != nil {
			rt.Fatal(err)
		}
		want := map[string][]Entry{}
		for _, e := range s.rows {
			name := e.Attempt.Facts.Route + " / " + named(e.Attempt.Order.Target.LayerName)
			want[name] = append(want[name], e)
		}
		if len(got.Groups) != len(want) {
			rt.Fatalf("%d groups, want %d", len(got.Groups), len(want))
		}
		plain(rt, "total", s.rows, got.Total.Answers)
		for _, g := range got.Groups {
			plain(rt, g.Name, want[g.Name], g.Answers)
			slots := map[time.Time][]Entry{}
			for _, e := range want[g.Name] {
				slots[e.Booked.Truncate(time.Hour)] = append(slots[e.Booked.Truncate(time.Hour)], e)
			}
			if len(slots) != len(g.Series) || !slices.IsSortedFunc(g.Series, func(a, b OutputSlot) int { return a.At.Compare(b.At) }) {
				rt.Fatalf("%s: series of %d slots, want %d in order", g.Name, len(g.Series), len(slots))
			}
			for _, x := range g.Series {
				plain(rt, g.Name+" "+x.At.String(), slots[x.At], x.Answers)
			}
		}
	})
}

// plain holds sums against a count over the rows, each by itself.
func plain(t *rapid.T, what string, rows []Entry, got Answers) {
	rate := func(of func(a *call.Attempt) (known, yes bool)) (r Rate) {
		for i := range rows {
			if known, yes := of(&rows[i].Attempt); known {
				r.add(yes)
			}
		}
		return r
	}
	want := Answers{
		N:         int64(len(rows)),
		Truncated: rate(func(a *call.Attempt) (bool, bool) { return a.Output.Stop != "", a.Output.Stop == "length" }),
		Filtered:  rate(func(a *call.Attempt) (bool, bool) { return a.Output.Stop != "", a.Output.Stop == "content_filter" }),
		Refused:   rate(func(a *call.Attempt) (bool, bool) { return a.Output.Refusal != "", a.Output.Refusal != "no" }),
		Empty:     rate(func(a *call.Attempt) (bool, bool) { return a.Output.Empty != "", a.Output.Empty == "yes" }),
		Repaired:  rate(func(a *call.Attempt) (bool, bool) { return a.Verdict.Repaired != "", a.Verdict.Repaired == "yes" }),
		Called:    rate(func(a *call.Attempt) (bool, bool) { return true, a.Output.Tools > 0 }),
		Passed: rate(func(a *call.Attempt) (bool, bool) {
			return a.Verdict.Passed != "" || a.Verdict.Check != "", a.Verdict.Check == ""
		}),
	}
	for _, e := range rows {
		o := e.Attempt.Output
		want.Calls += int64(o.Tools)
		if o.Args != "" {
			want.Broken.N += int64(o.Tools)
			want.Broken.Yes += int64(o.Broken)
		}
	}
	for _, check := range []string{"empty", "shape", "sure"} {
		r := rate(func(a *call.Attempt) (bool, bool) {
			passed := slices.Contains(strings.Split(a.Verdict.Passed, ","), check)
			return passed || a.Verdict.Check == check, passed
		})
		if r.N > 0 {
			want.Checks = append(want.Checks, NamedRate{check, r})
		}
	}
	words := map[string]int64{}
	for _, c := range slices.Concat(got.Stops, got.Languages) {
		words[c.Name] += c.N
	}
	for _, e := range rows {
		words[string(e.Attempt.Output.Stop)]--
		words[e.Attempt.Output.Language]--
	}
	delete(words, "")
	for word, n := range words {
		if n != 0 {
			t.Fatalf("%s: %s is off by %d", what, word, n)
		}
	}
	if got.Tokens.N != int64(len(rows)) || got.Bytes.N != int64(len(rows)) {
		t.Fatalf("%s: lengths of %+v and %+v", what, got.Tokens, got.Bytes)
	}
	got.Stops, got.Languages, got.Tokens, got.Bytes = nil, nil, Length{}, Length{}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func TestOutputsLeaveOutWhatIsNoAnswer(t *testing.T) {
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	answer := said(noon, "r", "edge", call.Output{Stop: llm.StopEnd}, call.Verdict{})
	rows := []Entry{answer}
	change := func(f func(*Entry)) {
		e := answer
		f(&e)
		rows = append(rows, e)
	}
	change(func(e *Entry) { e.Attempt.Order.Purpose = call.Probe })
	change(func(e *Entry) { e.Attempt.Order.Purpose = call.Delivery })
	change(func(e *Entry) { e.Attempt.Outcome = call.Cut })
	change(func(e *Entry) { e.Attempt.Outcome = call.Failed })
	change(func(e *Entry) { e.Corrects = call.Estimated })
	change(func(e *Entry) { e.Attempt.Output = call.Output{} })
	change(func(e *Entry) { e.Attempt.Settlement = call.Estimated }) // an answer, of a length that no provider told
	got, err := ReadOutputs(t.Context(), shelf{rows: rows}, OutputQuery{})
	if err != nil || got.Total.N != 2 || got.Total.Tokens.N != 1 || got.Unseen != 1 || got.Groups != nil || got.Total.Series != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOutputsByCheckCountAnAnswerAtEachCheckThatJudgedIt(t *testing.T) {
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	rows := []Entry{
		said(at, "r", "edge", call.Output{}, call.Verdict{Passed: "empty,shape"}),
		said(at, "r", "edge", call.Output{}, call.Verdict{Passed: "empty", Check: "shape"}),
		said(at, "r", "edge", call.Output{}, call.Verdict{Check: "empty"}),
		said(at, "r", "top", call.Output{}, call.Verdict{}), // live: nothing judged it
	}
	got, err := ReadOutputs(t.Context(), shelf{rows: rows}, OutputQuery{By: []string{"layer", "check"}})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, g := range got.Groups {
		told = append(told, fmt.Sprintf("%s: %d, %d of %d", g.Name, g.N, g.Passed.Yes, g.Passed.N))
	}
	if d := cmp.Diff([]string{"edge / empty: 3, 2 of 3", "edge / shape: 2, 1 of 2"}, told); d != "" {
		t.Errorf("groups (-want +got):\n%s", d)
	}
	if got.Total.Passed != (Rate{Yes: 1, N: 3}) {
		t.Errorf("in all: %+v", got.Total.Passed)
	}
}

func TestOutputsRefuseWhatTheyCannotTell(t *testing.T) {
	var many shelf
	for i := range mostSlots + 2 {
		many.rows = append(many.rows, said(time.Unix(int64(i)*60, 0), "r", "", call.Output{}, call.Verdict{}))
	}
	for name, q := range map[string]OutputQuery{
		"by": {By: []string{"layer", "colour"}}, "every": {Every: time.Second},
	} {
		var e *llm.Error
		if _, err := ReadOutputs(t.Context(), many, q); !errors.As(err, &e) || e.Code != llm.CodeInvalid || e.Param != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadOutputs(t.Context(), many, OutputQuery{Every: time.Minute}); err == nil {
		t.Error("a series without a bound")
	}
	if u, err := ReadOutputs(t.Context(), many, OutputQuery{Every: time.Hour}); err != nil || u.Total.N != mostSlots+2 {
		t.Errorf("hours: %d answers, %v", u.Total.N, err)
	}
}

// endless is a ledger of n answers that are made as they are read.
type endless struct {
	shelf
	n int
}

func (l endless) Scan(_ context.Context, _ Window, each func(*Entry) error) error {
	layers := []string{"edge", "mid", "top"}
	for i := range l.n {
		e := said(time.Unix(int64(i), 0), "r", layers[i%3], call.Output{Bytes: i % 70_001, Stop: llm.StopEnd},
			call.Verdict{Passed: "empty,truncated"})
		e.Attempt.Usage.Output = int64(i % 9001)
		if err := each(&e); err != nil {
			return err
		}
	}
	return nil
}

// TestOutputsOfAGrownLedgerStaySmall holds that what a query keeps does not grow with the rows it reads.
func TestOutputsOfAGrownLedgerStaySmall(t *testing.T) {
	held := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		f := outputFold{
			query: OutputQuery{By: []string{"layer"}}, by: []func(*call.Attempt) string{groupings["layer"]},
			total: &outputGroup{}, groups: map[string]*outputGroup{},
		}
		if err := (endless{n: n}).Scan(t.Context(), Window{}, f.row); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if f.total.all.N != int64(n) {
			t.Errorf("%d answers of %d", f.total.all.N, n)
		}
		return max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
	}
	some, many := held(100_000), held(1_000_000)
	if many > 2<<20 || many > some+512<<10 {
		t.Errorf("%d bytes after 100,000 rows, %d after a million", some, many)
	}
}

func TestParseEvery(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "1m": time.Minute, "1h": time.Hour, "1d": 24 * time.Hour, "7d": 168 * time.Hour, "0.5d": 12 * time.Hour,
		"59s": -1, "0": -1, "-1h": -1, "d": -1, "1w": -1, "soon": -1,
	} {
		got, err := ParseEvery(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}
