package compress

import (
	"slices"
	"strings"

	"github.com/weirhq/weir/internal/call"
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
		if u.shard {
			continue
		}
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

// draft is the text of a brief. units are the stretches of it that were written as a whole.
type draft struct {
	text  string
	units []stretch
}

type stretch struct{ start, end int }

// text is a text ready to be asked for facts: by looking them up, so that many facts in a long text cost no more than
// their number.
type text struct {
	keys  map[string]bool // facts in every reading that the text allows
	whole map[string]bool // units, in normal form
}

// textOf reads a draft. A fact at the edge of a unit reads differently beside another unit ("EUR 5" before "May"), so
// every reading of an atom counts.
func textOf(d draft) text {
	t := text{keys: map[string]bool{}, whole: make(map[string]bool, len(d.units))}
	s := spaced(d.text)
	for a, ok := nextAtom(s, 0); ok; a, ok = nextAtom(s, a.end) {
		readings(s, a, func(start, end int) { t.keys[normal(s[start:end])] = true })
	}
	for _, u := range d.units {
		t.whole[normal(d.text[u.start:u.end])] = true
	}
	return t
}

// spaced writes every run of space within a line as one.
func spaced(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for line := range strings.SplitSeq(s, "\n") {
		gap := "\n"
		for w := range strings.FieldsSeq(line) {
			b.WriteString(gap)
			b.WriteString(w)
			gap = " "
		}
	}
	return b.String()
}

// readings calls yield with the bounds of every fact that the atom may be or begin or end, given what stands around it.
func readings(s string, a atom, yield func(start, end int)) {
	yield(a.start, a.end)
	if a.start > 0 && s[a.start-1] == '#' {
		yield(a.start-1, a.end)
	}
	if at, ok := currencyBefore(s, a.start); ok {
		yield(at, a.end)
	}
	if end, ok := currencyAfter(s, a.end); ok {
		yield(a.start, end)
	}
	if w := wordAfter(s, a.end); month(w) {
		end := a.end + 1 + len(w)
		yield(a.start, end)
		yield(a.start, withYear(s, end))
	}
	if w := wordBefore(s, a.start); month(w) {
		from := a.start - 1 - len(w)
		yield(from, a.end)
		yield(from, withYear(s, a.end))
	}
	end := a.end
	if !iban(s, a, &end) {
		return
	}
	for at := end; at > a.end; at = a.end + strings.LastIndexByte(s[a.end:at], ' ') {
		yield(a.start, at)
	}
}

// holds reports whether the text states the fact.
func (t text) holds(f fact) bool {
	if f.class == obligation {
		return t.whole[f.key]
	}
	return t.keys[f.key]
}

// measure counts pinned facts, those that the brief keeps, and numbers or ids in it that the source lacks.
func measure(source string, brief draft, pins []pin) call.Fidelity {
	fid := call.Fidelity{Pinned: len(pins)}
	if brief.text == source { // the pins are of the source
		fid.Kept = len(pins)
		return fid
	}
	b, src := textOf(brief), textOf(draft{text: source})
	for _, p := range pins {
		if b.holds(p.fact) {
			fid.Kept++
		}
	}
	for _, f := range factsOf(spaced(brief.text)) {
		if !src.holds(f) {
			fid.Invented++
		}
	}
	return fid
}
