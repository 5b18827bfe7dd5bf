package anthropic

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

type request struct {
	Model        string        `json:"model"`
	MaxTokens    *int          `json:"max_tokens"`
	System       content       `json:"system"`
	Messages     []turn        `json:"messages"`
	Tools        []toolDef     `json:"tools"`
	ToolChoice   *toolChoice   `json:"tool_choice"`
	Stop         []string      `json:"stop_sequences"`
	Temperature  *float64      `json:"temperature"`
	TopP         *float64      `json:"top_p"`
	OutputConfig *outputConfig `json:"output_config"`
	OutputFormat *outputFormat `json:"output_format"`
	Metadata     *metadata     `json:"metadata"`
	Stream       bool          `json:"stream"`
}

type turn struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

type toolDef struct {
	Type        string         `json:"type,omitzero"`
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	Schema      jsontext.Value `json:"input_schema,omitzero"`
	Strict      bool           `json:"strict,omitzero"`
}

type toolChoice struct {
	Type       string `json:"type"`
	Name       string `json:"name,omitzero"`
	NoParallel bool   `json:"disable_parallel_tool_use,omitzero"`
}

type outputConfig struct {
	Format *outputFormat `json:"format,omitzero"`
}

type outputFormat struct {
	Type   string         `json:"type"`
	Schema jsontext.Value `json:"schema,omitzero"`
}

type metadata struct {
	UserID string `json:"user_id,omitzero"`
}

// content is a string or an array of blocks.
type content []inBlock

// inBlock is a content block of a request.
type inBlock struct {
	Type      string         `json:"type"`
	Text      string         `json:"text"`
	Source    jsontext.Value `json:"source"`
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Input     jsontext.Value `json:"input"`
	ToolUseID string         `json:"tool_use_id"`
	Content   jsontext.Value `json:"content"`
	IsError   bool           `json:"is_error"`
	Thinking  string         `json:"thinking"`
	raw       jsontext.Value
}

// UnmarshalJSONFrom reads either form. A string is one text block.
func (x *content) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	switch v.Kind() {
	case 'n':
		return nil
	case '"':
		b := inBlock{Type: typeText}
		if err := json.Unmarshal(v, &b.Text); err != nil {
			return err
		}
		*x = content{b}
		return nil
	case '[':
		var raws []jsontext.Value
		if err := json.Unmarshal(v, &raws); err != nil {
			return err
		}
		*x = make(content, len(raws))
		for i, raw := range raws {
			if err := json.Unmarshal(raw, &(*x)[i]); err != nil {
				return err
			}
			(*x)[i].raw = raw
		}
		return nil
	}
	return errors.New("want a string or an array of content blocks")
}

// Decode reads a request whole. What only Anthropic can run or read (server tools, stored files) is refused with
// CodeUnfit: it cannot be translated, and leaving it out would change what is asked. So is what cannot be understood:
// a model of this dialect may still get the bytes as they are.
func (Front) Decode(body []byte) (*llm.Request, error) {
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, undecodable(err)
	}
	if in.MaxTokens != nil && *in.MaxTokens == 0 {
		return nil, unfit("max_tokens", "0, which only fills a prompt cache, cannot be translated")
	}
	out := &llm.Request{
		Model: in.Model, Temperature: in.Temperature, TopP: in.TopP, Stop: in.Stop, Stream: in.Stream,
	}
	if in.MaxTokens != nil {
		out.MaxOutput = *in.MaxTokens
	}
	if in.Metadata != nil {
		out.User = in.Metadata.UserID
	}
	var err error
	if out.System, err = in.System.parts("system"); err != nil {
		return nil, err
	}
	for i := range in.Messages {
		if err := addTurn(out, &in.Messages[i], fmt.Sprintf("messages[%d]", i)); err != nil {
			return nil, err
		}
	}
	if out.Tools, err = tools(in.Tools); err != nil {
		return nil, err
	}
	if out.Choice, err = choice(in.ToolChoice); err != nil {
		return nil, err
	}
	f := in.OutputFormat
	if in.OutputConfig != nil && in.OutputConfig.Format != nil {
		f = in.OutputConfig.Format
	}
	out.Format, err = format(f)
	return out, err
}

// undecodable names the member that has the wrong type, without Go's own words for it.
func undecodable(err error) error {
	e := &llm.Error{
		Code: llm.CodeUnfit, Message: "the request body cannot be read as a Messages request", Hint: onlyOwn, Err: err,
	}
	var wrong *json.SemanticError
	if errors.As(err, &wrong) && wrong.JSONPointer != "" {
		e.Param = strings.ReplaceAll(strings.TrimPrefix(string(wrong.JSONPointer), "/"), "/", ".")
		e.Message = e.Param + ": wrong type of value"
	}
	return e
}

const onlyOwn = "this goes only to a model of Anthropic's own API, with the request unchanged"

// unfit refuses what no other dialect can do, or what has no meaning for one.
func unfit(where, why string) *llm.Error {
	return &llm.Error{Code: llm.CodeUnfit, Message: where + ": " + why, Param: where, Hint: onlyOwn}
}

func addTurn(out *llm.Request, t *turn, where string) error {
	parts, err := t.Content.parts(where + ".content")
	if err != nil {
		return err
	}
	switch t.Role {
	case "user", "assistant":
		out.Messages = append(out.Messages, llm.Message{Role: llm.Role(t.Role), Parts: parts})
	case "system":
		out.System = append(out.System, parts...)
	default:
		return unfit(where+".role", "want user or assistant, got "+wire.Bounded(t.Role, 32))
	}
	return nil
}

func (x content) parts(where string) ([]llm.Part, error) {
	var out []llm.Part
	for i := range x {
		more, err := x[i].parts(fmt.Sprintf("%s[%d]", where, i))
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// parts translates one block; a document of blocks becomes several parts.
func (b *inBlock) parts(where string) ([]llm.Part, error) {
	switch b.Type {
	case typeText:
		return []llm.Part{{Kind: llm.Text, Text: b.Text}}, nil
	case "image", "document":
		return b.media(where)
	case typeToolUse:
		return []llm.Part{{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: b.ID, Name: b.Name, Args: b.Input}}}, nil
	case "tool_result":
		parts, err := nested(b.Content, where)
		if err != nil {
			return nil, err
		}
		answer := &llm.ToolAnswer{ID: b.ToolUseID, Content: parts, IsError: b.IsError}
		return []llm.Part{{Kind: llm.ToolResult, Result: answer}}, nil
	case "search_result":
		return nested(b.Content, where)
	case "":
		return nil, unfit(where+".type", "a content block must have a type")
	}
	if known(b.Type) {
		return []llm.Part{{Kind: llm.Reasoning, Text: b.Thinking, Opaque: b.raw}}, nil
	}
	return nil, unfit(where, "a block of type "+wire.Bounded(b.Type, 64)+" cannot be translated")
}

func nested(v jsontext.Value, where string) ([]llm.Part, error) {
	if len(v) == 0 {
		return nil, nil
	}
	var inner content
	if err := json.Unmarshal(v, &inner); err != nil {
		return nil, unfit(where+".content", "want a string or an array of content blocks")
	}
	return inner.parts(where + ".content")
}

func (b *inBlock) media(where string) ([]llm.Part, error) {
	var s struct {
		Type    string         `json:"type"`
		MIME    string         `json:"media_type"`
		Data    string         `json:"data"`
		URL     string         `json:"url"`
		Content jsontext.Value `json:"content"`
	}
	if len(b.Source) == 0 || json.Unmarshal(b.Source, &s) != nil {
		return nil, unfit(where+".source", "want an object with the member type")
	}
	m := &llm.MediaPart{MIME: s.MIME}
	switch s.Type {
	case "base64":
		m.Data = s.Data
	case "url":
		m.URL = s.URL
		if m.MIME == "" && b.Type == "document" {
			m.MIME = "application/pdf" // the only kind of document the dialect takes by URL
		}
	case "text":
		return []llm.Part{{Kind: llm.Text, Text: s.Data}}, nil
	case "content":
		return nested(s.Content, where+".source")
	default:
		return nil, unfit(where+".source", "a source of type "+wire.Bounded(s.Type, 64)+" cannot be translated")
	}
	if m.Data == "" && m.URL == "" {
		return nil, unfit(where+".source", "it is empty")
	}
	return []llm.Part{{Kind: llm.Media, Media: m}}, nil
}

func tools(in []toolDef) ([]llm.Tool, error) {
	var out []llm.Tool
	for i := range in {
		if in[i].Type != "" && in[i].Type != "custom" {
			what := "a tool of type " + wire.Bounded(in[i].Type, 64)
			return nil, unfit(fmt.Sprintf("tools[%d]", i), what+" cannot be translated")
		}
		out = append(out, llm.Tool{
			Name: in[i].Name, Description: in[i].Description, Schema: in[i].Schema, Strict: in[i].Strict,
		})
	}
	return out, nil
}

func choice(in *toolChoice) (llm.ToolChoice, error) {
	if in == nil {
		return llm.ToolChoice{}, nil
	}
	out := llm.ToolChoice{NoParallel: in.NoParallel}
	switch in.Type {
	case "auto", "none":
		out.Mode = in.Type
	case "any":
		out.Mode = "required"
	case "tool":
		out.Mode, out.Name = "tool", in.Name
	default:
		return out, unfit("tool_choice.type", "want auto, any, tool or none")
	}
	return out, nil
}

func format(in *outputFormat) (*llm.Format, error) {
	if in == nil {
		return nil, nil
	}
	if in.Type != "json_schema" {
		return nil, unfit("output_config.format.type", "want json_schema")
	}
	return &llm.Format{Kind: "json_schema", Schema: in.Schema, Strict: true}, nil
}
