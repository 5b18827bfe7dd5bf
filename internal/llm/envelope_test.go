package llm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// laid is a body made of pieces that do not touch, with the span of each.
func laid(t *rapid.T) (string, []Span) {
	var b strings.Builder
	var spans []Span
	for range rapid.IntRange(1, 8).Draw(t, "pieces") {
		b.WriteString(strings.Repeat("-", rapid.IntRange(1, 3).Draw(t, "gap")))
		start := b.Len()
		b.WriteString(rapid.StringMatching(`[a-z]{1,6}`).Draw(t, "piece"))
		spans = append(spans, Span{start, b.Len()})
	}
	b.WriteString("-")
	return b.String(), spans
}

// TestSpansStillCoverTheirTextAfterAnInsertion inserts at the end of one text, as a note to the last user turn is.
func TestSpansStillCoverTheirTextAfterAnInsertion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body, spans := laid(t)
		at := rapid.IntRange(0, len(spans)-1).Draw(t, "grown")
		insert := rapid.StringMatching(`[A-Z]{1,5}`).Draw(t, "insert")
		pick := func(name string) Span { return rapid.SampledFrom(append(spans, Span{})).Draw(t, name) }
		e := Envelope{
			BodyBytes: len(body), ModelSpan: pick("model"), MaxSpan: pick("max"), StreamSpan: pick("stream"),
			StreamOptions: pick("options"), LastUser: spans[at],
			MaxTwin: pick("twin"), Temperature: pick("temperature"), TopP: pick("top_p"),
		}
		for _, s := range spans {
			e.Texts = append(e.Texts, Segment{Span: s, Role: User})
		}
		end := spans[at].End
		grown := body[:end] + insert + body[end:]
		got := e.Shifted(end, len(insert))

		same := func(name string, before, after Span) {
			t.Helper()
			if !before.Present() {
				if after != before {
					t.Fatalf("%s was absent and is now %v", name, after)
				}
				return
			}
			want := body[before.Start:before.End]
			if before == spans[at] {
				want += insert
			}
			if text := grown[after.Start:after.End]; text != want {
				t.Fatalf("%s covered %q and now covers %q", name, want, text)
			}
		}
		same("model", e.ModelSpan, got.ModelSpan)
		same("max", e.MaxSpan, got.MaxSpan)
		same("stream", e.StreamSpan, got.StreamSpan)
		same("options", e.StreamOptions, got.StreamOptions)
		same("twin", e.MaxTwin, got.MaxTwin)
		same("temperature", e.Temperature, got.Temperature)
		same("top_p", e.TopP, got.TopP)
		same("last user", e.LastUser, got.LastUser)
		for i := range e.Texts {
			same("text", e.Texts[i].Span, got.Texts[i].Span)
			if got.Texts[i].Escaped != (i == at) {
				t.Fatalf("text %d: escaped = %t; only the one that grew may hold escapes now", i, got.Texts[i].Escaped)
			}
			if e.Texts[i].Span != spans[i] {
				t.Fatal("the envelope that was shifted has changed itself")
			}
		}
		if got.BodyBytes != len(grown) {
			t.Fatalf("body of %d bytes, want %d", got.BodyBytes, len(grown))
		}
	})
}

func TestShiftedInsideASpan(t *testing.T) {
	e := Envelope{LastUser: Span{2, 6}, Texts: []Segment{{Span: Span{2, 6}}, {Span: Span{9, 12}, Escaped: true}}}
	got := e.Shifted(4, 10)
	want := Envelope{
		LastUser: Span{2, 16}, BodyBytes: 10,
		Texts: []Segment{{Span: Span{2, 16}, Escaped: true}, {Span: Span{19, 22}, Escaped: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
	}
}

func TestHintsOrFillsGapsOnly(t *testing.T) {
	header := Hints{UseCase: "a", Agent: "b"}
	body := Hints{UseCase: "x", Workflow: "w", Agent: "y", Session: "s", DataClass: "secret"}
	want := Hints{UseCase: "a", Workflow: "w", Agent: "b", Session: "s", DataClass: "secret"}
	if got := header.Or(body); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := (Hints{}).Or(Hints{}); got != (Hints{}) {
		t.Errorf("nothing or nothing = %+v", got)
	}
}

func TestUsageTotals(t *testing.T) {
	u := Usage{Input: 1, CacheRead: 10, CacheWrite5m: 100, CacheWrite1h: 1000, Output: 10_000, Reasoning: 100_000}
	if u.Prompt() != 1111 || u.Completion() != 110_000 || u.Total() != 111_111 {
		t.Errorf("prompt %d, completion %d, total %d", u.Prompt(), u.Completion(), u.Total())
	}
	twice := Usage{Input: 2, CacheRead: 20, CacheWrite5m: 200, CacheWrite1h: 2000, Output: 20_000, Reasoning: 200_000}
	if got := u.Add(u); got != twice {
		t.Errorf("sum = %+v, want %+v", got, twice)
	}
}
