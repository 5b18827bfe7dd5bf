package compress

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// transcript is all pieces, whole.
func transcript(pieces []piece) string {
	var b strings.Builder
	b.Grow(transcribed(pieces, io.Discard))
	transcribed(pieces, &b)
	return b.String()
}

// transcribed writes the transcript and returns its length. What writes to memory or a hash does not fail.
func transcribed(pieces []piece, w io.Writer) int {
	n := 0
	write := func(s string) {
		m, _ := io.WriteString(w, s)
		n += m
	}
	for i, p := range pieces {
		if i > 0 {
			write("\n")
		}
		write("[")
		write(p.label)
		write("] ")
		write(p.text)
	}
	return n
}

// leftOut stands where a token too long to be cut was.
const leftOut = "[a long token was left out]"

// render writes the kept units under the labels of their pieces, then the pinned facts that they lack. appended is how
// many pinned facts had to be added so.
func render(pieces []piece, src source, kept []int32, pins []pin) (d draft, appended int) {
	w := writer{pieces: pieces, units: src.units, shape: shape{nodes: src.nodes}, last: -1}
	room := 0
	for _, i := range kept {
		room += len(src.units[i].text) + 4
	}
	w.b.Grow(room)
	for _, i := range kept {
		w.unit(i)
	}
	w.end()
	return w.withFacts(pins)
}

// writer writes a brief's text.
type writer struct {
	b      strings.Builder
	pieces []piece
	units  []unit
	whole  []stretch
	shape  shape
	last   int32 // unit; -1 = none yet
}

// unit writes one unit and what stands before it.
func (w *writer) unit(i int32) {
	u := &w.units[i]
	left := w.last < 0 || i != w.last+1
	if u.node < 0 {
		w.shape.close(&w.b, 0, left)
	}
	switch {
	case w.last < 0 || w.units[w.last].piece != u.piece:
		w.shape.close(&w.b, 0, true)
		if w.last >= 0 {
			w.b.WriteByte('\n')
		}
		w.b.WriteString("[" + w.pieces[u.piece].label + "] ")
	case u.node < 0 || w.units[w.last].node < 0:
		w.b.WriteString(gap(w.units, w.last, i))
	}
	if u.node >= 0 {
		w.shape.before(&w.b, u.node, left)
	}
	w.whole = append(w.whole, stretch{w.b.Len(), w.b.Len() + len(u.text)})
	w.b.WriteString(u.text)
	w.last = i
}

// end closes what is open.
func (w *writer) end() {
	if w.last >= 0 {
		w.shape.close(&w.b, 0, int(w.last) < len(w.units)-1)
	}
}

// withFacts ends the text with the pinned facts that it lacks.
func (w *writer) withFacts(pins []pin) (d draft, appended int) {
	d = draft{w.b.String(), w.whole}
	lines, appended := factLines(textFor(d, pins), w.units, pins)
	for n, f := range lines {
		switch {
		case n == 0 && w.b.Len() > 0:
			w.b.WriteString("\nfacts:")
		case n == 0:
			w.b.WriteString("facts:")
		}
		w.b.WriteString("\n- ")
		if f.whole {
			w.whole = append(w.whole, stretch{w.b.Len(), w.b.Len() + len(f.text)})
		}
		w.b.WriteString(f.text)
	}
	return draft{w.b.String(), w.whole}, appended
}

// gap is what stands between two written units of one piece.
func gap(units []unit, before, i int32) string {
	sep := " … "
	switch {
	case units[i].line || units[before].passage != units[i].passage:
		sep = "\n"
	case before == i-1:
		sep = " "
	}
	if before < i && slices.ContainsFunc(units[before+1:i], func(u unit) bool { return u.shard }) {
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

// factLines writes each pinned fact that t lacks with the least that makes sense of it, each stretch once, and counts them.
func factLines(t text, units []unit, pins []pin) (out []factLine, lacking int) {
	seen, keys := map[string]bool{}, map[string]bool{}
	for _, p := range pins {
		if t.holds(p.fact) {
			continue
		}
		lacking++
		if p.class != obligation && keys[p.key] {
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
	return out, lacking
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
