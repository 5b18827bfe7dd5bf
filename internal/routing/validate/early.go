package validate

import (
	"strings"
	"unicode"
)

// Bounds of the text by which an answer may be let go: from the first on its opening words tell whether it declines, and
// past the second a pattern that has not matched is left to the answer's end.
const (
	leastEarly = 160     // bytes
	mostEarly  = 8 << 10 // bytes
)

// Early is a Check that the beginning of an answer may decide: once it holds of that, it holds of the whole.
type Early interface {
	Check
	// Holds reports whether the check passes every text that begins so.
	Holds(beginning string) bool
}

// Decided reports whether the checks, and those of Basic that text can fail, pass every answer that begins so and goes on
// as text. That it may still be cut off at its token limit is not known before its end.
func Decided(checks []Check, beginning string) bool {
	if len(beginning) > mostEarly {
		return false
	}
	opening := strings.TrimLeftFunc(beginning, func(r rune) bool { return !unicode.IsLetter(r) })
	opening = opening[:min(len(opening), shortAnswer)]
	if len(fold(opening)) < leastEarly || hedges(opening) {
		return false
	}
	for _, c := range checks {
		if e, ok := c.(Early); !ok || !e.Holds(beginning) {
			return false
		}
	}
	return true
}

// earlyRule is a rule that a beginning may decide.
type earlyRule struct {
	rule
	holds func(string) bool
}

var _ Early = earlyRule{}

// Holds runs the rule on a beginning.
func (r earlyRule) Holds(beginning string) bool { return r.holds(beginning) }
