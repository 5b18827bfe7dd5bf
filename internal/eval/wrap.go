package eval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// variants are the same questions in other words: without what wraps them, and wrapped otherwise.
type variants struct {
	stripped  []string // nil = nothing wraps the questions
	scrambled []string
}

// A line is part of a wrapper when so many of the questions begin, or end, with it.
const (
	commonShare = 0.05
	commonLeast = 5
)

// wrappers finds the lines that many questions have at their beginning or end and takes them away; and puts drawn ones
// around what is left.
func wrappers(prompts []string, seed uint64) variants {
	bare := slices.Clone(prompts)
	for _, side := range []side{head, tail} {
		for range 8 {
			if !strip(bare, side) {
				break
			}
		}
	}
	apart(bare, prompts)
	v := variants{scrambled: make([]string, len(bare))}
	if !slices.Equal(bare, prompts) {
		v.stripped = bare
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	for i, q := range bare {
		v.scrambled[i] = wrapped(rng, i, len(bare), q)
	}
	return v
}

// apart gives back its wrapper to a question that would be another one's words without it.
func apart(bare, prompts []string) {
	taken := map[string]int{}
	for _, all := range [][]string{bare, prompts} {
		for i, p := range all {
			p = strings.TrimSpace(p)
			if first, ok := taken[p]; ok && first != i {
				bare[i], bare[first] = prompts[i], prompts[first]
			} else {
				taken[p] = i
			}
		}
	}
}

// side takes a prompt's outermost line off; ok = something is left.
type side func(prompt string) (line, rest string, ok bool)

func head(p string) (line, rest string, ok bool) {
	p = strings.TrimLeft(p, " \n\r\t")
	line, rest, ok = strings.Cut(p, "\n")
	if label, after, has := strings.Cut(line, ": "); has && len(strings.Fields(label)) <= 2 { // "Question: how many"
		return label, after + "\n" + rest, true
	}
	return line, rest, ok && strings.TrimSpace(rest) != ""
}

func tail(p string) (line, rest string, ok bool) {
	p = strings.TrimRight(p, " \n\r\t")
	i := strings.LastIndexByte(p, '\n')
	if i < 0 {
		return p, "", false
	}
	return p[i+1:], p[:i], strings.TrimSpace(p[:i]) != ""
}

// strip takes one line off every prompt whose outermost line is common; false = none was.
func strip(prompts []string, cut side) bool {
	count := map[string]int{}
	for _, p := range prompts {
		if line, _, ok := cut(p); ok {
			count[line]++
		}
	}
	found := false
	for i, p := range prompts {
		line, rest, ok := cut(p)
		if n := count[line]; ok && n >= commonLeast && float64(n) >= commonShare*float64(len(prompts)) {
			prompts[i], found = strings.TrimSpace(rest), true
		}
	}
	return found
}

// wrapped puts words around a question that say nothing of it.
func wrapped(rng *rand.Rand, i, n int, q string) string {
	before := []string{
		"Please answer the following.", "### Instruction", "You are taking part in a quiz. Think before you answer.",
		"Question:", fmt.Sprintf("Item %d of %d", i+1, n), "Solve this step by step, then state the result.",
		"Below is a task. Write a response that completes it.",
	}
	after := []string{
		"Answer:", "### Response", "Take your time.", "Let's think step by step.", "Your answer:", "End with the result.",
	}
	return before[rng.IntN(len(before))] + "\n\n" + q + "\n\n" + after[rng.IntN(len(after))]
}
