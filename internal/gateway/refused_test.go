package gateway_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/gateway"
	"github.com/weirhq/weir/internal/governance/policy"
	"github.com/weirhq/weir/internal/llm"
)

// TestRefusalsWhileTheLedgerCannotWriteBookNothing holds that refusals, which cost no money, do not pile up in the memory of
// a ledger that cannot write; with a healthy one, each has its row.
func TestRefusalsWhileTheLedgerCannotWriteBookNothing(t *testing.T) {
	const spoken = `[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]`
	const body = `{"model":"mini","messages":[{"role":"user","content":"q"}]}`
	for _, tc := range []struct {
		name, class, body string
		code              llm.Code
		set               func(*books, *gateway.Snapshot)
	}{
		{"no budget", "", body, llm.CodeBudget, func(b *books, _ *gateway.Snapshot) { b.noBudget = true }},
		{"no price", "", body, llm.CodePolicy, func(_ *books, s *gateway.Snapshot) { s.Prices.Book = "no-such-book" }},
		{"policy", "secret", body, llm.CodePolicy, nil},
		{
			"no model that fits", "", strings.Replace(body, `"q"`, spoken, 1),
			llm.CodeUnfit, nil,
		},
	} {
		for _, sick := range []error{nil, errors.New("the disk is full")} {
			b := &books{holds: map[string]int{}, sick: sick}
			g := gatewayOf(t, b, &provider{b: b})
			s := snapshot(t)
			table, err := policy.New("internal", []policy.Row{{Class: "internal"}, {Class: "secret", Nowhere: true}})
			if err != nil {
				t.Fatal(err)
			}
			if s.Policy = table; tc.set != nil {
				tc.set(b, s)
			}
			g.Load(s)
			err = ask(t, g, &client{b: b}, llm.Hints{DataClass: tc.class}, tc.body)
			if err == nil || llm.AsError(err).Code != tc.code {
				t.Errorf("%s, ledger %v: got %v, want %s", tc.name, sick, err, tc.code)
			}
			want := 1
			if sick != nil {
				want = 0
			}
			if len(b.rows) != want || b.holds["open"] != 0 {
				t.Errorf("%s, ledger %v: %d rows, want %d; %d holds open", tc.name, sick, len(b.rows), want, b.holds["open"])
			}
			if want == 1 && b.rows[0].Outcome != call.Refused {
				t.Errorf("%s: booked as %s", tc.name, b.rows[0].Outcome)
			}
			if len(b.told) != 1 || b.told[0].Err == nil || b.told[0].Err.Code != tc.code {
				t.Errorf("%s, ledger %v: the watcher was told %+v", tc.name, sick, b.told)
			}
		}
	}
}
