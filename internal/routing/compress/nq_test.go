package compress

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/llm"
)

// nqRow is one question of the lost-in-the-middle set with its answers and the passage that holds one.
type nqRow struct {
	Question string   `json:"question"`
	Answers  []string `json:"answers"`
	Ctxs     []struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	} `json:"ctxs"`
}

func readNQ(t testing.TB, path string) []nqRow {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []nqRow
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var r nqRow
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

func (r nqRow) passage(i int) string {
	return fmt.Sprintf("Document [%d](Title: %s) %s", i, r.Ctxs[0].Title, r.Ctxs[0].Text)
}

// contexts builds, for each of the first n questions, a context of size passages: the gold one at a moving place
// among the hardest distractors, which are the other rows' passages that BM25 rates highest for the question.
func contexts(rows []nqRow, n, size int) []*llm.Request {
	var out []*llm.Request
	for i := range rows[:min(n, len(rows))] {
		out = append(out, contextOf(rows, i, size))
	}
	return out
}

// contextOf builds the context of one question.
func contextOf(rows []nqRow, i, size int) *llm.Request {
	q := queryTerms(rows[i].Question)
	x := postings{df: make([]int32, len(q))}
	for _, r := range rows {
		x.size = append(x.size, 0)
		x.add(r.Ctxs[0].Title+" "+r.Ctxs[0].Text, q, len(x.list))
	}
	var pick []int
	for _, j := range order(x.bm25(), -1) {
		if int(j) != i && rows[j].Ctxs[0].Title != rows[i].Ctxs[0].Title && len(pick) < size-1 {
			pick = append(pick, int(j))
		}
	}
	pick = slices.Insert(pick, (i*7)%min(size, len(pick)+1), i)
	var b strings.Builder
	for k, j := range pick {
		b.WriteString(rows[j].passage(k+1) + "\n\n")
	}
	return &llm.Request{Messages: []llm.Message{{Role: llm.User, Parts: []llm.Part{
		{Text: b.String()}, {Text: rows[i].Question + "?"},
	}}}}
}

// survival compresses each context by a factor and returns the share of questions one of whose answers is still
// there, with the compression reached.
func survival(t testing.TB, rows []nqRow, reqs []*llm.Request, factor int) (share, reached float64) {
	t.Helper()
	alive, src, out := 0, 0, 0
	for i, req := range reqs {
		n := Options{}.tokens(req.Messages[0].Parts[0].Text)
		b, err := Extract(req, Options{Target: n / factor})
		if err != nil {
			t.Fatalf("%s: %v", rows[i].Question, err)
		}
		text := normal(b.Text())
		if slices.ContainsFunc(rows[i].Answers, func(a string) bool { return strings.Contains(text, normal(a)) }) {
			alive++
		}
		f := b.Fidelity()
		src, out = src+f.SourceTokens, out+f.BriefTokens
	}
	return float64(alive) / float64(len(reqs)), float64(src) / float64(out)
}

func TestAnswersSurviveAllQuestions(t *testing.T) {
	root := os.Getenv("WEIR_SHARED")
	if root == "" {
		t.Skip("WEIR_SHARED is not set")
	}
	rows := readNQ(t, filepath.Join(root, "data/lost-in-the-middle/nq-open-oracle.jsonl"))
	reqs := contexts(rows, 1000, 20)
	for _, bar := range []struct {
		factor int
		want   float64
	}{{5, .90}, {10, .85}} {
		began := time.Now()
		share, reached := survival(t, rows, reqs, bar.factor)
		t.Logf("%2dx: answer survives in %.1f %% of %d contexts at %.1fx reached, %v each", bar.factor, 100*share, len(reqs),
			reached, time.Since(began)/time.Duration(len(reqs)))
		if share < bar.want {
			t.Errorf("%dx: %.3f, want >= %.2f", bar.factor, share, bar.want)
		}
	}
}

func TestAnswersSurviveFiveTimesCompression(t *testing.T) {
	rows := readNQ(t, "testdata/nq/nq-30.jsonl")
	share, reached := survival(t, rows, contexts(rows, len(rows), 20), 5)
	if share < .90 || reached < 4.8 {
		t.Errorf("answer survives in %.3f at %.1fx, want >= .90 at 5x", share, reached)
	}
}

func BenchmarkTwentyPassages(b *testing.B) {
	rows := readNQ(b, "testdata/nq/nq-30.jsonl")
	req := contexts(rows, 1, 20)[0]
	b.SetBytes(int64(len(req.Messages[0].Parts[0].Text)))
	for b.Loop() {
		if _, err := Extract(req, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLongestContext(b *testing.B) {
	rows := readNQ(b, "testdata/nq/nq-30.jsonl")
	var doc strings.Builder
	for i := 0; doc.Len() < 4*180_000; i++ {
		r := rows[i%len(rows)]
		fmt.Fprintf(&doc, "%s Copy %d.\n\nPO-%d;%d.00 EUR;2026-01-%02d\n\n", r.passage(i), i, i, i, i%28+1)
	}
	req := &llm.Request{Messages: []llm.Message{say(llm.User, doc.String(), rows[0].Question+"?")}}
	for b.Loop() {
		if _, err := Extract(req, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
