package openai

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/wire/scan"
)

func forward(t testing.TB, body string, o call.Order) string {
	t.Helper()
	raw := call.NewRaw([]byte(body), mustScan(t, body), Front{}.Decode)
	was := bytes.Clone(raw.Body)
	w, err := Back{}.Forward(raw, o)
	if err != nil {
		t.Fatal(err)
	}
	if w.Path != "/chat/completions" || w.Stream != o.Stream {
		t.Errorf("path %q, stream %v", w.Path, w.Stream)
	}
	out := bytes.Join(w.Body, nil)
	if !bytes.Equal(was, raw.Body) {
		t.Error("the caller's bytes changed")
	}
	return string(out)
}

func TestForwardSplices(t *testing.T) {
	const msg = `"messages":[{"role":"user","content":"x"}]`
	for _, tc := range []struct {
		name, body, want string
		max              int
		stream           bool
	}{
		{
			"model only", `{ "model" : "a" , ` + msg + `, "zz":[1, 2 ] }`, `{ "model" : "w/1" , ` + msg + `, "zz":[1, 2 ] }`,
			0, false,
		},
		{
			"cap lowered", `{"model":"a","max_tokens":900,` + msg + `}`, `{"model":"w/1","max_tokens":100,` + msg + `}`, 100,
			false,
		},
		{
			"cap lowered, newer key", `{"max_completion_tokens":900,` + msg + `,"model":"a"}`,
			`{"max_completion_tokens":100,` + msg + `,"model":"w/1"}`, 100, false,
		},
		{"cap kept", `{"model":"a","max_tokens":50,` + msg + `}`, `{"model":"w/1","max_tokens":50,` + msg + `}`, 100, false},
		{"cap put in", `{"model":"a",` + msg + `}`, `{"max_tokens":100,"model":"w/1",` + msg + `}`, 100, false},
		{
			"cap for null", `{"model":"a","max_tokens":null,` + msg + `}`, `{"model":"w/1","max_tokens":100,` + msg + `}`, 100,
			false,
		},
		{
			"stream put in", `{"model":"a",` + msg + `}`,
			`{"stream":true,"stream_options":{"include_usage":true},"model":"w/1",` + msg + `}`, 0, true,
		},
		{
			"stream switched on", `{"stream":false,"model":"a",` + msg + `}`,
			`{"stream_options":{"include_usage":true},"stream":true,"model":"w/1",` + msg + `}`, 0, true,
		},
		{
			"stream asked, usage not", `{"model":"a","stream":true,` + msg + `}`,
			`{"stream_options":{"include_usage":true},"model":"w/1","stream":true,` + msg + `}`, 0, true,
		},
		{
			"usage asked", `{"model":"a","stream":true,"stream_options":{"include_usage":true},` + msg + `}`,
			`{"model":"w/1","stream":true,"stream_options":{"include_usage":true},` + msg + `}`, 0, true,
		},
		{
			"usage declined", `{"model":"a","stream":true,"stream_options":{"z":1,"include_usage": false},` + msg + `}`,
			`{"model":"w/1","stream":true,"stream_options":{"z":1,"include_usage": true},` + msg + `}`, 0, true,
		},
		{
			"usage null", `{"model":"a","stream":true,"stream_options":{"include_usage":null},` + msg + `}`,
			`{"model":"w/1","stream":true,"stream_options":{"include_usage":true},` + msg + `}`, 0, true,
		},
		{
			"options without usage", `{"model":"a","stream":true,"stream_options":{ "include_obfuscation":false},` + msg + `}`,
			`{"model":"w/1","stream":true,"stream_options":{"include_usage":true, "include_obfuscation":false},` + msg + `}`,
			0, true,
		},
		{
			"empty options", `{"model":"a","stream":true,"stream_options":{},` + msg + `}`,
			`{"model":"w/1","stream":true,"stream_options":{"include_usage":true},` + msg + `}`, 0, true,
		},
		{
			"options null", `{"model":"a","stream":true,"stream_options":null,` + msg + `}`,
			`{"model":"w/1","stream":true,"stream_options":{"include_usage":true},` + msg + `}`, 0, true,
		},
		{
			"held stream", `{"model":"a","stream":true,"stream_options":{"include_usage":true},` + msg + `}`,
			`{"model":"w/1","stream":false,"stream_options":null,` + msg + `}`, 0, false,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := forward(t, tc.body, call.Order{Target: call.Target{WireID: "w/1"}, MaxOut: tc.max, Stream: tc.stream})
			if got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestForwardUsesTheProvidersCapKey(t *testing.T) {
	body := []byte(`{"model":"a","messages":[{"role":"user","content":"x"}]}`)
	env := mustScan(t, string(body))
	w, err := Back{}.Forward(&call.Raw{Body: body, Envelope: env},
		call.Order{MaxOut: 7, Target: call.Target{OutputKey: "max_completion_tokens"}})
	if err != nil || !strings.Contains(string(bytes.Join(w.Body, nil)), `{"max_completion_tokens":7,`) {
		t.Errorf("%s, %v", bytes.Join(w.Body, nil), err)
	}
}

func TestForwardSaysTheCapInTheTargetsWord(t *testing.T) {
	for _, tc := range []struct{ body, key, want string }{
		{`{"model":"a","max_tokens" : 50,"messages":[]}`, "max_completion_tokens", `"max_completion_tokens" : 50`},
		{`{"model":"a","max_completion_tokens":50,"messages":[]}`, "max_tokens", `"max_tokens":50`},
		{`{"model":"a","max_tokens":50,"messages":[]}`, "max_tokens", `"max_tokens":50`},
		{`{"model":"a","max_tokens":900,"messages":[]}`, "max_completion_tokens", `"max_completion_tokens":100`},
		{`{"model":"a","max_tokens":50,"messages":[]}`, "", `"max_tokens":50`},
	} {
		body := strings.Replace(tc.body, "[]", `[{"role":"user","content":"max_tokens"}]`, 1)
		o := call.Order{MaxOut: 100, Target: call.Target{OutputKey: tc.key}}
		w, err := Back{}.Forward(&call.Raw{Body: []byte(body), Envelope: mustScan(t, body)}, o)
		got := string(bytes.Join(w.Body, nil))
		if err != nil || !strings.Contains(got, tc.want) || strings.Count(got, `_tokens"`) != 2 {
			t.Errorf("%s for %q: %s, %v", body, tc.key, got, err)
		}
	}
}

func TestForwardKeepsCallersHeaders(t *testing.T) {
	body := `{"model":"a","messages":[{"role":"user","content":"x"}]}`
	raw := &call.Raw{
		Body: []byte(body), Envelope: mustScan(t, body),
		Forward: []call.Field{{Name: "openai-beta", Value: "x"}},
	}
	w, err := Back{}.Forward(raw, call.Order{})
	if err != nil || !cmp.Equal(w.Header, raw.Forward) {
		t.Errorf("%v, %v", w.Header, err)
	}
}

func TestForwardDoesNotCopyTheBody(t *testing.T) {
	body := chatBody(100 << 10)
	raw := &call.Raw{Body: body, Envelope: mustScan(t, string(body))}
	w, err := Back{}.Forward(raw, call.Order{Target: call.Target{WireID: "w"}, MaxOut: 10, Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, p := range w.Body {
		i := bytes.Index(body, p)
		if i < 0 || &body[i] != &p[0] {
			own += len(p)
		}
	}
	if own > 200 {
		t.Errorf("%d bytes of the body are copies", own)
	}
}

func TestForwardRefusesAnotherDialect(t *testing.T) {
	_, err := Back{}.Forward(&call.Raw{Body: []byte("{}"), Envelope: llm.Envelope{Dialect: llm.Anthropic}}, call.Order{})
	var e *llm.Error
	if !errors.As(err, &e) || e.Code != llm.CodeInternal {
		t.Errorf("got %v", err)
	}
}

// tester is what checks need of a test, a fuzz target or a property test.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// members are the members of an object as they lie there, "key:value".
func members(t tester, object []byte) (out []string) {
	t.Helper()
	c := scan.Open(object)
	defer c.Close()
	for c.Object(nil); c.Next(); {
		key := string(c.KeyBytes())
		v := c.Skip()
		out = append(out, key+":"+string(object[v.Start:v.End]))
	}
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	return out
}

// untouched are the members that Forward may not change.
func untouched(all []string) (out []string) {
	for _, m := range all {
		switch key, _, _ := strings.Cut(m, ":"); key {
		case "model", "max_tokens", "max_completion_tokens", "stream", "stream_options":
		default:
			out = append(out, m)
		}
	}
	return out
}

// checkForward holds a scanned body to what Forward promises, for several orders.
func checkForward(t tester, body []byte, env llm.Envelope) {
	t.Helper()
	for i := range 4 {
		o := call.Order{Target: call.Target{WireID: `x/"y"`}, MaxOut: 9 * (i % 2), Stream: i > 1}
		w, err := Back{}.Forward(&call.Raw{Body: body, Envelope: env}, o)
		if err != nil {
			t.Fatal(err)
		}
		out := bytes.Join(w.Body, nil)
		got, err := Front{}.Scan(out)
		if err != nil {
			t.Fatalf("%q became %q: %v", body, out, err)
		}
		wantCap := env.MaxOutput
		if o.MaxOut > 0 && (wantCap == 0 || wantCap > o.MaxOut) {
			wantCap = o.MaxOut
		}
		if got.Model != `x/"y"` || got.MaxOutput != wantCap || got.Stream != o.Stream || o.Stream && !got.IncludeUsage {
			t.Fatalf("%q became %q", body, out)
		}
		if d := cmp.Diff(untouched(members(t, body)), untouched(members(t, out))); d != "" {
			t.Fatalf("%q became %q: %s", body, out, d)
		}
	}
}

// checkSpans holds an envelope's spans to what they say.
func checkSpans(body []byte, env llm.Envelope) error {
	for _, s := range env.Texts {
		if s.Span.Start < 1 || s.Span.End > len(body) || body[s.Span.Start-1] != '"' || body[s.Span.End] != '"' {
			return fmt.Errorf("a text lies at %v of %q", s.Span, body)
		}
		if s.Escaped != bytes.Contains(body[s.Span.Start:s.Span.End], []byte(`\`)) {
			return fmt.Errorf("the text at %v of %q is marked wrongly", s.Span, body)
		}
	}
	if env.Turns < 1 || env.N < 1 || env.Model == "" || env.ObjectOpen < 1 || body[env.ObjectOpen-1] != '{' {
		return fmt.Errorf("envelope %+v of %q", env, body)
	}
	return nil
}

func TestForwardLeavesUnknownFieldsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := []string{`"model":"a"`, `"messages":[{"role":"user","content":"x"}]`}
		for i, kind := range rapid.SliceOfN(rapid.SampledFrom([]string{
			`"field%d": {"a" :[1,2.50,{"b":null}]}`, `"field%d":"\u0041\/ü"`, `"field%d":1e2`, `"field%d":[ ]`, `"seed":%d`,
			`"stream":true`, `"stream":false`, `"stream":null`, `"max_tokens": 5`, `"max_completion_tokens":50`,
			`"stream_options":{"a":1}`, `"stream_options":{"include_usage":false , "b":{}}`, `"stream_options":null`,
		}), 0, 6).Draw(t, "fields") {
			f := strings.ReplaceAll(kind, "%d", fmt.Sprint(i))
			key, _, _ := strings.Cut(f, ":")
			if !strings.Contains(strings.Join(fields, ","), key) {
				fields = append(fields, f)
			}
		}
		fields = rapid.Permutation(fields).Draw(t, "order")
		space := rapid.SampledFrom([]string{"", " ", "\r\n\t"}).Draw(t, "space")
		body := []byte("{" + space + strings.Join(fields, space+","+space) + space + "}")
		env, err := Front{}.Scan(body)
		if err != nil {
			if strings.Contains(err.Error(), "only one of") {
				return
			}
			t.Fatal(err)
		}
		checkForward(t, body, env)
	})
}

// A key that the provider would read twice, and sampling that a model refuses, are cut out with one comma each.
func TestForwardCutsWhatMustNotBeSent(t *testing.T) {
	const msg = `"messages":[]`
	mini := call.Target{
		WireID: "w", OutputKey: "max_completion_tokens", Model: &catalog.Model{FixedSampling: true},
	}
	for _, tc := range []struct {
		name, in, want string
		max            int
		stream         bool
	}{
		{"null twin behind", `"max_tokens":9,"max_completion_tokens":null,`, `"max_completion_tokens":9,`, 0, false},
		{"null twin before", `"max_completion_tokens": null , "max_tokens":9,`, `"max_completion_tokens":9,`, 0, false},
		{"null twin, cap lowered", `"max_tokens":null,"max_completion_tokens":9,`, `"max_completion_tokens":5,`, 5, false},
		{"both null", `"max_tokens":null,"max_completion_tokens":null,`, `"max_completion_tokens":5,`, 5, false},
		{"both null, no cap", `"max_completion_tokens":null,"max_tokens":null,`, `"max_completion_tokens":null,`, 0, false},
		{
			"cut where stream is put in", `"max_completion_tokens":null,"max_tokens":9,`,
			`"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":9,`, 0, true,
		},
		{"sampling", `"temperature":0.2,"top_p":0.9,"seed":1,`, `"seed":1,`, 0, false},
		{
			"sampling beside the twin", `"temperature":0, "max_tokens":null, "max_completion_tokens":9,"top_p":0,`,
			`"max_completion_tokens":9,`, 0, false,
		},
		{"the only values taken", `"temperature":1,"top_p":1.0,`, `"temperature":1,"top_p":1.0,`, 0, false},
		{"null", `"temperature":null,`, `"temperature":null,`, 0, false},
		{"of a wrong type", `"temperature":"cold","x":1,`, `"x":1,`, 0, false},
		{"a spelled key", `"temperatur\u0065":0.5,`, ``, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := call.Order{Target: mini, MaxOut: tc.max, Stream: tc.stream}
			got := forward(t, strings.Replace(`{`+tc.in+`"model":"m",`+msg+`}`, "[]", `[{"role":"user","content":"x"}]`, 1), o)
			want := strings.Replace(`{`+tc.want+`"model":"w",`+msg+`}`, "[]", `[{"role":"user","content":"x"}]`, 1)
			if got != want {
				t.Errorf("at the start\n got %s\nwant %s", got, want)
			}
			if tc.stream {
				return
			}
			at := func(members string) string {
				return `{"messages":[{"role":"user","content":"x"}],"model":"M" ` + strings.TrimSuffix(","+members, ",") + "\n}"
			}
			got = strings.Replace(forward(t, at(tc.in), o), `"w"`, `"M"`, 1)
			if strip(got) != strip(at(tc.want)) || !jsontext.Value(got).IsValid() {
				t.Errorf("at the end\n got %s\nwant %s", got, at(tc.want))
			}
		})
	}
	free := forward(t, `{"temperature":0.2,"model":"m","messages":[{"role":"user","content":"x"}]}`, call.Order{})
	if !strings.Contains(free, `"temperature":0.2`) {
		t.Errorf("a model that takes it gets %s", free)
	}
}

// strip takes white space out of a JSON text whose strings have none.
func strip(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
