package compress

import (
	"bufio"
	"fmt"
	"math"
	"os"
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

// library finds passages by the words of a question.
type library struct {
	rows []nqRow
	size []float64
	mean float64
	has  map[string][]posting // word -> passages that have it
}

func newLibrary(rows []nqRow) *library {
	l := &library{rows: rows, has: map[string][]posting{}}
	for i, r := range rows {
		count, n := map[string]uint16{}, 0.0
		words(r.Ctxs[0].Title+" "+r.Ctxs[0].Text, func(w []byte) {
			count[string(w)]++
			n++
		})
		for w, tf := range count {
			l.has[w] = append(l.has[w], posting{doc: int32(i), tf: tf})
		}
		l.size = append(l.size, n)
		l.mean += n / float64(len(rows))
	}
	return l
}

// nearest lists the passages of other questions that BM25 rates highest for a question.
func (l *library) nearest(i, most int) []int {
	score := make([]float32, len(l.rows))
	for w := range queryTerms(l.rows[i].Question) {
		in := l.has[w]
		idf := math.Log(1 + (float64(len(l.rows))-float64(len(in))+0.5)/(float64(len(in))+0.5))
		for _, p := range in {
			tf := float64(p.tf)
			score[p.doc] += float32(idf * tf * (bmK + 1) / (tf + bmK*(1-bmB+bmB*l.size[p.doc]/l.mean)))
		}
	}
	var out []int
	for _, j := range order(score, -1) {
		if int(j) != i && l.rows[j].Ctxs[0].Title != l.rows[i].Ctxs[0].Title && len(out) < most {
			out = append(out, int(j))
		}
	}
	return out
}

// context builds the context of one question: the passage that answers it at a moving place among the hardest distractors.
func (l *library) context(i, size int) *llm.Request {
	pick := l.nearest(i, size-1)
	pick = slices.Insert(pick, (i*7)%min(size, len(pick)+1), i)
	var b strings.Builder
	for k, j := range pick {
		b.WriteString(l.rows[j].passage(k+1) + "\n\n")
	}
	return &llm.Request{Messages: []llm.Message{{Role: llm.User, Parts: []llm.Part{
		{Text: b.String()}, {Text: l.rows[i].Question + "?"},
	}}}}
}

// contexts builds the contexts of the questions from one to another.
func contexts(rows []nqRow, from, to, size int) []*llm.Request {
	l := newLibrary(rows)
	var out []*llm.Request
	for i := from; i < min(to, len(rows)); i++ {
		out = append(out, l.context(i, size))
	}
	return out
}

// survival compresses each context by a factor and returns the share of questions one of whose answers is still
// there, with the compression reached. ms gets how long each took; nil = nobody asks.
func survival(t testing.TB, rows []nqRow, reqs []*llm.Request, factor int, ms *[]float64) (share, reached float64) {
	t.Helper()
	alive, src, out := 0, 0, 0
	for i, req := range reqs {
		n := Options{}.tokens(req.Messages[0].Parts[0].Text)
		began := time.Now()
		b, err := Extract(req, Options{Target: n / factor})
		if ms != nil {
			*ms = append(*ms, float64(time.Since(began).Microseconds())/1000)
		}
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

func TestAnswersSurviveFiveTimesCompression(t *testing.T) {
	rows := readNQ(t, "testdata/nq/nq-30.jsonl")
	share, reached := survival(t, rows, contexts(rows, 0, len(rows), 20), 5, nil)
	if share < .90 || reached < 4.8 {
		t.Errorf("answer survives in %.3f at %.1fx, want >= .90 at 5x", share, reached)
	}
}

func BenchmarkTwentyPassages(b *testing.B) {
	rows := readNQ(b, "testdata/nq/nq-30.jsonl")
	req := contexts(rows, 0, 1, 20)[0]
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
