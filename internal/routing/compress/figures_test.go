package compress

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/llm"
)

// The bars that briefs are held to.
const (
	leastAt5, leastAt10 = 0.91, 0.85 // share of contexts in which an answer survives
	mostPage            = 15.0       // ms for 1,500 words
	mostLong            = 1.0        // s for 150,000 tokens
	mostMemory          = 3.0        // times the request, beside it
)

// heldBack is the first question that the weights of the ranking were not set on.
const heldBack = 1000

// bar is one figure as the bench prints it.
type bar struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Bar     string  `json:"bar"`
	OK      bool    `json:"ok"`
	Figures any     `json:"figures,omitempty"`
}

func (b bar) print(t *testing.T) {
	t.Helper()
	b.Value = round(b.Value)
	line, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(line))
}

func round(v float64) float64 { return math.Round(v*10_000) / 10_000 }

// TestFigures prints how well and how fast briefs are made, of the questions under WEIR_SHARED or of those that are shipped.
// Bars of time and memory say whether they hold and do not fail the test: what else the machine does decides them too.
func TestFigures(t *testing.T) {
	if os.Getenv("WEIR_FIGURES") == "" {
		t.Skip("WEIR_FIGURES is not set: go run ./bench/show -only brief")
	}
	path := "testdata/nq/nq-30.jsonl"
	if root := os.Getenv("WEIR_SHARED"); root != "" {
		path = filepath.Join(root, "data/lost-in-the-middle/nq-open-oracle.jsonl")
	}
	rows := readNQ(t, path)
	var page []float64
	for _, f := range []struct {
		factor int
		least  float64
	}{{5, leastAt5}, {10, leastAt10}} {
		var figures struct {
			Contexts int     `json:"contexts"`
			Seen     float64 `json:"first_questions"`
			Held     float64 `json:"held_back_questions"`
			Ratio    float64 `json:"ratio_reached"`
		}
		seen, heldOut := contexts(rows, 0, heldBack, 20), contexts(rows, heldBack, len(rows), 20)
		figures.Contexts = len(seen) + len(heldOut)
		var a, b, ratio float64
		a, figures.Ratio = survival(t, rows, seen, f.factor, &page)
		figures.Seen = round(a)
		all := a
		if len(heldOut) > 0 {
			b, ratio = survival(t, rows[heldBack:], heldOut, f.factor, &page)
			figures.Held, figures.Ratio = round(b), round(min(figures.Ratio, ratio))
			all = (a*float64(len(seen)) + b*float64(len(heldOut))) / float64(figures.Contexts)
		}
		if all < f.least && len(rows) > heldBack {
			t.Errorf("answers survive in %.3f at %d to 1, want %g", all, f.factor, f.least)
		}
		bar{
			fmt.Sprintf("brief: answers that survive at %d to 1, share", f.factor), all, fmt.Sprintf(">= %g", f.least), all >= f.least, figures,
		}.print(t)
	}
	slices.Sort(page)
	mid := page[len(page)/2]
	bar{"brief: 20 passages of 1,500 words, ms", mid, fmt.Sprintf("<= %g", mostPage), mid <= mostPage, nil}.print(t)
	long(t, rows)
}

// long measures sources of 150,000 tokens of several kinds.
func long(t *testing.T, rows []nqRow) {
	t.Helper()
	const size = 600_000
	times, memory := map[string]float64{}, map[string]float64{}
	for kind, req := range bulk(rows, size) {
		took, peak := leastPeakOf(5, func() { mustExtract(t, req) })
		fast := plainly(3, func() { mustExtract(t, req) })
		times[kind], memory[kind] = round(min(took, fast).Seconds()), round(float64(peak)/size)
	}
	worst := func(m map[string]float64) float64 {
		top := 0.0
		for _, v := range m {
			top = max(top, v)
		}
		return top
	}
	bar{"brief: 150,000 tokens, s", worst(times), fmt.Sprintf("<= %g", mostLong), worst(times) <= mostLong, times}.print(t)
	bar{
		"brief: peak memory of 150,000 tokens beside the request, times its size", worst(memory), fmt.Sprintf("<= %g", mostMemory),
		worst(memory) <= mostMemory, memory,
	}.print(t)
	double := bulk(rows, 2*size)["mixed"]
	twice := plainly(5, func() { mustExtract(t, double) })
	grown := twice.Seconds() / cmp.Or(times["mixed"], 1)
	bar{"brief: time of 300,000 tokens, times that of 150,000", grown, "<= 2.6", grown <= 2.6, nil}.print(t)
}

func mustExtract(t *testing.T, req *llm.Request) {
	t.Helper()
	if _, err := Extract(req, Options{}); err != nil {
		t.Fatal(err)
	}
}

// plainly is the least time of several runs, with the collector as it usually is.
func plainly(times int, do func()) time.Duration {
	var all []time.Duration
	for range times {
		began := time.Now()
		do()
		all = append(all, time.Since(began))
	}
	return slices.Min(all)
}
