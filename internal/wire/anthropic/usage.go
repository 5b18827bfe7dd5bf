package anthropic

import (
	"strconv"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

// usage is what a provider told of tokens so far. Its counts are cumulative over a stream, so each one is the largest
// seen: message_start tells the input, message_delta the output and sometimes all again.
type usage struct {
	told                       bool
	input, output, thinking    int64
	create, create5m, create1h int64
	read                       int64
	compaction                 llm.Usage // work beside the answer, which the top-level counts leave out
}

// maxIterations bounds how many iterations of one answer are summed.
const maxIterations = 1 << 10

var (
	usageKeys = scan.NewKeys("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
		"cache_creation", "output_tokens_details", "iterations", "type")
	creationKeys = scan.NewKeys("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
	detailKeys   = scan.NewKeys("thinking_tokens")
)

// scan reads the usage object that comes next in text, or a null.
func (u *usage) scan(c *scan.Cursor, text []byte) {
	if c.Null() || !c.Object(usageKeys) {
		return
	}
	u.told = true
	for c.Next() {
		if c.Key() == "iterations" {
			u.scanIterations(c, text)
		} else {
			u.member(c)
		}
	}
}

// member reads the count at hand, whichever it is.
func (u *usage) member(c *scan.Cursor) {
	switch c.Key() {
	case "input_tokens":
		wire.AtLeast(&u.input, c)
	case "output_tokens":
		wire.AtLeast(&u.output, c)
	case "cache_creation_input_tokens":
		wire.AtLeast(&u.create, c)
	case "cache_read_input_tokens":
		wire.AtLeast(&u.read, c)
	case "cache_creation":
		u.scanCreation(c)
	case "output_tokens_details":
		u.scanDetails(c)
	}
}

func (u *usage) scanCreation(c *scan.Cursor) {
	if c.Null() || !c.Object(creationKeys) {
		return
	}
	for c.Next() {
		switch c.Key() {
		case "ephemeral_5m_input_tokens":
			wire.AtLeast(&u.create5m, c)
		case "ephemeral_1h_input_tokens":
			wire.AtLeast(&u.create1h, c)
		}
	}
}

func (u *usage) scanDetails(c *scan.Cursor) {
	if c.Null() || !c.Object(detailKeys) {
		return
	}
	for c.Next() {
		if c.Key() == "thinking_tokens" {
			wire.AtLeast(&u.thinking, c)
		}
	}
}

// scanIterations sums the iterations of type compaction: they are billed at the same rates, and the top-level counts
// hold only the message iterations. Iterations of an advisor are another model's and cannot be priced here.
func (u *usage) scanIterations(c *scan.Cursor, text []byte) {
	if c.Null() || !c.Array() {
		return
	}
	var sum llm.Usage
	for n := 0; c.More() && n < maxIterations; n++ {
		var one usage
		kind := ""
		if !c.Object(usageKeys) {
			return
		}
		for c.Next() {
			if c.Key() == "type" {
				kind = c.String().Text(text)
			} else {
				one.member(c)
			}
		}
		if kind == "compaction" {
			sum = sum.Add(one.llm())
		}
	}
	u.compaction = sum
}

// llm is the usage as disjoint meters. Cache writes without a split live 5 minutes, the default of the dialect.
func (u *usage) llm() llm.Usage {
	create := max(u.create, u.create5m+u.create1h)
	thinking := min(u.thinking, u.output)
	return llm.Usage{
		Input: u.input, CacheRead: u.read, CacheWrite5m: create - u.create1h, CacheWrite1h: u.create1h,
		Output: u.output - thinking, Reasoning: thinking,
	}.Add(u.compaction)
}

// meter is the usage as an event carries it; nil = none was told.
func (u *usage) meter() *llm.Usage {
	if !u.told {
		return nil
	}
	v := u.llm()
	return &v
}

// appendUsage writes a usage object; all of its members are always there.
func appendUsage(dst []byte, u *llm.Usage) []byte {
	if u == nil {
		u = &llm.Usage{}
	}
	member := func(name string, n int64) {
		dst = append(dst, name...)
		dst = strconv.AppendInt(dst, n, 10)
	}
	member(`{"input_tokens":`, u.Input)
	member(`,"cache_creation_input_tokens":`, u.CacheWrite5m+u.CacheWrite1h)
	member(`,"cache_read_input_tokens":`, u.CacheRead)
	member(`,"cache_creation":{"ephemeral_5m_input_tokens":`, u.CacheWrite5m)
	member(`,"ephemeral_1h_input_tokens":`, u.CacheWrite1h)
	member(`},"output_tokens":`, u.Completion())
	if u.Reasoning > 0 {
		member(`,"output_tokens_details":{"thinking_tokens":`, u.Reasoning)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}
