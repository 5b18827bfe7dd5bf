package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// scanner is a pointer to a tuple that can take a row of its table.
type scanner[T any] interface {
	*T
	dest() []any
}

// look finds a tuple by its id, in memory or in its table.
func look[T any, P scanner[T]](
	ctx context.Context, conn *sql.Conn, known map[int64]T, table, columns string, id int64,
) (T, error) {
	if t, ok := known[id]; ok {
		return t, nil
	}
	var t T
	err := conn.QueryRowContext(ctx, "SELECT "+columns+" FROM "+table+" WHERE id = ?", id).Scan(P(&t).dest()...)
	if err != nil {
		return t, fmt.Errorf("words of %s %d: %w", table, id, err)
	}
	if l, ok := any(&t).(interface{ loaded() }); ok {
		l.loaded()
	}
	if len(known) >= remembered {
		clear(known)
	}
	known[id] = t
	return t, nil
}

func (k *callerKey) dest() []any { return []any{&k.key, &k.team, &k.useCase, &k.workflow, &k.agent} }

func (k *servedKey) dest() []any { return []any{&k.model, &k.fingerprint} }

func (t *target) dest() []any {
	k := &t.key
	return []any{
		&k.deployment, &k.provider, &k.dialect, &k.wireID, &k.model, &k.tier, &k.hosting, &k.region, &k.layer, &k.layerName,
	}
}

func (k *mannerKey) dest() []any {
	return []any{
		&k.route, &k.dialect, &k.class, &k.rank, &k.purpose, &k.rule, &k.priceRow, &k.budget, &k.outcome, &k.settlement,
		&k.corrects, &k.verdict, &k.check, &k.err,
	}
}

func (k *outputKey) dest() []any {
	return []any{&k.stop, &k.empty, &k.refusal, &k.repaired, &k.args, &k.language, &k.passed}
}

// loaded makes the one model that all rows of the target share.
func (t *target) loaded() {
	if t.key.model != "" {
		t.model = &catalog.Model{ID: t.key.model, Tier: catalog.Tier(t.key.tier)}
	}
}

func (t *target) fill() call.Target {
	k := &t.key
	return call.Target{
		Deployment: k.deployment, Provider: k.provider, Dialect: llm.Dialect(k.dialect), WireID: k.wireID, Model: t.model,
		Hosting: call.Hosting(k.hosting), Region: k.region, Layer: k.layer, LayerName: k.layerName,
	}
}

func (k *callerKey) fill(f *call.Facts) {
	c := &f.Caller
	c.KeyID, c.Team, c.UseCase, c.Workflow, c.Agent = k.key, k.team, k.useCase, k.workflow, k.agent
}

func (k *mannerKey) fill(e *ledger.Entry) {
	a := &e.Attempt
	a.Facts.Route, a.Facts.Dialect = k.route, llm.Dialect(k.dialect)
	a.Facts.Class = call.NewClass(k.rank, k.class)
	a.Order.Purpose, a.Rule, a.PriceRow, a.Budget = call.Purpose(k.purpose), k.rule, k.priceRow, k.budget
	a.Outcome, a.Settlement = call.Outcome(k.outcome), call.Settlement(k.settlement)
	a.Verdict.Result, a.Verdict.Check, a.Err = call.VerdictResult(k.verdict), k.check, k.err
	e.Corrects = call.Settlement(k.corrects)
}

func (k *outputKey) fill(a *call.Attempt) {
	o := &a.Output
	o.Stop, o.Empty, o.Refusal = llm.StopReason(k.stop), call.Finding(k.empty), call.Refusal(k.refusal)
	o.Args, o.Language = call.Finding(k.args), k.language
	a.Verdict.Repaired, a.Verdict.Passed = call.Finding(k.repaired), k.passed
}

// intents reads the attempts that have not ended.
func (r *Reader) intents(ctx context.Context) (open []ledger.OpenIntent, err error) {
	conn, err := r.ro.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var rows [][]driver.Value
	err = conn.Raw(func(dc any) error {
		rows, err = fetch(ctx, dc,
			`SELECT lsn, call, n, flags, start, at, caller, target, manner, session, held FROM intents ORDER BY lsn`, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, v := range rows {
		o, err := r.intent(ctx, conn, v)
		if err != nil {
			return nil, err
		}
		open = append(open, o)
	}
	return open, nil
}

func (r *Reader) intent(ctx context.Context, conn *sql.Conn, v []driver.Value) (ledger.OpenIntent, error) {
	c := columns{values: v}
	o := ledger.OpenIntent{LSN: ledger.LSN(c.int())}
	var e ledger.Entry
	a := &e.Attempt
	copy(a.Facts.ID[:], c.bytes())
	o.Intent.N = int(c.int())
	flags := c.int()
	a.Facts.Start, o.Intent.At = instant(c.int()), instant(c.int())
	caller, target, man := c.int(), c.int(), c.int()
	a.Facts.Caller.Session = c.text()
	o.Intent.Held = money.Nano(c.int())
	if c.err != nil {
		return o, fmt.Errorf("intent %d: %w", o.LSN, c.err)
	}
	factsFlagged(&a.Facts, flags)
	if err := r.say(ctx, conn, &e, ids{caller: caller, target: target, manner: man}); err != nil {
		return o, fmt.Errorf("intent %d: %w", o.LSN, err)
	}
	o.Intent.Facts, o.Intent.Purpose, o.Intent.Target, o.Intent.Budget = a.Facts, a.Order.Purpose, a.Order.Target, a.Budget
	return o, nil
}

// Counters implements ledger.Reader. One statement, so that the counters and the place belong together.
func (r *Reader) Counters(ctx context.Context) (all map[string]money.Nano, last ledger.LSN, err error) {
	rows, err := r.ro.QueryContext(ctx, `SELECT '', 0, max((SELECT coalesce(max(lsn), 0) FROM attempts),
		(SELECT coalesce(max(lsn), 0) FROM adjustments)) UNION ALL SELECT node, sum(nano), 0 FROM spent GROUP BY node`)
	if err != nil {
		return nil, 0, fmt.Errorf("read the counters: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all = map[string]money.Nano{}
	for rows.Next() {
		var node string
		var n money.Nano
		var at ledger.LSN
		if err := rows.Scan(&node, &n, &at); err != nil {
			return nil, 0, fmt.Errorf("read the counters: %w", err)
		}
		if node == "" {
			last = at
			continue
		}
		all[node] = n
	}
	return all, last, rows.Err()
}

// Adjustments implements ledger.Reader.
func (r *Reader) Adjustments(ctx context.Context) (all []ledger.Adjustment, err error) {
	rows, err := r.ro.QueryContext(ctx, `SELECT lsn, node, at, nano, reason, booked FROM adjustments ORDER BY lsn`)
	if err != nil {
		return nil, fmt.Errorf("read the adjustments: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a ledger.Adjustment
		var lsn, at, booked int64
		if err := rows.Scan(&lsn, &a.Node, &at, &a.Amount, &a.Reason, &booked); err != nil {
			return nil, fmt.Errorf("read the adjustments: %w", err)
		}
		a.LSN, a.At, a.Booked = ledger.LSN(lsn), instant(at), instant(booked*1e6)
		all = append(all, a)
	}
	return all, rows.Err()
}
