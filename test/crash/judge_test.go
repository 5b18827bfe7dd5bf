package crash

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/finops/price"
	"github.com/weirhq/weir/internal/sim"
)

// An audit that cannot fail proves nothing: these are ledgers that are wrong on purpose.

func newAuditor(t *testing.T) *auditor {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "weir.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.NewReplacer("SIMULATOR", "127.0.0.1:1", "$LIMIT", "$1").Replace(string(text)))
	c, err := config.Parse("weir.yaml", text, func(string) (string, bool) { return "simulated", true }, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &auditor{
		figures: new(figures), models: c, prices: price.Prices{Catalog: c.Models, Book: c.Prices},
		real: map[string]money.Nano{}, beaten: map[string]money.Nano{},
	}
}

// Of 100 tokens in and 10 out the edge costs 42,000 nano-dollars.
const edgeCost = 100*300 + 10*1200

func TestWhatAnAuditOfOneCallFinds(t *testing.T) {
	id := call.OpID{1}
	ok := row{id: id, n: 1, model: "edge", settlement: call.Settled, verdict: call.Accepted, cost: edgeCost}
	with := func(change func(*row)) []row {
		r := ok
		change(&r)
		return []row{r}
	}
	released := asked{name: "a", useCase: "wide", id: id.String(), released: true, whole: true, text: "42 and so it is counted "}
	broken := asked{name: "a", useCase: "wide"}
	for name, c := range map[string]struct {
		asked asked
		rows  []row
		bad   string
	}{
		"all well":             {released, []row{ok}, ""},
		"no row":               {released, nil, " missing=2"},
		"only presumed":        {released, with(func(r *row) { r.settlement = call.Presumed }), " missing=1"},
		"estimated":            {released, with(func(r *row) { r.settlement = call.Estimated }), ""},
		"not released, no row": {broken, nil, ""},
		"not released":         {broken, with(func(r *row) { r.settlement = call.Presumed }), ""},
		"settled too low":      {released, with(func(r *row) { r.cost-- }), " misbilled=1"},
		"settled too high":     {released, with(func(r *row) { r.cost++ }), " misbilled=1"},
		"another model":        {released, with(func(r *row) { r.model = "top" }), " strange=1"},
		"no settlement":        {broken, with(func(r *row) { r.settlement = "" }), " strange=1"},
		"another id":           {released, with(func(r *row) { r.id = call.OpID{2} }), " strange=1"},
		"accepted twice":       {released, []row{ok, ok}, " strange=1"},
		"another text": {
			asked{name: "a", useCase: "wide", id: id.String(), released: true, whole: true, text: "it is"}, []row{ok}, " garbled=1",
		},
	} {
		a := newAuditor(t)
		billed := map[string]sim.Request{"a/0": {Input: 100, Output: 10}}
		a.call(c.asked, c.rows, []arrival{{"a/0", "edge"}}, billed, map[string]money.Nano{})
		if got := a.worst(); got != c.bad {
			t.Errorf("%s: found %q, want %q: %s", name, got, c.bad, strings.Join(a.told, "; "))
		}
		if a.real["use-case/wide"] != edgeCost {
			t.Errorf("%s: real cost %d", name, a.real["use-case/wide"])
		}
	}
}

// shelf is a ledger of entries.
type shelf struct {
	entries  []ledger.Entry
	adjusted []ledger.Adjustment
	counters map[string]money.Nano
}

func (s shelf) Entries(context.Context, call.OpID) ([]ledger.Entry, error) { return s.entries, nil }

func (s shelf) Scan(_ context.Context, _ ledger.Window, each func(*ledger.Entry) error) error {
	for i := range s.entries {
		if err := each(&s.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s shelf) Adjustments(context.Context) ([]ledger.Adjustment, error) { return s.adjusted, nil }

func (s shelf) Counters(context.Context) (map[string]money.Nano, ledger.LSN, error) {
	return s.counters, 9, nil
}

func TestDuplicatesAreFound(t *testing.T) {
	a := newAuditor(t)
	one := ledger.Entry{Attempt: call.Attempt{Facts: call.Facts{ID: call.OpID{1}}, N: 1, Settlement: call.Settled}}
	other, correction, refused := one, one, one
	other.Attempt.N = 2
	correction.Corrects = call.Estimated
	refused.Attempt.N, refused.Attempt.Settlement = 3, call.NotSent
	rows, err := a.rows(t.Context(), shelf{entries: []ledger.Entry{one, other, correction, refused}})
	if err != nil || a.Duplicates != 0 || len(rows[""]) != 2 {
		t.Errorf("%d duplicates, %d rows, %v", a.Duplicates, len(rows[""]), err)
	}
	if _, err := a.rows(t.Context(), shelf{entries: []ledger.Entry{one, other, one}}); err != nil || a.Duplicates != 1 {
		t.Errorf("%d duplicates, %v", a.Duplicates, err)
	}
}

func TestBudgetsAreHeldAgainstWhatWasReallySpent(t *testing.T) {
	const node = "use-case/tight"
	for name, c := range map[string]struct {
		real, beaten, counter money.Nano // the counter stood at 100, the limit is 1000
		bad                   string
	}{
		"covered":         {300, 0, 400, ""},
		"written off too": {300, 0, 900, ""},
		"to the limit":    {900, 0, 1000, ""},
		"not all counted": {300, 0, 399, " lost=1"},
		"over the limit":  {901, 0, 1001, " over_limit=1"},
		"an estimate was beaten, as every provider's count may": {901, 1, 1000, ""},
	} {
		a := newAuditor(t)
		a.spent = map[string]money.Nano{node: 100}
		a.real[node], a.beaten[node] = c.real, c.beaten
		s := shelf{counters: map[string]money.Nano{node: c.counter}}
		if err := a.limits(t.Context(), s, map[string]money.Nano{node: 1000}); err != nil {
			t.Fatal(err)
		}
		if got := a.worst(); got != c.bad {
			t.Errorf("%s: found %q, want %q", name, got, c.bad)
		}
	}
}

func TestOnlyTheLatestRecoveryCovers(t *testing.T) {
	a := newAuditor(t)
	s := shelf{adjusted: []ledger.Adjustment{{LSN: 3, Node: "n", Amount: 5}}}
	if w, err := a.adjustments(t.Context(), s); err != nil || w["n"] != 5 {
		t.Errorf("written off %d, %v", w["n"], err)
	}
	s.adjusted = append(s.adjusted, ledger.Adjustment{LSN: 8, Node: "n", Amount: 7})
	if w, err := a.adjustments(t.Context(), s); err != nil || w["n"] != 7 || a.Written != 12 {
		t.Errorf("written off %d of %d, %v", w["n"], a.Written, err)
	}
}

func TestStreamsAreReadAsClientsReadThem(t *testing.T) {
	const piece = `data: {"choices":[{"delta":{"content":"42 "},"finish_reason":null}]}` + "\n\n"
	for name, c := range map[string]struct {
		stream, text    string
		released, whole bool
	}{
		"chat": {
			piece + `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n", "42 ", true, true,
		},
		"chat, cut in the terminal group": {
			piece + `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n", "42 ", true, false,
		},
		"chat, cut before": {piece, "42 ", false, false},
		"messages": {
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"42\"}}\n\n" +
				"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{}}\n\n" +
				"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", "42", true, true,
		},
		"garbage": {"data: {\n\n", "unreadable: {", false, false},
	} {
		told := 0
		text, released, whole := readStream(strings.NewReader(c.stream), func() { told++ })
		if text != c.text || released != c.released || whole != c.whole || (told == 1) != c.released {
			t.Errorf("%s: %q, released %v, whole %v, told %d times", name, text, released, whole, told)
		}
	}
}
