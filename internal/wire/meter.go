package wire

import "github.com/weirhq/weir/internal/wire/scan"

// maxTokens bounds a count, so that sums of a hostile answer cannot overflow.
const maxTokens = 1 << 40

// AtLeast reads a count of tokens, or a null, and raises n to it: counts that are cumulative over a stream only rise.
func AtLeast(n *int64, c *scan.Cursor) {
	if c.Null() {
		return
	}
	v, _ := c.Int()
	*n = max(*n, min(v, maxTokens))
}
