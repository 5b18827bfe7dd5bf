package sim

import (
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestSimKnowsNothingOfTheGateway holds what makes the simulation a test: it shares no code with what it is tested on.
func TestSimKnowsNothingOfTheGateway(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range tree.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if strings.Contains(path, "weirhq/weir") && path != "github.com/weirhq/weir/internal/sim/tokens" {
				t.Errorf("%s imports %s", f.Name(), path)
			}
		}
	}
}
