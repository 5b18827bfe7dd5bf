package house

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// ban keeps an import out of some folders.
type ban struct {
	imports []string // import paths, with all that lies below them
	in      []string // folders; empty = everywhere
	except  []string
	tests   bool // tests too
	why     string
}

var bans = []ban{
	{
		imports: []string{"encoding/json"}, except: []string{"bench"}, tests: true,
		why: "one door to JSON, github.com/go-json-experiment/json: strict, and duplicate keys are refused",
	},
	{
		imports: []string{"regexp"}, in: []string{"internal/gateway", "internal/wire", "internal/server"},
		why: "a regular expression costs 70 us per KB, and every call passes here",
	},
	{
		imports: []string{"os/exec", "plugin"}, in: []string{"internal", "cmd"}, except: []string{"internal/testkit"},
		why: "no code from outside: the product starts no program and loads no plugin",
	},
	{imports: []string{"C"}, tests: true, why: "one static binary: no cgo"},
	{
		imports: []string{"github.com/stretchr/testify"}, tests: true,
		why: "tests use the standard library, go-cmp and rapid",
	},
	{imports: []string{"log"}, why: "logs are structured: log/slog"},
	{imports: []string{"math/rand"}, tests: true, why: "math/rand/v2 has seeded sources and no global state to reset"},
}

func (b *ban) applies(f *file) bool {
	in := func(folders []string) bool {
		return slices.ContainsFunc(folders, func(d string) bool { return under(f.dir(), d) })
	}
	return (b.tests || !f.test) && (len(b.in) == 0 || in(b.in)) && !in(b.except)
}

func (b *ban) names(importPath string) bool {
	return slices.ContainsFunc(b.imports, func(p string) bool {
		if p == "log" || p == "math/rand" || p == "regexp" { // slog, v2 and regexp/syntax are other packages
			return importPath == p
		}
		return under(importPath, p)
	})
}

func checkBans(t *tree) (bad []finding) {
	for _, f := range t.parsed() {
		for p, spec := range f.imports() {
			for i := range bans {
				if bans[i].applies(f) && bans[i].names(p) {
					bad = append(bad, t.at(f, spec, "imports %s: %s", p, bans[i].why))
				}
			}
		}
	}
	return sortFindings(bad)
}

// empty names say nothing of what a folder provides.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "types", "manager", "managers", "misc"}

func checkFolders(t *tree) (bad []finding) {
	seen := map[string]bool{}
	for _, f := range t.files {
		for dir := f.dir(); dir != "."; dir = path.Dir(dir) {
			if !seen[dir] && slices.Contains(emptyNames, strings.ToLower(path.Base(dir))) {
				bad = append(bad, finding{dir, 0, "is named " + path.Base(dir) + ", which says nothing of what it provides"})
			}
			seen[dir] = true
		}
	}
	return sortFindings(bad)
}

func checkPackageDocs(t *tree) (bad []finding) {
	product, docs := map[string]bool{}, map[string]int{}
	for _, f := range t.parsed() {
		product[f.dir()] = product[f.dir()] || !f.test
	}
	for _, f := range t.parsed() {
		if f.test && product[f.dir()] {
			continue
		}
		if _, ok := docs[f.dir()]; !ok {
			docs[f.dir()] = 0
		}
		if f.ast.Doc == nil {
			continue
		}
		docs[f.dir()]++
		want := "Package " + strings.TrimSuffix(f.ast.Name.Name, "_test") + " "
		if f.ast.Name.Name == "main" {
			want = "Command " + path.Base(f.dir()) + " "
		}
		if !strings.HasPrefix(f.ast.Doc.Text(), want) {
			bad = append(bad, t.at(f, f.ast.Doc, "the package comment does not begin with %q", want))
		}
	}
	for dir, n := range docs {
		if n != 1 {
			bad = append(bad, finding{dir, 0, fmt.Sprintf("has %d package comments, not one", n)})
		}
	}
	return sortFindings(bad)
}
