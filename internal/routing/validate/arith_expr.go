package validate

import (
	"math/big"
	"slices"
	"strings"
)

// expr is one side of an equation: numbers, operators and parentheses only, and the words that stood with its
// numbers.
type expr struct {
	toks  []token
	units []string // unit words, in order, singular
	label bool     // the first operand may be a label ("Step 1 - 16 - 3 = 13")
}

// single returns the one number that the expression is, if it is one.
func (e expr) single() (token, bool) {
	if len(e.toks) == 1 && e.toks[0].kind == tNum {
		return e.toks[0], true
	}
	if len(e.toks) == 2 && e.toks[0].kind == tOp && e.toks[1].kind == tNum {
		return e.toks[1], true
	}
	return token{}, false
}

// computes reports whether the expression has a binary operator.
func (e expr) computes() bool {
	return slices.ContainsFunc(e.toks[min(1, len(e.toks)):], func(t token) bool { return t.kind == tOp })
}

// readings are the ways to read the expression: whole, and without a first operand that may be a label.
func (e expr) readings() []expr {
	out := []expr{e}
	if e.label && len(e.toks) > 3 && e.toks[0].kind == tNum && e.toks[1].op == '-' {
		if rest := (expr{toks: e.toks[2:]}); rest.computes() {
			out = append(out, rest)
		}
	}
	return out
}

// unsure reports whether the expression adds percentages to plain numbers, which people mean in several ways.
func (e expr) unsure() bool {
	plain, pct, sum := false, false, false
	for i, t := range e.toks {
		switch {
		case t.kind == tNum && t.percent:
			pct = true
		case t.kind == tNum:
			plain = true
		case t.kind == tOp && i > 0 && (t.op == '+' || t.op == '-'):
			sum = true
		}
	}
	return sum && plain && pct
}

// mode is a way to read what people write in more than one sense.
type mode struct {
	raw   bool // 20% is 20, not 1/5
	tight bool // a fraction set without spaces is one number: 12 / 2/5 = 30
}

// modes are the ways in which this expression can be read.
func (e expr) modes() []mode {
	out := []mode{{}}
	if slices.ContainsFunc(e.toks, func(t token) bool { return t.percent }) {
		out = append(out, mode{raw: true})
	}
	for i := range e.toks {
		if e.toks[i].kind == tNum && tightFraction(e.toks[i:]) {
			for _, m := range out {
				m.tight = true
				out = append(out, m)
			}
			break
		}
	}
	return out
}

// value computes the expression exactly. Not ok: it does not parse or divides by zero.
func (e expr) value(m mode) (*big.Rat, bool) {
	p := parser{toks: e.toks, mode: m}
	v, ok := p.sum(0)
	return v, ok && p.i == len(p.toks)
}

type parser struct {
	toks []token
	i    int
	mode
}

// op returns the operator at p.i if it is one of set.
func (p *parser) op(set string) (byte, bool) {
	if p.i < len(p.toks) && p.toks[p.i].kind == tOp && strings.IndexByte(set, p.toks[p.i].op) >= 0 {
		return p.toks[p.i].op, true
	}
	return 0, false
}

func (p *parser) sum(depth int) (*big.Rat, bool) {
	v, ok := p.product(depth)
	for ok {
		c, is := p.op("+-")
		if !is {
			return v, true
		}
		p.i++
		w, good := p.product(depth)
		if !good {
			return nil, false
		}
		if c == '+' {
			v = new(big.Rat).Add(v, w)
		} else {
			v = new(big.Rat).Sub(v, w)
		}
	}
	return nil, false
}

func (p *parser) product(depth int) (*big.Rat, bool) {
	v, ok := p.fraction(depth)
	for ok {
		c, is := p.op("*/")
		if !is {
			return v, true
		}
		p.i++
		w, good := p.fraction(depth)
		if !good || c == '/' && w.Sign() == 0 {
			return nil, false
		}
		if c == '*' {
			v = new(big.Rat).Mul(v, w)
		} else {
			v = new(big.Rat).Quo(v, w)
		}
	}
	return nil, false
}

// fraction reads an operand, or with tight two plain numbers that a slash without spaces joins.
func (p *parser) fraction(depth int) (*big.Rat, bool) {
	v, ok := p.operand(depth)
	if !ok || !p.tight || p.i+1 >= len(p.toks) || p.toks[p.i-1].kind != tNum {
		return v, ok
	}
	slash, den := p.toks[p.i], p.toks[p.i+1]
	if slash.op != '/' || slash.spaced || den.kind != tNum || den.spaced || den.num.Sign() == 0 {
		return v, ok
	}
	p.i += 2
	return new(big.Rat).Quo(v, den.num), true
}

func (p *parser) operand(depth int) (*big.Rat, bool) {
	if p.i >= len(p.toks) || depth > maxParens {
		return nil, false
	}
	t := p.toks[p.i]
	p.i++
	switch {
	case t.kind == tNum && t.percent && !p.raw:
		return new(big.Rat).Quo(t.num, big.NewRat(100, 1)), true
	case t.kind == tNum:
		return t.num, true
	case t.kind == tOp && (t.op == '-' || t.op == '+'):
		v, ok := p.operand(depth + 1)
		if ok && t.op == '-' {
			v = new(big.Rat).Neg(v)
		}
		return v, ok
	case t.kind == tOpen:
		v, ok := p.sum(depth + 1)
		if !ok || p.i >= len(p.toks) || p.toks[p.i].kind != tClose {
			return nil, false
		}
		p.i++
		return v, true
	}
	return nil, false
}

// timeScale is the index of the units of time among scales.
const timeScale = 1

// scales are units between which a calculation converts without saying so.
var scales = []map[string]bool{
	set("cent", "dollar", "penny", "pennie", "quarter", "dime", "nickel", "buck"),
	set("second", "minute", "hour", "day", "week", "weekday", "weekend", "month", "year", "decade", "min", "hr", "sec"),
	set("inch", "inche", "foot", "feet", "yard", "mile", "meter", "metre", "kilometer", "centimeter", "cm", "km", "mm",
		"in", "ft", "yd", "mi"),
	set("ounce", "pound", "gram", "kilogram", "kg", "ton", "oz", "lb"),
	set("cup", "pint", "gallon", "liter", "litre", "ml", "milliliter", "tablespoon", "teaspoon"),
	set("dozen", "egg", "pair", "piece", "pack", "box", "set"),
}

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

// mixed reports whether two sides together use two units of one scale: the calculation may convert between them.
func mixed(l, r expr) bool {
	units := slices.Concat(l.units, r.units)
	for _, t := range slices.Concat(l.toks, r.toks) {
		if t.kind == tNum && t.money {
			units = append(units, "dollar")
		}
	}
	for _, scale := range scales {
		seen := ""
		for _, u := range units {
			switch {
			case !scale[u] || u == seen:
			case seen == "":
				seen = u
			default:
				return true
			}
		}
	}
	return false
}
