package scan

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
)

// read walks text as one value of no protocol.
func read(text []byte) error {
	c := Open(text)
	defer c.Close()
	c.Skip()
	return c.End()
}

func TestStrictGrammar(t *testing.T) {
	for _, tc := range []struct{ text, wrong string }{
		{`{}`, ""},
		{`[]`, ""},
		{` { "a" : [ 1 , 2 ] , "b" : null } `, ""},
		{`"x"`, ""},
		{`-0.5e+10`, ""},
		{"\t\r\n1", ""},
		{`{"a":{"a":1},"b":{"a":2}}`, ""},
		{`"\ud83d\ude00 \u0041 \/ \b\f\n\r\t\"\\"`, ""},
		{`"żółw 漢字 😀"`, ""},
		{``, "the text ends where a value is expected"},
		{`   `, "the text ends where a value is expected"},
		{`{`, "ends inside an object"},
		{`[1`, "ends inside an object"},
		{`[1,]`, "a value cannot begin with ']'"},
		{`{"a":1,}`, "want a key in quotes"},
		{`{,}`, "want a key in quotes"},
		{`{a:1}`, "want a key in quotes"},
		{`{"a" 1}`, "want ':' after a key"},
		{`{"a":1 "b":2}`, "want ',' or '}', got '\"'"},
		{`[1 2]`, "want ',' or ']', got '2'"},
		{`[1}`, "want ',' or ']', got '}'"},
		{`{} {}`, "text after the end of the value"},
		{`1x`, "text after the end"},
		{`01`, "malformed"},
		{`-`, "malformed"},
		{`1.`, "malformed"},
		{`1e`, "malformed"},
		{`+1`, "cannot begin with '+'"},
		{`.5`, "cannot begin with '.'"},
		{`nul`, "want null"},
		{`truth`, "want true"},
		{`falsy`, "want false"},
		{`NaN`, "cannot begin with 'N'"},
		{`"abc`, "ends inside a string"},
		{"\"a\nb\"", "control character"},
		{`"\x"`, "escape"},
		{`"\u12g4"`, "escape"},
		{`"\ud800"`, "escape"},
		{`"\udc00\ud800"`, "escape"},
		{`"\ud800\u0041"`, "escape"},
		{`"\`, "escape"},
		{`"\u12`, "escape"},
		{"\"a\xffb\"", "not valid UTF-8"},
		{"\"long enough for words \xc3\x28\"", "not valid UTF-8"},
		{"\xef\xbb\xbf{}", "byte 0xef"},
		{`{"a":1,"a":2}`, `the key "a" appears twice`},
		{`{"a":1,"\u0061":2}`, `the key "a" appears twice`},
		{`{"x":{"schema":{"Type":1,"type":2}}}`, ""},
		{`[{"k":[{"z":1,"z":1}]}]`, "[0].k[0].z: "},
		{`{"\u0061":1,"\u0062":2,"b":3}`, `the key "b" appears twice`},
	} {
		err := read([]byte(tc.text))
		switch {
		case tc.wrong == "" && err != nil:
			t.Errorf("%s: %v", tc.text, err)
		case tc.wrong != "" && (err == nil || !strings.Contains(err.Error(), tc.wrong)):
			t.Errorf("%s: got %v, want an error with %q", tc.text, err, tc.wrong)
		}
		if (err == nil) != jsontext.Value(tc.text).IsValid() {
			t.Errorf("%s: jsontext disagrees (valid = %v)", tc.text, err != nil)
		}
	}
}

func TestErrorTellsOffsetAndPath(t *testing.T) {
	c := Open([]byte(`{"messages":[{"role":"user"},{"role":7}]}`))
	defer c.Close()
	c.Object(NewKeys("messages"))
	for c.Next() {
		for c.Array(); c.More(); {
			c.Object(NewKeys("role"))
			for c.Next() {
				c.String()
			}
		}
	}
	var e *llm.Error
	if !errors.As(c.End(), &e) {
		t.Fatal("no *llm.Error")
	}
	const want = "messages[1].role: want a string, got a number (at byte 37)"
	if e.Message != want || e.Param != "messages[1].role" || e.Code != llm.CodeInvalid {
		t.Errorf("got %q, param %q, code %s", e.Message, e.Param, e.Code)
	}
}

func TestDepthIsBounded(t *testing.T) {
	nest := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if err := read(nest(MaxDepth)); err != nil {
		t.Errorf("%d brackets: %v", MaxDepth, err)
	}
	for _, n := range []int{MaxDepth + 1, 100_000, 10_000_000} {
		c := Open(nest(n))
		c.Skip()
		if err := c.End(); err == nil || !strings.Contains(err.Error(), "deeper than 64") {
			t.Errorf("%d brackets: %v", n, err)
		}
		if c.Pos() > MaxDepth {
			t.Errorf("%d brackets: read on to byte %d", n, c.Pos())
		}
		c.Close()
	}
	if err := read([]byte(strings.Repeat(`{"a":`, 100_000))); err == nil {
		t.Error("deep objects were accepted")
	}
}

// manyKeys is an object of n different keys, the last one again a second time when dup is set.
func manyKeys(n int, dup bool) []byte {
	var b []byte
	b = append(b, '{')
	for i := range n {
		b = fmt.Appendf(b, `"key-number-%d":0,`, i)
	}
	if dup {
		return fmt.Appendf(b, `"key-number-%d":0}`, n-1)
	}
	return append(b[:len(b)-1], '}')
}

func TestKeysAreComparedInLinearTime(t *testing.T) {
	for _, n := range []int{1, fewKeys - 1, fewKeys, fewKeys + 1, 100, 1000, MaxKeys - 1} {
		if err := read(manyKeys(n, false)); err != nil {
			t.Errorf("%d keys: %v", n, err)
		}
		if err := read(manyKeys(n, true)); err == nil || !strings.Contains(err.Error(), "appears twice") {
			t.Errorf("%d keys and one twice: %v", n, err)
		}
	}
	body := manyKeys(1_000_000, false)
	start := time.Now()
	if err := read(body); err == nil || !strings.Contains(err.Error(), "more than 65536 keys") {
		t.Errorf("a million keys: %v", err)
	}
	if d := time.Since(start); d > 2*time.Second { // quadratic would be minutes
		t.Errorf("a million keys took %v", d)
	}
}

func TestManySmallObjectsKeepNoKeys(t *testing.T) {
	body := []byte("[" + strings.Repeat(`{"a":1,"b":2,"\u0063":3},`, 100_000) + "0]")
	if err := read(body); err != nil {
		t.Fatal(err)
	}
}

func TestCaseVariantsOfProtocolKeys(t *testing.T) {
	keys := NewKeys("model", "messages", "max_tokens", "k", "s_i")
	for _, tc := range []struct {
		text string
		ok   bool
	}{
		{`{"model":"x"}`, true},
		{`{"Model":"x"}`, false},
		{`{"model":"x","MODEL":"y"}`, false},
		{`{"mod\u0065l":"x"}`, true},
		{`{"mod\u0045l":"x"}`, false},
		{`{"MAX_tokens":1}`, false},
		{"{\"me\u017f\u017fages\":1}", false},
		{"{\"\u212a\":1}", false},
		{`{"modem":1,"max_tokenz":1}`, true},
		{`{"metadata":{"Model":1}}`, true},
		{`{"s\u007fi":1,"s\u007f2":2}`, true},
	} {
		c := Open([]byte(tc.text))
		c.Object(keys)
		for c.Next() {
			if c.Key() == "model" {
				c.String()
			}
		}
		if err := c.End(); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.text, err)
		}
		c.Close()
	}
}

func TestWalkReadsValues(t *testing.T) {
	text := []byte(`{"a":"x\ny","b":-12,"c":true,"d":null,"e":[1,"two",{"deep":[[]]}],"f":2.5,"g":false,"other":{"z":1}}`)
	keys := NewKeys("a", "b", "c", "d", "e", "f", "g")
	c := Open(text)
	defer c.Close()
	var got []string
	c.Object(keys)
	for c.Next() {
		switch c.Key() {
		case "a":
			s := c.String()
			got = append(got, s.Text(text), string(text[s.Value().Start:s.Value().End]))
		case "b":
			n, span := c.Int()
			got = append(got, fmt.Sprint(n), string(text[span.Start:span.End]))
		case "c", "g":
			got = append(got, fmt.Sprint(c.Bool()))
		case "d":
			got = append(got, fmt.Sprint(c.Null()))
		case "e":
			for c.Array(); c.More(); {
				got = append(got, fmt.Sprint(c.Index(), c.Kind()))
			}
		case "f":
			got = append(got, fmt.Sprint(c.Float()))
		case "":
			got = append(got, "?"+string(c.KeyBytes()))
		}
	}
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	want := `x` + "\n" + `y|"x\ny"|-12|-12|true|true|0 a number|1 a string|2 an object|2.5|false|?other`
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestWrongKindsAreNamed(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		read       func(*Cursor)
	}{
		{`[]`, "the body: want an object, got an array", func(c *Cursor) { c.Object(nil) }},
		{`{}`, "want an array, got an object", func(c *Cursor) { c.Array() }},
		{`null`, "want a string, got null", func(c *Cursor) { c.String() }},
		{`1.5`, "want an integer", func(c *Cursor) { c.Int() }},
		{`99999999999999999999`, "want an integer", func(c *Cursor) { c.Int() }},
		{`1e999`, "out of range", func(c *Cursor) { c.Float() }},
		{`"1"`, "want a number, got a string", func(c *Cursor) { c.Int() }},
		{`0`, "want a boolean, got a number", func(c *Cursor) { c.Bool() }},
	} {
		c := Open([]byte(tc.text))
		tc.read(c)
		if err := c.End(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.text, err, tc.want)
		}
		c.Close()
	}
}

func TestFailedCursorStops(t *testing.T) {
	c := Open([]byte(`{"a":[1,2`))
	defer c.Close()
	c.Object(nil)
	n := 0
	for c.Next() {
		for c.Array(); c.More(); {
			n++
		}
	}
	c.Fail("later")
	if c.String() != (Str{}) || c.Kind() != Invalid || c.Bool() || c.Null() || c.Skip() != (llm.Span{}) || n != 2 {
		t.Error("a failed cursor gave a value")
	}
	if err := c.End(); err == nil || !strings.Contains(err.Error(), "ends inside") {
		t.Errorf("got %v", err)
	}
}

func TestDataURL(t *testing.T) {
	for _, tc := range []struct {
		raw, mime string
		at        int
		ok        bool
	}{
		{"data:image/png;base64,AAAA", "image/png", 22, true},
		{"DATA:image/svg+xml;charset=utf-8;base64,AA", "image/svg+xml", 40, true},
		{"data:;base64,AA", "", 13, true},
		{"data:text/plain,hello", "", 0, false},
		{"https://x/y.png", "", 0, false},
		{"", "", 0, false},
	} {
		mime, at, ok := DataURL([]byte(tc.raw))
		if mime != tc.mime || at != tc.at || ok != tc.ok {
			t.Errorf("%s: %q %d %v", tc.raw, mime, at, ok)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5e3,null,true,"\ud83d\ude00"],"b":{}}`, `{"a":1,"\u0061":2}`, `[[[[]]]]`,
		"\"\xff\"", `"\ud800"`, ` 1 `, `{"k":"` + strings.Repeat("é", 40) + `"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := read(text)
		valid := jsontext.Value(text).IsValid()
		if err == nil && !valid {
			t.Fatalf("accepted what jsontext refuses: %q", text)
		}
		if err != nil && valid && !strings.Contains(err.Error(), "deeper than 64") {
			t.Fatalf("refused what jsontext accepts: %q: %v", text, err)
		}
	})
}

func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`"a\nb"`, `"\u00e9\ud83d\ude00"`, `"\"\\\/"`, `"plain"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := Open(text)
		defer c.Close()
		if c.Kind() != String {
			return
		}
		s := c.String()
		if c.End() != nil {
			return
		}
		want, err := jsontext.AppendUnquote(nil, text[s.Value().Start:s.Value().End])
		if err != nil || string(want) != s.Text(text) {
			t.Fatalf("%q: got %q, want %q (%v)", text, s.Text(text), want, err)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	line := `{"role":"user","content":"The quick brown fox jumps over the lazy dog, then\nreads an invoice:` +
		` \"INV-402\", 1,250.00 EUR."},`
	for _, kb := range []int{1, 100} {
		n := kb * 1024 / len(line)
		body := []byte(`{"model":"gpt-4o","messages":[` + strings.Repeat(line, n) + `{"role":"user","content":"x"}]}`)
		b.Run(fmt.Sprintf("%dKB", kb), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := read(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestMisusedWalksAreErrors(t *testing.T) {
	for name, walk := range map[string]func(*Cursor){
		"array taken for an object": func(c *Cursor) { c.Array(); c.Next() },
		"object taken for an array": func(c *Cursor) { c.Array(); c.More(); c.Object(nil); c.More() },
		"outside any bracket":       func(c *Cursor) { c.Skip(); c.More() },
		"left early":                func(c *Cursor) { c.Array(); c.More() },
	} {
		c := Open([]byte(`[{"a":1}]`))
		if c.Key() != "" || c.KeyBytes() != nil || c.Index() != 0 || c.KeySpan() != (llm.Span{}) {
			t.Errorf("%s: a key before any object", name)
		}
		walk(c)
		if err := c.End(); err == nil || !strings.Contains(err.Error(), "a walk") {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}

func TestKeySpanHoldsTheQuotes(t *testing.T) {
	text := []byte(`{ "a\u0062" : 1}`)
	c := Open(text)
	defer c.Close()
	c.Object(nil)
	c.Next()
	if s := c.KeySpan(); string(text[s.Start:s.End]) != `"a\u0062"` || string(c.KeyBytes()) != "ab" {
		t.Errorf("%v, %q", s, c.KeyBytes())
	}
}

func TestLongKeysAreCutInErrors(t *testing.T) {
	key := strings.Repeat("é", 500)
	err := read([]byte(`{"` + key + `":1,"` + key + `":2}`))
	if err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "é...") {
		t.Errorf("got %v", err)
	}
}

func TestNewKeysRefusesWhatItCannotHold(t *testing.T) {
	for _, name := range []string{"schlüssel", strings.Repeat("k", maxKeyLen+1)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", name)
				}
			}()
			NewKeys(name)
		}()
	}
}

func TestUnquoteKeepsWhatIsMalformed(t *testing.T) {
	if got := string(Unquote(nil, []byte(`a\qb\u12`))); got != `a\qb\u12` {
		t.Errorf("got %q", got)
	}
}

func TestStrCompares(t *testing.T) {
	text := []byte(`["abc","\u0061bc","x"]`)
	c := Open(text)
	defer c.Close()
	var got []bool
	for c.Array(); c.More(); {
		got = append(got, c.String().Is(text, "abc"))
	}
	if err := c.End(); err != nil || fmt.Sprint(got) != "[true true false]" {
		t.Errorf("%v, %v", got, err)
	}
}
