package storetest

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

func newLedger(t *testing.T, open Open) {
	b := opened(t, open, t.TempDir())
	same(t, "state", ledger.State{Clean: true, Booked: time.Unix(0, 0).UTC()}, must(b.State())(t))
	if as := must(ledger.Call(t.Context(), b, call.OpID{1}))(t); as != nil {
		t.Errorf("an unknown call has attempts: %v", as)
	}
	if tr := Balanced(t, b); tr.Rows != 0 {
		t.Errorf("%d rows", tr.Rows)
	}
}

func roundTrip(t *testing.T, open Open) {
	dir := t.TempDir()
	b := open(t, dir)
	lsn := ledger.LSN(0)
	var all []ledger.Entry
	write := func(e ledger.Entry) {
		lsn++
		e.LSN, e.Booked = lsn, Noon.Add(time.Duration(lsn)*time.Millisecond)
		check(t, b.Append(&ledger.Batch{Entries: []ledger.Entry{e}}))
		all = append(all, e)
	}
	write(ledger.Entry{Attempt: Sample(1, Noon)})
	write(ledger.Entry{Attempt: call.Attempt{Facts: call.Facts{ID: call.OpID{9}, Start: Noon}}}) // all the rest unset
	rapid.Check(t, func(rt *rapid.T) { write(anyEntry(rt)) })
	check(t, b.Close())

	r := opened(t, open, dir)
	var got []ledger.Entry
	check(t, r.Scan(t.Context(), ledger.Window{}, func(e *ledger.Entry) error {
		c := *e
		c.Attempt.Lines = append([]money.Line(nil), e.Attempt.Lines...)
		got = append(got, c)
		return nil
	}))
	same(t, "rows", all, got)
	for _, e := range all {
		rows := must(r.Entries(t.Context(), e.Attempt.Facts.ID))(t)
		found := false
		for _, row := range rows {
			if row.LSN == e.LSN {
				same(t, "the call's row", e, row)
				found = true
			}
		}
		if !found {
			t.Fatalf("row %d is not among those of its call", e.LSN)
		}
	}
}

// anyEntry makes a row of arbitrary values.
func anyEntry(t *rapid.T) ledger.Entry {
	text := func(name string) string { return rapid.StringN(0, 8, 16).Draw(t, name) }
	count := func(name string) int64 { return rapid.Int64().Draw(t, name) }
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	clock := func(name string) time.Duration {
		return time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, name)) * time.Microsecond
	}
	var id call.OpID
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	e := ledger.Entry{Corrects: call.Settlement(text("corrects"))}
	e.Attempt = call.Attempt{
		Facts: call.Facts{
			ID: id, Route: text("route"), Dialect: llm.Dialect(text("dialect")),
			Caller: call.Caller{
				KeyID: text("key"), Team: text("team"), UseCase: text("use case"), Workflow: text("workflow"),
				Agent: text("agent"), Session: text("session"), RawContext: flag("raw"),
			},
			Class: call.NewClass(rapid.IntRange(0, 9).Draw(t, "rank"), text("class")),
			Needs: llm.Needs{Vision: flag("v"), Audio: flag("a"), Documents: flag("d"), Tools: flag("t"), Schema: flag("s")},
			Start: Noon.Add(time.Duration(rapid.Int64Range(0, 1<<50).Draw(t, "start"))),
		},
		N: rapid.IntRange(1, 9).Draw(t, "n"),
		Order: call.Order{
			Purpose: call.Purpose(text("purpose")), Prompt: int(count("prompt")), MaxOut: int(count("max")),
			Stream: flag("stream"), Judge: flag("judge"), N: rapid.IntRange(0, 128).Draw(t, "answers"),
			Target: call.Target{
				Deployment: text("deployment"), Provider: text("provider"), Dialect: llm.Dialect(text("back")),
				WireID: text("wire"), Hosting: call.Hosting(text("hosting")), Region: text("region"),
				Layer: rapid.IntRange(0, 9).Draw(t, "layer"), LayerName: text("layer name"),
			},
		},
		Rule: text("rule"), Served: text("served"), Fingerprint: text("fingerprint"),
		Usage: llm.Usage{
			Input: count("in"), CacheRead: count("read"), CacheWrite5m: count("5m"), CacheWrite1h: count("1h"),
			Output: count("out"), Reasoning: count("thought"),
		},
		Held: money.Nano(count("held")), Budget: text("budget"), Baseline: money.Nano(count("baseline")),
		PriceRow: text("price"), Err: text("err"),
		Clocks: call.Clocks{
			Sent: clock("sent"), ProviderTTF: clock("ttf"), FirstByte: clock("first"), Accepted: clock("accepted"),
			End: clock("end"),
		},
		Outcome: call.Outcome(text("outcome")), Settlement: call.Settlement(text("settlement")),
		Verdict: call.Verdict{
			Result: call.VerdictResult(text("result")), Check: text("check"), Reason: text("reason"), Notes: text("notes"),
			Final: flag("final"),
		},
	}
	if m := text("model"); m != "" {
		e.Attempt.Order.Target.Model = &catalog.Model{ID: m, Tier: catalog.Tier(text("tier"))}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "lines") {
		meters := []money.Meter{money.Input, money.CacheWrite1h, money.Requests, ledger.PresumedMeter}
		e.Attempt.Lines = append(e.Attempt.Lines, money.Line{
			Meter: meters[i], Units: count("units"), Rate: money.Pico(count("rate")), Amount: money.Nano(count("amount")),
		})
	}
	e.Attempt.Cost = money.Nano(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "cost"))
	return anyOutput(t, e)
}

// anyOutput gives some rows an answer of arbitrary values; the others have none of them.
func anyOutput(t *rapid.T, e ledger.Entry) ledger.Entry {
	if !rapid.Bool().Draw(t, "seen") {
		return e
	}
	a := &e.Attempt
	text := func(name string) string { return rapid.StringN(0, 8, 16).Draw(t, name) }
	count := func(name string) int { return int(rapid.Int64().Draw(t, name)) }
	a.Output = call.Output{
		Seen: true, Stop: llm.StopReason(text("stop")), Bytes: count("bytes"), Tools: count("tools"),
		Broken: count("broken"), Args: call.Finding(text("args")), Empty: call.Finding(text("empty")),
		Refusal: call.Refusal(text("refusal")), Language: text("language"),
	}
	a.Verdict.Repaired, a.Verdict.Passed = call.Finding(text("repaired")), text("passed")
	return e
}

func appendTwice(t *testing.T, open Open) {
	b := opened(t, open, t.TempDir())
	batches := []ledger.Batch{
		{Entries: entries(5, Sample(1, Noon))},
		{Adjustments: []ledger.Adjustment{{LSN: 6, Node: "use-case/procurement", At: Noon, Amount: 9, Booked: Noon}}},
		{Intents: []ledger.OpenIntent{{LSN: 7, Intent: ledger.Intent{Facts: Sample(2, Noon).Facts, N: 1}}}},
	}
	for i := range batches {
		check(t, b.Append(&batches[i]))
		check(t, b.Append(&batches[i]))
	}
	tr := Balanced(t, b)
	if tr.Rows != 1 || len(must(b.Adjustments(t.Context()))(t)) != 1 || len(must(b.State())(t).Open) != 1 {
		t.Errorf("%d rows; want one of each", tr.Rows)
	}
}

func intents(t *testing.T, open Open) {
	dir := t.TempDir()
	b := open(t, dir)
	var want []ledger.OpenIntent
	for i := range 3 {
		a := Sample(uint64(i), Noon)
		in := ledger.Intent{
			Facts: a.Facts, N: i + 1, Purpose: call.Escalate, Target: a.Order.Target, Held: 10 * money.Nano(i), Budget: a.Budget,
			At: Noon.Add(time.Duration(i)),
		}
		want = append(want, ledger.OpenIntent{LSN: ledger.LSN(i + 1), Intent: in})
	}
	check(t, b.Append(&ledger.Batch{Intents: want}))
	check(t, b.Append(&ledger.Batch{Resolved: []ledger.LSN{2}}))
	check(t, b.Close())
	b = opened(t, open, dir)
	s := must(b.State())(t)
	same(t, "open intents", []ledger.OpenIntent{want[0], want[2]}, s.Open)
	if s.Last != 3 {
		t.Errorf("last place %d, want 3", s.Last)
	}
}

func ceilings(t *testing.T, open Open) {
	b := opened(t, open, t.TempDir())
	day := ledger.Period{Start: Noon.Add(-12 * time.Hour), End: Noon.Add(12 * time.Hour)}
	next := ledger.Period{Start: day.End, End: day.End.Add(24 * time.Hour)}
	check(t, b.Append(&ledger.Batch{Ceilings: []ledger.Ceiling{
		{Node: "a", Period: day, To: 1}, {Node: "a", Period: day, To: 3}, {Node: "b", Period: day, To: 4},
	}}))
	check(t, b.Append(&ledger.Batch{Ceilings: []ledger.Ceiling{
		{Node: "a", Period: day, To: 2}, {Node: "a", Period: next, To: 5},
	}}))
	want := []ledger.Ceiling{
		{Node: "a", Period: day, To: 2}, {Node: "a", Period: next, To: 5}, {Node: "b", Period: day, To: 4},
	}
	same(t, "ceilings", want, must(b.State())(t).Ceilings)
	check(t, b.Append(&ledger.Batch{Mark: ledger.Running}))
	s := must(b.State())(t)
	if s.Clean || s.Ceilings != nil {
		t.Errorf("running: %+v", s)
	}
	check(t, b.Append(&ledger.Batch{Mark: ledger.Clean}))
	if s := must(b.State())(t); !s.Clean {
		t.Errorf("closed: %+v", s)
	}
}

func spent(t *testing.T, open Open) {
	b := opened(t, open, t.TempDir())
	at := func(node string, start time.Time, cost money.Nano) call.Attempt {
		a := Sample(uint64(start.Unix()), start)
		a.Budget, a.Cost, a.Lines = node, cost, []money.Line{{Meter: money.Requests, Units: 1, Amount: cost}}
		return a
	}
	check(t, b.Append(&ledger.Batch{Entries: entries(1,
		at("a", Noon, 1), at("a", Noon.Add(14*time.Minute), 2), at("b", Noon, 4), at("", Noon, 8),
		at("a", Noon.Add(-time.Nanosecond), 16), at("a", Noon.Add(15*time.Minute), 32),
	)}))
	check(t, b.Append(&ledger.Batch{Entries: entries(7, at("a", Noon.Add(time.Minute), -64))}))
	for _, tt := range []struct {
		node     string
		from, to time.Time
		want     money.Nano
	}{
		{"a", Noon, Noon.Add(15 * time.Minute), 1 + 2 - 64},
		{"a", Noon.Add(-15 * time.Minute), Noon, 16},
		{"a", Noon, Noon.Add(time.Hour), 1 + 2 + 32 - 64},
		{"a", time.Unix(0, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), 1 + 2 + 16 + 32 - 64},
		{"b", Noon, Noon.Add(15 * time.Minute), 4},
		{"c", Noon, Noon.Add(15 * time.Minute), 0},
	} {
		if got := must(b.Spent(tt.node, ledger.Period{Start: tt.from, End: tt.to}))(t); got != tt.want {
			t.Errorf("%s spent %d in [%v, %v), want %d", tt.node, got, tt.from, tt.to, tt.want)
		}
	}
	Balanced(t, b)
}

func adjustments(t *testing.T, open Open) {
	b := opened(t, open, t.TempDir())
	want := []ledger.Adjustment{
		{LSN: 3, Node: "a", At: Noon, Amount: 99, Reason: ledger.Unflushed, Booked: Noon.Add(time.Hour)},
		{LSN: 4, Node: "a", At: time.Unix(0, 0).UTC(), Amount: 1, Reason: ledger.Unflushed, Booked: Noon.Add(time.Hour)},
	}
	check(t, b.Append(&ledger.Batch{Adjustments: want}))
	got := must(b.Adjustments(t.Context()))(t)
	want[1].At = got[1].At // 1970 and unset may be one
	same(t, "adjustments", want, got)
	if n := must(b.Spent("a", ledger.Period{Start: time.Unix(0, 0), End: Noon.Add(time.Hour)}))(t); n != 100 {
		t.Errorf("spent %d, want 100", n)
	}
	Balanced(t, b)
	if s := must(b.State())(t); s.Last != 4 {
		t.Errorf("last place %d, want 4", s.Last)
	}
}

func windows(t *testing.T, open Open) {
	b := opened(t, open, t.TempDir())
	const n = 10_000 // more than one page of any engine
	all := make([]call.Attempt, n)
	for i := range all {
		all[i] = Sample(uint64(i), Noon)
	}
	rows := entries(1, all...)
	for i := range rows[5000:] {
		rows[5000+i].LSN += 7 // the log has gaps: intents and ceilings take places too
	}
	check(t, b.Append(&ledger.Batch{Entries: rows}))
	for _, w := range []ledger.Window{
		{},
		{Since: rows[10].Booked},
		{Since: rows[10].Booked, Until: rows[11].Booked},
		{Until: rows[4997].Booked},
		{Since: rows[4997].Booked, Until: rows[5003].Booked},
		{Since: rows[len(rows)-1].Booked.Add(time.Millisecond)},
		{Until: rows[0].Booked},
		{Last: rows[5000].LSN - 1},
		{Last: rows[5000].LSN, Since: rows[4990].Booked},
	} {
		var want, got []ledger.LSN
		for _, e := range rows {
			if !e.Booked.Before(w.Since) && (w.Until.IsZero() || e.Booked.Before(w.Until)) && (w.Last == 0 || e.LSN <= w.Last) {
				want = append(want, e.LSN)
			}
		}
		check(t, b.Scan(t.Context(), w, func(e *ledger.Entry) error {
			got = append(got, e.LSN)
			return nil
		}))
		same(t, "places", want, got)
	}
}

func concurrent(t *testing.T, open Open) {
	b := opened(t, open, t.TempDir())
	j, _, err := ledger.Open(b, ledger.Options{})
	check(t, err)
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				a := Sample(uint64(w*each+i), Noon)
				if err := j.Begin(ledger.Intent{Facts: a.Facts, N: 1, Held: a.Held, Budget: a.Budget}); err != nil {
					t.Error(err)
				}
				if err := j.Durable(t.Context(), j.End(a)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		Balanced(t, b)
	}
	wg.Wait()
	check(t, j.Close(t.Context()))
	if tr := Balanced(t, b); tr.Rows != writers*each {
		t.Errorf("%d rows, want %d", tr.Rows, writers*each)
	}
	u := must(ledger.ReadUsage(t.Context(), b, ledger.Query{By: "model"}))(t)
	if u.Total.Calls != writers*each || len(u.Groups) != 1 || u.Groups[0].Name != flash.ID {
		t.Errorf("usage %+v", u)
	}
}

func recovery(t *testing.T, open Open) {
	dir := t.TempDir()
	b := open(t, dir)
	day := ledger.Period{Start: Noon.Add(-12 * time.Hour), End: Noon.Add(12 * time.Hour)}
	a := Sample(1, Noon)
	check(t, b.Append(&ledger.Batch{
		Mark:    ledger.Running,
		Entries: entries(2, a),
		Intents: []ledger.OpenIntent{{LSN: 3, Intent: ledger.Intent{
			Facts: Sample(2, Noon).Facts, N: 1, Held: 500, Budget: a.Budget,
		}}},
	}))
	check(t, b.Append(&ledger.Batch{Ceilings: []ledger.Ceiling{{Node: a.Budget, Period: day, To: a.Cost + 1000}}}))
	check(t, b.Close()) // without the mark: as a crash leaves it

	for try := range 3 {
		b = open(t, dir)
		_, r, err := ledger.Open(b, ledger.Options{})
		check(t, err)
		if n := must(b.Spent(a.Budget, day))(t); n != a.Cost+1000 {
			t.Errorf("try %d: spent %d, want all that the ceiling covers, %d", try, n, a.Cost+1000)
		}
		if want := min(1-min(try, 1), 1); len(r.Presumed) != want || len(r.Adjusted) != want {
			t.Errorf("try %d: %d presumed, %d adjusted, want %d each", try, len(r.Presumed), len(r.Adjusted), want)
		}
		if tr := Balanced(t, b); tr.Rows != 2 {
			t.Errorf("try %d: %d rows, want 2", try, tr.Rows)
		}
		check(t, b.Close()) // the journal is not closed: another crash
	}
}
