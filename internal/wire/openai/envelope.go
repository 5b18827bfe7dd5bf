package openai

import (
	"bytes"
	"strconv"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// maxTexts bounds what a body of tiny strings can make Weir keep beside it: 10 MB.
const maxTexts = 1 << 17

// maxChoices is the most answers one request may ask for.
const maxChoices = 128

// scanner is one walk of Scan.
type scanner struct {
	*scan.Cursor
	body     []byte
	env      llm.Envelope
	messages bool   // the key was there
	maxKey   string // which key set MaxOutput
	model    scan.Str
	user     scan.Str
	cacheKey scan.Str
	hints    hints
	result   llm.ResultSpans // of the message under way
}

// Scan reads a request in one pass without decoding it. Texts holds every string a model may read: contents, refusals,
// reasoning, arguments, descriptions, and the strings of schemas and of fields Weir does not know, all but media.
func (Front) Scan(body []byte) (llm.Envelope, error) {
	c := scan.Open(body)
	defer c.Close()
	s := scanner{Cursor: c, body: body, env: llm.Envelope{Dialect: llm.OpenAI, N: 1}}
	s.env.Texts = make([]llm.Segment, 0, 8)
	if c.Object(requestKeys) {
		s.env.ObjectOpen = c.Pos()
	}
	for c.Next() {
		s.member(c.Key())
	}
	if err := c.End(); err != nil {
		return llm.Envelope{}, err
	}
	switch {
	case !s.env.ModelSpan.Present():
		return llm.Envelope{}, missing("model", "name a model or a route")
	case !s.messages:
		return llm.Envelope{}, missing("messages", "send at least one message")
	}
	s.keep()
	return s.env, nil
}

// keep copies the short strings of the envelope, all into one allocation.
func (s *scanner) keep() {
	f, h := &s.hints, &s.env.Metadata
	from := [...]scan.Str{s.model, s.user, f.useCase, f.workflow, f.agent, f.session, f.dataClass, s.cacheKey}
	into := [...]*string{
		&s.env.Model, &s.env.User, &h.UseCase, &h.Workflow, &h.Agent, &h.Session, &h.DataClass, &s.env.Talk.CacheKey,
	}
	size := 0
	for _, v := range from {
		size += v.Len()
	}
	all, ends := make([]byte, 0, size), [len(from)]int{}
	for i, v := range from {
		all = scan.Unquote(all, v.Raw(s.body))
		ends[i] = len(all)
	}
	text := string(all)
	start := 0
	for i, to := range into {
		*to = text[start:ends[i]]
		start = ends[i]
	}
}

func missing(field, hint string) error {
	return &llm.Error{Code: llm.CodeInvalid, Message: field + " is missing", Hint: hint, Param: field}
}

// member reads the value of one key of the request.
func (s *scanner) member(key string) {
	switch key {
	case "model":
		s.model = s.String()
		s.env.ModelSpan = s.model.Value()
		if s.model.Len() == 0 {
			s.Fail("must not be empty")
		}
	case "messages":
		s.messages = true
		for s.Array(); s.More(); {
			s.message()
		}
		s.openEnd()
		if s.env.Turns == 0 {
			s.Fail("must hold at least one message")
		}
	case "stream":
		s.env.StreamSpan, s.env.Stream = s.flag()
	case "stream_options":
		s.streamOptions()
	case "max_tokens", "max_completion_tokens":
		s.limit(key)
	case "n":
		s.choices()
	case "tools", "functions":
		s.tools()
	case "response_format":
		s.format()
	case "metadata":
		s.hints.read(s.Cursor, s.body)
	case "prompt_cache_key":
		if !s.Null() {
			s.cacheKey = s.String()
		}
	case "user", "safety_identifier":
		if !s.Null() {
			s.user = s.String()
		}
	case "service_tier":
		if !s.Null() {
			s.serviceTier(s.String())
		}
	case "models", "route", "provider", "plugins", "fallbacks", "preset", "web_search_options", "inference_geo":
		s.reroute(key)
	case "temperature":
		s.env.Temperature = s.number()
	case "top_p":
		s.env.TopP = s.number()
	case "prediction", "":
		s.collect("")
	}
}

// reroute notes a member by which a provider would choose another model or meter; regions but the global one have
// prices of their own.
func (s *scanner) reroute(key string) {
	plain := s.Null()
	if !plain && key == "inference_geo" && s.Kind() == scan.String {
		plain = s.String().Is(s.body, "global")
	} else if !plain {
		s.collect("")
	}
	if !plain && s.env.Reroute == "" {
		s.env.Reroute = key
	}
}

// number is where a value lies that is not null.
func (s *scanner) number() llm.Span {
	if s.Null() {
		return llm.Span{}
	}
	return s.Skip()
}

// serviceTier keeps a tier that is billed by other rates than the standard ones.
func (s *scanner) serviceTier(v scan.Str) {
	if tier := v.Text(s.body); tier != "auto" && tier != "default" {
		s.env.ServiceTier = tier
	}
}

// flag reads a boolean or null.
func (s *scanner) flag() (llm.Span, bool) {
	s.Kind() // to the value
	start := s.Pos()
	on := !s.Null() && s.Bool()
	return llm.Span{Start: start, End: s.Pos()}, on
}

func (s *scanner) streamOptions() {
	s.Kind()
	start := s.Pos()
	if !s.Null() {
		s.Object(streamOptionKeys)
		for s.Next() {
			if s.Key() == "include_usage" {
				_, s.env.IncludeUsage = s.flag()
			}
		}
	}
	s.env.StreamOptions = llm.Span{Start: start, End: s.Pos()}
}

func (s *scanner) limit(key string) {
	s.Kind()
	at := llm.Span{Start: s.Pos()}
	if s.Null() {
		at.End = s.Pos()
		if s.env.MaxSpan.Present() {
			s.env.MaxTwin = at
		} else {
			s.env.MaxSpan = at
		}
		return
	}
	n, span := s.Int()
	switch {
	case s.Err() != nil:
	case s.maxKey != "":
		s.Fail("set only one of max_tokens and max_completion_tokens")
	case n <= 0 || n > 1<<31-1:
		s.Fail("want a number of tokens of at least 1")
	}
	s.maxKey, s.env.MaxOutput, s.env.MaxTwin, s.env.MaxSpan = key, int(n), s.env.MaxSpan, span
}

func (s *scanner) choices() {
	if s.Null() {
		return
	}
	n, _ := s.Int()
	if n < 1 || n > maxChoices {
		s.Fail("want a number from 1 to 128")
	}
	s.env.N = int(n)
}

func (s *scanner) tools() {
	if s.Null() {
		return
	}
	for s.Array(); s.More(); {
		s.env.Needs.Tools = true
		if s.Kind() != scan.Object {
			s.Fail("want an object")
			return
		}
		s.tool()
	}
}

// tool reads a tool's definition. One that the caller does not run itself is run and billed by the provider.
func (s *scanner) tool() {
	n, own := s.Index(), true
	for s.Object(nil); s.Next(); {
		switch {
		case string(s.KeyBytes()) != "type":
			s.collect("")
		case s.Kind() == scan.String:
			v := s.String()
			own = v.Is(s.body, "function") || v.Is(s.body, "custom")
		default:
			s.collect("type")
		}
	}
	if !own && s.env.Reroute == "" {
		s.env.Reroute = "tools[" + strconv.Itoa(n) + "].type"
	}
}

func (s *scanner) format() {
	if s.Null() {
		return
	}
	s.Object(formatKeys)
	for s.Next() {
		switch s.Key() {
		case "type":
			if s.String().Is(s.body, "json_schema") {
				s.env.Needs.Schema = true
			}
		case "json_schema", "":
			s.collect("")
		}
	}
}

func (s *scanner) message() {
	s.env.Turns++
	first := len(s.env.Texts)
	content, said := llm.Span{}, false
	role := ""
	s.result = llm.ResultSpans{Turn: s.env.Turns - 1}
	s.Object(messageKeys)
	for s.Next() {
		switch s.Key() {
		case "role":
			role = s.role()
		case "content":
			s.Kind() // to the value
			s.result.Content.Start = s.Pos()
			content, said = s.content()
			s.result.Content.End = s.Pos()
		case "tool_call_id":
			s.result.ID = inside(s.Skip())
		case "tool_calls":
			if !s.Null() {
				s.calls()
			}
		case "function_call":
			if !s.Null() {
				s.env.Needs.Tools = true
				var older llm.ToolSpans
				s.function(&older)
			}
		case "":
			s.unknown()
		case "name", "refusal", "reasoning_content", "reasoning":
			s.collect("")
		}
	}
	if s.Err() != nil {
		return
	}
	s.spoke(role, content)
	switch role {
	case "":
		s.Fail("role is missing")
	case "user":
		s.env.LastUser = content
		s.roles(first, llm.User)
	case "assistant":
		s.roles(first, llm.Assistant)
	case "tool", "function":
		s.env.Needs.Tools = true
	}
	if !said && role != "assistant" {
		s.Fail("content is missing")
	}
}

func (s *scanner) roles(from int, r llm.Role) {
	for i := range s.env.Texts[from:] {
		s.env.Texts[from+i].Role = r
	}
}

// role reads the role of a message, interned.
func (s *scanner) role() string {
	v := s.String()
	if s.Err() != nil {
		return ""
	}
	for _, r := range [...]string{"user", "assistant", "system", "tool", "developer", "function"} {
		if v.Is(s.body, r) {
			return r
		}
	}
	s.Fail("want system, developer, user, assistant or tool")
	return ""
}

// content reads a message's content, and returns its first text and whether there is any content at all.
func (s *scanner) content() (first llm.Span, said bool) {
	switch s.Kind() {
	case scan.Null:
		s.Null()
	case scan.String:
		v := s.String()
		s.text(v)
		return v.Span, true
	case scan.Array:
		for s.Array(); s.More(); {
			t := s.part()
			if !first.Present() {
				first = t
			}
			said = true
		}
	default:
		s.Fail("want a string or an array of parts")
	}
	return first, said
}

// part reads one part of a content, and returns its text if it has one.
func (s *scanner) part() (text llm.Span) {
	s.Object(partKeys)
	for s.Next() {
		switch s.Key() {
		case "type":
			s.String()
		case "text":
			v := s.String()
			s.text(v)
			text = v.Span
		case "image_url":
			s.env.Needs.Vision = true
			s.media(urlKeys, "url")
		case "input_audio":
			s.env.Needs.Audio = true
			s.media(soundKeys, "data")
		case "file":
			s.env.Needs.Documents = true
			s.media(fileKeys, "file_data")
		default:
			s.collect("")
		}
	}
	return text
}

// media reads an object, or for short only its URL, whose member named data is inline media or a URL.
func (s *scanner) media(keys *scan.Keys, data string) {
	if s.Kind() == scan.String && data == "url" {
		s.url(s.String())
		return
	}
	s.Object(keys)
	for s.Next() {
		switch s.Key() {
		case data:
			v := s.String()
			if data == "url" {
				s.url(v)
			} else {
				s.env.MediaBytes += v.Len()
			}
		case "filename":
			s.collect("")
		}
	}
}

// url counts a data: URL as media; another URL is for the provider to read.
func (s *scanner) url(v scan.Str) {
	if len(v.Raw(s.body)) > 5 && bytes.EqualFold(v.Raw(s.body)[:5], []byte("data:")) {
		s.env.MediaBytes += v.Len()
	}
}

func (s *scanner) text(v scan.Str) {
	if len(s.env.Texts) == maxTexts {
		s.Fail("more than 131072 texts in one request")
		return
	}
	if v.Len() > 0 {
		s.env.Texts = append(s.env.Texts, llm.Segment{Span: v.Span, Escaped: v.Escaped})
	}
}

// collect takes the strings of any value as texts: what Weir does not know may still be read by a model, so it is not
// hidden from those who judge the data. Inline media is counted. The values of "type" are words of JSON Schema.
func (s *scanner) collect(key string) {
	switch s.Kind() {
	case scan.String:
		v := s.String()
		if _, _, media := scan.DataURL(v.Raw(s.body)); media {
			s.env.MediaBytes += v.Len()
		} else if key != "type" {
			s.text(v)
		}
	case scan.Array:
		for s.Array(); s.More(); {
			s.collect(key)
		}
	case scan.Object:
		s.Object(nil)
		for s.Next() {
			if string(s.KeyBytes()) == "type" {
				s.collect("type")
			} else {
				s.collect("")
			}
		}
	default:
		s.Skip()
	}
}
