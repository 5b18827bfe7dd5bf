package house

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is our own module path.
const module = "github.com/weirhq/weir"

// finding is one broken rule at one place.
type finding struct {
	path string
	line int // 0 = the whole file or folder
	text string
}

// String is "path:line: text", as compilers write it.
func (f finding) String() string {
	if f.line == 0 {
		return f.path + ": " + f.text
	}
	return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.text)
}

// file is one Go file of the main module, testdata left out.
type file struct {
	path string // slash-separated, from the root
	src  string
	ast  *ast.File // nil when it does not parse
	err  error
	test bool
}

// dir is the folder of the file; "." is the root.
func (f *file) dir() string { return path.Dir(f.path) }

// generated tells whether a program wrote the file.
func (f *file) generated() bool { return f.ast != nil && ast.IsGenerated(f.ast) }

// tree is what the rules look at.
type tree struct {
	fset  *token.FileSet
	files []*file
	texts map[string]string // every text of the project by path, Go files too
}

// textNames are texts by extension or by name.
var textNames = []string{
	".go", ".md", ".mod", ".yaml", ".yml", ".sh", ".txt", ".sql", ".ts", ".tsx", ".css", ".html", ".py",
	".mjs", ".gitignore", "Makefile", "Dockerfile", "run", "package-lock.json",
}

// load reads a tree. A folder with a go.mod of its own is another module: its texts count, its Go files do not.
func load(fsys fs.FS) *tree {
	t := &tree{fset: token.NewFileSet(), texts: map[string]string{}}
	other := map[string]bool{}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return t.enter(fsys, p, d.Name(), other)
		}
		if !slices.Contains(textNames, path.Ext(p)) && !slices.Contains(textNames, d.Name()) {
			return nil
		}
		b, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		t.texts[p] = string(b)
		if path.Ext(p) == ".go" && !other[path.Dir(p)] && !within(p, "testdata") {
			t.add(p, string(b))
		}
		return nil
	})
	if err != nil {
		panic(err) // a tree that cannot be read cannot be judged
	}
	return t
}

// enter decides about a folder: skip it, or note that it belongs to another module.
func (t *tree) enter(fsys fs.FS, p, name string, other map[string]bool) error {
	if slices.Contains([]string{".git", ".cache", "node_modules", "weir-data", "dist"}, name) {
		return fs.SkipDir
	}
	if p == "internal/house/testdata" {
		return fs.SkipDir // bad on purpose
	}
	if p == "." {
		return nil
	}
	_, err := fs.Stat(fsys, p+"/go.mod")
	other[p] = err == nil || other[path.Dir(p)]
	return nil
}

func (t *tree) add(p, src string) {
	f := &file{path: p, src: src, test: strings.HasSuffix(p, "_test.go")}
	f.ast, f.err = parser.ParseFile(t.fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
	if f.err != nil {
		f.ast = nil
	}
	t.files = append(t.files, f)
}

// parsed yields the files that parse.
func (t *tree) parsed() []*file {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *file) bool { return f.ast == nil })
}

// product yields the parsed files that are neither tests nor generated.
func (t *tree) product() []*file {
	return slices.DeleteFunc(t.parsed(), func(f *file) bool { return f.test || f.generated() })
}

func (t *tree) line(p token.Pos) int { return t.fset.Position(p).Line }

func (t *tree) at(f *file, n ast.Node, format string, args ...any) finding {
	return finding{f.path, t.line(n.Pos()), fmt.Sprintf(format, args...)}
}

// imports yields a file's import paths with their nodes.
func (f *file) imports() func(yield func(string, *ast.ImportSpec) bool) {
	return func(yield func(string, *ast.ImportSpec) bool) {
		for _, spec := range f.ast.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err == nil && !yield(p, spec) {
				return
			}
		}
	}
}

// localName is the name by which a file knows an import, "" if it does not import it.
func (f *file) localName(importPath string) string {
	for p, spec := range f.imports() {
		if p != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(p)
	}
	return ""
}

// selects tells whether an expression is pkg.Name for one of the names, and which.
func selects(e ast.Expr, pkg string, names ...string) (string, bool) {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || pkg == "" {
		return "", false
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok || id.Name != pkg || !slices.Contains(names, sel.Sel.Name) {
		return "", false
	}
	return sel.Sel.Name, true
}

// under tells whether a path is a folder or lies in it.
func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// within tells whether one of a path's folders has a name.
func within(p, name string) bool { return slices.Contains(strings.Split(path.Dir(p), "/"), name) }

// sortFindings orders by place.
func sortFindings(fs []finding) []finding {
	slices.SortFunc(fs, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.line, b.line), cmp.Compare(a.text, b.text))
	})
	return fs
}

func checkParses(t *tree) (bad []finding) {
	for _, f := range t.files {
		if f.err != nil {
			bad = append(bad, finding{f.path, 0, "does not parse"})
		}
	}
	return bad
}
