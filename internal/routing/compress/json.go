package compress

import (
	"slices"
	"strings"
)

// node is an array or object of a JSON document that is cut into its elements.
type node struct {
	open   string // as it opens in the source, with its key: `"orders": [`
	parent int32  // -1 = none
	head   int32  // unit that tells which object this is: its first plain members; -1 = none
}

// closer is the bracket that ends the node.
func (n node) closer() string {
	if strings.HasSuffix(n.open, "[") {
		return "]"
	}
	return "}"
}

const (
	maxDepth  = 64 // of brackets; a document beyond is taken line by line
	gathered  = 96 // bytes: short plain elements that follow one another make one unit up to here
	noElement = -1
)

// span is one array or object: where it ends, and which span opens next after its end.
type span struct{ end, next int32 }

// document is what one pass over a JSON document found. It may be cut off at the end of the text, as tools cut their output.
type document struct {
	ok    bool
	end   int // behind the document, or where it stopped being one
	spans []span
}

// scanner is one pass over a document.
type scanner struct {
	document
	s    string
	open []int32 // spans that are open
	want expectation
}

// expectation is what may come next.
type expectation uint8

const (
	wantValue expectation = iota // or the end of an array
	wantKey                      // or the end of an object
	wantColon
	wantNext // a comma or an end
)

// scanJSON follows the grammar of JSON from a bracket on. It checks what tells JSON from other text, not every number.
func scanJSON(s string, from int) document {
	c := scanner{s: s}
	for i := skipSpace(s, from); i < len(s); i = skipSpace(s, i) {
		next := c.token(i)
		if next == i {
			c.end = i
			return c.document
		}
		i = next
		if len(c.open) == 0 {
			c.ok, c.end = true, i
			return c.document
		}
	}
	for _, at := range c.open { // cut off: what is open ends with the text
		c.spans[at] = span{int32(len(s)), int32(len(c.spans))}
	}
	c.ok, c.end = len(c.open) > 0, len(s)
	return c.document
}

// token takes the token at i and returns where it ends; i = it does not belong there.
func (c *scanner) token(i int) int {
	switch b := c.s[i]; {
	case b == '}' || b == ']':
		return c.closed(i, b)
	case b == ',' && c.want == wantNext:
		c.want = c.inside()
		return i + 1
	case b == ':' && c.want == wantColon:
		c.want = wantValue
		return i + 1
	case b == '"' && c.want == wantKey:
		c.want = wantColon
		return stringEnd(c.s, i)
	case c.want != wantValue:
		return i
	case b == '"':
		c.want = wantNext
		return stringEnd(c.s, i)
	case b == '{' || b == '[':
		return c.opened(i)
	}
	c.want = wantNext
	return plainEnd(c.s, i)
}

// inside is what an element of the innermost span begins with.
func (c *scanner) inside() expectation {
	if c.s[c.spans[c.open[len(c.open)-1]].end] == '{' {
		return wantKey
	}
	return wantValue
}

// opened begins a span. Until it ends, its end holds where it began.
func (c *scanner) opened(i int) int {
	if len(c.open) == maxDepth {
		return i
	}
	c.open = append(c.open, int32(len(c.spans)))
	c.spans = append(c.spans, span{end: int32(i)})
	c.want = c.inside()
	return i + 1
}

// closed ends the innermost span, by its own bracket.
func (c *scanner) closed(i int, bracket byte) int {
	if len(c.open) == 0 || c.want == wantColon {
		return i
	}
	top := c.open[len(c.open)-1]
	object := c.s[c.spans[top].end] == '{'
	if object != (bracket == '}') || object && c.want == wantValue {
		return i
	}
	c.spans[top] = span{int32(i + 1), int32(len(c.spans))}
	c.open, c.want = c.open[:len(c.open)-1], wantNext
	return i + 1
}

// stringEnd is behind the string that begins at i.
func stringEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// plainEnd is behind the number or word that begins at i; i itself when there is none.
func plainEnd(s string, i int) int {
	if !isDigit(s[i]) && s[i] != '-' {
		for _, w := range []string{"true", "false", "null"} {
			if strings.HasPrefix(s[i:], w) || strings.HasPrefix(w, s[i:]) {
				return min(len(s), i+len(w))
			}
		}
		return i
	}
	for i < len(s) && (isDigit(s[i]) || strings.IndexByte("+-.eE", s[i]) >= 0) {
		i++
	}
	return i
}

// jsonCut is one walk over a document.
type jsonCut struct {
	*cutter
	s     string
	spans []span
	next  int32 // the span that opens next
}

// cutJSON cuts a document into elements. An element of some length is cut into its own.
func (c *cutter) cutJSON(s string, from int, d document) {
	j := &jsonCut{cutter: c, s: s, spans: d.spans}
	j.container(from, from, -1)
}

// container cuts the array or object whose bracket stands at open; it begins, with its key, at start.
func (j *jsonCut) container(start, open int, parent int32) {
	sp := j.spans[j.next]
	j.next++
	n := node{open: j.s[start : open+1], parent: parent, head: -1}
	id := int32(len(j.nodes))
	j.nodes = append(j.nodes, n)
	if parent >= 0 && j.s[open] == '[' {
		j.nodes[id].head = j.nodes[parent].head
	}
	end := int(sp.end)
	if end > open+1 && strings.IndexByte("}]", j.s[end-1]) >= 0 {
		end--
	}
	group, groupEnd := noElement, 0 // short plain elements not yet written
	flush := func() {
		if group != noElement {
			j.element(j.s[group:groupEnd], id, true)
			group = noElement
		}
	}
	for at := skipSpace(j.s, open+1); at < end; at = skipSpace(j.s, at) {
		value := at
		if j.s[open] == '{' {
			value = skipSpace(j.s, stringEnd(j.s, at))
			value = skipSpace(j.s, min(end, value+1)) // behind the colon
		}
		stop := min(end, j.valueEnd(value))
		composite := value < end && (j.s[value] == '{' || j.s[value] == '[')
		switch {
		case composite && stop-at > longUnit:
			flush()
			j.container(at, value, id)
		case composite || stop-at > gathered:
			flush()
			j.plain(at, stop, value, composite, id)
		default:
			if group != noElement && stop-group > gathered {
				flush()
			}
			if group == noElement {
				group = at
			}
			groupEnd = stop
		}
		at = max(stop, at+1)
		if at = skipSpace(j.s, at); at < end && j.s[at] == ',' {
			at++
		}
	}
	flush()
	j.next = sp.next
}

// valueEnd is behind the value that begins at i.
func (j *jsonCut) valueEnd(i int) int {
	switch {
	case i >= len(j.s):
		return len(j.s)
	case j.s[i] == '{' || j.s[i] == '[':
		return int(j.spans[j.next].end)
	case j.s[i] == '"':
		return stringEnd(j.s, i)
	}
	return max(plainEnd(j.s, i), i+1)
}

// plain writes one element that is a unit by itself, or a long string as its sentences.
func (j *jsonCut) plain(at, stop, value int, composite bool, id int32) {
	if composite {
		j.next = j.spans[j.next].next
	}
	if stop-at <= longUnit || value >= len(j.s) || j.s[value] != '"' {
		j.element(j.s[at:stop], id, true)
		return
	}
	j.gapWithin()
	for line := range strings.SplitSeq(j.s[at:stop], `\n`) {
		if strings.TrimSpace(line) == "" {
			j.gapWithin()
			continue
		}
		for _, s := range cutLine(line) {
			j.put(unit{text: s.text, node: id, head: j.headOf(id), shard: s.shard})
		}
	}
	j.gapWithin()
}

// gapWithin begins a new passage and keeps the head.
func (j *jsonCut) gapWithin() {
	j.passage++
	j.inPassage = 0
}

// element writes one unit. The first plain members of an object tell which one it is.
func (j *jsonCut) element(text string, id int32, row bool) {
	for _, s := range appendCuts(nil, text) {
		n := int32(len(j.units))
		j.put(unit{text: s.text, row: row, node: id, head: j.headOf(id), shard: s.shard})
		if nd := &j.nodes[id]; nd.head < 0 && strings.HasSuffix(nd.open, "{") && !s.shard {
			nd.head = n
		}
	}
}

func (j *jsonCut) put(u unit) {
	u.line = true
	j.add(u)
}

// headOf is the unit that tells what the node's next unit is of: the node's own, or that of the object around it.
func (j *jsonCut) headOf(id int32) int32 {
	for ; id >= 0; id = j.nodes[id].parent {
		if h := j.nodes[id].head; h >= 0 {
			return h
		}
	}
	return -1
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// shape writes kept elements of JSON documents with the brackets around them, so that a reader sees where each stands.
type shape struct {
	nodes []node
	open  []int32 // nodes that are open, outermost first
}

// path lists the nodes around a unit, outermost first.
func (s *shape) path(id int32) []int32 {
	var p []int32
	for ; id >= 0; id = s.nodes[id].parent {
		p = append(p, id)
	}
	slices.Reverse(p)
	return p
}

// before writes what must stand between what was written and an element of node id. left: elements were left out between.
func (s *shape) before(b *strings.Builder, id int32, left bool) {
	p := s.path(id)
	common := 0
	for common < len(p) && common < len(s.open) && p[common] == s.open[common] {
		common++
	}
	s.close(b, common, left && common < len(s.open))
	if common > 0 {
		b.WriteString(",")
		if left {
			b.WriteString(" …")
		}
		b.WriteString("\n")
	}
	for _, n := range p[common:] {
		b.WriteString(s.nodes[n].open)
		if n != id {
			b.WriteString("\n")
		}
		s.open = append(s.open, n)
	}
	if common < len(p) {
		b.WriteString("\n")
	}
}

// close writes the ends of the nodes that are open from a depth on.
func (s *shape) close(b *strings.Builder, depth int, left bool) {
	for len(s.open) > depth {
		if left {
			b.WriteString(" …")
			left = false
		}
		b.WriteString("\n")
		b.WriteString(s.nodes[s.open[len(s.open)-1]].closer())
		s.open = s.open[:len(s.open)-1]
	}
}
