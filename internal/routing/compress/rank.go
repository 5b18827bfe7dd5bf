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
	alarmW     = 0.8  // for a log's line that tells of an error, whatever the question
)

// ranking is what is known of each unit's bearing on the query.
type ranking struct {
	own   []float32 // the unit's own BM25 score
	score []float32 // with passage, neighbours and place
	rare  []bool    // shares a rare word with the query
	hits  bool      // any unit has a word of the query
}

// posting is how often a unit or passage has a word of the query.
type posting struct {
	doc  int32
	term uint16
	tf   uint16
}

// maxTerms bounds the words of a query that count.
const maxTerms = 4096

// queryTerms numbers the distinct words of a query.
func queryTerms(query string) map[string]uint16 {
	q := map[string]uint16{}
	words(query, func(w []byte) {
		if _, ok := q[string(w)]; !ok && len(q) < maxTerms {
			q[string(w)] = uint16(len(q))
		}
	})
	return q
}

// postings are a set of documents as far as a query's words go. Only those words are kept, so that the size of it does
// not depend on how many words the source has.
type postings struct {
	list []posting // by document, ascending
	size []int32   // words of each document
	df   []int32   // documents that have each term
}

func (p *postings) idf(term uint16) float64 {
	n := float64(p.df[term])
	return math.Log(1 + (float64(len(p.size))-n+0.5)/(n+0.5))
}

// add counts the words of a text for the last document, which began at place from of the list.
func (p *postings) add(text string, q map[string]uint16, from int) {
	doc := len(p.size) - 1
	words(text, func(w []byte) {
		p.size[doc]++
		t, ok := q[string(w)]
		if !ok {
			return
		}
		for i := from; i < len(p.list); i++ {
			if p.list[i].term == t {
				p.list[i].tf = min(p.list[i].tf, math.MaxUint16-1) + 1
				return
			}
		}
		p.list = append(p.list, posting{int32(doc), t, 1})
		p.df[t]++
	})
}

// bm25 scores every document. A query term counts once.
func (p *postings) bm25() []float32 {
	total := 0
	for _, n := range p.size {
		total += int(n)
	}
	avg := max(float64(total)/float64(max(len(p.size), 1)), 1)
	out := make([]float32, len(p.size))
	for _, e := range p.list {
		tf, norm := float64(e.tf), bmK*(1-bmB+bmB*float64(p.size[e.doc])/avg)
		out[e.doc] += float32(p.idf(e.term) * tf * (bmK + 1) / (tf + norm))
	}
	return out
}

// rank scores every unit against the query.
func rank(units []unit, query string) *ranking {
	q := queryTerms(query)
	all := postings{size: make([]int32, 0, len(units)), df: make([]int32, len(q))}
	for i := range units {
		all.size = append(all.size, 0)
		all.add(units[i].text, q, len(all.list))
	}
	r := &ranking{own: all.bm25(), rare: make([]bool, len(units)), hits: len(all.list) > 0}
	most := int32(max(8, len(units)/20))
	for _, e := range all.list {
		r.rare[e.doc] = r.rare[e.doc] || all.df[e.term] <= most
	}
	r.combine(units, passagesOf(units, &all).bm25(), cueOf(query))
	return r
}

// passagesOf sums the postings of units by passage. Its documents are numbered as passages come.
func passagesOf(units []unit, all *postings) *postings {
	p := &postings{df: make([]int32, len(all.df))}
	seen := make([]int32, len(all.df)) // the last passage that had the term, from 1
	at := make([]int, len(all.df))     // and where
	next := 0
	for i := range units {
		if i == 0 || units[i].passage != units[i-1].passage {
			p.size = append(p.size, 0)
		}
		doc := int32(len(p.size) - 1)
		p.size[doc] += all.size[i]
		for ; next < len(all.list) && all.list[next].doc == int32(i); next++ {
			e := all.list[next]
			if seen[e.term] == doc+1 {
				p.list[at[e.term]].tf += min(e.tf, math.MaxUint16-p.list[at[e.term]].tf)
				continue
			}
			seen[e.term], at[e.term] = doc+1, len(p.list)
			p.df[e.term]++
			p.list = append(p.list, posting{doc, e.term, e.tf})
		}
	}
	return p
}

// combine joins the parts of a score, each brought to 0..1. A row of data has its own score only.
func (r *ranking) combine(units []unit, passage []float32, kind cue) {
	r.score = make([]float32, len(units))
	var topOwn, topPassage float32
	for _, s := range r.own {
		topOwn = max(topOwn, s)
	}
	for _, s := range passage {
		topPassage = max(topPassage, s)
	}
	pieces := 1
	if n := len(units); n > 0 {
		pieces += int(units[n-1].piece)
	}
	at := -1
	for i := range units {
		u := &units[i]
		opens := i == 0 || units[i-1].passage != u.passage
		if opens {
			at++
		}
		if u.alarm {
			r.score[i] = alarmW
		}
		if u.row {
			r.score[i] += (1 + passageW) * ratio(r.own[i], topOwn)
			continue
		}
		about := ratio(passage[at], topPassage)
		s := passageW * about
		if about > 0 && kind.answers(u.text) {
			s += cueW * about
		}
		if opens {
			s += leadW * about
		}
		s += ratio(r.own[i], topOwn) + neighbourW*ratio(r.near(units, i), topOwn)
		if pieces > 1 && u.turn {
			s += recencyW * float32(u.piece) / float32(pieces-1)
			if u.piece == 0 {
				s += firstW
			}
		}
		r.score[i] += s
	}
}

// near is the better own score of the units beside one in its passage.
func (r *ranking) near(units []unit, i int) (best float32) {
	for _, j := range []int{i - 1, i + 1} {
		if j >= 0 && j < len(units) && units[j].passage == units[i].passage {
			best = max(best, r.own[j])
		}
	}
	return best
}

func ratio(a, b float32) float32 {
	if b == 0 {
		return 0
	}
	return a / b
}

// order lists the units that a score is of, where it is above least, from the best to the worst; ties by place.
func order(score []float32, least float32) []int32 {
	n := 0
	for _, s := range score {
		if s > least {
			n++
		}
	}
	ids := make([]int32, 0, n)
	for i, s := range score {
		if s > least {
			ids = append(ids, int32(i))
		}
	}
	slices.SortFunc(ids, func(a, b int32) int { return cmp.Or(cmp.Compare(score[b], score[a]), cmp.Compare(a, b)) })
	return ids
}

// topic lists the best n units that share a rare word with the query, in order of place.
func (r *ranking) topic(n int) []int32 {
	var out []int32
	for _, i := range order(r.own, 0) {
		if len(out) == n {
			break
		}
		if r.rare[i] {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}
