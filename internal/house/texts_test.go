package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

const hostNamed = "names a registry host: the clients know theirs"

// banned words of texts. The expressions are written so that they do not match themselves.
var banned = []struct {
	find *regexp.Regexp
	data bool // also in testdata and data, which others may have written
	what string
}{
	{regexp.MustCompile(`\b(TO[D]O|FI[X]ME)\b`), false, "leaves work for later: do it, or open an issue"},
	{regexp.MustCompile(`(^|[\s"'(=:])/(wor[k]|roo[t]|hom[e]/\w+|User[s]/\w+)/`), true, "names a path of one machine"},
	{
		regexp.MustCompile(`\b(prox[y]\.golang|su[m]\.golang|registr[y]\.npmjs|index\.docke[r]|regist[r]y-1)\.\w+`), true,
		hostNamed,
	},
	{regexp.MustCompile(`\b(de[b]\.debian\.org|pyp[i]\.org|ghc[r]\.io|gc[r]\.io|qua[y]\.io)\b`), true, hostNamed},
}

func checkTexts(t *tree) (bad []finding) {
	for p, text := range t.texts {
		if path.Base(p) == "go.sum" {
			continue
		}
		data := within(p, "testdata") || within(p, "data")
		number := 0
		for line := range strings.Lines(text) {
			number++
			for _, b := range banned {
				if (b.data || !data) && b.find.MatchString(line) {
					bad = append(bad, finding{p, number, b.what})
				}
			}
		}
	}
	return sortFindings(bad)
}

// testMarker stands in the README before the command that runs all tests: CI runs what a reader would.
const testMarker = "<!-- test-command -->"

// shown is a command line of the README that starts weir: its path of words, up to the first flag or value.
var shown = regexp.MustCompile(`^(?:\$ )?(?:go run \./cmd/weir|(?:\./)?weir)((?: [a-z][a-z-]*)*)`)

func checkReadme(t *tree) (bad []finding) {
	text, ok := t.texts["README.md"]
	if !ok {
		return []finding{{"README.md", 0, "is missing"}}
	}
	if strings.Count(text, testMarker) != 1 {
		bad = append(bad, finding{"README.md", 0, "does not mark its test command once with " + testMarker})
	}
	commands := subcommands(t)
	fenced, number := false, 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		m := shown.FindStringSubmatch(line)
		if !fenced || m == nil {
			continue
		}
		words := strings.Fields(m[1])
		if len(words) > 0 && !commands[words[0]] {
			bad = append(bad, finding{"README.md", number, fmt.Sprintf("shows weir %s, which does not exist", words[0])})
		}
	}
	return sortFindings(bad)
}

// subcommands are the first words of the Use of every cobra.Command in cli.
func subcommands(t *tree) map[string]bool {
	names := map[string]bool{"help": true, "completion": true} // cobra's own
	for _, f := range t.product() {
		if !under(f.dir(), "internal/cli") {
			continue
		}
		cobra := f.localName("github.com/spf13/cobra")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if _, ok := selects(c.Type, cobra, "Command"); !ok {
				return true
			}
			for _, e := range c.Elts {
				if use := literalOf(e, "Use"); use != "" {
					names[strings.Fields(use)[0]] = true
				}
			}
			return true
		})
	}
	return names
}

// literalOf is the string literal given to a field of a composite literal, "" if the element is another.
func literalOf(e ast.Expr, field string) string {
	kv, ok := e.(*ast.KeyValueExpr)
	if !ok {
		return ""
	}
	key, ok := kv.Key.(*ast.Ident)
	lit, isLit := kv.Value.(*ast.BasicLit)
	if !ok || !isLit || key.Name != field || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}
