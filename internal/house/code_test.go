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

func checkMoney(t *tree) (bad []finding) {
	for _, f := range t.product() {
		if !slices.ContainsFunc(moneyRooms, func(r string) bool { return under(f.dir(), r) }) {
			continue
		}
		conv := f.localName("strconv")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if n.Name == "float64" || n.Name == "float32" || n.Name == "complex128" {
					bad = append(bad, t.at(f, n, "uses %s", n.Name))
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					bad = append(bad, t.at(f, n, "writes %s, a float", n.Value))
				}
			case *ast.SelectorExpr:
				if name, ok := selects(n, conv, "ParseFloat", "FormatFloat", "AppendFloat"); ok {
					bad = append(bad, t.at(f, n, "uses strconv.%s", name))
				}
			}
			return true
		})
		if f.localName("math/big") != "" || f.localName("math") == "" {
			continue
		}
		math := f.localName("math")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			if name, ok := selects(sel, math, "Round", "Floor", "Ceil", "Trunc", "Pow", "Mod", "Inf", "NaN"); ok {
				bad = append(bad, t.at(f, n, "uses math.%s, which works on floats", name))
			}
			return true
		})
	}
	return sortFindings(bad)
}

// timeless rooms are handed their time and their randomness. time.Now as a value, the default of a field, is fine.
var timeless = []string{
	"internal/llm", "internal/call", "internal/wire", "internal/finops", "internal/routing", "internal/governance",
	"internal/models", "internal/gateway",
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
			if name, ok := selects(c.Fun, clock, "Now", "Since", "Until"); ok {
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

// checkSleeps finds time.Sleep in tests. Inside a literal handed to synctest.Test it only moves a fake clock, and so it
// does in a function that takes a *testing.T in a file whose sleeps are all in such bubbles.
func checkSleeps(t *tree) (bad []finding) {
	for _, f := range t.parsed() {
		if !f.test {
			continue
		}
		clock, sync := f.localName("time"), f.localName("testing/synctest")
		bubbles := bubbleFuncs(f, sync)
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && bubbles[fn.Name.Name] {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				c, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if _, ok := selects(c.Fun, sync, "Test"); ok {
					return false
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

// bubbleFuncs are the functions of a file that are handed to synctest.Test by name or called, directly, by one that is
// or by a literal that is.
func bubbleFuncs(f *file, sync string) map[string]bool {
	in := map[string]bool{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if _, ok := selects(c.Fun, sync, "Test"); !ok {
			return true
		}
		for _, a := range c.Args {
			ast.Inspect(a, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					in[id.Name] = true
				}
				return true
			})
		}
		return false
	})
	return in
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
				if lit, ok := a.(*ast.BasicLit); ok && lit.Kind == token.STRING && fixedPort.MatchString(strings.Trim(lit.Value, "\"`")) {
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
