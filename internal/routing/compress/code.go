package compress

import "strings"

const (
	codeSample = 200 // lines that are looked at to tell code from other text
	codeLines  = 8   // lines of code that make a unit at most
)

// codeLike reports whether a text is a program's source: most of its lines end as statements and blocks do, or are
// indented below one that does.
func codeLike(text string) bool {
	lines, code, blocks := 0, 0, 0
	for line := range strings.SplitSeq(text, "\n") {
		t := strings.TrimSpace(line)
		if t == "" {
			continue
		}
		if lines++; lines > codeSample {
			break
		}
		last := t[len(t)-1]
		if strings.IndexByte("{};):,(", last) >= 0 || line[0] == '\t' || strings.HasPrefix(line, "    ") {
			code++
		}
		if opens(line) && len(t) > 1 || logLine(line) { // data
			return false
		}
		if strings.HasSuffix(t, "{") || strings.HasSuffix(t, "):") || strings.HasSuffix(t, ";") || t == "}" {
			blocks++
		}
	}
	return lines >= 8 && code*10 >= min(lines, codeSample)*6 && blocks*10 >= min(lines, codeSample)*2
}

// cutCode cuts a program's source into stretches of lines, indentation and all: a line alone says little, and what a
// reader needs is the lines around it. A blank line ends a stretch.
func (c *cutter) cutCode() {
	text := c.piece.text
	from, lines := 0, 0
	flush := func(to int) {
		if s := strings.TrimRight(text[from:to], " \t\r\n"); strings.TrimSpace(s) != "" {
			for _, part := range appendCuts(nil, s) {
				c.add(unit{text: part.text, line: true, head: -1, node: -1, shard: part.shard})
			}
		}
		from, lines = to, 0
	}
	for at := 0; at < len(text); {
		end := at + strings.IndexByte(text[at:], '\n')
		if end < at {
			end = len(text) - 1
		}
		line := text[at : end+1]
		blank := strings.TrimSpace(line) == ""
		if blank || lines == codeLines || end+1-from > longUnit {
			flush(at)
		}
		if blank {
			c.gap()
			from = end + 1
		} else {
			lines++
		}
		at = end + 1
	}
	flush(len(text))
}
