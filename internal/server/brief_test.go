package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/sim"
)

// shortener answers a compressor's prompt with a text, the edge wrongly, and everything else with a number.
type shortener struct{ text string }

func (s shortener) Answer(q sim.Query) (sim.Answer, error) {
	switch {
	case strings.Contains(q.System, "You shorten context"):
		return sim.Answer{Text: s.text}, nil
	case q.Model == "flash-wire":
		return sim.Answer{Text: "seven or so"}, nil
	}
	return sim.Answer{Text: "42"}, nil
}

// reload puts another configuration in force.
func (h *house) reload(text string) {
	h.t.Helper()
	if err := h.server.Reload(h.config(text, h.providers)); err != nil {
		h.t.Fatal(err)
	}
}

// letters is a request for a summary of a long document, of a class.
func letters(route string) string {
	var doc strings.Builder
	for i := range 900 {
		fmt.Fprintf(&doc, "On day %d the carrier wrote again about pallets and the harbour of Bremen. ", i)
	}
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"PO-7731 must not ship before 2026-03-01."},`+
		`{"role":"user","content":[{"type":"text","text":%q},{"type":"text","text":"Summarise what happened."}]}]}`, route, doc.String())
}

// summarised is the layout with a compressor for the brief layer that is far cheaper than it.
func summarised(t *testing.T, text string) *house {
	t.Helper()
	h := open(t, shortener{text})
	h.reload(strings.Replace(layout, "compress_with: [extractive]}", "compress_with: [extractive, flash], brief_tokens: 1000}", 1))
	return h
}

func TestAModelSummarisesWhereItPays(t *testing.T) {
	t.Parallel()
	h := summarised(t, "The carrier wrote every day about pallets at Bremen.")
	a := h.post("/v1/chat/completions", letters("briefed"))
	s := h.story(a)
	if a.status != 200 || s.path() != "flash:ok:rejected flash:ok:unjudged opus:ok:accepted" || s.Attempts[1].Purpose != "compress" {
		t.Fatalf("%d %s: %s", a.status, s.path(), a.body)
	}
	if s.Attempts[1].Settlement != "settled" || s.Attempts[1].Cost == "0" || s.Attempts[1].Usage["output"] == 0 {
		t.Errorf("the summary is not booked: %+v", s.Attempts[1])
	}
	notes := string(s.Attempts[2].Notes)
	for _, want := range []string{`"kind":"summary"`, `"pays":true`, `"need":"less than a tenth of the source fits"`, `"recall":1`} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %s: %s", want, notes)
		}
	}
	if m := h.get(h.admin + "/metrics").body; !strings.Contains(m, `weir_briefs_total{kind="summary",layer="top"} 1`) {
		t.Error("no metric tells of the summary")
	}
}

func TestASummaryThatInventsIsNeverSent(t *testing.T) {
	t.Parallel()
	h := summarised(t, "The carrier asks for EUR 98,765.")
	a := h.post("/v1/chat/completions", letters("briefed"))
	s := h.story(a)
	if a.status != 200 || s.path() != "flash:ok:rejected flash:ok:rejected opus:ok:accepted" || s.Attempts[1].Check != "fidelity" {
		t.Fatalf("%d %s: %s", a.status, s.path(), a.body)
	}
	if notes := string(s.Attempts[2].Notes); !strings.Contains(notes, `"kind":"extractive"`) || !strings.Contains(notes, "the source lacks") {
		t.Errorf("notes: %s", notes)
	}
}

func TestACompressorReadsOnlyWhatItsClassPermits(t *testing.T) {
	t.Parallel()
	h := open(t, shortener{"The carrier wrote."})
	text := strings.Replace(layout, "compress_with: [extractive]}", "compress_with: [extractive, mini], brief_tokens: 1000}", 1)
	text = strings.Replace(text, "claude-sonnet-4.6, provider: claude, region: us", "claude-sonnet-4.6, provider: claude, region: eu", 1)
	h.reload(strings.Replace(text, "use: [opus], context: brief", "use: [sonnet], context: brief", 1))
	a := h.post("/v1/chat/completions", letters("briefed"), "x-weir-data-class", "confidential")
	s := h.story(a)
	if a.status != 200 || s.path() != "flash:ok:rejected sonnet:ok:accepted" {
		t.Fatalf("%d %s: %s", a.status, s.path(), a.body)
	}
	if skipped := string(s.Attempts[0].Notes); !strings.Contains(skipped, `"deployment":"mini","why":"compressor: data.may_reach.confidential.region"`) {
		t.Errorf("notes: %s", skipped)
	}
}

func TestALongPromptIsWarnedOf(t *testing.T) {
	t.Parallel()
	h := open(t, fixed{})
	a := h.post("/v1/chat/completions", chat("blind", strings.Repeat("The carrier wrote again. ", 900), false))
	s := h.story(a)
	if a.status != 200 || !strings.Contains(string(s.Attempts[0].Notes), `"past_trusted"`) {
		t.Errorf("%d %s: %s", a.status, s.path(), s.Attempts[0].Notes)
	}
	if m := h.get(h.admin + "/metrics").body; !strings.Contains(m, `weir_context_warnings_total{deployment="blind",kind="past_trusted"} 1`) {
		t.Error("no metric tells of it")
	}
}
