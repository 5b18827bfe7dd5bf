package observe

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/finops/money"
)

func TestPlansReadBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Plan{
			Layers: rapid.SliceOfN(rapid.StringMatching(`[a-z "\\é]{0,8}`), 0, 4).Draw(t, "layers"),
			Start:  rapid.StringMatching(`[a-z"]{0,8}`).Draw(t, "start"),
			PPM:    rapid.IntRange(0, Whole).Draw(t, "ppm"), Drawn: rapid.Bool().Draw(t, "drawn"),
			Would: money.Nano(rapid.Int64().Draw(t, "would")),
		}
		for _, before := range []string{"", "{}", `{"skipped":[{"layer":"edge"}]}`} {
			got := PlanOf(want.Onto(before))
			if got == nil || !cmp.Equal(*got, want) {
				t.Fatalf("onto %q: %s reads back as %+v", before, want.Onto(before), got)
			}
		}
	})
}

func TestResultsReadBackAsWritten(t *testing.T) {
	want := Result{
		Outcome: Accepted, Layer: "edge", Check: "number", Attempts: 2, PPM: 50_000, Would: 21, Spent: 400, How: "json",
		Same: true, Overlap: 9_900,
	}
	if got := ResultOf(want.Notes()); got == nil || !cmp.Equal(*got, want) {
		t.Errorf("%s reads back as %+v", want.Notes(), got)
	}
}

func TestOtherNotesAreNone(t *testing.T) {
	for _, notes := range []string{"", "{}", `{"skipped":[]}`, `{"observe":`, `{"observe":[]}`} {
		if p := PlanOf(notes); p != nil {
			t.Errorf("%q is read as %+v", notes, p)
		}
	}
}
