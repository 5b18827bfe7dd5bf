package cases

import (
	"context"
	"time"

	"github.com/weirhq/weir/bench/agents"
)

// tasks is how many user turns a session has; each has three rounds of tools, two of them parallel.
const tasks = 12

// coding plays a coding agent's session through three layers in both dialects, streamed and not. In the loop of the fifth
// user turn the cheapest model calls a tool wrongly; from the sixth on the middle one answers.
func coding(s *Settings) ([]Bar, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var bars []Bar
	for _, p := range []struct {
		name             string
		messages, stream bool
	}{
		{"messages, streamed", true, true}, {"messages", true, false}, {"chat, streamed", false, true}, {"chat", false, false},
	} {
		dir, err := s.Lab.Folder()
		if err != nil {
			return nil, err
		}
		r, err := agents.Run(ctx, agents.Play{Dir: dir, Messages: p.messages, Stream: p.stream, Questions: tasks, Mistake: 4})
		if err != nil {
			return nil, err
		}
		name := "agent, " + p.name + ": "
		bars = append(bars,
			least(name+"user turns that came to their end, count", float64(r.Answered), tasks, nil),
			most(name+"requests that a provider refused (orphan results, changed signatures), count", float64(r.Refused), 0, nil),
			least(name+"tokens from providers' caches, percent of the session sent directly", 100*r.Cached/r.Direct, 95,
				map[string]float64{"through Weir": r.Cached, "directly": r.Direct}),
			least(name+"escalations at a user turn, count", float64(r.AtBoundary), 1, nil),
			most(name+"tool loops taken from their model, count", float64(r.Bent), 0, nil))
		if p.messages {
			bars = append(bars,
				most(name+"signed blocks that changed on their way, count", float64(len(r.Changed)), 0,
					map[string]int{"written": r.Signed, "returned": r.Returned}))
		}
	}
	return bars, nil
}
