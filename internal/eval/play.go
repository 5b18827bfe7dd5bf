package eval

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/routing/validate"
)

// Names in the configuration that is played: of the two models, their deployments and layers, and of the routes.
const (
	weakName    = "weak"
	strongName  = "strong"
	cascadeName = "cascade"
	aloneName   = "strong-alone"
)

// player asks the cascade one question and gives back who answered, what, and the call's own record.
type player interface {
	ask(ctx context.Context, route string, row int, prompt string) (told, error)
	workers() int
	close() error
}

// told is one answer and its record.
type told struct {
	model string // weakName or strongName
	text  string
	call  report.Call
}

// played is all that was played of a pair.
type played struct {
	cascade, alone      []told
	stripped, scrambled []told // nil = the same prompts as the cascade's
}

// play plays the recording: through the cascade, to the strong model alone, and through the cascade again with other
// words around the questions.
func (o Options) play(ctx context.Context, p *pair) (*played, error) {
	v := wrappers(p.prompts, o.Seed)
	player, err := o.player(ctx, p, v)
	if err != nil {
		return nil, err
	}
	out, err := o.passes(ctx, p, v, player)
	if closed := player.close(); err == nil {
		err = closed
	}
	return out, err
}

func (o Options) passes(ctx context.Context, p *pair, v variants, with player) (*played, error) {
	out := &played{}
	for _, pass := range []struct {
		what, route string
		prompts     []string
		into        *[]told
	}{
		{"through the cascade", cascadeName, p.prompts, &out.cascade},
		{"to " + p.names[1] + " alone", aloneName, p.prompts, &out.alone},
		{"without their wrapper", cascadeName, v.stripped, &out.stripped},
		{"in another wrapper", cascadeName, v.scrambled, &out.scrambled},
	} {
		if pass.prompts == nil {
			continue
		}
		fmt.Fprintf(o.Err, "%s: %d questions %s, %s\n", p.set.Name, len(pass.prompts), pass.what, o.run())
		all, err := p.pass(ctx, with, pass.route, pass.prompts)
		if err != nil {
			return nil, fmt.Errorf("questions %s: %w", pass.what, err)
		}
		*pass.into = all
	}
	return out, nil
}

// pass asks every question of a pass, several at a time.
func (p *pair) pass(ctx context.Context, with player, route string, prompts []string) ([]told, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	all := make([]told, len(prompts))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range with.workers() {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(prompts) {
					return
				}
				t, err := with.ask(ctx, route, i, prompts[i])
				if err == nil {
					err = p.authentic(i, t)
				}
				if err != nil {
					stop(err)
					return
				}
				all[i] = t
			}
		})
	}
	wg.Wait()
	return all, context.Cause(ctx)
}

// authentic holds an answer against the recording, and its record against what a record must tell.
func (p *pair) authentic(row int, t told) error {
	which := map[string]int{weakName: 0, strongName: 1}
	i, known := which[t.model]
	if !known || p.answers[row][i].Text != t.text {
		return fmt.Errorf("row %d: %q never answered with %.80q", row+1, t.model, t.text)
	}
	n := len(t.call.Attempts)
	if n == 0 || n > 2 || t.call.Attempts[n-1].Verdict != "accepted" || t.call.Attempts[n-1].Model != t.model {
		return fmt.Errorf("row %d: the record of the call does not end with an accepted answer of %s", row+1, t.model)
	}
	return nil
}

// doubt is what the gateway's record says against the weak model's answer. What the checks before the grade refused has
// none, and counts as beyond all doubt.
func (t told) doubt() (score float64, signs []float64) {
	names := validate.SignNames()
	signs = make([]float64, len(names)+1)
	notes := t.call.Attempts[0].Notes
	if notes == nil || notes.Doubt == nil {
		signs[len(names)] = 1
		return 1, signs
	}
	for i, n := range names {
		signs[i] = notes.Doubt.Signs[n]
	}
	return notes.Doubt.Score, signs
}

// cost is what one attempt cost, or all of a call.
func (t told) cost(attempt int) money.Nano { return amount(t.call.Attempts[attempt].Cost) }

// amount reads an amount of the ledger; it wrote it itself.
func amount(decimal string) money.Nano {
	n, err := money.ParseUSD(decimal)
	if err != nil {
		return 0
	}
	return n
}

// doubtful ranks the rows by what their records say: by the grade as it is, and by signs whose weights were learnt on
// other rows.
func (p *pair) doubtful(cascade []told) []ranking {
	score, signs := make([]float64, len(cascade)), make([][]float64, len(cascade))
	for i, t := range cascade {
		score[i], signs[i] = t.doubt()
	}
	return []ranking{
		{name: "doubt", about: "the check's grade of the weak model's answer, as it is", score: score},
		{
			name: "doubt, learnt", about: fmt.Sprintf("the same signs, weighed by logistic regression on the other rows, %d folds", folds),
			learnt: true, score: learnt(p.prompts, signs, p.out),
		},
	}
}

// wrapper tells how many decisions other words around the questions change.
func (pl *played) wrapper() *Wrapper {
	w := &Wrapper{}
	for _, v := range []struct {
		other []told
		into  *float64
	}{{pl.stripped, &w.Stripped}, {pl.scrambled, &w.Scrambled}} {
		changed := 0
		for i := range v.other {
			if v.other[i].model != pl.cascade[i].model {
				changed++
			}
		}
		*v.into = percent(float64(changed), float64(len(pl.cascade)))
	}
	w.Wrapped = pl.stripped != nil
	return w
}
