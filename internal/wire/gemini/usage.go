package gemini

import (
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// usage is usageMetadata. Counts are cumulative over a stream, so each one is the largest seen.
type usage struct {
	told              bool
	prompt, cached    int64 // cached is part of prompt
	candidates        int64
	answered          bool // candidates was told
	thoughts, toolUse int64
	total             int64
}

// maxTokens bounds a count, so that sums of a hostile answer cannot overflow.
const maxTokens = 1 << 40

func (u *usage) scan(c *scan.Cursor) {
	if c.Null() {
		return
	}
	u.told = true
	for c.Object(usageKeys); c.Next(); {
		switch c.Key() {
		case "promptTokenCount":
			atLeast(&u.prompt, c)
		case "cachedContentTokenCount":
			atLeast(&u.cached, c)
		case "candidatesTokenCount":
			u.answered = true
			atLeast(&u.candidates, c)
		case "thoughtsTokenCount":
			atLeast(&u.thoughts, c)
		case "toolUsePromptTokenCount":
			atLeast(&u.toolUse, c)
		case "totalTokenCount":
			atLeast(&u.total, c)
		}
	}
}

func atLeast(n *int64, c *scan.Cursor) {
	if c.Null() {
		return
	}
	v, _ := c.Int()
	*n = max(*n, min(v, maxTokens))
}

// meter is the usage as disjoint meters; nil = none was told. Where the visible output was not told it is what the
// total leaves.
func (u *usage) meter() *llm.Usage {
	if !u.told {
		return nil
	}
	output := u.candidates
	if !u.answered {
		output = max(u.total-u.prompt-u.toolUse-u.thoughts, 0)
	}
	cached := min(u.cached, u.prompt)
	return &llm.Usage{
		Input: u.prompt - cached + u.toolUse, CacheRead: cached, Output: output, Reasoning: u.thoughts,
	}
}
