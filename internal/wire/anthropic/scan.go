package anthropic

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

var (
	requestKeys = scan.NewKeys("model", "max_tokens", "messages", "system", "stream", "tools", "tool_choice", "metadata",
		"stop_sequences", "temperature", "top_p", "top_k", "thinking", "output_config", "output_format", "service_tier",
		"container", "context_management", "mcp_servers", "cache_control", "inference_geo", "speed",
		"models", "route", "provider", "plugins", "fallbacks", "preset", "web_search_options")
	turnKeys     = scan.NewKeys("role", "content")
	sourceKeys   = scan.NewKeys("type", "media_type", "data", "url", "file_id", "content")
	configKeys   = scan.NewKeys("format", "effort", "task_budget")
	thinkingKeys = scan.NewKeys("type", "budget_tokens", "display")
)

// speaker marks text of a message whose role is not known yet: members come in any order.
const speaker llm.Role = "speaker"

// scanner is one walk of Scan.
type scanner struct {
	*scan.Cursor
	body                []byte
	env                 llm.Envelope
	model, messages, at bool // which required members were there
	talk                talk
}

// Scan reads a request in one pass without decoding it. Texts holds every string that a model may read: system, text,
// results, arguments, thinking, tools and members Weir does not know; not media, signatures and encrypted data.
func (Front) Scan(body []byte) (llm.Envelope, error) {
	c := scan.Open(body)
	defer c.Close()
	s := scanner{Cursor: c, body: body, env: llm.Envelope{Dialect: llm.Anthropic, N: 1}}
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
	case !s.model:
		return llm.Envelope{}, missing("model", "name a model or a route")
	case !s.at:
		return llm.Envelope{}, missing("max_tokens", "the Messages API demands a cap on output, for example 1024")
	case !s.messages:
		return llm.Envelope{}, missing("messages", "send at least one message")
	}
	return s.env, nil
}

func missing(field, hint string) error {
	return &llm.Error{Code: llm.CodeInvalid, Message: field + " is missing", Hint: hint, Param: field}
}

// member reads the value of one key of the request.
func (s *scanner) member(key string) {
	switch key {
	case "model":
		v := s.String()
		s.model, s.env.Model, s.env.ModelSpan = true, v.Text(s.body), v.Value()
		if s.env.Model == "" {
			s.Fail("must not be empty")
		}
	case "max_tokens":
		s.limit()
	case "messages":
		s.messages = true
		for s.Array(); s.More(); {
			s.Kind() // to the message
			start := s.Pos()
			s.turn()
			s.spoke(llm.Span{Start: start, End: s.Pos()})
		}
		if s.env.Turns == 0 {
			s.Fail("must hold at least one message")
		}
	case "stream":
		s.Kind() // to the value
		start := s.Pos()
		s.env.Stream = !s.Null() && s.Bool()
		s.env.StreamSpan = llm.Span{Start: start, End: s.Pos()}
	case "system":
		first := len(s.env.Texts)
		s.content("")
		s.instructions(s.env.Texts[first:])
	case "thinking":
		s.env.Talk.Thinking, s.env.Talk.Silent = s.Skip(), silent
	case "tools":
		s.tools()
	case "metadata":
		s.metadata()
	case "output_config":
		s.outputConfig()
	case "output_format":
		s.format()
	case "service_tier", "speed":
		s.serviceTier()
	case "models", "route", "provider", "plugins", "fallbacks", "preset", "web_search_options", "inference_geo":
		s.reroute(key)
	case "":
		s.collect("")
	}
}

// serviceTier keeps a tier or speed that is billed by other rates than the standard ones.
func (s *scanner) serviceTier() {
	if s.Null() {
		return
	}
	v := s.String()
	if tier := v.Text(s.body); tier != "auto" && tier != "standard_only" && tier != "standard" {
		s.env.ServiceTier = tier
	}
}

// limit reads the cap. 0 only fills the prompt cache; it counts as 1, since 0 stands for a cap that was not told.
func (s *scanner) limit() {
	if s.Null() {
		return
	}
	n, span := s.Int()
	if s.Err() == nil && (n < 0 || n > math.MaxInt32) {
		s.Fail("want a number of tokens of at least 0")
	}
	s.at, s.env.MaxOutput, s.env.MaxSpan = true, max(int(n), 1), span
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

// freeTools begin the types of tools that cost nothing beside tokens: the caller runs them, or the provider does not
// charge for them. Types end in the date of their version.
var freeTools = [...]string{
	"bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_", "web_fetch_", "mcp_toolset",
}

// tool reads a tool's definition. One of an unknown type counts as billed by a meter of its own.
func (s *scanner) tool() {
	n, free := s.Index(), true
	for s.Object(nil); s.Next(); {
		if string(s.KeyBytes()) != "type" || s.Kind() != scan.String {
			s.collect("")
			continue
		}
		v := s.String()
		s.text(v, "")
		kind := v.Text(s.body)
		named := func(prefix string) bool { return strings.HasPrefix(kind, prefix) }
		free = kind == "custom" || slices.ContainsFunc(freeTools[:], named)
	}
	if !free && s.env.Reroute == "" {
		s.env.Reroute = "tools[" + strconv.Itoa(n) + "].type"
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

func (s *scanner) outputConfig() {
	if s.Null() {
		return
	}
	s.Object(configKeys)
	for s.Next() {
		if s.Key() == "format" {
			s.format()
		}
	}
}

func (s *scanner) format() {
	if !s.Null() {
		s.env.Needs.Schema = true
		s.collect("")
	}
}

// turn reads one message.
func (s *scanner) turn() {
	s.env.Turns++
	first, role := len(s.env.Texts), llm.Role("")
	said := false
	s.talk = talk{}
	s.Object(turnKeys)
	for s.Next() {
		switch s.Key() {
		case "role":
			role = s.role()
		case "content":
			said = true
			s.content(speaker)
		default:
			s.collect("")
		}
	}
	if s.Err() != nil {
		return
	}
	if role == "" || !said {
		s.Fail("a message must have role and content")
	}
	s.talk.role = role
	s.attribute(s.env.Texts[first:], role)
}

func (s *scanner) role() llm.Role {
	v := s.String()
	for _, r := range [...]llm.Role{llm.User, llm.Assistant, "system"} {
		if v.Is(s.body, string(r)) {
			return r
		}
	}
	s.Fail("want user or assistant")
	return ""
}

// attribute gives a message's texts their speaker, and finds the last user's text.
func (s *scanner) attribute(texts []llm.Segment, role llm.Role) {
	told := false
	for i := range texts {
		if texts[i].Role != speaker {
			continue
		}
		texts[i].Role = role
		if role == "system" {
			texts[i].Role = ""
		}
		if role == llm.User && !told {
			told, s.env.LastUser = true, texts[i].Span
			if !s.env.Talk.First.Present() {
				s.env.Talk.First = texts[i].Span
			}
		}
	}
}

// content reads a string or an array of blocks. role is whose text it is.
func (s *scanner) content(role llm.Role) {
	switch s.Kind() {
	case scan.String:
		s.text(s.String(), role)
	case scan.Array:
		for s.Array(); s.More(); {
			s.block(role)
		}
		if role == speaker {
			s.talk.end = s.Pos() - 1
		}
	case scan.Null:
		s.Null()
	default:
		s.Fail("want a string or an array of content blocks")
	}
}

func (s *scanner) text(v scan.Str, role llm.Role) {
	if v.Len() > 0 {
		s.env.Texts = append(s.env.Texts, llm.Segment{Span: v.Span, Escaped: v.Escaped, Role: role})
	}
}

// block reads one content block. Its type may come last, so what a source means is settled at the end.
func (s *scanner) block(role llm.Role) {
	kind := ""
	var src source
	s.Kind() // to the block
	tool := toolBlock{at: llm.Span{Start: s.Pos()}}
	s.Object(blockKeys)
	for s.Next() {
		switch s.Key() {
		case "type":
			kind = kindOf(s.String(), s.body)
		case "text":
			s.text(s.String(), role)
		case "thinking":
			s.text(s.String(), "")
		case "name":
			v := s.String()
			tool.name = v.Span
			s.text(v, "")
		case "source":
			src = s.source()
		case "content":
			tool.content = s.valued(s.nested)
		case "id", "tool_use_id":
			tool.id = inside(s.Skip())
		case "is_error":
			at := s.Skip()
			tool.failed = string(s.body[at.Start:at.End]) == "true"
		case "data", "signature", "cache_control":
			s.Skip()
		default:
			input := string(s.KeyBytes()) == "input"
			if v := s.valued(func() { s.collect("") }); input {
				tool.input = v
			}
		}
	}
	if s.Err() != nil {
		return
	}
	if kind == "" {
		s.Fail("a content block must have a type")
	}
	s.need(kind, &src)
	tool.at.End = s.Pos()
	if role == speaker {
		s.tell(kind, &tool)
	}
}

// nested is the content of a result: blocks, a string, or an object of a server tool's own.
func (s *scanner) nested() {
	if s.Kind() == scan.Object {
		s.collect("")
		return
	}
	s.content("")
}

type source struct {
	kind, mime, data scan.Str
}

func (s *scanner) source() source {
	var src source
	if s.Kind() != scan.Object { // a search result names its source by a string
		s.collect("")
		return src
	}
	s.Object(sourceKeys)
	for s.Next() {
		switch s.Key() {
		case "type":
			src.kind = s.String()
		case "media_type":
			src.mime = s.String()
		case "data":
			src.data = s.String()
		case "content":
			s.nested()
		case "url", "file_id":
			s.Skip()
		default:
			s.collect("")
		}
	}
	return src
}

// need notes what a block asks of a model.
func (s *scanner) need(kind string, src *source) {
	switch kind {
	case "image":
		s.env.Needs.Vision = true
		s.env.MediaBytes += src.data.Len()
	case "document":
		switch {
		case src.kind.Is(s.body, "text"):
			s.text(src.data, "")
		case !src.kind.Is(s.body, "content"):
			s.env.Needs.Documents = true
			s.env.MediaBytes += src.data.Len()
		}
	case "container_upload":
		s.env.Needs.Documents = true
	case typeToolUse, "tool_result":
		s.env.Needs.Tools = true
	default:
		if strings.HasPrefix(src.mime.Text(s.body), "audio/") {
			s.env.Needs.Audio = true
		}
		s.env.MediaBytes += src.data.Len()
	}
}

// collect reads the next value whole and notes all of its strings.
func (s *scanner) collect(role llm.Role) {
	switch s.Kind() {
	case scan.String:
		s.text(s.String(), role)
	case scan.Array:
		for s.Array(); s.More(); {
			s.collect(role)
		}
	case scan.Object:
		for s.Object(nil); s.Next(); {
			s.collect(role)
		}
	default:
		s.Skip()
	}
}

// metadata reads user_id and Weir's hints. Other members are the caller's own.
func (s *scanner) metadata() {
	if s.Null() {
		return
	}
	for s.Object(nil); s.Next(); {
		key := s.KeyBytes()
		field := hintField(&s.env.Metadata, key)
		if bytes.Equal(key, []byte("user_id")) {
			field = &s.env.User
		}
		if field == nil || s.Null() {
			continue
		}
		v := s.String().Text(s.body)
		if *field != "" && *field != v {
			s.Fail("is told twice, differently")
		}
		*field = v
	}
}

// hintPrefix marks a metadata key as meant for Weir. The bare names are read too.
const hintPrefix = "x-weir-"

// hintField is where the hint of that name goes, or nil.
func hintField(h *llm.Hints, key []byte) *string {
	if len(key) > len(hintPrefix)+len("data_class") {
		return nil
	}
	switch strings.ReplaceAll(strings.TrimPrefix(string(key), hintPrefix), "-", "_") {
	case "use_case":
		return &h.UseCase
	case "workflow":
		return &h.Workflow
	case "agent":
		return &h.Agent
	case "session":
		return &h.Session
	case "data_class":
		return &h.DataClass
	}
	return nil
}
