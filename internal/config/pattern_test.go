package config

import "testing"

func TestEarlyPatterns(t *testing.T) {
	for pattern, want := range map[string]bool{
		`^\d+`: true, `20\d\d`: true, `(?i)yes|no`: true, `^(a|b)*c`: true, `^\d+$`: false, `\d\z`: false, `(?m)^x$`: false,
		`\bword\b`: false, `a(b|c\B)`: false, `(`: false, ``: true,
	} {
		if got := early(pattern); got != want {
			t.Errorf("%q: %v, want %v", pattern, got, want)
		}
	}
}
