package demo

import (
	"context"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/client"
	"github.com/weirhq/weir/internal/sim/scenario"
)

// played is one call as the client saw it.
type played struct {
	id     call.OpID
	index  int
	kind   string
	answer string
	failed string // the error's text; "" = answered
	right  bool
}

// ask plays one interaction on a route, booked to a use case.
func (st *stage) ask(ctx context.Context, it scenario.Interaction, route, useCase string) (played, error) {
	q := client.Chat{
		Model: route, Stream: true, UseCase: useCase, Messages: []client.Message{{Role: "system", Content: it.System}},
	}
	for _, t := range it.History {
		q.Messages = append(q.Messages, client.Message{Role: t.Role, Content: t.Text})
	}
	q.Messages = append(q.Messages, client.Message{Role: "user", Content: it.Question})
	got, err := st.client.Ask(ctx, q)
	if err != nil {
		return played{}, err
	}
	p := played{index: it.Index, kind: it.Kind, failed: got.Failed, answer: got.Text}
	p.right = got.Failed == "" && it.Judge(got.Text)
	p.id, err = call.ParseOpID(got.ID)
	return p, err
}
