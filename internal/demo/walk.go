package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/sim/scenario"
)

// walk shows two calls step by step: one that the cheapest model answers, and a dispute that escalates to the top.
func (st *stage) walk(ctx context.Context, p *printer) error {
	status, dispute := st.day.Walkthrough(st.o.Seed)
	p.title("One call, step by step", "")
	if err := st.step(ctx, p, status); err != nil {
		return err
	}
	p.title("A dispute that escalates", "")
	st.witness.watch(dispute.Ref)
	if err := st.step(ctx, p, dispute); err != nil {
		return err
	}
	p.line("The brief that the top layer got, in place of the history (compressed and checked; raw history never goes up):")
	p.quote(st.witness.watch(""))
	return nil
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
	got, err := st.client.ask(ctx, it, "procurement", "walkthrough")
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
	fmt.Fprintf(st.o.Err, "  its whole story: weir call %s --dir %s\n", got.id, st.data())
	return nil
}

func shorten(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
