package config

import re2 "regexp/syntax"

// early reports whether a match of an RE2 pattern in the beginning of a text is one in the whole: nothing in the pattern
// looks at what comes after.
func early(pattern string) bool {
	re, err := re2.Parse(pattern, re2.Perl)
	return err == nil && !looksAhead(re)
}

func looksAhead(re *re2.Regexp) bool {
	switch re.Op {
	case re2.OpEndLine, re2.OpEndText, re2.OpWordBoundary, re2.OpNoWordBoundary:
		return true
	}
	for _, sub := range re.Sub {
		if looksAhead(sub) {
			return true
		}
	}
	return false
}
