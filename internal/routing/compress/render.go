package compress

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// transcript writes all pieces, whole.
func transcript(pieces []piece) string {
	var b strings.Builder
	for i, p := range pieces {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("[" + p.label + "] " + p.text)
	}
	return b.String()
}

// leftOut stands where a token too long to be cut was.
const leftOut = "[a long token was left out]"

// render writes the kept units in order under the labels of their pieces, then the pinned facts that they lack.
func render(pieces []piece, units []unit, kept []int, pins []pin) draft {
	var b strings.Builder
	var d draft
	for n, i := range kept {
		u := units[i]
		if n == 0 || units[kept[n-1]].piece != u.piece {
			if n > 0 {
				b.WriteByte('\n')
			}
			b.WriteString("[" + pieces[u.piece].label + "] ")
		} else {
			b.WriteString(gap(units, kept[n-1], i))
		}
		d.units = append(d.units, stretch{b.Len(), b.Len() + len(u.text)})
		b.WriteString(u.text)
	}
	d.text = b.String()
	for n, f := range factLines(textOf(d), units, pins) {
		switch {
		case n == 0 && len(kept) > 0:
			b.WriteString("\nfacts:")
		case n == 0:
			b.WriteString("facts:")
		}
		b.WriteString("\n- ")
		if f.whole {
			d.units = append(d.units, stretch{b.Len(), b.Len() + len(f.text)})
		}
		b.WriteString(f.text)
	}
	d.text = b.String()
	return d
}

// gap is what stands between two kept units of one piece.
func gap(units []unit, before, i int) string {
	sep := " … "
	switch {
	case units[i].line || units[before].passage != units[i].passage:
		sep = "\n"
	case before == i-1:
		sep = " "
	}
	if slices.ContainsFunc(units[before+1:i], func(u unit) bool { return u.shard }) {
		return " " + leftOut + sep
	}
	return sep
}

const (
	wholeLine = 200 // bytes: a unit up to this long is its own context
	around    = 60  // bytes on either side of a fact in a longer unit
)

// factLine is one line of the list of facts.
type factLine struct {
	text  string
	whole bool // it is a unit
}

// factLines writes each pinned fact that t lacks with the least that makes sense of it, each stretch once.
func factLines(t text, units []unit, pins []pin) []factLine {
	var out []factLine
	seen, keys := map[string]bool{}, map[string]bool{}
	for _, p := range pins {
		if t.holds(p.fact) || p.class != obligation && keys[p.key] {
			continue
		}
		line := factLine{units[p.unit].text, true}
		if p.class != obligation && len(line.text) > wholeLine {
			line = factLine{window(line.text, p.start, p.end), false}
		}
		if seen[line.text] {
			continue
		}
		seen[line.text] = true
		out = append(out, line)
		for _, f := range factsOf(line.text) {
			keys[f.key] = true
		}
	}
	return out
}

// window cuts s down to a fact and what stands around it, at spaces.
func window(s string, start, end int) string {
	from, to := max(0, start-around), min(len(s), end+around)
	if from > 0 {
		if i := strings.IndexAny(s[from:start], " \t"); i >= 0 {
			from += i + 1
		} else {
			from = start
		}
	}
	if to < len(s) {
		if i := strings.LastIndexAny(s[end:to], " \t"); i >= 0 {
			to = end + i
		} else {
			to = end
		}
	}
	for from > 0 && !utf8.RuneStart(s[from]) {
		from--
	}
	return strings.TrimSpace(s[from:to])
}
