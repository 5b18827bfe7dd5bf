package config

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMaskedURLs(t *testing.T) {
	for line, want := range map[string]string{
		"url: https://host/v1?key=HIDDENKEY":                "url: https://host/v1?key=*********",
		"{url: https://host/v1?key=HIDDENKEY, region: eu}":  "{url: https://host/v1?key=*********, region: eu}",
		"{url: https://host/v1?key=HIDDENKEY}":              "{url: https://host/v1?key=*********}",
		`url: "https://host/v1?a=x y&b=z" # why?`:           `url: "https://host/v1?a=***&b=*" # why?`,
		"url: 'https://host/v1?a=\"x\"&b'":                  "url: 'https://host/v1?a=***&*'",
		"url: https://host/v1?HIDDENKEY&b=#HIDDENKEY":       "url: https://host/v1?*********&b=#*********",
		"url: https://host/v1#HIDDENKEY # note":             "url: https://host/v1#********* # note",
		"url: https://me:pass@host/v1":                      "url: https://*******@host/v1",
		"url: https://me:p@ss@host/v1":                      "url: https://*******@host/v1",
		"url: https://me:p/w@host/v1?k=v":                   "url: https://******@host/v1?k=*",
		"url: https://me:p?w#x@host/v1":                     "url: https://********@host/v1",
		"urls: [https://a/?x=1, 'http://b/?y=2'] # a? b#c":  "urls: [https://a/?x=*, 'http://b/?y=*'] # a? b#c",
		"which? #1: https://host:8080/v1/models@2026-01-02": "which? #1: https://*******************@2026-01-02",
		"url: https://host/v1/models@2026-01-02":            "url: https://host/v1/models@2026-01-02",
		"url: https://höst/?ключ=секрет":                    "url: https://höst/?ключ=******",
		"no url: a? b=c #d":                                 "no url: a? b=c #d",
		"://":                                               "://",
		"":                                                  "",
	} {
		got := mask(line)
		if got != want {
			t.Errorf("%q is shown as %q, want %q", line, got, want)
		}
		if utf8.RuneCountInString(got) != utf8.RuneCountInString(line) {
			t.Errorf("%q: the mask changes the length", line)
		}
	}
}

func TestErrorShowsNoQuery(t *testing.T) {
	e := &Errors{Path: "weir.yaml", lines: []string{"url: https://host/v1?key=HIDDENKEY"}, Problems: []Problem{{
		Line: 1, Column: 6, Message: "https://host/v1?key=HIDDENKEY is no url", Hint: "not https://host/v1?key=HIDDENKEY",
	}}}
	if got := e.Error(); strings.Contains(got, "HIDDENKEY") || strings.Count(got, "key=*********") != 3 {
		t.Errorf("the error shows a query:\n%s", got)
	}
}

func TestHintOnAnAmountCutAtItsComma(t *testing.T) {
	for word, want := range map[string]bool{
		"000/day": true, "000": true, "500.50/month": true, "250/total": true,
		"00/day": false, "0000": false, "day": false, "000 day": false, "a00": false,
	} {
		if got := strings.Contains(suggest(word, []string{"limit", "node"}, "keys here"), "quote"); got != want {
			t.Errorf("%q: hint to quote = %t, want %t", word, got, want)
		}
	}
}

// FuzzMask: a mask never changes a line's length and never lets the value of a URL's query through.
func FuzzMask(f *testing.F) {
	f.Add("{url: https://host/v1?key=", ", region: eu}")
	f.Add(`url: "https://me:pw@host/?a=b&c=`, `" # ://?`)
	f.Fuzz(func(t *testing.T, before, after string) {
		line := before + "://h/?k=Xy7Zz9Q&" + after
		if !utf8.ValidString(line) || strings.Contains(before+after, "Xy7Zz9Q") || strings.Contains(line, "\n") {
			t.Skip()
		}
		got := mask(line)
		if strings.Contains(got, "Xy7Zz9Q") || utf8.RuneCountInString(got) != utf8.RuneCountInString(line) {
			t.Fatalf("%q is shown as %q", line, got)
		}
	})
}
