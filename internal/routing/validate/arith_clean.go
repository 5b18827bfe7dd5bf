package validate

import "strings"

// clean turns tokens into an expression as far as they can be read, and returns how many it used. Words after an
// operand are its unit; "of" between numbers multiplies; "x" between operands multiplies. It stops at a variable, a
// magnitude word or two operands that touch.
func clean(toks []token) (e expr, used int) {
	c := cleaner{toks: toks}
	for used < len(toks) {
		n := 1
		switch toks[used].kind {
		case tNum, tOpen:
			n = c.operand(used)
		case tClose:
			n = c.closing(used)
		case tOp:
			if c.lone(used) {
				return expr{}, used
			}
			n = c.operator(used)
		case tWord:
			n = c.unit(used)
		}
		if n == 0 {
			break
		}
		used += n
	}
	return c.e.cut(c.depth), used
}

// cleaner is the state of clean. Its methods take in what stands at i and return how many tokens that was; 0 = the
// expression ends before i.
type cleaner struct {
	toks  []token
	e     expr
	depth int // groups that are open
}

// open reports whether an operand must come.
func (c *cleaner) open() bool {
	return len(c.e.toks) == 0 || last(c.e).kind == tOp || last(c.e).kind == tOpen
}

func (c *cleaner) operand(i int) int {
	if !c.open() {
		return aside(c.toks[i:]) // 5 (apples)
	}
	if c.toks[i].kind == tOpen {
		c.depth++
	}
	c.e.toks = append(c.e.toks, c.toks[i])
	return 1
}

func (c *cleaner) closing(i int) int {
	if c.open() || c.depth == 0 {
		return 0
	}
	c.depth--
	c.e.toks = append(c.e.toks, c.toks[i])
	return 1
}

// lone reports whether the operator at i is an "x" with nothing to multiply by: an unknown.
func (c *cleaner) lone(i int) bool {
	if c.toks[i].op != 'x' || c.open() || spelled(c.toks, i) {
		return false
	}
	return i+1 >= len(c.toks) || c.toks[i+1].kind != tNum && c.toks[i+1].kind != tOpen
}

func (c *cleaner) operator(i int) int {
	t, open := c.toks[i], c.open()
	if t.op == '/' && !open && i+1 < len(c.toks) && c.toks[i+1].kind == tWord && !variable(c.toks, i+1) {
		return 1 // dollars / hour
	}
	if !open && spelled(c.toks, i) {
		return 1
	}
	if open && t.op != '-' && t.op != '+' {
		return 0
	}
	if t.op == 'x' {
		t.op = '*'
	}
	c.e.toks = append(c.e.toks, t)
	return 1
}

func (c *cleaner) unit(i int) int {
	if c.open() || variable(c.toks, i) {
		return 0
	}
	if n := product(c.toks[i:]); n > 0 {
		c.e.toks = append(c.e.toks, token{kind: tOp, op: '*'})
		return n
	}
	t := c.toks[i]
	if t.word == "percent" && last(c.e).kind == tNum {
		c.e.toks[len(c.e.toks)-1].percent = true
	}
	c.e.units = append(c.e.units, strings.TrimSuffix(t.word, "s"))
	return 1
}

// product returns the length of "of" or "of the" that toks begin with when a number follows, or 0.
func product(toks []token) int {
	n := 1
	if len(toks) > 1 && toks[1].word == "the" {
		n = 2
	}
	if toks[0].word != "of" || n >= len(toks) || toks[n].kind != tNum {
		return 0
	}
	return n
}

func last(e expr) token { return e.toks[len(e.toks)-1] }

// cut drops what is incomplete at the end: an operator without its operand, a group that is still open.
func (e expr) cut(depth int) expr {
	for depth > 0 && len(e.toks) > 0 {
		switch last(e).kind {
		case tOpen:
			depth--
		case tClose:
			depth++
		}
		e.toks = e.toks[:len(e.toks)-1]
	}
	for len(e.toks) > 0 && (last(e).kind == tOp || last(e).kind == tOpen) {
		e.toks = e.toks[:len(e.toks)-1]
	}
	return e
}

// variable reports whether the word at i is no unit but stands for a number, or changes the one right before it.
func variable(toks []token, i int) bool {
	w := toks[i].word
	if i > 0 && toks[i-1].kind == tWord {
		return false
	}
	return magnitudes[w] || len(w) == 1 && w != "a"
}
