// Package scan reads JSON text in one strict pass over its bytes, without decoding it. A dialect walks the objects of
// its protocol with a Cursor and skips the rest; whatever is walked or skipped is checked all the same:
//
//   - RFC 8259 grammar, valid UTF-8, escapes that name a character (a lone surrogate does not), nothing behind;
//   - depth <= MaxDepth, refused at the first bracket too many, without recursion;
//   - no key twice in any object (compared after undoing escapes), in time linear in the keys and bounded memory;
//   - in protocol objects no key that is a protocol key in another case ("Model"): readers disagree on what it means.
//     Objects whose keys are the caller's own (schemas, arguments, metadata) are walked or skipped without that check.
//
// What it is not: a decoder, or a tolerant parser. Errors are *llm.Error with code invalid_request, sticky: after the
// first one every method returns its zero value, so that a walk is written straight and Err is asked once at its end.
//
// A walk:
//
//	c := scan.Open(body)
//	defer c.Close()
//	c.Object(requestKeys)
//	for c.Next() {
//		switch c.Key() {
//		case "model":
//			model = c.String().Text(body)
//		case "stop":
//			for c.Array(); c.More(); {
//				stops = append(stops, c.String().Text(body))
//			}
//		} // a value that was not read is skipped
//	}
//	return c.End()
package scan

import (
	"math"
	"sync"

	"github.com/weirhq/weir/internal/llm"
)

// Limits of what is read.
const (
	MaxDepth = 64      // brackets open at once
	MaxKeys  = 1 << 16 // keys remembered at once: those of the objects that are open
)

// Kind is the kind of a JSON value.
type Kind byte

// Kinds. Invalid also stands for the end of the text and for a cursor that failed.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Object
	Array
)

var kindNames = [...]string{"nothing", "null", "a boolean", "a number", "a string", "an object", "an array"}

// String is the kind as it reads in an error: "a string".
func (k Kind) String() string { return kindNames[k] }

// Cursor is a place in a JSON text. The zero Cursor must be Reset before use. Not safe for concurrent use. It keeps the
// text until Close or the next Reset, and never changes it.
type Cursor struct {
	buf     []byte
	pos     int
	depth   int  // frames in use
	pending bool // Next or More stands before a value that is not read yet
	err     *llm.Error
	keys    []keyRef // keys of the open objects, innermost last
	arena   []byte   // keys that had escapes, undone
	frames  [MaxDepth]frame
}

// frame is one open bracket.
type frame struct {
	array bool
	n     int    // values begun
	known *Keys  // protocol keys; nil = the keys are the caller's own
	key   keyRef // current key
	name  string // current key when known
	at    llm.Span
	base  int     // first of this object's keys in Cursor.keys
	arena int     // length of Cursor.arena when the object was opened
	table []int32 // hash table over keys[base:], once there are many
}

var pool = sync.Pool{New: func() any { return new(Cursor) }}

// Open returns a cursor before the first value of text, from a pool. Close it.
func Open(text []byte) *Cursor {
	c := pool.Get().(*Cursor)
	c.Reset(text)
	return c
}

// Close gives the cursor back. Neither it nor the result of KeyBytes may be used after.
func (c *Cursor) Close() {
	c.Reset(nil)
	if cap(c.keys) > keptKeys || cap(c.arena) > 16*keptKeys {
		return // a hostile text made it large: let it go
	}
	pool.Put(c)
}

// keptKeys bounds the memory that a pooled cursor keeps.
const keptKeys = 2048

// Reset puts the cursor before the first value of another text, with no error.
func (c *Cursor) Reset(text []byte) {
	c.buf, c.pos, c.depth, c.pending, c.err = text, 0, 0, true, nil
	c.keys, c.arena = c.keys[:0], c.arena[:0]
	if len(text) > math.MaxInt32 {
		c.syntax(0, "the text is longer than 2 GiB")
	}
}

// Err is the first error, an *llm.Error, or nil.
func (c *Cursor) Err() error {
	if c.err == nil {
		return nil
	}
	return c.err
}

// Pos is the offset of the next byte to read.
func (c *Cursor) Pos() int { return c.pos }

// End skips what is left of the value under way when the walk is at the top, checks that nothing follows it, and
// returns the first error.
func (c *Cursor) End() error {
	if c.pending && c.err == nil {
		c.Skip()
	}
	if c.err == nil && c.depth > 0 {
		c.syntax(c.pos, "a walk ended inside an object or array")
	}
	if c.err == nil {
		c.space()
		if c.pos < len(c.buf) {
			c.syntax(c.pos, "text after the end of the value")
		}
	}
	return c.Err()
}

// Kind tells what value comes next, without reading it. A value that begins with a wrong byte is an error.
func (c *Cursor) Kind() Kind {
	if c.err != nil {
		return Invalid
	}
	c.space()
	if c.pos >= len(c.buf) {
		c.syntax(c.pos, "the text ends where a value is expected")
		return Invalid
	}
	k := kindOf[c.buf[c.pos]]
	if k == Invalid {
		c.syntax(c.pos, "a value cannot begin with "+quoteByte(c.buf[c.pos]))
	}
	return k
}

var kindOf = [256]Kind{
	'n': Null, 't': Bool, 'f': Bool, '"': String, '{': Object, '[': Array, '-': Number,
	'0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
}

// want reports whether the next value is of kind k; another kind is an error.
func (c *Cursor) want(k Kind) bool {
	got := c.Kind()
	if got == k {
		c.pending = false
		return true
	}
	c.mismatch(k, got)
	return false
}

func (c *Cursor) mismatch(want, got Kind) {
	if c.err == nil {
		c.Fail("want " + want.String() + ", got " + got.String())
	}
}

// Object enters the object that comes next; another value is an error. known are the protocol keys of the object; nil
// says that its keys are the caller's own. Then loop over Next until it is false.
func (c *Cursor) Object(known *Keys) bool { return c.want(Object) && c.push(false, known) }

// Array enters the array that comes next; another value is an error. Then loop over More until it is false.
func (c *Cursor) Array() bool { return c.want(Array) && c.push(true, nil) }

func (c *Cursor) push(array bool, known *Keys) bool {
	if c.depth == MaxDepth {
		c.syntax(c.pos, "deeper than 64 objects and arrays")
		return false
	}
	c.pos++
	f := &c.frames[c.depth]
	f.array, f.n, f.known, f.name, f.key = array, 0, known, "", keyRef{}
	f.base, f.arena = len(c.keys), len(c.arena)
	f.table = f.table[:0]
	c.depth++
	return true
}

func (c *Cursor) pop() {
	c.pos++
	c.depth--
	f := &c.frames[c.depth]
	c.keys, c.arena = c.keys[:f.base], c.arena[:f.arena]
	c.pending = false
}

// next stands before the next key or element of the innermost bracket, or goes past its end and returns nil.
func (c *Cursor) next(array bool) *frame {
	if c.pending {
		c.Skip()
	}
	if c.err != nil {
		return nil
	}
	if c.depth == 0 || c.frames[c.depth-1].array != array {
		c.syntax(c.pos, "a walk took an object for an array")
		return nil
	}
	f, closing := &c.frames[c.depth-1], byte('}')
	if array {
		closing = ']'
	}
	c.space()
	switch {
	case c.pos >= len(c.buf):
		c.syntax(c.pos, "the text ends inside an object or array")
		return nil
	case c.buf[c.pos] == closing:
		c.pop()
		return nil
	case f.n == 0:
		return f
	case c.buf[c.pos] != ',':
		c.syntax(c.pos, "want ',' or "+quoteByte(closing)+", got "+quoteByte(c.buf[c.pos]))
		return nil
	}
	c.pos++
	c.space()
	return f
}

// More goes to the next element of the innermost array, and past its end returns false.
func (c *Cursor) More() bool {
	f := c.next(true)
	if f == nil {
		return false
	}
	f.n++
	c.pending = true
	return true
}

// Next goes to the value of the next key of the innermost object, and past its end returns false.
func (c *Cursor) Next() bool {
	f := c.next(false)
	if f == nil {
		return false
	}
	if c.pos >= len(c.buf) || c.buf[c.pos] != '"' {
		c.syntax(c.pos, "want a key in quotes")
		return false
	}
	s, ok := c.quoted()
	if !ok || !c.addKey(f, s) {
		return false
	}
	c.space()
	if c.pos >= len(c.buf) || c.buf[c.pos] != ':' {
		c.syntax(c.pos, "want ':' after a key")
		return false
	}
	c.pos++
	c.pending = true
	return true
}

// Key is the current key when it is one of the object's protocol keys, else "".
func (c *Cursor) Key() string {
	if c.depth == 0 {
		return ""
	}
	return c.frames[c.depth-1].name
}

// KeyBytes is the current key with its escapes undone. It is valid until the object ends.
func (c *Cursor) KeyBytes() []byte {
	if c.depth == 0 {
		return nil
	}
	return c.bytesOf(c.frames[c.depth-1].key)
}

// KeySpan is where the current key lies, quotes included.
func (c *Cursor) KeySpan() llm.Span {
	if c.depth == 0 {
		return llm.Span{}
	}
	return c.frames[c.depth-1].at
}

// Index is the number of the current element of the innermost array, or of the current key, from 0.
func (c *Cursor) Index() int {
	if c.depth == 0 {
		return 0
	}
	return c.frames[c.depth-1].n - 1
}

// Skip reads the next value, whatever it is, with all that it holds, and returns where it lies.
func (c *Cursor) Skip() llm.Span {
	k := c.Kind()
	start, base := c.pos, c.depth
	for c.err == nil {
		c.pending = false
		switch k {
		case Object:
			c.push(false, nil)
		case Array:
			c.push(true, nil)
		default:
			c.scalar(k)
		}
		for c.depth > base && c.err == nil && !c.advance() {
			continue // a bracket closed: go on in the one around it
		}
		if c.depth == base && c.err == nil {
			return llm.Span{Start: start, End: c.pos}
		}
		k = c.Kind()
	}
	return llm.Span{}
}

// advance goes to the next value of the innermost bracket, or out of it and returns false.
func (c *Cursor) advance() bool {
	if c.frames[c.depth-1].array {
		return c.More()
	}
	return c.Next()
}

func (c *Cursor) space() {
	for c.pos < len(c.buf) {
		switch c.buf[c.pos] {
		case ' ', '\n', '\r', '\t':
			c.pos++
		default:
			return
		}
	}
}
