package scenario

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/sim/tokens"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestEmbeddedFileIsTheMissions(t *testing.T) {
	shared := os.Getenv("WEIR_SHARED")
	if shared == "" {
		t.Skip("WEIR_SHARED is not set")
	}
	want, err := os.ReadFile(filepath.Join(shared, "mission", "procurement-scenario.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, procurement) {
		t.Error("procurement.yaml differs from the fixed scenario")
	}
}

func TestConstantsAreWhatTheFileSays(t *testing.T) {
	for _, text := range []string{"draw log-normal with sigma 0.35, seed 2026", "100,000 interactions a day",
		"1 in 200 is a 300-page one of 180,000 tokens", "log-normal sigma 0.3", "0.25 of the input", "half of it plausible"} {
		if !strings.Contains(string(procurement), text) {
			t.Errorf("procurement.yaml no longer says %q", text)
		}
	}
}

func TestBadScenarios(t *testing.T) {
	change := func(old, new string) []byte {
		if !strings.Contains(string(procurement), old) {
			t.Fatalf("procurement.yaml lacks %q", old)
		}
		return []byte(strings.Replace(string(procurement), old, new, 1))
	}
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"unknown key":      {change("history_turns: 2", "history_turn: 2"), "history_turn"},
		"kinds' shares":    {change("share: 0.45", "share: 0.46"), "add up to 10100"},
		"needs' shares":    {change("needs_layer: {1: 0.75", "needs_layer: {1: 0.74"), "needs_layer"},
		"share over one":   {change("share: 0.45", "share: 1.45"), "between 0 and 1"},
		"five places":      {change("share: 0.45", "share: 0.45001"), "four places"},
		"no input":         {change("input: 1100", "input: 0"), "positive"},
		"unknown kind":     {change("name: vendor-check", "name: vendor"), `unknown kind "vendor"`},
		"amounts":          {change("amount_usd: [500, 250000]", "amount_usd: [500]"), "lowest and the highest"},
		"ways to fail":     {change("truncated: 0.05", "truncated: 0.06"), "below_needed must add up"},
		"no such spread":   {change("plausible_wrong: {mean: 0.90, sd: 0.07}", ""), "confidence.plausible_wrong"},
		"profile is gone":  {change("  mixed: ", "  mingled: "), "required"},
		"not a price":      {change("before_per_day: 4999.50", "before_per_day: lots"), "lots"},
		"nothing at all":   {nil, "scenario"},
		"not even a table": {[]byte("- 1"), "scenario"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Load(tc.file); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Load: %v, want %q", err, tc.want)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(procurement))
	f.Add([]byte("profiles: {mixed: {kinds: [{name: any, share: 1.00}]}}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := Load(file)
		if err != nil {
			return
		}
		for _, name := range s.Names() {
			if _, err := s.Draw(name, 2, 1); err != nil {
				t.Fatalf("a scenario that loads does not draw: %v", err)
			}
		}
	})
}

func TestSameSeedSameBytes(t *testing.T) {
	s := Procurement()
	for _, profile := range s.Names() {
		a, err := s.Draw(profile, 40, 7)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := s.Draw(profile, 40, 7)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s drawn twice differs:\n%s", profile, diff)
		}
		c, _ := s.Draw(profile, 40, 8)
		if cmp.Equal(a[1:], c[1:]) {
			t.Errorf("%s: another seed draws the same", profile)
		}
	}
	if _, err := s.Draw("mingled", 1, 1); err == nil || !strings.Contains(err.Error(), "mixed, uniform") {
		t.Errorf("unknown profile: %v", err)
	}
}
