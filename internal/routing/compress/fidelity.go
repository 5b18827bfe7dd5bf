package compress

import (
	"slices"
	"strings"
	"unicode"
)

// pin is a fact that must survive, and the unit it stands in.
type pin struct {
	fact
	unit int
}

// everyUnit lists all units.
func everyUnit(units []unit) []int32 {
	ids := make([]int32, len(units))
	for i := range ids {
		ids[i] = int32(i)
	}
	return ids
}

// union merges two ascending lists.
func union(a, b []int32) []int32 {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// pinnedOf lists the pinned facts: all of the units in ids, and the negated obligations of every turn. A fact that
// occurs twice is listed once.
func pinnedOf(units []unit, ids []int32) []pin {
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
	for i := range units {
		u := &units[i]
		if u.shard {
			continue
		}
		chosen := next < len(ids) && ids[next] == int32(i)
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

// textFor reads a draft as far as the pins ask: its units are looked at only where one of them is a whole sentence.
func textFor(d draft, pins []pin) text {
	if !slices.ContainsFunc(pins, func(p pin) bool { return p.class == obligation }) {
		d.units = nil
	}
	return textOf(d)
}

// spaced writes every run of space within a line as one.
func spaced(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for line := range strings.SplitSeq(s, "\n") {
		b.WriteByte('\n')
		b.WriteString(spacedLine(line))
	}
	return b.String()
}

// spacedLine is one line of it: the line itself where nothing changes.
func spacedLine(line string) string {
	before := ' '
	odd := func(r rune) bool { // a space that would not stay
		was := before
		before = r
		return r != ' ' && unicode.IsSpace(r) || r == ' ' && was == ' '
	}
	line = strings.TrimSpace(line)
	if !strings.ContainsFunc(line, odd) {
		return line
	}
	return strings.Join(strings.Fields(line), " ")
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

// measure counts pinned facts, those that the brief keeps, and numbers or ids in it that no text of the evidence has.
func measure(evidence []string, brief draft, pins []pin) (kept, invented int) {
	has := textFor(brief, pins)
	for _, p := range pins {
		if has.holds(p.fact) {
			kept++
		}
	}
	return kept, len(unfounded(evidence, brief.text))
}

// unfounded lists the facts of a text that no text of the evidence has, in any reading. Only the text's own facts are kept
// in memory, however many the evidence has.
func unfounded(evidence []string, text string) map[string]bool {
	open := map[string]bool{}
	for _, f := range factsOf(spaced(text)) {
		open[f.key] = true
	}
	for _, e := range evidence {
		for line := range strings.SplitSeq(e, "\n") {
			if len(open) == 0 {
				return open
			}
			s := spacedLine(line)
			for a, ok := nextAtom(s, 0); ok; a, ok = nextAtom(s, a.end) {
				readings(s, a, func(start, end int) { delete(open, normal(s[start:end])) })
			}
		}
	}
	return open
}
