package demo

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/sim/scenario"
)

// walk shows two calls step by step: one that the cheapest model answers, and a dispute that escalates to the top.
func (st *stage) walk(ctx context.Context, p *printer) error {
	status, _ := st.day.Walkthrough(st.o.Seed)
	dispute, err := st.dispute()
	if err != nil {
		return err
	}
	p.title("One call, step by step", "")
	if err := st.step(ctx, p, status); err != nil {
		return err
	}
	p.title("A dispute that escalates", fmt.Sprintf(
		"the day's first whose wrong answers the checks catch; how many they do not catch stands below as accepted wrong (%s)", dispute.Ref))
	st.witness.watch(dispute.Ref)
	if err := st.step(ctx, p, dispute); err != nil {
		return err
	}
	p.line("The brief that the top layer got, in place of the history (compressed and checked; raw history never goes up):")
	brief := st.witness.watch("")
	p.quote(brief)
	path := st.path("brief.txt")
	if err := os.WriteFile(path, []byte(brief), 0o600); err != nil {
		return fmt.Errorf("keep the brief: %w", err)
	}
	fmt.Fprintf(st.o.Err, "  the whole brief: %s\n", path)
	return nil
}

// caught are the outcomes that a check of the demo's route refuses.
var caught = []scenario.Outcome{scenario.SchemaViolation, scenario.RefusalOrHedge, scenario.Truncated}

// farthest bounds the search for a dispute; one in 25 interactions is one.
const farthest = 10_000

// dispute is the mixed day's first payment dispute that goes all the way up: the lower layers' answers are caught, the
// top layer's is right.
func (st *stage) dispute() (scenario.Interaction, error) {
	day, err := st.day.Day("mixed", st.o.Seed)
	if err != nil {
		return scenario.Interaction{}, err
	}
	for i := 1; i < farthest; i++ {
		it := day.At(i)
		if it.Topic != "payment-dispute" || it.Needs != 3 {
			continue
		}
		edge, _ := day.Try(it, "gemini-flash-lite", 1)
		mid, _ := day.Try(it, "gemini-3.1-pro", 2)
		top, _ := day.Try(it, "gpt-5.5", 3)
		if slices.Contains(caught, edge) && slices.Contains(caught, mid) && top == scenario.Right {
			return it, nil
		}
	}
	return scenario.Interaction{}, fmt.Errorf("seed %d draws no dispute that escalates to the top", st.o.Seed)
}

// watch starts keeping what is asked about a reference and returns what was kept before.
func (w *witness) watch(ref string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.ref, w.seen = ref, ""
	return seen
}

// step plays one interaction and tells its story from the ledger.
func (st *stage) step(ctx context.Context, p *printer, it scenario.Interaction) error {
	question := it.Question
	if i := strings.IndexByte(question, '\n'); i > 0 {
		question = question[:i]
	}
	p.line("%q", question)
	p.line("  (%d messages, about %d tokens with its history)", len(it.History)+2, it.Prompt())
	got, err := st.ask(ctx, it, "procurement", "walkthrough")
	if err != nil {
		return err
	}
	attempts, err := ledger.Call(ctx, st.server.Ledger(), got.id)
	if err != nil {
		return err
	}
	if len(attempts) == 0 {
		return fmt.Errorf("the ledger has no call %s", got.id)
	}
	p.story(report.CallOf(attempts))
	verdict := "right"
	if !got.right {
		verdict = "wrong, though it passed every check"
	}
	if got.failed != "" {
		p.line("  refused: %s", got.failed)
	} else {
		p.line("  answer (%s): %s", verdict, shorten(got.answer, 220))
	}
	fmt.Fprintf(st.o.Err, "  its whole story: %s call %s --dir %s\n", st.o.Program, got.id, st.data())
	return nil
}

func shorten(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
