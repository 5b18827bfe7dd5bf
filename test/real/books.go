package main

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
)

// row is what is read of one group of weir usage.
type row struct {
	Name     string `json:"name"`
	Calls    int    `json:"calls"`
	Attempts int    `json:"attempts"`
	Input    int    `json:"input_tokens"`
	Output   int    `json:"output_tokens"`
	Cost     string `json:"cost_usd"`
	PerM     string `json:"tc_per_1m_usd"`
	Settled  int    `json:"settled"`
}

// books are the ledger's own groups, as weir usage prints them.
type books struct{ useCase, model, layer map[string]row }

// books asks weir usage.
func (s *stage) books(ctx context.Context) (books, error) {
	var b books
	for by, into := range map[string]*map[string]row{"use-case": &b.useCase, "model": &b.model, "layer": &b.layer} {
		out, err := s.weir.Run(ctx, "usage", "--by", by, "--json", "--dir", s.dir)
		if err != nil {
			return b, err
		}
		var t struct {
			Groups []row `json:"groups"`
		}
		if err := json.Unmarshal(out, &t); err != nil {
			return b, fmt.Errorf("weir usage --by %s: %w", by, err)
		}
		*into = map[string]row{}
		for _, g := range t.Groups {
			(*into)[g.Name] = g
		}
	}
	return b, nil
}

// strongCalls are the calls of the cascade that went to the dear model: its layer is named so in no other route.
func (b books) strongCalls() int { return b.layer["strong"].Calls }

// agree holds the ledger against what the clients saw: every question is one call of its use case, every attempt is
// settled by what its provider told, and who answered is who was booked.
func (b books) agree(runs []result) error {
	escalated := 0
	for _, r := range runs {
		u := b.useCase[r.route]
		if u.Calls != r.asked || u.Settled != u.Attempts {
			return fmt.Errorf("%s: %d questions were asked, the ledger has %d calls with %d attempts, %d of them settled",
				r.route, r.asked, u.Calls, u.Attempts, u.Settled)
		}
		if r.route == routes[0] {
			escalated = r.strong
		} else if u.Attempts != r.asked {
			return fmt.Errorf("%s: %d attempts for %d questions", r.route, u.Attempts, r.asked)
		}
	}
	n := runs[0].asked
	if got := b.strongCalls(); got != escalated {
		return fmt.Errorf("%d answers of the cascade came from %s, the ledger has %d calls to it", escalated, strong, got)
	}
	if c, s := b.model[cheap].Attempts, b.model[strong].Attempts; c != 2*n || s != n+escalated {
		return fmt.Errorf("the ledger has %d attempts at %s and %d at %s, not %d and %d", c, cheap, s, strong, 2*n, n+escalated)
	}
	return nil
}
