package compress

import (
	"slices"
	"strings"
)

// fewLabelled is how many passages of a document must carry labels for its order to mean nothing.
const fewLabelled = 3

// labelled reports whether a passage begins with a label of its own, as retrieval numbers what it found: "Document [3]",
// "[3]", "Result 3:", "<document index=".
func labelled(text string) bool {
	t := strings.TrimSpace(text)
	if strings.HasPrefix(t, "<document") || strings.HasPrefix(t, "<source") || strings.HasPrefix(t, "<result") {
		return true
	}
	for _, w := range []string{"Document ", "Doc ", "Passage ", "Result ", "Source ", "Snippet "} {
		t = strings.TrimPrefix(t, w)
	}
	bare := len(t) == len(strings.TrimSpace(text))
	inner := strings.TrimLeft(t, "[(#")
	digits := len(inner) - len(strings.TrimLeft(inner, "0123456789"))
	if digits == 0 || digits > 4 || digits == len(inner) {
		return false
	}
	closed := strings.IndexByte("])", inner[digits]) >= 0
	return closed && len(inner) < len(t) || !bare && inner[digits] == ':'
}

// edged orders the kept units for reading: by place, but where a piece is a list of labelled passages, the best of them
// comes first and the second best last, since models read the middle worst.
func (r *ranking) edged(pieces []piece, units []unit, kept []int32) []int32 {
	var out []int32
	for from := 0; from < len(kept); {
		to := from
		for to < len(kept) && units[kept[to]].piece == units[kept[from]].piece {
			to++
		}
		group := kept[from:to]
		if p := pieces[units[group[0]].piece]; !p.turn {
			group = r.atEdges(units, group)
		}
		out = append(out, group...)
		from = to
	}
	return out
}

// atEdges orders the units of one piece.
func (r *ranking) atEdges(units []unit, kept []int32) []int32 {
	piece := units[kept[0]].piece
	first, _ := slices.BinarySearchFunc(units, piece, func(u unit, p int32) int { return int(u.piece - p) })
	of := map[int32]int{} // passage -> number of its labelled passage
	labels := 0
	for i := first; i < len(units) && units[i].piece == piece; i++ {
		u := &units[i]
		if _, seen := of[u.passage]; seen {
			continue
		}
		if labelled(u.text) {
			labels++
		} else if labels == 0 {
			return kept // text of its own before the passages
		}
		of[u.passage] = labels
	}
	if labels < fewLabelled {
		return kept
	}
	var groups [][]int32
	for n, i := range kept {
		if n == 0 || of[units[i].passage] != of[units[kept[n-1]].passage] {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], i)
	}
	if len(groups) < fewLabelled {
		return kept
	}
	best := func(g []int32) (s float32) {
		for _, i := range g {
			s = max(s, r.score[i])
		}
		return s
	}
	top := 0
	for i := range groups {
		if best(groups[i]) > best(groups[top]) {
			top = i
		}
	}
	lead := groups[top]
	groups = slices.Delete(groups, top, top+1)
	top = 0
	for i := range groups {
		if best(groups[i]) > best(groups[top]) {
			top = i
		}
	}
	last := groups[top]
	groups = slices.Delete(groups, top, top+1)
	return slices.Concat(lead, slices.Concat(groups...), last)
}
