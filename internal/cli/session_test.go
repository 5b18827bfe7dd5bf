package cli

import (
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/report"
)

func TestACallTellsOfItsSession(t *testing.T) {
	var b strings.Builder
	printAttempt(&b, report.Attempt{N: 1, Purpose: "answer", Settlement: "not_sent", Notes: &report.Notes{Session: &report.Session{
		Pinned: "haiku", Bent: "its model failed: timeout", Start: 2, Why: "stalled: the call of ls came 3 times",
		Stalled: "the call of ls came 3 times", Warm: "mini", Dropped: 4,
	}}})
	for _, want := range []string{
		"pinned    haiku\n", "bent      its model failed: timeout\n", "stalled   the call of ls came 3 times\n", "warm      mini\n",
		"began     at layer 2: stalled: the call of ls came 3 times\n", "dropped   4 signed pieces of other models\n",
	} {
		if !strings.Contains(b.String(), "   "+want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	b.Reset()
	printAttempt(&b, report.Attempt{N: 1, Settlement: "not_sent", Notes: &report.Notes{}})
	if strings.Contains(b.String(), "pinned") {
		t.Errorf("a call without a session tells of one:\n%s", b.String())
	}
}
