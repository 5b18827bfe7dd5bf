package validate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// notNumber returns the size of a date, or of a number in another base, that s begins with, or 0.
func notNumber(s string) int {
	n := based(s)
	if n == 0 {
		n = dated(s)
	}
	return n
}

// based reads 0x1f.
func based(s string) int {
	if len(s) < 3 || s[0] != '0' || s[1] != 'x' && s[1] != 'X' {
		return 0
	}
	n := 2
	for n < len(s) && (isDigit(s[n]) || 'a' <= s[n]|' ' && s[n]|' ' <= 'f') {
		n++
	}
	if n == 2 {
		return 0
	}
	return n
}

// dated reads 2026-11-24, 24-11-2026, 11/24/2026 and a month and day with a leading zero: 12/01. What does not have the
// shape of a date is a calculation set tight: 16-3-4.
func dated(s string) int {
	a := figures(s)
	if a == 0 || a > 4 || a >= len(s) || s[a] != '-' && s[a] != '/' {
		return 0
	}
	b := figures(s[a+1:])
	mid := a + 1 + b
	if b == 0 || b > 2 {
		return 0
	}
	c := 0
	if mid < len(s) && s[mid] == s[a] {
		c = figures(s[mid+1:])
	}
	end := mid + 1 + c
	switch {
	case c == 2 && a == 4 && b == 2 && s[a+1:mid] <= "12" && s[mid+1:end] <= "31" && !more(s[end:], s[a]):
		return end
	case c == 4 && a <= 2 && year(s[mid+1:]) && !more(s[end:], s[a]):
		return end
	case s[a] == '/' && a <= 2 && (s[0] == '0' && a == 2 || s[a+1] == '0' && b == 2):
		return mid
	}
	return 0
}

// more reports whether sep and a digit follow.
func more(s string, sep byte) bool { return len(s) > 1 && s[0] == sep && isDigit(s[1]) }

// year reports whether s begins with the digits of a year of our time.
func year(s string) bool { return strings.HasPrefix(s, "19") || strings.HasPrefix(s, "20") }

// figures counts the digits that s begins with.
func figures(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// priced reports whether the number that began at from and ends at l.i has a currency after it, or a code before it.
func (l *lexer) priced(from int) bool {
	after := strings.TrimLeft(l.s[l.i:min(len(l.s), l.i+8)], " ")
	r, _ := utf8.DecodeRuneInString(after)
	before := strings.ToLower(strings.TrimRight(l.s[max(0, from-6):from], " "))
	return isCurrency(r) || len(after) >= 3 && strings.EqualFold(after[:3], "eur") ||
		strings.HasSuffix(before, "eur") || strings.HasSuffix(before, "euro")
}

// afterLetter reports whether a letter stands right before l.i. An x there is a multiplication sign.
func (l *lexer) afterLetter() bool {
	r, _ := utf8.DecodeLastRuneInString(l.s[:l.i])
	return unicode.IsLetter(r) && l.afterAlnum()
}

// ranged reports whether the expression is no more than two numbers with a dash between them and no space: pages 7-10,
// season 2023-24.
func (e expr) ranged() bool {
	return len(e.toks) == 3 && e.toks[0].kind == tNum && e.toks[1].op == '-' && !e.toks[1].spaced &&
		e.toks[2].kind == tNum && !e.toks[2].spaced
}

// daysBetween reports whether the expression takes one tight fraction from another and the answer is in days or the
// like: 12/31 - 12/1 = 30 days is about dates.
func daysBetween(l, r expr) bool {
	t := l.toks
	if len(t) != 7 || t[3].op != '-' || !tightFraction(t) || !tightFraction(t[4:]) {
		return false
	}
	for _, u := range r.units {
		if scales[timeScale][u] || u == "night" {
			return true
		}
	}
	return false
}

// composed reports whether the tokens before i are a quantity that goes on at i: 5 ft 10 in, 2 hours and 30 minutes.
func composed(toks []token, i int) bool {
	j := i - 1
	if j > 1 && toks[j].word == "and" {
		j--
	}
	if j < 1 || toks[j].kind != tWord || toks[j-1].kind != tNum && toks[j-1].kind != tOdd {
		return false
	}
	unit := strings.TrimSuffix(toks[j].word, "s")
	for _, scale := range scales {
		if scale[unit] {
			return true
		}
	}
	return false
}
