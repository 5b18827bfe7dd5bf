package scan

import (
	"fmt"
	"strconv"

	"github.com/weirhq/weir/internal/llm"
)

// maxShown bounds what of a caller's own key is repeated in an error.
const maxShown = 64

// Fail refuses the value at hand for a reason of the dialect's own ("want a string or an array"). Only the first error
// counts.
func (c *Cursor) Fail(reason string) {
	if c.err != nil {
		return
	}
	path := c.Path()
	where := path
	if where == "" {
		where = "the body"
	}
	c.err = &llm.Error{
		Code: llm.CodeInvalid, Message: fmt.Sprintf("%s: %s (at byte %d)", where, reason, c.pos), Param: path,
	}
}

// syntax refuses the text at offset at.
func (c *Cursor) syntax(at int, reason string) {
	if c.err != nil {
		return
	}
	path := c.Path()
	in := ""
	if path != "" {
		in = " in " + path
	}
	c.err = &llm.Error{
		Code: llm.CodeInvalid, Message: fmt.Sprintf("JSON at byte %d%s: %s", at, in, reason), Param: path,
	}
}

// Path says where the cursor is: "messages[2].content[0].text". Empty at the top.
func (c *Cursor) Path() string {
	var p []byte
	for i := range c.frames[:c.depth] {
		f := &c.frames[i]
		switch {
		case f.n == 0:
		case f.array:
			p = append(p, '[')
			p = strconv.AppendInt(p, int64(f.n-1), 10)
			p = append(p, ']')
		default:
			if len(p) > 0 {
				p = append(p, '.')
			}
			p = append(p, shown(c.bytesOf(f.key))...)
		}
	}
	return string(p)
}

// shown cuts a key for an error at a rune's border.
func shown(key []byte) string {
	if len(key) <= maxShown {
		return string(key)
	}
	n := maxShown
	for n > 0 && key[n]&0xC0 == 0x80 {
		n--
	}
	return string(key[:n]) + "..."
}

func quoteByte(b byte) string {
	if b < 0x20 || b >= 0x7F {
		return fmt.Sprintf("byte 0x%02x", b)
	}
	return "'" + string(rune(b)) + "'"
}
