// Package docs holds the documentation to the program: reference pages are generated and compared, every example and
// every configuration that a page shows is loaded, every command shown exists, and every link leads somewhere. It
// tests no behaviour of the gateway beyond what a page claims.
package docs_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository, seen from here.
const root = "../.."

var update = flag.Bool("update", false, "write the generated parts of the pages anew")

// pages are all documents for readers.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"README.md", "ARCHITECTURE.md", "docs/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			name, err := filepath.Rel(root, p)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.ToSlash(name)] = read(t, name)
		}
	}
	if len(all) < 8 {
		t.Fatalf("found only %d pages", len(all))
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fence is a fenced block of a page.
type fence struct {
	lang, text string
	line       int // of its first line
}

func fences(page string) (all []fence) {
	var open *fence
	for i, line := range strings.Split(page, "\n") {
		mark := strings.TrimSpace(line)
		switch {
		case open == nil && strings.HasPrefix(mark, "```"):
			open = &fence{lang: strings.TrimPrefix(mark, "```"), line: i + 2}
		case open != nil && mark == "```":
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return all
}

// fresh compares what stands between two markers of a page with what is generated, or writes it with -update.
func fresh(t *testing.T, name, want string) {
	t.Helper()
	const begin, end = "<!-- generated: go test ./test/docs -update -->\n", "<!-- end of generated -->"
	page := read(t, name)
	head, rest, ok := strings.Cut(page, begin)
	got, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s does not hold the markers\n%s%s", name, begin, end)
	}
	want = "\n" + strings.TrimSpace(want) + "\n\n"
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("%s is stale: go test ./test/docs -update", name)
	}
	if err := os.WriteFile(filepath.Join(root, name), []byte(head+begin+want+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	unanchor = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are the places that a page's headings make, as code hosts do.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(unanchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return all
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	for name, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			to := m[1] + m[2]
			if strings.Contains(to, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(to, "#")
			target := name
			if file != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, to)
				continue
			}
			if anchor != "" && !anchors(read(t, target))[anchor] {
				t.Errorf("%s links to %s, but %s has no such heading", name, to, target)
			}
		}
	}
}

var (
	mentioned = regexp.MustCompile("`((?:internal|cmd|docs|examples|bench|test|deploy|tools)/[A-Za-z0-9_./-]*)`")
	testName  = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)`")
)

func TestWhatPagesMentionExists(t *testing.T) {
	tests := map[string]bool{}
	for _, p := range goTests(t) {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(b), -1) {
			tests[m[1]] = true
		}
	}
	for name, page := range pages(t) {
		for _, m := range mentioned.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s mentions %s, which does not exist", name, m[1])
			}
		}
		for _, m := range testName.FindAllStringSubmatch(page, -1) {
			if !tests[m[1]] {
				t.Errorf("%s mentions %s, which no package has", name, m[1])
			}
		}
	}
}

func goTests(t *testing.T) (all []string) {
	t.Helper()
	for _, dir := range []string{"internal", "test", "bench"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(p string, _ os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(p, "_test.go") {
				all = append(all, p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}
