// Package policy decides which data class may reach which model: a table of class x hosting, region and tier, default
// deny. It sees facts and targets only, never content and never confidence. Every decision names its rule.
package policy

import (
	"fmt"
	"slices"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// Row says where one data class may go. Empty lists do not restrict; Nowhere forbids all; the zero Row permits any.
type Row struct {
	Class   string
	Nowhere bool
	Hosting []call.Hosting
	Region  []string
	Tier    []catalog.Tier
}

// Permit is a granted order: the rule that granted it.
type Permit struct{ Rule string }

// Table is the permit table: rows from the least to the most sensitive class. Immutable, safe for concurrent use.
type Table struct {
	rows       []Row
	rules      []string // data.may_reach.<class>, by row
	classes    map[string]call.Class
	unlabelled call.Class
}

// New makes the table. unlabelled is the class of a call that claims none; it must be one of the rows' classes.
func New(unlabelled string, rows []Row) (*Table, error) {
	t := &Table{rows: slices.Clone(rows), classes: make(map[string]call.Class, len(rows))}
	for i, r := range rows {
		if _, twice := t.classes[r.Class]; twice {
			return nil, fmt.Errorf("data class %q has two rows", r.Class)
		}
		t.classes[r.Class] = call.NewClass(i, r.Class)
		t.rules = append(t.rules, "data.may_reach."+r.Class)
	}
	u, ok := t.classes[unlabelled]
	if !ok {
		return nil, fmt.Errorf("unlabelled class %q has no row", unlabelled)
	}
	t.unlabelled = u
	return t, nil
}

// Class finds a class by name.
func (t *Table) Class(name string) (call.Class, bool) {
	c, ok := t.classes[name]
	return c, ok
}

// Unlabelled is the class of a call that claims none.
func (t *Table) Unlabelled() call.Class { return t.unlabelled }

// Lowest is the least sensitive class.
func (t *Table) Lowest() call.Class { return call.NewClass(0, t.rows[0].Class) }

// Permit grants or denies one order. The error is an *llm.Error that names the rule.
func (t *Table) Permit(f call.Facts, o call.Order) (Permit, error) {
	c, known := t.classes[f.Class.Name()]
	if !known {
		return Permit{}, denied("data class "+quote(f.Class.Name())+" has no row in the policy table", o.Target)
	}
	r, rule := &t.rows[c.Rank()], t.rules[c.Rank()]
	if why := r.bars(&o.Target); why != "" {
		return Permit{}, denied(rule+why, o.Target)
	}
	return Permit{Rule: rule}, nil
}

// bars says which condition of the row keeps a target out; "" = none.
func (r *Row) bars(o *call.Target) string {
	switch {
	case r.Nowhere:
		return ": none"
	case len(r.Hosting) > 0 && !slices.Contains(r.Hosting, o.Hosting):
		return ".hosting"
	case len(r.Region) > 0 && !slices.Contains(r.Region, o.Region):
		return ".region"
	case len(r.Tier) > 0 && (o.Model == nil || !slices.Contains(r.Tier, o.Model.Tier)):
		return ".tier"
	}
	return ""
}

func quote(name string) string {
	if name == "" {
		return `""`
	}
	return name
}

func denied(rule string, t call.Target) error {
	return &llm.Error{
		Code:    llm.CodePolicy,
		Message: fmt.Sprintf("policy %s does not let this data class reach deployment %s", rule, t.Deployment),
		Hint:    "use a route with a permitted deployment, or change the data section of weir.yaml",
		Param:   rule,
	}
}
