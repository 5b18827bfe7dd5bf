package scan

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"strings"
	"unicode/utf8"
)

// Keys are the protocol keys of one kind of object. Immutable; safe for concurrent use.
type Keys struct {
	byLen [maxKeyLen + 1][]protoKey
	all   []string
}

type protoKey struct {
	fold uint64 // signature of the name in lower case
	name string
}

const maxKeyLen = 40

// NewKeys makes a set of protocol keys; they are ASCII and at most 40 bytes long. It panics otherwise: keys are
// constants of a dialect.
func NewKeys(names ...string) *Keys {
	k := &Keys{all: names}
	for _, n := range names {
		if len(n) > maxKeyLen || strings.ContainsFunc(n, func(r rune) bool { return r >= utf8.RuneSelf }) {
			panic("scan: protocol key " + n + " is too long or not ASCII")
		}
		k.byLen[len(n)] = append(k.byLen[len(n)], protoKey{signature([]byte(n)) | lower, n})
	}
	return k
}

// lower sets the bit that makes an ASCII letter lower case, in eight bytes at once. Other bytes may collide; that only
// costs a comparison.
const lower = 0x2020202020202020

// find returns the protocol key that key is, or the one of which it is a case variant.
func (k *Keys) find(key []byte, sig uint64) (name string, exact bool) {
	if len(key) <= maxKeyLen {
		for i := range k.byLen[len(key)] {
			p := &k.byLen[len(key)][i]
			if p.fold != sig|lower {
				continue
			}
			if string(key) == p.name {
				return p.name, true
			}
			if strings.EqualFold(string(key), p.name) {
				return p.name, false
			}
		}
	}
	if !ascii(key) { // U+212A and U+017F fold to k and s
		for _, n := range k.all {
			if strings.EqualFold(string(key), n) {
				return n, false
			}
		}
	}
	return "", false
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// keyRef is a key of an open object.
type keyRef struct {
	sig   uint64 // its first eight bytes
	start int32
	len   int32
	arena bool // lies in Cursor.arena, since it had escapes
}

// signature packs the first eight bytes of b.
func signature(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var s uint64
	for i, c := range b {
		s |= uint64(c) << (8 * i)
	}
	return s
}

func (c *Cursor) bytesOf(k keyRef) []byte {
	if k.arena {
		return c.arena[k.start : k.start+k.len]
	}
	return c.buf[k.start : k.start+k.len]
}

// fewKeys is how many keys of an object are compared one by one before a hash table is made.
const fewKeys = 16

// addKey makes s the current key of f and refuses it when it is there already or is a case variant.
func (c *Cursor) addKey(f *frame, s Str) bool {
	k := keyRef{start: int32(s.Span.Start), len: int32(s.Span.End - s.Span.Start)}
	raw := c.buf[s.Span.Start:s.Span.End]
	if s.Escaped {
		k.start = int32(len(c.arena))
		c.arena = Unquote(c.arena, raw)
		k.len, k.arena = int32(len(c.arena))-k.start, true
		raw = c.arena[k.start:]
	}
	k.sig = signature(raw)
	f.key, f.name, f.at = k, "", s.Value() // before the checks, so that an error's path ends in this key
	f.n++
	name := ""
	if f.known != nil {
		n, exact := f.known.find(raw, k.sig)
		if n != "" && !exact {
			c.syntax(s.Span.Start, "the key "+quoteKey(raw)+" differs from "+quoteKey([]byte(n))+" only in case")
			return false
		}
		name = n
	}
	if c.seen(f, k, raw) {
		c.syntax(s.Span.Start, "the key "+quoteKey(raw)+" appears twice in one object")
		return false
	}
	if len(c.keys) == MaxKeys {
		c.syntax(s.Span.Start, "more than 65536 keys in open objects")
		return false
	}
	c.keys = append(c.keys, k)
	f.name = name
	return true
}

func quoteKey(b []byte) string { return `"` + shown(b) + `"` }

// seen reports whether key is among f's keys already, and if f has a table enters it there.
func (c *Cursor) seen(f *frame, k keyRef, raw []byte) bool {
	mine := c.keys[f.base:]
	if len(mine) < fewKeys {
		for i := range mine {
			m := &mine[i]
			if m.sig == k.sig && m.len == k.len && (k.len <= 8 || bytes.Equal(c.bytesOf(*m), raw)) {
				return true
			}
		}
		return false
	}
	if 2*(len(mine)+1) > len(f.table) {
		c.grow(f, mine)
	}
	return c.enter(f.table, mine, k, raw, int32(len(mine)))
}

// seed makes the table's collisions a secret of this process.
var seed = maphash.MakeSeed()

// enter puts index i for key k into table, and reports whether the key was there.
func (c *Cursor) enter(table []int32, mine []keyRef, k keyRef, raw []byte, i int32) bool {
	mask := uint64(len(table) - 1)
	for h := maphash.Bytes(seed, raw) & mask; ; h = (h + 1) & mask {
		at := table[h]
		if at == 0 {
			table[h] = i + 1
			return false
		}
		m := mine[at-1]
		if m.sig == k.sig && m.len == k.len && bytes.Equal(c.bytesOf(m), raw) {
			return true
		}
	}
}

// grow makes f's table at least four times as large as its keys.
func (c *Cursor) grow(f *frame, mine []keyRef) {
	size := 4 * fewKeys
	for size < 4*len(mine) {
		size *= 2
	}
	if cap(f.table) >= size {
		f.table = f.table[:size]
		clear(f.table)
	} else {
		f.table = make([]int32, size)
	}
	for i, m := range mine {
		c.enter(f.table, mine, m, c.bytesOf(m), int32(i))
	}
}
