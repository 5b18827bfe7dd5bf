package compress

import (
	"bytes"
	"slices"
)

const (
	mmrLambda = 0.7 // relevance against novelty
	mmrPicks  = 256 // picks for which novelty is computed; more are taken by relevance alone
	mmrPool   = 512 // best units among which those picks are made
	leastRow  = 0.2 // of the best row's score: what a row of data must have
)

// pick chooses units within a budget of tokens by maximal marginal relevance and returns them in order of place, with
// the heads of the tables and objects that they are of. What repeats a unit already chosen is left out, and so are rows
// of data that have little of the query beside the best of them and tell of no error.
func (r *ranking) pick(units []unit, budget int, o Options) []int32 {
	var top float32 // of the rows
	for i := range units {
		if units[i].row {
			top = max(top, r.own[i])
		}
	}
	best := order(r.score, -1)
	best = slices.DeleteFunc(best, func(i int32) bool {
		u := &units[i]
		return u.shard || r.hits && u.row && !u.alarm && (r.own[i] == 0 || r.own[i] < leastRow*top)
	})
	p := picking{units: units, r: r, left: budget, tokens: o.tokens, repeats: newRepeats()}
	p.diverse(best[:min(mmrPool, len(best))])
	taken := make(map[int32]bool, len(p.kept))
	for _, i := range p.kept {
		taken[i] = true
	}
	for _, i := range best {
		if p.left <= 0 {
			break
		}
		if !taken[i] {
			p.take(i)
		}
	}
	return withHeads(units, p.kept)
}

// picking is one choice of units under way.
type picking struct {
	units   []unit
	r       *ranking
	left    int
	tokens  func(string) int
	kept    []int32
	repeats *repeats
}

func (p *picking) take(i int32) bool {
	u := &p.units[i]
	cost := p.tokens(u.text) + 1
	if cost > p.left || p.repeats.has(u, p.r.rare[i]) {
		return false
	}
	p.repeats.add(u)
	p.left -= cost
	p.kept = append(p.kept, i)
	return true
}

// diverse takes units of a pool, each time the one whose score less its likeness to those taken is the best.
func (p *picking) diverse(pool []int32) {
	ids := slices.Clone(pool)
	terms, near := make([][]uint64, len(ids)), make([]float32, len(ids)) // near: likeness to the nearest unit chosen
	for j, i := range ids {
		words(p.units[i].text, func(w []byte) { terms[j] = append(terms[j], hash(hashStart, w)) })
		slices.Sort(terms[j])
		terms[j] = slices.Compact(terms[j])
	}
	gain := func(j int) float32 { return mmrLambda*p.r.score[ids[j]] - (1-mmrLambda)*near[j] }
	for n := 0; n < mmrPicks && len(ids) > 0 && p.left > 0; n++ {
		best := 0
		for j := range ids {
			if gain(j) > gain(best) {
				best = j
			}
		}
		i, its := ids[best], terms[best]
		ids, terms, near = slices.Delete(ids, best, best+1), slices.Delete(terms, best, best+1), slices.Delete(near, best, best+1)
		if !p.take(i) {
			continue
		}
		for j := range ids {
			near[j] = max(near[j], likeness(its, terms[j]))
		}
	}
}

// likeness is the share of common words of two units (Jaccard).
func likeness(a, b []uint64) float32 {
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
	return float32(common) / float32(all)
}

// withHeads adds the heads of the tables and objects whose rows are kept, and theirs, and sorts the units by place.
func withHeads(units []unit, kept []int32) []int32 {
	has := make(map[int32]bool, len(kept))
	for _, i := range kept {
		has[i] = true
	}
	for n := 0; n < len(kept); n++ {
		if h := units[kept[n]].head; h >= 0 && !units[h].shard && !has[h] {
			has[h] = true
			kept = append(kept, h)
		}
	}
	slices.Sort(kept)
	return kept
}

const (
	shingle     = 3 // words
	fewShingles = 6 // a unit with fewer is only compared whole
	alike       = 8 // of ten shingles that were seen before make a unit a repeat
	ofTemplate  = 3 // lines of one form that are kept of a log
)

// repeats knows what has been kept, to leave out what says the same again: the same unit, one most of whose shingles
// were there before and which has no figure of its own, and more than a few lines of one form in a log.
type repeats struct {
	shingles, figures map[uint64]bool
	forms             map[uint64]int
	text              map[string]bool
	buf               []uint64
}

func newRepeats() *repeats {
	return &repeats{shingles: map[uint64]bool{}, figures: map[uint64]bool{}, forms: map[uint64]int{}, text: map[string]bool{}}
}

// read hashes the words of a unit into buf and reports whether all of its figures were seen.
func (r *repeats) read(s string) (figures bool) {
	r.buf, figures = r.buf[:0], true
	words(s, func(w []byte) {
		h := hash(hashStart, w)
		r.buf = append(r.buf, h)
		if bytes.ContainsAny(w, "0123456789") && !r.figures[h] {
			figures = false
		}
	})
	return figures
}

// rolling is the hash of the shingle that begins at word i of buf.
func (r *repeats) rolling(i int) uint64 {
	h := r.buf[i]
	for _, w := range r.buf[i+1 : i+shingle] {
		h = h*1099511628211 ^ w
	}
	return h
}

// has reports whether the unit says nothing new. asked: it shares a rare word with the query, so it stands for itself
// unless it is the same word for word.
func (r *repeats) has(u *unit, asked bool) bool {
	if r.text[u.text] {
		return true
	}
	if u.log && !asked && r.forms[form(u.text)] >= ofTemplate {
		return true
	}
	figures := r.read(u.text)
	n := len(r.buf) - shingle + 1
	if n < fewShingles || !figures {
		return false
	}
	seen := 0
	for i := range n {
		if r.shingles[r.rolling(i)] {
			seen++
		}
	}
	return seen*10 >= n*alike
}

func (r *repeats) add(u *unit) {
	r.text[u.text] = true
	if u.log {
		r.forms[form(u.text)]++
	}
	r.read(u.text)
	for i := 0; i+shingle <= len(r.buf); i++ {
		r.shingles[r.rolling(i)] = true
	}
	words(u.text, func(w []byte) {
		if bytes.ContainsAny(w, "0123456789") {
			r.figures[hash(hashStart, w)] = true
		}
	})
}

// form is a line's words without those that hold digits: what lines of one kind in a log have in common.
func form(s string) uint64 {
	var h uint64 = hashStart
	words(s, func(w []byte) {
		if !bytes.ContainsAny(w, "0123456789") {
			h = hash(h, w)
		}
	})
	return h
}
