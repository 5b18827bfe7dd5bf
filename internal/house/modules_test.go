package house

import (
	"bytes"
	"errors"
	"fmt"
	"go/version"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// modFile is what `go mod edit -json` tells of a go.mod.
type modFile struct {
	Go      string
	Require []struct{ Path, Version string }
	Replace []struct{ Old struct{ Path string } }
}

func (m *modFile) version(module string) string {
	for _, r := range m.Require {
		if r.Path == module {
			return r.Version
		}
	}
	return ""
}

// listed is what `go list -json` tells of a package.
type listed struct {
	ImportPath string
	Standard   bool
	CgoFiles   []string
	Imports    []string
	Module     *struct {
		Path, Version, GoVersion, GoMod string
		Main                            bool
	}
}

// linked is what the module rules look at.
type linked struct {
	mod    modFile
	sqlite modFile // the go.mod of the linked modernc.org/sqlite
	pkgs   []listed
	docs   string // DEPENDENCIES.md
}

func TestModules(t *testing.T) {
	dir := root(t)
	var l linked
	editJSON(t, filepath.Join(dir, "go.mod"), &l.mod)
	l.pkgs = list(t, dir, "-deps", "-test", "./...")
	for _, p := range l.pkgs {
		if p.Module != nil && p.Module.Path == "modernc.org/sqlite" {
			editJSON(t, p.Module.GoMod, &l.sqlite)
			break
		}
	}
	docs, err := os.ReadFile(filepath.Join(dir, "DEPENDENCIES.md"))
	if err != nil {
		t.Fatal(err)
	}
	l.docs = string(docs)
	for _, f := range checkModules(&l) {
		t.Error(f)
	}
	for _, other := range modules {
		var m modFile
		editJSON(t, filepath.Join(dir, filepath.FromSlash(other.path), "go.mod"), &m)
		if len(m.Replace) > 0 {
			t.Errorf("%s/go.mod: has a replace: it does not travel with the module", other.path)
		}
	}
}

// modules are those beside the product's, each with the reason why it is one of its own.
var modules = []struct{ path, why string }{
	{"tools", "linters and their many modules are pinned, and reach no user"},
	{"test/conformance", "the providers' SDKs are only what we are tested with, and reach no user"},
}

// TestEveryModuleHasItsReason finds a go.mod that nobody has explained: its Go files would escape every other rule.
func TestEveryModuleHasItsReason(t *testing.T) {
	house := load(os.DirFS(root(t)))
	for p := range house.texts {
		dir := path.Dir(p)
		if path.Base(p) != "go.mod" || dir == "." || within(p, "testdata") {
			continue
		}
		if !slices.ContainsFunc(modules, func(m struct{ path, why string }) bool { return m.path == dir && m.why != "" }) {
			t.Errorf("%s: is a module of its own: say why in the table of modules", p)
		}
	}
}

// TestNoCgo holds for the product's binary with cgo on, when a package that has a C way would show it, and off, when a
// package that has no other way does not list.
func TestNoCgo(t *testing.T) {
	for _, cgo := range []string{"1", "0"} {
		t.Setenv("CGO_ENABLED", cgo)
		for _, f := range checkCgo(list(t, root(t), "-deps", "./cmd/weir")) {
			t.Errorf("CGO_ENABLED=%s: %s", cgo, f)
		}
	}
}

func TestModuleRulesCanFail(t *testing.T) {
	a, err := txtar.ParseFile(filepath.Join("testdata", "modules.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	l := linked{pkgs: decodeList(t, read("list.json")), docs: string(read("DEPENDENCIES.md"))}
	editJSON(t, filepath.Join(dir, "go.mod"), &l.mod)
	editJSON(t, filepath.Join(dir, "sqlite", "go.mod"), &l.sqlite)
	var got []string
	for _, f := range slices.Concat(checkModules(&l), checkCgo(l.pkgs)) {
		got = append(got, f.String())
	}
	slices.Sort(got)
	want := strings.Split(strings.TrimSpace(string(read("want"))), "\n")
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func checkModules(l *linked) (bad []finding) {
	for _, r := range l.mod.Replace {
		bad = append(bad, finding{"go.mod", 0, "replaces " + r.Old.Path + ": a replace does not travel with the module"})
	}
	newer := map[string]bool{}
	for _, p := range l.pkgs {
		m := p.Module
		if m == nil || m.Main || m.GoVersion == "" || newer[m.Path] {
			continue
		}
		if version.Compare("go"+m.GoVersion, "go"+l.mod.Go) > 0 {
			newer[m.Path] = true
			text := fmt.Sprintf("%s needs go %s, we build with %s", m.Path, m.GoVersion, l.mod.Go)
			bad = append(bad, finding{"go.mod", 0, text})
		}
	}
	const libc = "modernc.org/libc"
	if want, got := l.sqlite.version(libc), l.mod.version(libc); want != got {
		text := fmt.Sprintf("%s is %q, but modernc.org/sqlite pins exactly %q", libc, got, want)
		bad = append(bad, finding{"go.mod", 0, text})
	}
	return sortFindings(append(bad, checkRows(l)...))
}

// row is a line of DEPENDENCIES.md's table that begins with a module path.
var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")

// checkRows compares the modules that our own packages import with the table: each has a row, and no row is left over.
func checkRows(l *linked) (bad []finding) {
	rows := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(l.docs, -1) {
		rows[m[1]] = true
		if l.mod.version(m[1]) == "" {
			bad = append(bad, finding{"DEPENDENCIES.md", 0, m[1] + " has a row but go.mod does not require it"})
		}
	}
	owner := map[string]string{} // by import path
	for _, p := range l.pkgs {
		if p.Module != nil && !p.Module.Main {
			owner[p.ImportPath] = p.Module.Path
		}
	}
	told := map[string]bool{}
	for _, p := range l.pkgs {
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, i := range p.Imports {
			m := owner[i]
			if m != "" && !rows[m] && !told[m] {
				told[m] = true
				bad = append(bad, finding{"DEPENDENCIES.md", 0, m + " has no row: say why we need it"})
			}
		}
	}
	return bad
}

func checkCgo(pkgs []listed) (bad []finding) {
	for _, p := range pkgs {
		if !p.Standard && len(p.CgoFiles) > 0 {
			bad = append(bad, finding{p.ImportPath, 0, "has cgo files: " + strings.Join(p.CgoFiles, " ")})
		}
	}
	return bad
}

// list runs go list -json in a folder. It fails when a package does not load.
func list(t *testing.T, dir string, args ...string) []listed {
	t.Helper()
	args = append([]string{"list", "-json=ImportPath,Standard,CgoFiles,Imports,Module"}, args...)
	return decodeList(t, goCommand(t, dir, args...))
}

// decodeList reads go list's stream of objects.
func decodeList(t *testing.T, b []byte) []listed {
	t.Helper()
	var all []listed
	dec := jsontext.NewDecoder(bytes.NewReader(b))
	for {
		var p listed
		err := json.UnmarshalDecode(dec, &p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
}

func editJSON(t *testing.T, gomod string, m *modFile) {
	t.Helper()
	if err := json.Unmarshal(goCommand(t, filepath.Dir(gomod), "mod", "edit", "-json", gomod), m); err != nil {
		t.Fatalf("reading %s: %v", gomod, err)
	}
}

func goCommand(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=") // a caller's flags, -json for one, are not meant for it
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}
