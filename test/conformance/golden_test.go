package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// results are outcomes by cell and client.
type results struct {
	cells []string // in order
	by    map[string]map[string]string
}

func (r *results) add(cell, client, outcome string) {
	if r.by == nil {
		r.by = map[string]map[string]string{}
	}
	if r.by[cell] == nil {
		r.by[cell] = map[string]string{}
		r.cells = append(r.cells, cell)
	}
	r.by[cell][client] = outcome
}

// String lists, by cell, each outcome with the clients that had it.
func (r *results) String() string {
	var b strings.Builder
	for _, cell := range r.cells {
		fmt.Fprintf(&b, "== %s\n", cell)
		by := map[string][]string{}
		for c, o := range r.by[cell] {
			by[o] = append(by[o], c)
		}
		order := slices.SortedFunc(maps.Keys(by), func(x, y string) int {
			return cmp.Or(cmp.Compare(len(by[y]), len(by[x])), cmp.Compare(x, y))
		})
		for _, o := range order {
			slices.Sort(by[o])
			fmt.Fprintf(&b, "%s\n    %s\n", o, strings.Join(by[o], ", "))
		}
	}
	return b.String()
}

// parse reads what String wrote.
func parse(text string) *results {
	r := &results{}
	var cell, outcome string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		name, isCell := strings.CutPrefix(line, "== ")
		names, isClients := strings.CutPrefix(line, "    ")
		switch {
		case isCell:
			cell = name
		case isClients:
			for c := range strings.SplitSeq(names, ", ") {
				r.add(cell, c, outcome)
			}
		default:
			outcome = line
		}
	}
	return r
}

// golden compares outcomes with a file of testdata, or writes them into it. What is there of clients that were left out
// stays, and is not compared.
func golden(t *testing.T, name string, got *results) {
	t.Helper()
	path := filepath.Join("testdata", name)
	text, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	want := parse(string(text))
	if *update {
		merge(want, got)
		if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, cell := range got.cells {
		for c, o := range got.by[cell] {
			if w := want.by[cell][c]; w != o {
				t.Errorf("%s: %s\n saw  %s\n once %s", cell, c, o, cmp.Or(w, "nothing: -update writes it"))
			}
		}
	}
}

// merge adds to the outcomes seen now those once seen of clients that were left out.
func merge(once, now *results) {
	ran := map[string]bool{}
	for _, by := range now.by {
		for c := range by {
			ran[c] = true
		}
	}
	for _, cell := range now.cells {
		for c, o := range once.by[cell] {
			if !ran[c] {
				now.add(cell, c, o)
			}
		}
	}
}

func TestOutcomesSurviveTheirFile(t *testing.T) {
	once, now := &results{}, &results{}
	once.add("a cell", "left out", "ok")
	once.add("a cell", "played to", "ok")
	now.add("a cell", "played to", "hangs")
	now.add("another, new", "played to", "raises E: a message")
	merge(parse(once.String()), now)
	want := "== a cell\nhangs\n    played to\nok\n    left out\n== another, new\nraises E: a message\n    played to\n"
	if got := now.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := parse(want).String(); got != want {
		t.Errorf("read and written again:\n%s", got)
	}
}
