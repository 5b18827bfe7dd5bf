package house

import (
	"go/ast"
	"go/scanner"
	"go/token"
	"strings"
	"unicode/utf8"
)

// The bars of size.
const (
	maxFile      = 500 // lines
	maxFunc      = 60  // lines from "func" to "}"; the rows of a test's tables do not count
	maxInterface = 5   // methods, embedded ones of the same package counted
	maxLine      = 140 // characters, a tab counts as one
	maxTestLine  = 180 // in tests, whose tables hold whole requests
)

func checkFileSize(t *tree) (bad []finding) {
	for _, f := range t.files {
		if n := strings.Count(f.src, "\n"); n > maxFile && !f.generated() {
			bad = append(bad, finding{f.path, 0, "is too long: split it by what its parts are about"})
		}
	}
	return sortFindings(bad)
}

func checkFuncSize(t *tree) (bad []finding) {
	for _, f := range t.parsed() {
		if f.generated() {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := t.line(fn.End()) - t.line(fn.Pos()) + 1
			if f.test {
				n -= t.tableLines(fn)
			}
			if n > maxFunc {
				bad = append(bad, t.at(f, fn, "func %s has %d lines, more than %d", fn.Name.Name, n, maxFunc))
			}
		}
	}
	return sortFindings(bad)
}

// tableLines counts the lines inside a function's literals of slices, arrays and maps: tests are data.
func (t *tree) tableLines(fn *ast.FuncDecl) (n int) {
	ast.Inspect(fn, func(node ast.Node) bool {
		lit, ok := node.(*ast.CompositeLit)
		if !ok {
			return true
		}
		switch lit.Type.(type) {
		case *ast.ArrayType, *ast.MapType:
			n += t.line(lit.Rbrace) - t.line(lit.Lbrace)
			return false
		}
		return true
	})
	return n
}

func checkInterfaces(t *tree) (bad []finding) {
	known := map[string]*ast.InterfaceType{} // by folder and name
	for _, f := range t.parsed() {
		for _, d := range f.ast.Decls {
			for spec := range typeSpecs(d) {
				if it, ok := spec.Type.(*ast.InterfaceType); ok {
					known[f.dir()+"."+spec.Name.Name] = it
				}
			}
		}
	}
	for _, f := range t.parsed() {
		if f.generated() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if it, ok := n.(*ast.InterfaceType); ok {
				if m := methods(it, f.dir(), known, 0); m > maxInterface {
					bad = append(bad, t.at(f, it, "an interface of %d methods, more than %d", m, maxInterface))
				}
			}
			return true
		})
	}
	return sortFindings(bad)
}

// typeSpecs yields the types that a declaration declares.
func typeSpecs(d ast.Decl) func(yield func(*ast.TypeSpec) bool) {
	return func(yield func(*ast.TypeSpec) bool) {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			return
		}
		for _, s := range g.Specs {
			if ts, ok := s.(*ast.TypeSpec); ok && !yield(ts) {
				return
			}
		}
	}
}

// methods counts an interface's methods. An embedded interface of another package counts as one: its size is its
// owner's business.
func methods(it *ast.InterfaceType, dir string, known map[string]*ast.InterfaceType, depth int) int {
	n := 0
	for _, m := range it.Methods.List {
		if len(m.Names) > 0 {
			n += len(m.Names)
			continue
		}
		switch e := m.Type.(type) {
		case *ast.Ident:
			if in, ok := known[dir+"."+e.Name]; ok && depth < 8 {
				n += methods(in, dir, known, depth+1)
			}
		case *ast.SelectorExpr:
			n++
		}
	}
	return n
}

func checkLines(t *tree) (bad []finding) {
	for _, f := range t.files {
		if f.generated() {
			continue
		}
		raw, limit := rawLines(f.src), maxLine
		if f.test {
			limit = maxTestLine
		}
		number := 0
		for line := range strings.Lines(f.src) {
			number++
			line = strings.TrimRight(line, "\n")
			if utf8.RuneCountInString(line) <= limit || raw[number] || strings.Contains(line, "://") {
				continue
			}
			bad = append(bad, finding{f.path, number, "is too long a line"})
		}
	}
	return sortFindings(bad)
}

// rawLines are the lines touched by a raw string of more than one line or by a go: directive: breaking them changes
// what they mean. A raw string on one line counts too when it alone is long.
func rawLines(src string) map[int]bool {
	raw := map[int]bool{}
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(src))
	var s scanner.Scanner
	s.Init(file, []byte(src), nil, scanner.ScanComments)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return raw
		}
		first := fset.Position(pos).Line
		switch {
		case tok == token.STRING && lit[0] == '`' && (strings.Contains(lit, "\n") || len(lit) > maxLine/2):
			for i := range strings.Count(lit, "\n") + 1 {
				raw[first+i] = true
			}
		case tok == token.COMMENT && strings.HasPrefix(lit, "//go:"):
			raw[first] = true
		}
	}
}
