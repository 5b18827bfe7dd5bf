package compress

import (
	"slices"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/routing/wholeword"
)

// pin is a fact that must survive, and the unit it stands in.
type pin struct {
	fact
	unit int
}

// everyUnit lists all units.
func everyUnit(units []unit) []int {
	ids := make([]int, len(units))
	for i := range ids {
		ids[i] = i
	}
	return ids
}

// union merges two ascending lists.
func union(a, b []int) []int {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// pinnedOf lists the pinned facts: all of the units in ids, and the negated obligations of every turn. A fact that
// occurs twice is listed once.
func pinnedOf(units []unit, ids []int) []pin {
	var out []pin
	seen := map[string]bool{}
	add := func(f fact, i int) {
		k := string(rune('0'+f.class)) + f.key
		if !seen[k] {
			seen[k] = true
			out = append(out, pin{f, i})
		}
	}
	next := 0
	for i, u := range units {
		chosen := next < len(ids) && ids[next] == i
		if chosen {
			next++
			for _, f := range factsOf(u.text) {
				if f.class != number {
					add(f, i)
				}
			}
		}
		if (chosen || u.turn) && forbids(u.text, u.user) {
			add(fact{class: obligation, key: normal(u.text), end: len(u.text)}, i)
		}
	}
	return out
}

// text is a text ready to be asked for facts.
type text struct {
	keys map[string]bool
	norm string
}

func textOf(s string) text {
	t := text{keys: map[string]bool{}, norm: normal(s)}
	for _, f := range factsOf(s) {
		t.keys[f.key] = true
	}
	return t
}

// holds reports whether the fact occurs in the text, not as part of a longer number or word.
func (t text) holds(f fact) bool {
	return t.keys[f.key] || wholeword.In(t.norm, f.key)
}

// measure counts pinned facts, those that the brief keeps, and numbers or ids in it that the source lacks.
func measure(source, brief string, pins []pin) call.Fidelity {
	fid := call.Fidelity{Pinned: len(pins)}
	b := textOf(brief)
	for _, p := range pins {
		if b.holds(p.fact) {
			fid.Kept++
		}
	}
	if brief == source {
		return fid
	}
	src := textOf(source)
	for _, f := range factsOf(brief) {
		if !src.holds(f) {
			fid.Invented++
		}
	}
	return fid
}
