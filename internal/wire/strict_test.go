package wire_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

// fullRequests hold every kind of member that a client may send: what Scan makes of each is a matter of safety, since
// who judges the data sees only what Scan shows.
var fullRequests = map[string]string{
	"openai": `{"model":"m","user":"u","max_tokens":9,"n":1,"stream":true,"stream_options":{"include_usage":true},
 "metadata":{"use_case":"uc","other":"o"},"stop":["END"],"temperature":1,"service_tier":"auto",
 "tools":[{"type":"function","function":{"name":"find","description":"d",
   "parameters":{"type":"object","description":"pd","properties":{"id":{"type":"string","enum":["e"]}}}}}],
 "tool_choice":{"type":"function","function":{"name":"find"}},
 "response_format":{"type":"json_schema","json_schema":{"name":"n","description":"sd","schema":{"title":"t"}}},
 "prediction":{"type":"content","content":"pc"},"new_member":{"deep":["nm"]},
 "messages":[
  {"role":"system","content":"s","name":"sn"},
  {"role":"user","content":[{"type":"text","text":"ut"},
    {"type":"image_url","image_url":{"url":"https://example.com/i","detail":"low"}},
    {"type":"input_audio","input_audio":{"data":"QQ==","format":"wav"}},
    {"type":"file","file":{"filename":"fn","file_data":"data:a/b;base64,QQ==","file_id":"fid"}},
    {"type":"text","text":"x","new_part":"np"}]},
  {"role":"assistant","content":"at","refusal":"rf","reasoning_content":"rc","tool_calls":[
    {"id":"c1","type":"function","function":{"name":"find","arguments":"{\"a\":1}"}}]},
  {"role":"tool","tool_call_id":"c1","content":"tc"}]}`,
	"anthropic": `{"model":"m","max_tokens":9,"stream":true,"metadata":{"user_id":"u","use_case":"uc","other":"o"},
 "stop_sequences":["END"],"service_tier":"auto","thinking":{"type":"enabled","budget_tokens":5},
 "system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
 "tools":[{"name":"find","description":"d","input_schema":{"type":"object","properties":{"id":{"enum":["e"]}}}}],
 "tool_choice":{"type":"tool","name":"find"},
 "output_config":{"effort":"low","format":{"type":"json_schema","schema":{"title":"t"}}},
 "new_member":{"deep":["nm"]},
 "messages":[
  {"role":"user","content":[{"type":"text","text":"ut"},
    {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}},
    {"type":"image","source":{"type":"url","url":"https://example.com/i"}},
    {"type":"document","title":"dt","context":"dc","source":{"type":"text","media_type":"text/plain","data":"dd"}},
    {"type":"search_result","title":"st","source":"ss","content":[{"type":"text","text":"sc"}]},
    {"type":"text","text":"x","new_part":"np"}]},
  {"role":"assistant","content":[{"type":"thinking","thinking":"th","signature":"sig"},
    {"type":"redacted_thinking","data":"QQ=="},
    {"type":"tool_use","id":"t1","name":"find","input":{"a":["ia"]}}]},
  {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"tr"}]}]}]}`,
}

// leaf is a string value of a JSON text.
type leaf struct {
	pointer string
	end     int // offset of its closing quote
}

// object is an object of a JSON text that has members.
type object struct {
	pointer string
	open    int // offset behind its brace
	key     string
}

// parts finds all string values and all objects of a JSON text.
func parts(t *testing.T, text string) (leaves []leaf, objects []object) {
	t.Helper()
	dec := jsontext.NewDecoder(strings.NewReader(text))
	opened := false
	for {
		before := string(dec.StackPointer())
		tok, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return leaves, objects
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, n := dec.StackIndex(dec.StackDepth())
		isKey := tok.Kind() == '"' && kind == '{' && n%2 == 1
		switch {
		case opened && isKey:
			at := strings.LastIndexByte(text[:strings.LastIndexByte(text[:dec.InputOffset()-1], '"')], '{') + 1
			objects = append(objects, object{before, at, tok.String()})
		case tok.Kind() == '"' && !isKey:
			leaves = append(leaves, leaf{string(dec.StackPointer()), int(dec.InputOffset()) - 1})
		}
		opened = tok.Kind() == '{'
	}
}

// hidden are the strings of fullRequests that Scan keeps from those who judge data: words of the protocol, ids, media,
// and what is not for a model. A string that joins this list must be argued for.
var hidden = map[string][]string{
	"openai": {
		"/model", "/user", "/metadata/use_case", "/metadata/other", "/stop/0", "/service_tier", "/tools/0/type",
		"/tools/0/function/parameters/type", "/tools/0/function/parameters/properties/id/type", "/tool_choice/type",
		"/tool_choice/function/name", "/response_format/type", "/prediction/type", "/messages/1/content/0/type",
		"/messages/1/content/1/type", "/messages/1/content/1/image_url/url", "/messages/1/content/1/image_url/detail",
		"/messages/1/content/2/type", "/messages/1/content/2/input_audio/data", "/messages/1/content/2/input_audio/format",
		"/messages/1/content/3/type", "/messages/1/content/3/file/file_data", "/messages/1/content/3/file/file_id",
		"/messages/1/content/4/type", "/messages/2/tool_calls/0/id", "/messages/2/tool_calls/0/type",
		"/messages/3/tool_call_id",
	},
	"anthropic": {
		"/model", "/metadata/user_id", "/metadata/use_case", "/metadata/other", "/stop_sequences/0", "/service_tier",
		"/thinking/type", "/system/0/type", "/system/0/cache_control/type", "/tool_choice/type", "/tool_choice/name",
		"/output_config/effort", "/messages/0/content/0/type", "/messages/0/content/1/type",
		"/messages/0/content/1/source/type", "/messages/0/content/1/source/media_type",
		"/messages/0/content/1/source/data", "/messages/0/content/2/type", "/messages/0/content/2/source/type",
		"/messages/0/content/2/source/url", "/messages/0/content/3/type", "/messages/0/content/3/source/type",
		"/messages/0/content/3/source/media_type", "/messages/0/content/4/type", "/messages/0/content/4/content/0/type",
		"/messages/0/content/5/type", "/messages/1/content/0/type", "/messages/1/content/0/signature",
		"/messages/1/content/1/type", "/messages/1/content/1/data", "/messages/1/content/2/type",
		"/messages/1/content/2/id", "/messages/2/content/0/type", "/messages/2/content/0/tool_use_id",
		"/messages/2/content/0/content/0/type",
	},
}

// Every string is marked in turn: Scan must show it among the texts, refuse the request, or have it on the list.
func TestNoStringIsHiddenFromThoseWhoJudgeData(t *testing.T) {
	const mark = "~mark~"
	for name, body := range fullRequests {
		leaves, _ := parts(t, body)
		var got []string
		for _, l := range leaves {
			marked := body[:l.end] + mark + body[l.end:]
			env, err := fronts[name].Scan([]byte(marked))
			if err != nil {
				if !strings.HasSuffix(l.pointer, "/role") && !strings.HasSuffix(l.pointer, "/type") {
					t.Errorf("%s: %s may not hold any text: %v", name, l.pointer, err)
				}
				continue
			}
			shown := slices.ContainsFunc(env.Texts, func(s llm.Segment) bool {
				return strings.Contains(marked[s.Span.Start:s.Span.End], mark)
			})
			if !shown {
				got = append(got, l.pointer)
			}
		}
		if d := cmp.Diff(hidden[name], got); d != "" {
			t.Errorf("%s hides (-want +got):\n%s", name, d)
		}
	}
}

// The owner of an object's keys decides: in the protocol's own objects a key in another case is refused, since readers
// disagree on what it means; in the caller's it is another key.
func callersOwn(pointer string) bool {
	for _, own := range []string{"/parameters", "/input_schema", "/schema", "/metadata", "/new_member", "/input"} {
		if strings.HasSuffix(pointer, own) || strings.Contains(pointer, own+"/") {
			return !strings.Contains(pointer, "input_audio")
		}
	}
	return false
}

// notWalked are objects whose members mean nothing to Weir and are passed on as they are.
func notWalked(pointer string) bool {
	for _, p := range []string{
		"/tool_choice", "/cache_control", "/prediction", "/tools/0", "/json_schema", "/thinking",
		"/format",
	} {
		if strings.Contains(pointer, p) {
			return true
		}
	}
	return false
}

func TestDuplicateKeysAreRefusedEverywhere(t *testing.T) {
	for name, body := range fullRequests {
		if _, err := fronts[name].Scan([]byte(body)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, objects := parts(t, body)
		if len(objects) < 20 {
			t.Fatalf("%s: only %d objects found", name, len(objects))
		}
		for _, o := range objects {
			with := func(key string) []byte { return []byte(body[:o.open] + `"` + key + `":null,` + body[o.open:]) }
			for _, twice := range []string{o.key, `\u00` + hex(o.key[0]) + o.key[1:]} {
				if _, err := fronts[name].Scan(with(twice)); err == nil || llm.AsError(err).Code != llm.CodeInvalid {
					t.Errorf("%s: %s with %s twice: %v", name, o.pointer, twice, err)
				}
			}
			if o.open == 1 || notWalked(o.pointer) {
				continue
			}
			_, err := fronts[name].Scan(with(strings.ToUpper(o.key)))
			if refused := err != nil; refused == callersOwn(o.pointer) {
				t.Errorf("%s: %s with %s beside %s: %v", name, o.pointer, strings.ToUpper(o.key), o.key, err)
			}
		}
	}
}

func hex(b byte) string { return string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15]) }

// What is cut, followed by something, or not UTF-8 is no request, wherever that is.
func TestBodiesThatAreNotExactlyOneRequestAreRefused(t *testing.T) {
	for name, body := range fullRequests {
		scan := fronts[name].Scan
		for cut := range len(body) {
			if _, err := scan([]byte(body[:cut])); err == nil {
				t.Fatalf("%s: the first %d bytes are a request", name, cut)
			}
		}
		for _, tail := range []string{"{}", ",", "x", "\x00", "]"} {
			if _, err := scan([]byte(body + tail)); err == nil {
				t.Errorf("%s: followed by %q it is a request", name, tail)
			}
		}
		if _, err := scan([]byte(body + " \r\n\t")); err != nil {
			t.Errorf("%s: white space at the end: %v", name, err)
		}
		leaves, _ := parts(t, body)
		for _, l := range leaves {
			for _, bad := range []string{"\xff", "\xed\xa0\x80", `\ud800`, "\x01", `\x`} {
				if _, err := scan([]byte(body[:l.end] + bad + body[l.end:])); err == nil {
					t.Errorf("%s: %s may hold %q", name, l.pointer, bad)
				}
			}
		}
	}
}

// Spans stay true when the body is full of white space between all tokens.
func TestSpansHoldInLooseJSON(t *testing.T) {
	for name, body := range fullRequests {
		var loose bytes.Buffer
		inString := false
		for i := 0; i < len(body); i++ {
			c := body[i]
			if c == '"' && (i == 0 || body[i-1] != '\\') {
				inString = !inString
			}
			if !inString && strings.IndexByte("{}[]:,", c) >= 0 {
				loose.WriteString(" \t" + string(c) + "\r\n ")
				continue
			}
			loose.WriteByte(c)
		}
		tight, err := fronts[name].Scan([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		wide, err := fronts[name].Scan(loose.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		at := func(s llm.Span) string { return loose.String()[s.Start:s.End] }
		if at(wide.ModelSpan) != `"m"` || at(wide.MaxSpan) != "9" || at(wide.StreamSpan) != "true" {
			t.Errorf("%s: model %s, cap %s, stream %s", name, at(wide.ModelSpan), at(wide.MaxSpan), at(wide.StreamSpan))
		}
		for i, s := range tight.Texts {
			if got, want := at(wide.Texts[i].Span), body[s.Span.Start:s.Span.End]; got != want || wide.Texts[i].Role != s.Role {
				t.Errorf("%s: text %d is %q of %q, want %q of %q", name, i, got, wide.Texts[i].Role, want, s.Role)
			}
		}
		if tight.Needs != wide.Needs || tight.MediaBytes != wide.MediaBytes || tight.Metadata != wide.Metadata {
			t.Errorf("%s: %+v, want %+v", name, wide, tight)
		}
	}
}
