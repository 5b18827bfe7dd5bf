package validate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/routing/wholeword"
)

// countSearches counts the searches through a request until the test ends.
func countSearches(t *testing.T) *int {
	n := 0
	search = func(text, word string) bool {
		n++
		return wholeword.In(text, word)
	}
	t.Cleanup(func() { search = wholeword.In })
	return &n
}

// ids are n ids with a mark before each, one a line.
func ids(n int, mark string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%07d\n", mark, i)
	}
	return b.String()
}

func TestReferencesAreLookedUp(t *testing.T) {
	c := compile(t, Spec{Name: "ids", References: `INV-\d+`})
	searches := countSearches(t)
	shorter := strings.Repeat("INV-00000 INV-000000 ", 40_000)
	for name, tt := range map[string]struct {
		source, answer string
		ok             bool
		most           int
	}{
		"all there":               {ids(40_000, "INV-"), ids(20_000, "INV-"), true, 0},
		"in other case":           {ids(40_000, "inv-"), ids(20_000, "INV-"), true, 0},
		"among near misses":       {shorter + ids(20_000, "INV-"), ids(20_000, "INV-"), true, 0},
		"one is not there":        {ids(20_000, "INV-"), ids(20_001, "INV-"), false, 1},
		"none is there":           {"nothing", ids(20_000, "INV-"), false, 1},
		"part of a longer one":    {"XINV-5 and INV-55", "INV-5", false, 1},
		"split by what is unseen": {"INV-5\u00ad5 and INV-\u200b7", "INV-55, INV-7", true, 1},
		"half of a split one":     {"INV-5\u00ad5", "INV-5", false, 1},
	} {
		*searches = 0
		f := c.Judge(answer(tt.source, tt.answer))
		if f.OK != tt.ok || *searches > tt.most {
			t.Errorf("%s: %+v after %d searches, want OK = %t and at most %d", name, f, *searches, tt.ok, tt.most)
		}
	}
}

func TestReferencesThatThePatternMissesAreSearchedFor(t *testing.T) {
	c := compile(t, Spec{Name: "ids", References: `INV–\d+`}) // with a dash that only answers use
	searches := countSearches(t)
	if f := c.Judge(answer(ids(maxSearched, "INV-"), ids(maxSearched, "INV–"))); !f.OK || *searches != maxSearched {
		t.Errorf("%+v after %d searches, want OK after %d", f, *searches, maxSearched)
	}
	*searches = 0
	f := c.Judge(answer(ids(5000, "INV-"), ids(5000, "INV–")))
	if f.OK || !strings.HasPrefix(f.Reason, "too many references") || *searches != maxSearched {
		t.Errorf("%+v after %d searches, want a refusal after %d", f, *searches, maxSearched)
	}
	*searches = 0
	long := strings.Repeat("7", maxSought)
	if f := c.Judge(answer("INV-"+long, "INV–"+long)); f.OK || *searches != 0 {
		t.Errorf("%+v after %d searches: a reference too long to be searched for was", f, *searches)
	}
}

func BenchmarkReferences(b *testing.B) {
	c := compile(b, Spec{Name: "ids", References: `INV-\d+`})
	for _, n := range []int{10_000, 40_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := answer(strings.Repeat("INV-00000 ", 2*n)+ids(n, "INV-"), ids(n, "INV-"))
			for b.Loop() {
				if f := c.Judge(s); !f.OK {
					b.Fatal(f)
				}
			}
		})
	}
}
