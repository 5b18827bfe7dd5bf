package scenario

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/weirhq/weir/internal/sim/tokens"
)

// acknowledgements are what the agent says between the user's messages.
var acknowledgements = []string{
	"Noted. I will use these records and nothing else.",
	"Read and kept. Tell me what you want to know about them.",
	"Understood. I see the entries, and I will not assume what they do not say.",
	"Thank you, that is clear. I have no further questions on this part.",
}

// write gives an interaction its texts, so that its prompt has about the drawn tokens.
func (d Day) write(it *Interaction) {
	it.System = system
	r, t := d.rng(it.Index, "text"), topics[it.Topic]
	turns := d.scenario.topicKind(it.Topic).Turns
	left := it.Input - it.Prompt()
	turns = max(1, min(turns, left/leastExchange))
	at := r.IntN(turns) // the exchange in which the deciding lines stand
	w := &writer{r: r, topic: t, record: it.Record}
	for i := range turns {
		reply := pick(r, acknowledgements)
		room := share(left, i, turns, it.Topic) - tokens.Count(reply) - 2*messageTokens
		it.History = append(it.History, Turn{"user", w.passage(i, room, i == at)}, Turn{"assistant", reply})
	}
}

// leastExchange is the fewest tokens that an exchange is worth having.
const leastExchange = 80

// share is exchange i's part of the tokens: letters come evenly, documents come first and whole.
func share(left, i, turns int, topic string) int {
	if topic == disputeKind || turns == 1 {
		return left / turns
	}
	rest := min(leastExchange, left/turns)
	if i == 0 {
		return left - rest*(turns-1)
	}
	return rest
}

// writer writes passages of one interaction's documents.
type writer struct {
	r      *rand.Rand
	topic  *topic
	record Record
	lines  int
}

// passage writes about so many tokens of document lines; the deciding lines stand at a drawn place among them.
func (w *writer) passage(i, room int, deciding bool) string {
	var lines []string
	if i == 0 {
		lines = append(lines, w.topic.opening)
	}
	var key []string
	if deciding {
		key = w.topic.key(w.record)
	}
	room -= count(lines) + count(key)
	for room > 0 {
		w.lines++
		line := w.topic.line(w.r, w.record, w.lines)
		n := count([]string{line})
		if n > room {
			line, n = words(line, room-1), room
		}
		if line != "" {
			lines = append(lines, line)
		}
		room -= n
	}
	if deciding {
		first := min(len(lines), max(0, 1-i)) // after the opening line, if there is one
		at := first + w.r.IntN(len(lines)-first+1)
		lines = append(lines[:at:at], append(key, lines[at:]...)...)
	}
	if len(lines) == 0 {
		lines = append(lines, fmt.Sprintf("Please keep %s in mind.", w.record.Order))
	}
	return strings.Join(lines, "\n")
}

// count is the tokens of lines with their line breaks.
func count(lines []string) int {
	n := 0
	for _, l := range lines {
		n += tokens.Count(l + "\n")
	}
	return n
}

// words cuts a line to so many tokens, at a blank: an id or amount is never cut in two.
func words(line string, n int) string {
	cut, shorter := tokens.Cut(line, n)
	if shorter {
		cut = cut[:max(strings.LastIndexByte(cut, ' '), 0)]
	}
	return cut
}
