package compress

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// words calls yield with every word of s: lower case, light stem, stop words left out. Digits are words; "INV-402" is
// "inv" and "402". The bytes are valid until yield returns.
func words(s string, yield func([]byte)) {
	var buf [64]byte
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			i += n
			continue
		}
		w := buf[:0]
		for i < len(s) {
			r, n := utf8.DecodeRuneInString(s[i:])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				break
			}
			if len(w) < len(buf)-utf8.UTFMax {
				w = utf8.AppendRune(w, unicode.ToLower(r))
			}
			i += n
		}
		if word := stem(w); len(word) > 0 && !stopWords[string(word)] {
			yield(word)
		}
	}
}

// stem takes the commonest English endings off, so that "approved" finds "approval" no more than it must, but
// "invoices" finds "invoice". It changes w.
func stem(w []byte) []byte {
	n := len(w)
	ends := func(s string) bool { return bytes.HasSuffix(w, []byte(s)) }
	switch {
	case n > 4 && ends("ies"):
		return append(w[:n-3], 'y')
	case n > 5 && ends("ing"):
		return w[:n-3]
	case n > 4 && ends("ed"):
		return w[:n-2]
	case n > 3 && ends("s") && !ends("ss") && !ends("us") && !ends("is"):
		return bytes.TrimSuffix(w[:n-1], []byte("e"))
	case n > 4 && ends("e"):
		return w[:n-1]
	}
	return w
}

var stopWords = stopSet(`
a an and are as at be been but by can could did do does for from had has have he her hers him his how i if in
into is it its just me my no nor not of on or our out she should so some such than that the their them then
there these they this those to too up was we were what when where which while who whom whos why will with
would you your der die das und ist ein eine einer den dem des im in zu von mit auf für nicht es sich auch als
am an er sie wir ihr was wann wer wie wo le la les un une des et est de du en que qui dans pour pas sur au aux
ce il elle el los las y es por con para una lo se
`)

func stopSet(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[string(stem([]byte(w)))] = true
	}
	return m
}

// hash is FNV-1a of a word, going on from h; hashStart begins one.
func hash(h uint64, w []byte) uint64 {
	for _, c := range w {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return (h ^ 0xff) * 1099511628211
}

const hashStart = 14695981039346656037
