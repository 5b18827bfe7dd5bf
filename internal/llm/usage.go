package llm

// Usage counts what a provider metered, in tokens, as disjoint meters: a provider's own totals are sums of these
// (OpenAI's prompt_tokens = Input + CacheRead + CacheWrite5m + CacheWrite1h; Anthropic's input_tokens = Input).
type Usage struct {
	Input        int64 // uncached input
	CacheRead    int64 // input read from the provider's prompt cache
	CacheWrite5m int64 // input written to a cache that lives 5 minutes
	CacheWrite1h int64 // input written to a cache that lives 1 hour
	Output       int64 // visible output
	Reasoning    int64 // output spent thinking (billed as output)
}

// Prompt is all input, cached or not.
func (u Usage) Prompt() int64 { return u.Input + u.CacheRead + u.CacheWrite5m + u.CacheWrite1h }

// Completion is all output, visible or not.
func (u Usage) Completion() int64 { return u.Output + u.Reasoning }

// Total is Prompt + Completion.
func (u Usage) Total() int64 { return u.Prompt() + u.Completion() }

// Add returns the meter-wise sum.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Input: u.Input + v.Input, CacheRead: u.CacheRead + v.CacheRead,
		CacheWrite5m: u.CacheWrite5m + v.CacheWrite5m, CacheWrite1h: u.CacheWrite1h + v.CacheWrite1h,
		Output: u.Output + v.Output, Reasoning: u.Reasoning + v.Reasoning,
	}
}
