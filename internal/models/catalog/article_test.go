package catalog

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/weirhq/weir/internal/finops/money"
)

// facts is the part of the article's tables that the catalogue answers for. Prices are read as the text that stands
// there.
type facts struct {
	Models []struct {
		ID, Vendor, Tier string
		Context          int
		Input, Output    literal
		SelfHosted       bool `yaml:"self_hosted"`
	}
	Intelligences map[string]struct{ Models []string }
	Layers        []struct {
		Layer  int
		Models []string
	}
}

type literal string

func (l *literal) UnmarshalYAML(b []byte) error {
	*l = literal(strings.TrimSpace(string(b)))
	return nil
}

func readFacts(t *testing.T) facts {
	t.Helper()
	b, err := os.ReadFile("testdata/facts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var f facts
	if err := yaml.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheArticlesModelTable(t *testing.T) {
	f := readFacts(t)
	if len(f.Models) != 11 {
		t.Fatalf("%d models in the table", len(f.Models))
	}
	for i, want := range f.Models {
		m, ok := Embedded().Model(want.ID)
		if !ok {
			t.Errorf("model %s is missing", want.ID)
			continue
		}
		if got := Embedded().Models()[i].ID; got != want.ID {
			t.Errorf("place %d is %s, want %s", i, got, want.ID)
		}
		if m.Vendor != want.Vendor || string(m.Tier) != want.Tier || m.SelfHosted != want.SelfHosted {
			t.Errorf("%s: %s, %s, self-hosted %t", m.ID, m.Vendor, m.Tier, m.SelfHosted)
		}
		i := slices.IndexFunc(m.Windows, func(c Claim) bool { return strings.HasPrefix(c.Source, "the article") })
		if i < 0 || m.Windows[i].Tokens != want.Context {
			t.Errorf("%s: the article's window of %d is not among %v", m.ID, want.Context, m.Windows)
		}
		p, ok := Embedded().Price("article-2026-06", m.ID, day("2026-06-30"), 1000)
		if !ok || p.Allocated != want.SelfHosted {
			t.Errorf("%s: priced %t, allocated %t", m.ID, ok, p.Allocated)
		}
		if want.SelfHosted {
			continue
		}
		if in, out := p.Rates[money.Input], p.Rates[money.Output]; in != rate(t, string(want.Input)) ||
			out != rate(t, string(want.Output)) {
			t.Errorf("%s: %s / %s, want %s / %s", m.ID, in.PerMillionUnits(), out.PerMillionUnits(), want.Input, want.Output)
		}
	}
}

func TestTheArticlesIntelligencesAndLayers(t *testing.T) {
	f := readFacts(t)
	if len(f.Intelligences) != 4 || len(f.Layers) != 3 {
		t.Fatalf("%d intelligences, %d layers", len(f.Intelligences), len(f.Layers))
	}
	for name, in := range f.Intelligences {
		for _, id := range in.Models {
			if m, ok := Embedded().Model(id); !ok || !slices.Contains(m.Intelligences, name) {
				t.Errorf("model %s does not serve %s", id, name)
			}
		}
	}
	placed := map[string][]int{}
	for _, l := range f.Layers {
		for _, id := range l.Models {
			placed[id] = append(placed[id], l.Layer)
		}
	}
	for _, want := range f.Models {
		if m, _ := Embedded().Model(want.ID); !slices.Equal(m.Layers, placed[m.ID]) {
			t.Errorf("%s stands in layers %v, in the article in %v", m.ID, m.Layers, placed[m.ID])
		}
	}
}

// Real list prices where they differ from the article's (the second book).
func TestListPricesDifferWhereTheArticleIsApproximate(t *testing.T) {
	tests := []struct{ model, input, output string }{
		{"gpt-5.5", "5", "30"},
		{"gpt-5.4-mini", "0.75", "4.5"},
		{"deepseek-v4-pro", "0.435", "0.87"},
		{"claude-opus-4.6", "5", "25"},
		{"gemini-flash-lite", "0.1", "0.4"},
		{"gemini-flash", "0.3", "2.5"},
	}
	for _, tt := range tests {
		p, _ := Embedded().Price("list-2026-08", tt.model, day("2026-09-01"), 1000)
		if p.Rates[money.Input] != rate(t, tt.input) || p.Rates[money.Output] != rate(t, tt.output) {
			t.Errorf("%s: %v, want %s / %s", tt.model, p.Rates, tt.input, tt.output)
		}
	}
}

func TestNoFloats(t *testing.T) {
	names, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if strings.HasPrefix(n.Name, "float") {
					t.Errorf("%s uses %s", name, n.Name)
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					t.Errorf("%s holds %s", name, n.Value)
				}
			}
			return true
		})
	}
}
