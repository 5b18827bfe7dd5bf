package compress

import (
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

// render writes the kept units in order under the labels of their pieces, then the pinned facts that they lack.
func render(pieces []piece, units []unit, kept []int, pins []pin) string {
	var b strings.Builder
	for n, i := range kept {
		u := units[i]
		switch {
		case n == 0 || units[kept[n-1]].piece != u.piece:
			if n > 0 {
				b.WriteByte('\n')
			}
			b.WriteString("[" + pieces[u.piece].label + "] ")
		case u.line || units[kept[n-1]].passage != u.passage:
			b.WriteByte('\n')
		case kept[n-1] == i-1:
			b.WriteByte(' ')
		default:
			b.WriteString(" … ")
		}
		b.WriteString(u.text)
	}
	body := b.String()
	facts := factLines(textOf(body), units, pins)
	switch {
	case len(facts) == 0:
		return body
	case body == "":
		return "facts:\n" + strings.Join(facts, "\n")
	}
	return body + "\nfacts:\n" + strings.Join(facts, "\n")
}

const (
	wholeLine = 200 // bytes: a unit up to this long is its own context
	around    = 60  // bytes on either side of a fact in a longer unit
)

// factLines writes each pinned fact that t lacks with the least that makes sense of it, each stretch once.
func factLines(t text, units []unit, pins []pin) []string {
	var out []string
	var lines text
	seen := map[string]bool{}
	for _, p := range pins {
		if t.holds(p.fact) || lines.keys[p.key] {
			continue
		}
		line := units[p.unit].text
		if p.class != obligation && len(line) > wholeLine {
			line = window(line, p.start, p.end)
		}
		if seen[line] {
			continue
		}
		seen[line] = true
		out = append(out, "- "+line)
		if lines.keys == nil {
			lines.keys = map[string]bool{}
		}
		for _, f := range factsOf(line) {
			lines.keys[f.key] = true
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
