package wire

import (
	"strings"
	"unicode/utf8"
)

// maxShown is how much of a provider's words is repeated, in bytes.
const maxShown = 500

// Shown makes a provider's words fit to be repeated: one line of at most 500 bytes, in which words that look like
// credentials are struck out.
func Shown(s string) string {
	if s == "" {
		return s
	}
	fields := strings.Fields(Bounded(s, 4*maxShown))
	for i, w := range fields {
		if secret(w) || i > 0 && strings.EqualFold(fields[i-1], "bearer") {
			fields[i] = "[removed]"
		}
	}
	s = strings.ToValidUTF8(strings.Join(fields, " "), "")
	if len(s) <= maxShown {
		return s
	}
	const more = "..."
	return Bounded(s, maxShown-len(more)) + more
}

// Bounded cuts s to at most n bytes, at a rune's border.
func Bounded(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// marks begin the credentials of providers: their API keys, tokens of their clouds, JSON web tokens.
var marks = [...]string{"sk-", "sk_", "gsk_", "xai-", "hf_", "AIza", "ya29.", "eyJ", "key-", "pk-", "AKIA"}

// secret reports whether a word holds what looks like a credential.
func secret(w string) bool {
	for _, mark := range marks {
		i := strings.Index(w, mark)
		if i >= 0 && len(w)-i >= len(mark)+6 && (i == 0 || !letter(w[i-1])) {
			return true
		}
	}
	return false
}

func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
