package openai

import (
	"math"
	"strconv"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

var (
	usageKeys = scan.NewKeys("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details",
		"completion_tokens_details", "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens")
	promptDetailKeys     = scan.NewKeys("cached_tokens", "cache_write_tokens")
	completionDetailKeys = scan.NewKeys("reasoning_tokens")
)

// totals are a usage object's figures as they stand there: sums that overlap.
type totals struct{ prompt, completion, total, cached, written, reasoning int64 }

// readUsage reads a usage object, or skips another value, and reports whether it told a count. Where cached tokens
// stand is the provider's choice: prompt_tokens_details.cached_tokens (OpenAI), prompt_cache_hit_tokens (DeepSeek),
// num_cached_tokens (Mistral), cached_tokens; told twice, the larger counts once.
func readUsage(c *scan.Cursor, body []byte) (llm.Usage, bool) {
	if c.Kind() != scan.Object {
		c.Skip()
		return llm.Usage{}, false
	}
	var t totals
	told := false
	c.Object(usageKeys)
	for c.Next() {
		switch c.Key() {
		case "prompt_tokens":
			t.prompt, told = count(c, body), true
		case "completion_tokens":
			t.completion, told = count(c, body), true
		case "total_tokens":
			t.total = count(c, body)
		case "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens":
			t.cached = max(t.cached, count(c, body))
		case "prompt_tokens_details":
			t.promptDetails(c, body)
		case "completion_tokens_details":
			t.completionDetails(c, body)
		}
	}
	return t.meters(), told && c.Err() == nil
}

func (t *totals) promptDetails(c *scan.Cursor, body []byte) {
	if c.Kind() != scan.Object {
		c.Skip()
		return
	}
	c.Object(promptDetailKeys)
	for c.Next() {
		switch c.Key() {
		case "cached_tokens":
			t.cached = max(t.cached, count(c, body))
		case "cache_write_tokens":
			t.written = count(c, body)
		}
	}
}

func (t *totals) completionDetails(c *scan.Cursor, body []byte) {
	if c.Kind() != scan.Object {
		c.Skip()
		return
	}
	c.Object(completionDetailKeys)
	for c.Next() {
		if c.Key() == "reasoning_tokens" {
			t.reasoning = count(c, body)
		}
	}
}

// meters takes the parts out of the sums. A part that exceeds its sum is counted beside it. What total_tokens tells
// beyond prompt and completion is reasoning that the provider counts beside (xAI, which names it) or hides (Gemini's
// compatible endpoint): it is billed all the same, so no token is lost.
func (t totals) meters() llm.Usage {
	u := llm.Usage{
		Input: t.prompt, CacheRead: t.cached, CacheWrite5m: t.written, Output: t.completion, Reasoning: t.reasoning,
	}
	if parts := t.cached + t.written; parts <= t.prompt {
		u.Input -= parts
	}
	beyond := max(t.total-u.Prompt()-t.completion, 0)
	if beyond == t.reasoning || t.reasoning > t.completion {
		return u
	}
	u.Output -= t.reasoning
	u.Reasoning += beyond
	return u
}

// maxCount is the largest count that is believed: sums of six stay within 64 bits.
const maxCount = 1 << 50

// count reads a number of tokens. Null and what is no count are 0; a count with a fraction is rounded up.
func count(c *scan.Cursor, body []byte) int64 {
	if c.Kind() != scan.Number {
		c.Skip()
		return 0
	}
	v := c.Skip()
	text := string(body[v.Start:v.End])
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return min(max(n, 0), maxCount)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f <= 0 {
		return 0
	}
	return int64(min(math.Ceil(f), maxCount))
}

// appendUsage writes u as a usage object.
func appendUsage(dst []byte, u llm.Usage) []byte {
	n := func(key string, v int64) { dst = strconv.AppendInt(append(dst, key...), v, 10) }
	n(`{"prompt_tokens":`, u.Prompt())
	n(`,"completion_tokens":`, u.Completion())
	n(`,"total_tokens":`, u.Total())
	n(`,"prompt_tokens_details":{"cached_tokens":`, u.CacheRead)
	n(`},"completion_tokens_details":{"reasoning_tokens":`, u.Reasoning)
	return append(dst, "}}"...)
}
