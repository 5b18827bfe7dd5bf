package docs_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/cli"
	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/llm"
)

func TestTheConfigurationReferenceIsFresh(t *testing.T) {
	fresh(t, "docs/configuration.md", config.Reference())
}

// help is what a command prints with --help.
func help(t *testing.T, command ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), cli.Process{
		Args: append(slices.Clone(command), "--help"), Env: func(string) (string, bool) { return "", false },
		In: strings.NewReader(""), Out: &out, Err: &errs,
	})
	if code != 0 {
		t.Fatalf("weir %s --help ended with %d: %s", strings.Join(command, " "), code, errs.String())
	}
	return out.String()
}

var listed = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*) +\S`)

// commands are the paths of all commands below one, depth first. help and completion are cobra's own.
func commands(t *testing.T, below ...string) (all [][]string) {
	t.Helper()
	_, rest, ok := strings.Cut(help(t, below...), "Available Commands:\n")
	if !ok {
		return nil
	}
	list, _, _ := strings.Cut(rest, "\n\n")
	for _, m := range listed.FindAllStringSubmatch(list, -1) {
		if m[1] == "help" || m[1] == "completion" {
			continue
		}
		path := append(slices.Clone(below), m[1])
		all = append(all, path)
		all = append(all, commands(t, path...)...)
	}
	return all
}

func TestTheCommandReferenceIsFresh(t *testing.T) {
	var b strings.Builder
	for _, path := range append([][]string{nil}, commands(t)...) {
		text := strings.TrimRight(help(t, path...), "\n")
		fmt.Fprintf(&b, "## %s\n\n```text\n%s\n```\n\n", strings.Join(append([]string{"weir"}, path...), " "), text)
	}
	fresh(t, "docs/cli.md", b.String())
}

// shown is a command line that starts weir, in a fenced block.
var shown = regexp.MustCompile(`^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:go run \./cmd/weir|(?:\./)?weir) (.*)$`)

func TestEveryCommandShownExists(t *testing.T) {
	known := map[string]bool{"help": true, "completion": true}
	for _, path := range commands(t) {
		known[strings.Join(path, " ")] = true
	}
	n := 0
	for name, page := range pages(t) {
		if name == "docs/cli.md" {
			continue // written by the program itself
		}
		for _, l := range codeLines(page) {
			m := shown.FindStringSubmatch(l.text)
			if m == nil {
				continue
			}
			n++
			if why := wrong(t, known, m[1]); why != "" {
				t.Errorf("%s:%d: weir %s: %s", name, l.line, m[1], why)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d commands were found: the pattern has gone blind", n)
	}
}

var inline = regexp.MustCompile("`([^`]+)`")

// codeLines are what a reader of a page may type: lines of fenced blocks but for output (text), indented lines, and
// code within sentences.
func codeLines(page string) (all []fence) {
	for _, f := range fences(page) {
		if f.lang == "text" {
			continue
		}
		for i, line := range strings.Split(f.text, "\n") {
			all = append(all, fence{text: strings.TrimSpace(line), line: f.line + i})
		}
	}
	fenced := false
	for i, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if fenced {
			continue
		}
		if strings.HasPrefix(line, "    ") {
			all = append(all, fence{text: strings.TrimSpace(line), line: i + 1})
		}
		for _, m := range inline.FindAllStringSubmatch(line, -1) {
			all = append(all, fence{text: m[1], line: i + 1})
		}
	}
	return all
}

// wrong says what is wrong with a command line; "" = nothing.
func wrong(t *testing.T, known map[string]bool, line string) string {
	t.Helper()
	line, _, _ = strings.Cut(line, " #")
	words := strings.Fields(line)
	var path []string
	for len(words) > 0 && known[strings.Join(append(slices.Clone(path), words[0]), " ")] {
		path, words = append(path, words[0]), words[1:]
	}
	if len(path) == 0 {
		return "there is no such command"
	}
	usage := help(t, path...)
	for _, w := range words {
		flag, _, _ := strings.Cut(w, "=")
		if strings.HasPrefix(flag, "--") && !strings.Contains(usage, " "+flag+" ") {
			return "it has no flag " + flag
		}
	}
	return ""
}

// codes are the error codes that the vocabulary declares.
func codes(t *testing.T) (all []llm.Code) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal", "llm", "error.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Code" {
			s, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, llm.Code(s))
		}
		return true
	})
	if len(all) < 10 {
		t.Fatalf("found only the codes %v", all)
	}
	return all
}

func TestTheErrorsPageHasEveryCode(t *testing.T) {
	page := read(t, "docs/errors.md")
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\d+) \\|").FindAllStringSubmatch(page, -1) {
		rows[m[1]] = m[2]
	}
	for _, c := range codes(t) {
		want := strconv.Itoa((&llm.Error{Code: c}).Status())
		if got := rows[string(c)]; got != want {
			t.Errorf("docs/errors.md: code %s has status %q, the program answers %s", c, got, want)
		}
		delete(rows, string(c))
	}
	for c := range rows {
		t.Errorf("docs/errors.md: there is no code %s", c)
	}
}
