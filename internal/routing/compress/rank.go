package compress

import (
	"cmp"
	"math"
	"slices"
)

// BM25 with its usual constants, and how the parts of a unit's score weigh. The weights were set on question
// answering over twenty passages; see the measuring test.
const (
	bmK, bmB   = 1.2, 0.75
	passageW   = 1.5  // of the paragraph's own score
	neighbourW = 0.4  // of the better neighbour's score
	cueW       = 0.5  // for holding the kind of thing that the question asks for, times the paragraph's score
	leadW      = 0.3  // for opening a paragraph, times the paragraph's score
	recencyW   = 0.15 // of a turn's place in the conversation: coreference looks back a little
	firstW     = 0.1  // for the first turn: it states the goal
	mmrLambda  = 0.7  // relevance against novelty
	mmrPicks   = 256  // picks for which novelty is computed; more are taken by relevance alone
	mmrPool    = 512  // best units among which those picks are made
)

// ranking is what is known of each unit's bearing on the query.
type ranking struct {
	terms [][]int32 // distinct terms of each unit, ascending
	own   []float64 // the unit's own BM25 score
	score []float64 // with passage, neighbours and place
	rare  []bool    // shares a rare word with the query
}

// index maps words to numbers and units to their words.
type index struct {
	ids  map[string]int32
	docs [][]int32 // with repeats, ascending
	df   []int32
}

func newIndex(n int) *index {
	return &index{ids: make(map[string]int32, 4*n), docs: make([][]int32, 0, n)}
}

// add appends the document made of texts.
func (x *index) add(text string) {
	var doc []int32
	words(text, func(w string) {
		id, ok := x.ids[w]
		if !ok {
			id = int32(len(x.ids))
			x.ids[w] = id
			x.df = append(x.df, 0)
		}
		doc = append(doc, id)
	})
	slices.Sort(doc)
	for i, id := range doc {
		if i == 0 || doc[i-1] != id {
			x.df[id]++
		}
	}
	x.docs = append(x.docs, doc)
}

// rank scores every unit against the query.
func rank(units []unit, query string) *ranking {
	x := newIndex(len(units))
	for _, u := range units {
		x.add(u.text)
	}
	q := map[int32]bool{}
	words(query, func(w string) {
		if id, ok := x.ids[w]; ok {
			q[id] = true
		}
	})
	r := &ranking{
		own: bm25(x.docs, x.df, q), terms: make([][]int32, len(units)),
		score: make([]float64, len(units)), rare: make([]bool, len(units)),
	}
	most := int32(max(8, len(units)/20))
	for i, d := range x.docs {
		r.rare[i] = slices.ContainsFunc(d, func(id int32) bool { return q[id] && x.df[id] <= most })
		r.terms[i] = slices.Compact(slices.Clone(d))
	}
	r.combine(units, passageScores(units, x, q), cueOf(query))
	return r
}

// passageScores scores each passage as one document and returns that score per unit.
func passageScores(units []unit, x *index, q map[int32]bool) []float64 {
	var docs [][]int32
	df := make([]int32, len(x.df))
	var of []int
	for i := range units {
		if i == 0 || units[i].passage != units[i-1].passage {
			docs = append(docs, nil)
		}
		docs[len(docs)-1] = append(docs[len(docs)-1], x.docs[i]...)
		of = append(of, len(docs)-1)
	}
	for _, d := range docs {
		slices.Sort(d)
		for i, id := range d {
			if i == 0 || d[i-1] != id {
				df[id]++
			}
		}
	}
	scores := bm25(docs, df, q)
	out := make([]float64, len(units))
	for i, p := range of {
		out[i] = scores[p]
	}
	return out
}

// bm25 scores documents of ascending term numbers against the query's terms. A query term counts once.
func bm25(docs [][]int32, df []int32, q map[int32]bool) []float64 {
	total := 0
	for _, d := range docs {
		total += len(d)
	}
	avg := max(float64(total)/float64(max(len(docs), 1)), 1)
	out := make([]float64, len(docs))
	for i, d := range docs {
		norm := bmK * (1 - bmB + bmB*float64(len(d))/avg)
		for j := 0; j < len(d); {
			k := j + 1
			for k < len(d) && d[k] == d[j] {
				k++
			}
			if q[d[j]] {
				tf, n := float64(k-j), float64(df[d[j]])
				idf := math.Log(1 + (float64(len(docs))-n+0.5)/(n+0.5))
				out[i] += idf * tf * (bmK + 1) / (tf + norm)
			}
			j = k
		}
	}
	return out
}

// combine joins the parts of a score, each brought to 0..1. A row of data has its own score only.
func (r *ranking) combine(units []unit, passage []float64, kind cue) {
	topOwn, topPassage := 0.0, 0.0
	for i := range units {
		topOwn, topPassage = max(topOwn, r.own[i]), max(topPassage, passage[i])
	}
	pieces := 1
	if n := len(units); n > 0 {
		pieces += units[n-1].piece
	}
	for i, u := range units {
		if u.row {
			r.score[i] = (1 + passageW) * ratio(r.own[i], topOwn)
			continue
		}
		about := ratio(passage[i], topPassage)
		s := passageW * about
		if about > 0 && kind.answers(u.text) {
			s += cueW * about
		}
		if i == 0 || units[i-1].passage != u.passage {
			s += leadW * about
		}
		near := 0.0
		if i > 0 && units[i-1].passage == u.passage {
			near = r.own[i-1]
		}
		if i+1 < len(units) && units[i+1].passage == u.passage {
			near = max(near, r.own[i+1])
		}
		s += ratio(r.own[i], topOwn) + neighbourW*ratio(near, topOwn)
		if pieces > 1 && u.turn {
			s += recencyW * float64(u.piece) / float64(pieces-1)
			if u.piece == 0 {
				s += firstW
			}
		}
		r.score[i] = s
	}
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// order lists units from the best score to the worst; ties by place.
func (r *ranking) order(score []float64) []int {
	ids := make([]int, len(score))
	for i := range ids {
		ids[i] = i
	}
	slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	return ids
}

// topic lists the best n units that share a rare word with the query, in order of place.
func (r *ranking) topic(n int) []int {
	var out []int
	for _, i := range r.order(r.own) {
		if r.own[i] == 0 || len(out) == n {
			break
		}
		if r.rare[i] {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// pick chooses units within a budget of tokens by maximal marginal relevance and returns them in order of place, with
// the heads of the tables that they are of. Repeats of a unit already chosen are left out, and so are rows of data that
// have no word of the query, unless nothing has one.
func (r *ranking) pick(units []unit, budget int, o Options) []int {
	order := r.order(r.score)
	if len(order) > 0 && slices.Max(r.own) > 0 {
		order = slices.DeleteFunc(order, func(i int) bool { return units[i].row && r.own[i] == 0 })
	}
	order = slices.DeleteFunc(order, func(i int) bool { return units[i].shard })
	var kept []int
	seen := map[string]bool{}
	left := budget
	take := func(i int) bool {
		cost := o.tokens(units[i].text) + 1
		if cost > left || seen[units[i].text] {
			return false
		}
		seen[units[i].text] = true
		left -= cost
		kept = append(kept, i)
		return true
	}
	pool := slices.Clone(order[:min(mmrPool, len(order))])
	near := make([]float64, len(units)) // likeness to the nearest unit chosen
	for n := 0; n < mmrPicks && len(pool) > 0 && left > 0; n++ {
		best := 0
		for j := range pool {
			if r.gain(pool[j], near) > r.gain(pool[best], near) {
				best = j
			}
		}
		i := pool[best]
		pool = slices.Delete(pool, best, best+1)
		if !take(i) {
			continue
		}
		for _, j := range pool {
			near[j] = max(near[j], likeness(r.terms[i], r.terms[j]))
		}
	}
	taken := map[int]bool{}
	for _, i := range kept {
		taken[i] = true
	}
	for _, i := range order {
		if left <= 0 {
			break
		}
		if !taken[i] {
			take(i)
		}
	}
	return withHeads(units, kept)
}

// withHeads adds the heads of the tables whose rows are kept and sorts the units by place.
func withHeads(units []unit, kept []int) []int {
	for _, i := range kept {
		if h := units[i].head; h >= 0 && !units[h].shard {
			kept = append(kept, h)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

func (r *ranking) gain(i int, near []float64) float64 {
	return mmrLambda*r.score[i] - (1-mmrLambda)*near[i]
}

// likeness is the share of common words of two units (Jaccard).
func likeness(a, b []int32) float64 {
	common := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			common++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	all := len(a) + len(b) - common
	if all == 0 {
		return 0
	}
	return float64(common) / float64(all)
}
