package session

import (
	"hash/fnv"
	"slices"
)

// Bounds of the tool loops that a session remembers: 72 bytes each and 8 for each call.
const (
	keptLoops = 24
	keptCalls = 192 // of all loops
	loopCalls = 32  // of one: more are not told
)

// loop is an answer that called tools, and who may go on from it.
type loop struct {
	by     Writer
	since  int      // messages before the first that the writer wrote
	calls  []uint64 // marks of the calls' ids
	closed bool     // its results came and were answered: only a repetition asks for it again
}

// markOf stands for the id of a tool call; 0 = none.
func markOf(id string) uint64 {
	if id == "" {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return max(h.Sum64(), 1)
}

// marksOf stand for the tool calls of an answer.
func marksOf(tools []string) []uint64 {
	if len(tools) == 0 {
		return nil
	}
	marks := make([]uint64, 0, min(len(tools), loopCalls))
	for _, id := range tools {
		if m := markOf(id); m != 0 && len(marks) < loopCalls {
			marks = append(marks, m)
		}
	}
	return marks
}

// author is the latest answer that made a tool call; nil = none that is remembered.
func (st *state) author(mark uint64) *loop {
	if mark == 0 {
		return nil
	}
	for i := len(st.loops) - 1; i >= 0; i-- {
		if slices.Contains(st.loops[i].calls, mark) {
			return &st.loops[i]
		}
	}
	return nil
}

// keep remembers an answer that called tools. What is over the bounds goes: the oldest that is closed, else the oldest.
func (st *state) keep(l loop) {
	if len(l.calls) == 0 {
		return
	}
	st.calls += len(l.calls)
	for len(st.loops) >= keptLoops || st.calls > keptCalls {
		at := max(slices.IndexFunc(st.loops, func(l loop) bool { return l.closed }), 0)
		st.calls -= len(st.loops[at].calls)
		st.loops = slices.Delete(st.loops, at, at+1)
	}
	st.loops = append(st.loops, l)
}
