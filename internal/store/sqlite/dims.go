package sqlite

import (
	"database/sql/driver"
	"strings"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/ledger"
	"github.com/weirhq/weir/internal/llm"
)

// The tuples of words that rows name by a small integer. Each key is a row of the table of its name.
type (
	callerKey struct{ key, team, useCase, workflow, agent string }

	servedKey struct{ model, fingerprint string }

	targetKey struct {
		deployment, provider, dialect, wireID, model, tier, hosting, region string
		layer                                                               int
		layerName                                                           string
	}

	mannerKey struct {
		route, dialect, class                                                               string
		rank                                                                                int
		purpose, rule, priceRow, budget, outcome, settlement, corrects, verdict, check, err string
	}

	outputKey struct{ stop, empty, refusal, repaired, args, language, passed string }
)

func callerOf(f *call.Facts) callerKey {
	c := &f.Caller
	return callerKey{c.KeyID, c.Team, c.UseCase, c.Workflow, c.Agent}
}

func targetOf(t *call.Target) targetKey {
	k := targetKey{
		deployment: t.Deployment, provider: t.Provider, dialect: string(t.Dialect), wireID: t.WireID,
		hosting: string(t.Hosting), region: t.Region, layer: t.Layer, layerName: t.LayerName,
	}
	if t.Model != nil {
		k.model, k.tier = t.Model.ID, string(t.Model.Tier)
	}
	return k
}

func mannerOf(e *ledger.Entry) mannerKey {
	a := &e.Attempt
	return mannerKey{
		route: a.Facts.Route, dialect: string(a.Facts.Dialect), class: a.Facts.Class.Name(), rank: a.Facts.Class.Rank(),
		purpose: string(a.Order.Purpose), rule: a.Rule, priceRow: a.PriceRow, budget: a.Budget,
		outcome: string(a.Outcome), settlement: string(a.Settlement), corrects: string(e.Corrects),
		verdict: string(a.Verdict.Result), check: a.Verdict.Check, err: a.Err,
	}
}

func mannerOfIntent(in *ledger.Intent) mannerKey {
	return mannerKey{
		route: in.Facts.Route, dialect: string(in.Facts.Dialect), class: in.Facts.Class.Name(),
		rank: in.Facts.Class.Rank(), purpose: string(in.Purpose), budget: in.Budget,
	}
}

func outputOf(a *call.Attempt) outputKey {
	o := &a.Output
	return outputKey{
		stop: string(o.Stop), empty: string(o.Empty), refusal: string(o.Refusal), repaired: string(a.Verdict.Repaired),
		args: string(o.Args), language: o.Language, passed: a.Verdict.Passed,
	}
}

func (k callerKey) values() []driver.Value {
	return []driver.Value{k.key, k.team, k.useCase, k.workflow, k.agent}
}

func (k servedKey) values() []driver.Value { return []driver.Value{k.model, k.fingerprint} }

func (k targetKey) values() []driver.Value {
	return []driver.Value{
		k.deployment, k.provider, k.dialect, k.wireID, k.model, k.tier, k.hosting, k.region, int64(k.layer), k.layerName,
	}
}

func (k mannerKey) values() []driver.Value {
	return []driver.Value{
		k.route, k.dialect, k.class, int64(k.rank), k.purpose, k.rule, k.priceRow, k.budget, k.outcome, k.settlement,
		k.corrects, k.verdict, k.check, k.err,
	}
}

func (k outputKey) values() []driver.Value {
	return []driver.Value{k.stop, k.empty, k.refusal, k.repaired, k.args, k.language, k.passed}
}

// Columns of the tables, in the order of values.
const (
	callerColumns = "key_id, team, use_case, workflow, agent"
	servedColumns = "model, fingerprint"
	targetColumns = "deployment, provider, dialect, wire_id, model, tier, hosting, region, layer, layer_name"
	mannerColumns = "route, dialect, class, class_rank, purpose, rule, price_row, budget, outcome, settlement, " +
		"corrects, verdict, check_name, err"
	outputColumns = "stop, empty, refusal, repaired, args, language, passed"
)

type tuple interface {
	comparable
	values() []driver.Value
}

// dict gives tuples their ids and makes new ones in the open transaction. Agents and workflows are the callers' own
// words, so what is remembered is bounded; the table is not.
type dict[K tuple] struct {
	ids       map[K]int64
	find, add *statement
}

// remembered is how many tuples of a kind stay in memory.
const remembered = 1 << 14

func newDict[K tuple](c preparer, table, columns string) (*dict[K], error) {
	names := strings.Split(columns, ", ")
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")
	find, err := prepare(c, "SELECT id FROM "+table+" WHERE ("+columns+") = ("+marks+")", len(names))
	if err != nil {
		return nil, err
	}
	add, err := prepare(c, "INSERT INTO "+table+" ("+columns+") VALUES ("+marks+")", len(names))
	if err != nil {
		return nil, err
	}
	return &dict[K]{ids: map[K]int64{}, find: find, add: add}, nil
}

func (d *dict[K]) id(k K) (int64, error) {
	if id, ok := d.ids[k]; ok {
		return id, nil
	}
	id, found, err := d.find.first(k.values()...)
	if err != nil {
		return 0, err
	}
	if !found {
		r, err := d.add.exec(k.values()...)
		if err != nil {
			return 0, err
		}
		if id, err = r.LastInsertId(); err != nil {
			return 0, err
		}
	}
	if len(d.ids) >= remembered {
		clear(d.ids)
	}
	d.ids[k] = id
	return id, nil
}

func (d *dict[K]) close() {
	_ = d.find.stmt.Close() // the connection goes next
	_ = d.add.stmt.Close()
}

// dims are the dictionaries.
type dims struct {
	callers *dict[callerKey]
	served  *dict[servedKey]
	targets *dict[targetKey]
	manners *dict[mannerKey]
	outputs *dict[outputKey]
}

func newDims(c preparer) (d *dims, err error) {
	d = &dims{}
	if d.callers, err = newDict[callerKey](c, "callers", callerColumns); err != nil {
		return nil, err
	}
	if d.served, err = newDict[servedKey](c, "served", servedColumns); err != nil {
		return nil, err
	}
	if d.targets, err = newDict[targetKey](c, "targets", targetColumns); err != nil {
		return nil, err
	}
	if d.manners, err = newDict[mannerKey](c, "manners", mannerColumns); err != nil {
		return nil, err
	}
	d.outputs, err = newDict[outputKey](c, "outputs", outputColumns)
	return d, err
}

// forget drops what a rolled back transaction may have added.
func (d *dims) forget() {
	clear(d.callers.ids)
	clear(d.served.ids)
	clear(d.targets.ids)
	clear(d.manners.ids)
	clear(d.outputs.ids)
}

func (d *dims) close() {
	d.callers.close()
	d.served.close()
	d.targets.close()
	d.manners.close()
	d.outputs.close()
}

// Bits of the flags column.
const (
	flagFinal = 1 << iota
	flagStream
	flagJudge
	flagRawContext
	flagVision
	flagAudio
	flagDocuments
	flagTools
	flagSchema

	answersShift = 16 // Order.N from here on
)

func bit(on bool, flag int64) int64 {
	if on {
		return flag
	}
	return 0
}

func factFlags(f *call.Facts) int64 {
	return bit(f.Caller.RawContext, flagRawContext) | bit(f.Needs.Vision, flagVision) | bit(f.Needs.Audio, flagAudio) |
		bit(f.Needs.Documents, flagDocuments) | bit(f.Needs.Tools, flagTools) | bit(f.Needs.Schema, flagSchema)
}

func attemptFlags(a *call.Attempt) int64 {
	return factFlags(&a.Facts) | bit(a.Verdict.Final, flagFinal) | bit(a.Order.Stream, flagStream) |
		bit(a.Order.Judge, flagJudge) | int64(a.Order.N)<<answersShift
}

func factsFlagged(f *call.Facts, flags int64) {
	f.Caller.RawContext = flags&flagRawContext != 0
	f.Needs = llm.Needs{
		Vision: flags&flagVision != 0, Audio: flags&flagAudio != 0, Documents: flags&flagDocuments != 0,
		Tools: flags&flagTools != 0, Schema: flags&flagSchema != 0,
	}
}
