package scenario

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"math"
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
	for _, text := range []string{
		"draw log-normal with sigma 0.35, seed 2026", "100,000 interactions a day",
		"1 in 200 is a 300-page one of 180,000 tokens", "log-normal sigma 0.3", "0.25 of the input", "half of it plausible",
	} {
		if !strings.Contains(string(procurement), text) {
			t.Errorf("procurement.yaml no longer says %q", text)
		}
	}
}

func TestBadScenarios(t *testing.T) {
	change := func(from, to string) []byte {
		if !strings.Contains(string(procurement), from) {
			t.Fatalf("procurement.yaml lacks %q", from)
		}
		return []byte(strings.Replace(string(procurement), from, to, 1))
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
	f.Add(procurement)
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

// sample is how many interactions the distribution tests draw.
const sample = 20_000

// TestSharesOfTheDay draws a part of the day of seed 2026. The counts are pinned, and each is also within four standard
// deviations of the file's share.
func TestSharesOfTheDay(t *testing.T) {
	s := Procurement()
	type counts struct {
		Needs [4]int
		Long  int
		Kinds map[string]int
	}
	for profile, want := range map[string]counts{
		"uniform": {Needs: [4]int{0, 15033, 3977, 990}, Kinds: map[string]int{"any": 20000}},
		"mixed": {Needs: [4]int{0, 13923, 4797, 1280}, Long: 15, Kinds: map[string]int{
			"invoice-status": 8995,
			"vendor-check":   4095, "compliance-faq": 2339, "manifest": 2954, "contract-compare": 821,
			"payment-dispute": 796,
		}},
	} {
		d, err := s.Day(profile, Seed)
		if err != nil {
			t.Fatal(err)
		}
		got := counts{Kinds: map[string]int{}}
		var in, out, meanIn, meanOut float64
		for i := range sample {
			it := d.sketch(i)
			got.Kinds[it.Kind]++
			got.Needs[it.Needs]++
			if it.Long {
				got.Long++
			}
			in, out = in+float64(it.Input), out+float64(it.Output)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", profile, diff)
		}
		for _, k := range s.Profiles[profile].Kinds {
			near(t, profile+" "+k.Name, got.Kinds[k.Name], sample, float64(k.Share)/float64(whole))
			meanIn += float64(k.Share) * sample / float64(whole) * float64(k.Input)
			meanOut += float64(k.Share) * sample / float64(whole) * float64(k.Output)
		}
		meanIn += float64(got.Long) * (longTokens - 13000)
		if off := in/meanIn - 1; off < -0.015 || off > 0.015 {
			t.Errorf("%s: input tokens %+.2f %% off the means", profile, 100*off)
		}
		if off := out/meanOut - 1; off < -0.015 || off > 0.015 {
			t.Errorf("%s: output tokens %+.2f %% off the means", profile, 100*off)
		}
	}
}

// near demands that k of n is within four standard deviations of p.
func near(t *testing.T, what string, k, n int, p float64) {
	t.Helper()
	mean, sd := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
	if math.Abs(float64(k)-mean) > 4*sd+1 {
		t.Errorf("%s: %d of %d, want about %.0f", what, k, n, mean)
	}
}

func TestPromptsHaveTheDrawnSizeAndTheDecidingFacts(t *testing.T) {
	s := Procurement()
	for _, profile := range s.Names() {
		its, err := s.Draw(profile, 300, Seed)
		if err != nil {
			t.Fatal(err)
		}
		var drawn, made int
		for _, it := range its {
			n := it.Prompt()
			drawn, made = drawn+it.Input, made+n
			if off := 100 * (n - it.Input) / it.Input; (off < -3 || off > 3) && it.Input > 500 {
				t.Errorf("%s %s: %d tokens, drawn %d", it.Ref, it.Topic, n, it.Input)
			}
			var all strings.Builder
			for i, turn := range it.History {
				if want := []string{"user", "assistant"}[i%2]; turn.Role != want || turn.Text == "" {
					t.Errorf("%s: turn %d is %q, %d bytes", it.Ref, i, turn.Role, len(turn.Text))
				}
				all.WriteString(turn.Text + "\n")
			}
			rec := it.Record
			for _, fact := range []string{
				rec.Invoice, rec.Order, rec.Vendor, "USD " + rec.Amount(), rec.Status,
				rec.OtherInvoice,
				dollars(rec.OtherCents),
			} {
				if !strings.Contains(all.String(), fact) {
					t.Errorf("%s: the history lacks %q", it.Ref, fact)
				}
			}
			if strings.Contains(all.String()+it.Question, "%!") {
				t.Errorf("%s: a broken sentence", it.Ref)
			}
			if !strings.HasSuffix(it.Question, "\nRef: "+it.Ref) {
				t.Errorf("%s: question %q", it.Ref, it.Question)
			}
		}
		if off := 1000 * (made - drawn) / drawn; off < -10 || off > 10 {
			t.Errorf("%s: prompts are %d per mille off what was drawn", profile, off)
		}
	}
}

func TestDocumentsAreNotAllFigures(t *testing.T) {
	d, err := Procurement().Day("mixed", Seed)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		it := d.At(i)
		if it.Topic != "payment-dispute" {
			continue
		}
		text, must := 0, 0
		for _, turn := range it.History {
			for line := range strings.SplitSeq(turn.Text, "\n") {
				if !strings.ContainsAny(line, "0123456789") {
					text++
				}
				if strings.Contains(line, "must not") {
					must++
				}
			}
		}
		if text < 50 || must == 0 {
			t.Errorf("%s: %d lines of prose, %d prohibitions", it.Ref, text, must)
		}
		return
	}
}

// TestWalkthroughIsGolden pins the two interactions that a newcomer sees first.
func TestWalkthroughIsGolden(t *testing.T) {
	status, dispute := Procurement().Walkthrough(Seed)
	if !strings.HasPrefix(status.Question, "Has Invoice #402 been approved?") || status.Needs != 1 {
		t.Errorf("the first interaction asks %q and needs layer %d", status.Question, status.Needs)
	}
	if dispute.Needs != 3 || dispute.Tool != "hold_payment" || len(dispute.History) < 20 {
		t.Errorf("the dispute needs layer %d, may %q and has %d turns", dispute.Needs, dispute.Tool, len(dispute.History))
	}
	var b strings.Builder
	for _, it := range []Interaction{status, dispute} {
		fmt.Fprintf(&b, "== %s %s, needs layer %d, drawn %d/%d tokens, prompt %d\n", it.Ref, it.Topic, it.Needs, it.Input,
			it.Output,
			it.Prompt())
		h := sha256.New()
		for i, turn := range it.History {
			fmt.Fprintf(h, "%s: %s\n", turn.Role, turn.Text)
			if i < 2 {
				fmt.Fprintf(&b, "%s: %s\n", turn.Role, turn.Text)
			}
		}
		fmt.Fprintf(&b, "history: %d turns, sha256 %x\nquestion: %s\nexpected: %s\n", len(it.History), h.Sum(nil),
			it.Question,
			encode(it.Expected()))
		d := Day{Procurement(), it.Profile, Seed}
		for layer, model := range []string{1: layer1, 2: layer2, 3: layer3} {
			if layer > 0 {
				o, text := d.Try(it, model, layer)
				fmt.Fprintf(&b, "%s: %s (%d tokens): %s\n", model, o, tokens.Count(text), text)
			}
		}
	}
	golden(t, "walkthrough.golden", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func BenchmarkDrawMixed(b *testing.B) {
	d, err := Procurement().Day("mixed", Seed)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		d.At(i % 1000)
	}
}
