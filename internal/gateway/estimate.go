package gateway

import "sync"

// What is assumed of a model until it has told its first usage, in tokens a byte of request: English prose takes about
// 0.25, dense JSON and digits up to 0.5.
const (
	firstRatio = 0.30
	firstDev   = 0.08
	leastDev   = 0.01
	leastRatio = 0.10
	framing    = 64   // tokens that a provider adds around a request
	mediaBase  = 2000 // tokens of inline media, beside a share of their bytes
	mediaShare = 500  // bytes a token
	outRatio   = 0.25 // tokens a byte of answer text, when a provider told no usage
)

// estimator learns how many tokens a byte of request makes, per model, from what providers report. It never bills.
type estimator struct {
	mu     sync.Mutex
	ratios map[string]ratio
}

type ratio struct{ mean, dev float64 }

func (e *estimator) of(model string) ratio {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r, ok := e.ratios[model]; ok {
		return r
	}
	return ratio{firstRatio, firstDev}
}

// expected is the likely number of tokens of a request of so many bytes of text and of inline media.
func (e *estimator) expected(model string, bytes, media int) int {
	return int(float64(bytes)*e.of(model).mean) + mediaTokens(media)
}

// upper is a bound that nearly every request stays below. What callers send may raise it, never lower it: one caller's
// padding must not shrink another's hold.
func (e *estimator) upper(model string, bytes, media int) int {
	r := e.of(model)
	ratio := max(r.mean+3*r.dev, firstRatio+3*firstDev)
	return int(float64(bytes)*ratio) + framing + mediaTokens(media)
}

func mediaTokens(bytes int) int {
	if bytes == 0 {
		return 0
	}
	return mediaBase + bytes/mediaShare
}

// learn takes in what a provider reported for a request of so many bytes. Small requests are all framing: left out.
func (e *estimator) learn(model string, bytes int, tokens int64) {
	if bytes < 256 || tokens <= 0 {
		return
	}
	const pace = 0.05
	seen := float64(tokens) / float64(bytes)
	if seen < leastRatio { // padding, or a request that is mostly something else than text
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.ratios[model]
	if !ok {
		r = ratio{firstRatio, firstDev}
	}
	miss := seen - r.mean
	r.mean += pace * miss
	r.dev = max(leastDev, r.dev+pace*(max(miss, -miss)-r.dev))
	if e.ratios == nil {
		e.ratios = map[string]ratio{}
	}
	e.ratios[model] = r
}
