package validate

import (
	"crypto/sha256"
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirhq/weir/internal/llm"
)

// gsmRow is one question with two recorded answers and whether each was right. The labels are read by the measurement
// only, never by a check.
type gsmRow struct {
	question, weak, strong string
	weakOK, strongOK       bool
}

// gsmRows reads RouteLLM's recorded GSM8K answers below the folder that WEIR_SHARED names. One row in five is held
// back (by the hash of the question) unless WEIR_HELDOUT is set, so that the figures here are not what was tuned on.
func gsmRows(t *testing.T) []gsmRow {
	t.Helper()
	root := os.Getenv("WEIR_SHARED")
	if root == "" {
		t.Skip("WEIR_SHARED is not set")
	}
	f, err := os.Open(filepath.Join(root, "data/routellm/gsm8k/gsm8k_responses.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	recs, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []gsmRow
	for _, r := range recs[1:] {
		if held := sha256.Sum256([]byte("gsm8k\x00" + r[0]))[0] < 51; held != (os.Getenv("WEIR_HELDOUT") != "") {
			continue
		}
		rows = append(rows, gsmRow{r[0], r[3], r[4], r[1] == "True", r[2] == "True"})
	}
	return rows
}

// gsmSpecs are the checks of a route for word problems whose answers are whole numbers on a line of their own.
var gsmSpecs = []Spec{
	{Name: "arithmetic-holds", Arithmetic: true},
	{Name: "final-answer", Regex: `(?im)####\s*-?\s*\$?\s*-?\d[\d,]*(\.0+)?(\s|[^\d.,/\s]|[.,](\s|\z)|\z)` +
		`|(^|[.!?]\s+)(so|thus|hence|therefore|in total|in conclusion|the (final )?answer is)\b[^\n]*\d[^\n]*[.!]\s*\z`},
}

func compileAll(t *testing.T, specs []Spec) []Check {
	t.Helper()
	checks := Basic()
	for _, s := range specs {
		c, err := Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		checks = append(checks, c)
	}
	return checks
}

func TestGSM8KGapRecovered(t *testing.T) {
	rows := gsmRows(t)
	checks := compileAll(t, gsmSpecs)
	fired, wrong, weak, strong, got := map[string]int{}, map[string]int{}, 0, 0, 0
	total, caught := 0, 0
	for _, r := range rows {
		f := All(checks, answer(r.question, r.weak))
		weak += b2i(r.weakOK)
		strong += b2i(r.strongOK)
		if f.OK {
			got += b2i(r.weakOK)
			continue
		}
		got += b2i(r.strongOK)
		total++
		fired[f.Check]++
		if !r.weakOK {
			wrong[f.Check]++
			caught++
		}
	}
	n := len(rows)
	pct := func(k, of int) float64 { return 100 * float64(k) / float64(of) }
	share, gap := pct(total, n), pct(got-weak, strong-weak)
	for c, k := range fired {
		t.Logf("%-20s fires %5.1f %%, right %5.1f %%", c, pct(k, n), pct(wrong[c], k))
	}
	t.Logf("rows %d: weak %.1f %%, strong %.1f %%, cascade %.1f %%", n, pct(weak, n), pct(strong, n), pct(got, n))
	t.Logf("strong calls %.1f %%, alarms right %.1f %%, gap recovered %.1f %%", share, pct(caught, total), gap)
	if share > 20 || gap < 50 {
		t.Errorf("want >= 50 %% of the gap recovered with <= 20 %% strong calls")
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// answer is a plain exchange: one user turn, one answer that ended by itself.
func answer(question, text string) Subject {
	return Subject{
		Request: &llm.Request{Messages: []llm.Message{{Role: llm.User, Parts: []llm.Part{{Text: question}}}}},
		Answer:  &llm.Response{Choices: []llm.Choice{{Parts: []llm.Part{{Text: text}}, Stop: llm.StopEnd}}},
	}
}
