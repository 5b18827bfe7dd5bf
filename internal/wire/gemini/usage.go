package gemini

import (
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
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

func (u *usage) scan(c *scan.Cursor) {
	if c.Null() {
		return
	}
	u.told = true
	for c.Object(usageKeys); c.Next(); {
		switch c.Key() {
		case "promptTokenCount":
			wire.AtLeast(&u.prompt, c)
		case "cachedContentTokenCount":
			wire.AtLeast(&u.cached, c)
		case "candidatesTokenCount":
			u.answered = true
			wire.AtLeast(&u.candidates, c)
		case "thoughtsTokenCount":
			wire.AtLeast(&u.thoughts, c)
		case "toolUsePromptTokenCount":
			wire.AtLeast(&u.toolUse, c)
		case "totalTokenCount":
			wire.AtLeast(&u.total, c)
		}
	}
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
