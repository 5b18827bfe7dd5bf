package identity

import (
	"encoding/base32"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// A presented key is wr_<id>_<secret>_<check>: 12, 32 and 4 characters of lower-case base32. The id is public, the
// secret holds 160 random bits, the check is the low 20 bits of a CRC-32 of what stands before it, so that a mistyped
// key and a scanner's find are told from a real one without asking the store.
const (
	prefix   = "wr_"
	idLen    = 12
	secret   = 32
	checkLen = 4
	keyLen   = len(prefix) + idLen + 1 + secret + 1 + checkLen
)

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

var base = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// newPresented makes a fresh presented key and its id.
func newPresented(random io.Reader) (presented, id string, err error) {
	var b [28]byte // 8 bytes for 12 characters of id, 20 for the secret
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", "", fmt.Errorf("random bytes for a key: %w", err)
	}
	id = base.EncodeToString(b[:8])[:idLen]
	body := prefix + id + "_" + base.EncodeToString(b[8:])
	return body + "_" + string(appendCheck(nil, body)), id, nil
}

// IDOf is the public id of a presented key; "" when it has not the form of one.
func IDOf(presented string) string {
	id, ok := idOf(presented)
	if !ok {
		return ""
	}
	return id
}

// idOf finds the id of a presented key; false when it is not of the form or its check does not fit.
func idOf(presented string) (string, bool) {
	if len(presented) != keyLen || !strings.HasPrefix(presented, prefix) {
		return "", false
	}
	body, check := presented[:keyLen-checkLen-1], presented[keyLen-checkLen:]
	id, rest := presented[len(prefix):len(prefix)+idLen], presented[len(prefix)+idLen:]
	if rest[0] != '_' || rest[1+secret] != '_' || !inAlphabet(id) || !inAlphabet(rest[1:1+secret]) {
		return "", false
	}
	var want [checkLen]byte
	return id, string(appendCheck(want[:0], body)) == check
}

func inAlphabet(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

func appendCheck(dst []byte, body string) []byte {
	sum := ^uint32(0)
	for i := range len(body) { // crc32.Update wants bytes, and a conversion would allocate on the hot path
		sum = crc32.IEEETable[byte(sum)^body[i]] ^ sum>>8
	}
	sum = ^sum
	for i := range checkLen {
		dst = append(dst, alphabet[sum>>(5*i)&31])
	}
	return dst
}
