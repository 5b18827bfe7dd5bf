package house

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// moneyRooms count money: no float may enter.
var moneyRooms = []string{"internal/finops", "internal/call"}

// wholeNumber is a literal that Go calls a float constant and that is an integer all the same, like 1e6.
var wholeNumber = regexp.MustCompile(`^[0-9]+[eE]\+?[0-9]+$`)

func checkMoney(t *tree) (bad []finding) {
	for _, f := range t.product() {
		if !slices.ContainsFunc(moneyRooms, func(r string) bool { return under(f.dir(), r) }) {
			continue
		}
		conv, math := f.localName("strconv"), f.localName("math")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if n.Name == "float64" || n.Name == "float32" || n.Name == "complex128" {
					bad = append(bad, t.at(f, n, "uses %s", n.Name))
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT && !wholeNumber.MatchString(n.Value) {
					bad = append(bad, t.at(f, n, "writes %s, a float", n.Value))
				}
			case *ast.SelectorExpr:
				if name, ok := selects(n, conv, "ParseFloat", "FormatFloat", "AppendFloat"); ok {
					bad = append(bad, t.at(f, n, "uses strconv.%s", name))
				}
				if name, ok := selects(n, math, "Round", "Floor", "Ceil", "Trunc", "Pow", "Mod", "Inf", "NaN"); ok {
					bad = append(bad, t.at(f, n, "uses math.%s, which works on floats", name))
				}
			}
			return true
		})
	}
	return sortFindings(bad)
}

// timeless rooms are handed their time and their randomness. time.Now as a value, the default of a field, is fine. So
// is time.Until: the deadline of a context lives on the machine's clock. models/upstream is not timeless, since the
// deadlines of connections live there too.
var timeless = []string{
	"internal/llm", "internal/call", "internal/wire", "internal/finops", "internal/routing", "internal/governance",
	"internal/models/catalog", "internal/gateway",
}

func checkClock(t *tree) (bad []finding) {
	for _, f := range t.product() {
		if !slices.ContainsFunc(timeless, func(r string) bool { return under(f.dir(), r) }) {
			continue
		}
		clock, dice := f.localName("time"), ""
		if f.localName("math/rand/v2") != "" {
			dice = "rand"
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := selects(c.Fun, clock, "Now", "Since"); ok {
				bad = append(bad, t.at(f, c, "calls time.%s: take the clock as a value", name))
			}
			if name, ok := selects(c.Fun, dice, "Int", "IntN", "Int64N", "N", "Float64", "Perm", "Shuffle", "Uint64"); ok {
				bad = append(bad, t.at(f, c, "calls rand.%s: take the source as a value", name))
			}
			return true
		})
	}
	return sortFindings(bad)
}

// checkSleeps finds time.Sleep in tests. In a bubble of synctest.Test it only moves a fake clock and is welcome; a file
// that imports synctest may hold fakes that sleep there.
func checkSleeps(t *tree) (bad []finding) {
	bubbles := bubbleFuncs(t)
	for _, f := range t.parsed() {
		if !f.test {
			continue
		}
		clock, fakes := f.localName("time"), f.localName("testing/synctest") != ""
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && (bubbles[f.dir()+"."+fn.Name.Name] || fakes && !strings.HasPrefix(fn.Name.Name, "Test")) {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				c, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if _, ok := selects(c.Fun, clock, "Sleep"); ok {
					bad = append(bad, t.at(f, c, "sleeps: wait for the event, or use testing/synctest"))
				}
				return true
			})
		}
	}
	return sortFindings(bad)
}

// bubbleFuncs are the tests' functions, by folder and name, that open a bubble, themselves or through a helper of the
// same package, and those that are named in what they hand to it: what they sleep, they sleep on its clock.
func bubbleFuncs(t *tree) map[string]bool {
	in := map[string]bool{}
	for range 3 { // a test, its helper, the helper's helper
		for _, f := range t.parsed() {
			if f.test {
				markBubbles(f, in)
			}
		}
	}
	return in
}

func markBubbles(f *file, in map[string]bool) {
	sync := f.localName("testing/synctest")
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			_, opens := selects(c.Fun, sync, "Test")
			helper, named := c.Fun.(*ast.Ident)
			if !opens && !(named && in[f.dir()+"."+helper.Name+"()"]) {
				return true
			}
			// "name()" opens a bubble; "name" runs in one.
			in[f.dir()+"."+fn.Name.Name+"()"], in[f.dir()+"."+fn.Name.Name] = true, true
			for _, a := range c.Args {
				ast.Inspect(a, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok {
						in[f.dir()+"."+id.Name] = true
					}
					return true
				})
			}
			return true
		})
	}
}

// fixedPort is an address with a port of its own choice.
var fixedPort = regexp.MustCompile(`:[1-9]\d{3,4}$`)

func checkPorts(t *tree) (bad []finding) {
	for _, f := range t.parsed() {
		if !f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok || !strings.HasPrefix(calledName(c), "Listen") {
				return true
			}
			for _, a := range c.Args {
				lit, ok := a.(*ast.BasicLit)
				if ok && lit.Kind == token.STRING && fixedPort.MatchString(strings.Trim(lit.Value, "\"`")) {
					bad = append(bad, t.at(f, lit, "listens on %s: use port 0", lit.Value))
				}
			}
			return true
		})
	}
	return sortFindings(bad)
}

// calledName is the name of the function or method called.
func calledName(c *ast.CallExpr) string {
	switch fun := c.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		return fun.Sel.Name
	}
	return ""
}
