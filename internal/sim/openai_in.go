package sim

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// openAI is Chat Completions.
type openAI struct{}

var _ dialect = openAI{}

// openAIFields are all request members of Chat Completions.
var openAIFields = []string{
	"audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
	"max_tokens", "messages", "metadata", "modalities", "model", "n", "parallel_tool_calls", "prediction",
	"presence_penalty", "prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "response_format",
	"safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options", "temperature",
	"tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
}

var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

type openAIMessage struct {
	Role       string          `json:"role"`
	Content    jsontext.Value  `json:"content"`
	Name       string          `json:"name"`
	Refusal    string          `json:"refusal"`
	ToolCallID string          `json:"tool_call_id"`
	ToolCalls  []openAICall    `json:"tool_calls"`
	Function   *openAIFunction `json:"function_call"` // the older form of one call
}

type openAICall struct {
	Index    *int           `json:"index,omitempty"`
	ID       string         `json:"id,omitempty"`
	Type     string         `json:"type,omitempty"`
	Function openAIFunction `json:"function"`
}

type openAIFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type openAITool struct {
	Type   string `json:"type"`
	Custom struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"custom"`
	Function struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Parameters  jsontext.Value `json:"parameters"`
		Strict      *bool          `json:"strict"`
	} `json:"function"`
}

func (openAI) decode(r *http.Request, key string, body []byte) (*ask, *failure) {
	if f := bearer(r, key); f != nil {
		return nil, f
	}
	m, f := object(body, openAIFields, func(name string) *failure {
		return invalidf("", "Unrecognized request argument supplied: %s", name)
	})
	if f != nil {
		return nil, f
	}
	a := &ask{dialect: OpenAI, n: 1, sse: true, wish: r.Header.Get("X-Sim-Fault"), prompt: chatTokens}
	if f := fields(field(m, "model", &a.Model), field(m, "stream", &a.stream)); f != nil {
		return nil, f
	}
	if a.Model == "" {
		return nil, invalid("", "you must provide a model parameter")
	}
	f = fields(openAILimits(m, a), openAITools(m, a), openAIConversation(m, a), openAIFormat(m, a))
	if f != nil {
		return nil, f
	}
	return a, nil
}

func openAILimits(m map[string]jsontext.Value, a *ask) *failure {
	var temperature, topP, presence, frequency *float64
	var maxOld, maxNew, n *int
	var options *struct {
		IncludeUsage       bool  `json:"include_usage"`
		IncludeObfuscation *bool `json:"include_obfuscation"`
	}
	f := fields(field(m, "temperature", &temperature), field(m, "top_p", &topP), field(m, "n", &n),
		field(m, "presence_penalty", &presence), field(m, "frequency_penalty", &frequency),
		field(m, "max_tokens", &maxOld), field(m, "max_completion_tokens", &maxNew), field(m, "stream_options", &options))
	if f == nil {
		f = fields(inRange("temperature", temperature, 0, 2), inRange("top_p", topP, 0, 1),
			inRange("presence_penalty", presence, -2, 2), inRange("frequency_penalty", frequency, -2, 2))
	}
	switch {
	case f != nil:
		return f
	case maxOld != nil && maxNew != nil:
		return invalid("max_tokens", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	case options != nil && !a.stream:
		return invalid("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	case n != nil && (*n < 1 || *n > 128):
		return invalid("n", "Invalid 'n': integer out of range. Expected a value between 1 and 128.")
	}
	a.temperature, a.topP = temperature, topP
	a.usage = options != nil && options.IncludeUsage
	if n != nil {
		a.n = *n
	}
	for name, v := range map[string]*int{"max_tokens": maxOld, "max_completion_tokens": maxNew} {
		if v != nil && *v < 1 {
			return invalidf(name, "Invalid '%s': integer below minimum value. Expected a value >= 1, but got %d instead.",
				name, *v)
		}
		if v != nil {
			a.max, a.maxTokensField = *v, name == "max_tokens"
		}
	}
	return nil
}

func openAITools(m map[string]jsontext.Value, a *ask) *failure {
	var tools []openAITool
	if f := field(m, "tools", &tools); f != nil {
		return f
	}
	for i, t := range tools {
		if t.Type == "custom" && toolName.MatchString(t.Custom.Name) {
			a.offer(t.Custom.Name, t.Custom.Description, nil)
			continue
		}
		if t.Function.Parameters.Kind() == 'n' {
			t.Function.Parameters = nil
		}
		switch {
		case t.Type != "function":
			return invalidf("tools", "Invalid value: '%s'. Supported values are: 'function' and 'custom'.", t.Type)
		case !toolName.MatchString(t.Function.Name):
			return invalidf("tools", "Invalid 'tools[%d].function.name': string does not match pattern. Expected a string "+
				"that matches the pattern '^[a-zA-Z0-9_-]+$'.", i)
		case t.Function.Parameters != nil && !isObject(t.Function.Parameters):
			return invalidf("tools", "Invalid 'tools[%d].function.parameters': expected an object.", i)
		}
		a.offer(t.Function.Name, t.Function.Description, t.Function.Parameters)
	}
	return fields(openAIOlderTools(m, a), openAIChoice(m, a))
}

// openAIOlderTools reads the form that functions had before they were tools.
func openAIOlderTools(m map[string]jsontext.Value, a *ask) *failure {
	var functions []struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Parameters  jsontext.Value `json:"parameters"`
	}
	if f := field(m, "functions", &functions); f != nil {
		return f
	}
	for i, fn := range functions {
		if !toolName.MatchString(fn.Name) {
			return invalidf("functions", "Invalid 'functions[%d].name': string does not match pattern. Expected a string "+
				"that matches the pattern '^[a-zA-Z0-9_-]+$'.", i)
		}
		a.offer(fn.Name, fn.Description, fn.Parameters)
	}
	return nil
}

func openAIChoice(m map[string]jsontext.Value, a *ask) *failure {
	v, ok := m["tool_choice"]
	if !ok || v.Kind() == 'n' {
		return nil
	}
	if len(a.Tools) == 0 {
		return invalid("tool_choice", "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are "+
			"specified.")
	}
	var word string
	if json.Unmarshal(v, &word) == nil {
		switch word {
		case "auto":
		case "none", "required":
			a.Force = word
		default:
			return invalidf("tool_choice", "Invalid value: '%s'. Supported values are: 'none', 'auto', and 'required'.", word)
		}
		return nil
	}
	var one openAITool
	if json.Unmarshal(v, &one) != nil || one.Function.Name == "" {
		return invalid("tool_choice", "Invalid type for 'tool_choice'.")
	}
	a.Force = one.Function.Name
	return nil
}

// openAIConversation reads the messages and demands that tool calls and their results pair up.
func openAIConversation(m map[string]jsontext.Value, a *ask) *failure {
	var messages []openAIMessage
	if f := field(m, "messages", &messages); f != nil {
		return f
	}
	if len(messages) == 0 {
		return invalid("messages", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an "+
			"empty array instead.")
	}
	open := map[string]bool{}
	for i, msg := range messages {
		if msg.Role != "tool" && len(open) > 0 {
			return openToolCalls(open)
		}
		if f := openAITurn(i, msg, open, a); f != nil {
			return f
		}
	}
	if len(open) > 0 {
		return openToolCalls(open)
	}
	return nil
}

func openToolCalls(open map[string]bool) *failure {
	ids := ""
	for id := range open {
		if ids == "" || id < ids {
			ids = id
		}
	}
	return invalidf("messages", "An assistant message with 'tool_calls' must be followed by tool messages responding to "+
		"each 'tool_call_id'. The following tool_call_ids did not have response messages: %s", ids)
}

func openAITurn(i int, msg openAIMessage, open map[string]bool, a *ask) *failure {
	text, f := openAIText(i, msg)
	if f != nil {
		return f
	}
	switch msg.Role {
	case "system", "developer":
		a.instruct(text)
	case "user":
		a.say("user", text)
	case "assistant":
		for j, c := range msg.ToolCalls {
			lacks := ""
			switch {
			case c.ID == "":
				lacks = "id"
			case c.Type != "function":
				lacks = "type"
			case c.Function.Name == "":
				lacks = "function.name"
			}
			if lacks != "" {
				return invalidf("messages", "Missing required parameter: 'messages[%d].tool_calls[%d].%s'.", i, j, lacks)
			}
			open[c.ID] = true
			text += c.Function.Name + c.Function.Arguments
		}
		if msg.Function != nil {
			text += msg.Function.Name + msg.Function.Arguments
		}
		a.say("assistant", text)
	case "function":
		if msg.Name == "" {
			return invalidf("messages", "Missing required parameter: 'messages[%d].name'.", i)
		}
		a.say("tool", text)
	case "tool":
		if !open[msg.ToolCallID] {
			//nolint:misspell // OpenAI's own spelling, which clients may match on
			return invalid("messages", "Invalid parameter: messages with role 'tool' must be a response to a preceeding "+
				"message with 'tool_calls'.")
		}
		delete(open, msg.ToolCallID)
		a.say("tool", text)
	default:
		return invalidf("messages", "Invalid value: '%s'. Supported values are: 'system', 'assistant', 'user', 'function', "+
			"'tool', and 'developer'.", msg.Role)
	}
	return nil
}

// openAIText joins the text of a message's content; media count by a flat rate.
func openAIText(i int, msg openAIMessage) (string, *failure) {
	missing := invalidf("messages", "Invalid value for 'content': expected a string, got null. (messages[%d])", i)
	switch msg.Content.Kind() {
	case '"':
		var s string
		_ = json.Unmarshal(msg.Content, &s) // a string by its kind
		return s, nil
	case '[':
	default:
		said := len(msg.ToolCalls) > 0 || msg.Function != nil || msg.Refusal != ""
		if msg.Role == "assistant" && said && !isObject(msg.Content) {
			return msg.Refusal, nil
		}
		return "", missing
	}
	var parts []struct {
		Type     string         `json:"type"`
		Text     string         `json:"text"`
		Refusal  string         `json:"refusal"`
		ImageURL jsontext.Value `json:"image_url"`
		Audio    jsontext.Value `json:"input_audio"`
		File     jsontext.Value `json:"file"`
	}
	if err := json.Unmarshal(msg.Content, &parts); err != nil || len(parts) == 0 {
		return "", missing
	}
	var b strings.Builder
	for _, p := range parts {
		switch p.Type {
		case "text":
			b.WriteString(p.Text)
		case "refusal":
			b.WriteString(p.Refusal)
		case "image_url", "input_audio", "file":
			b.WriteString(mediaText)
		default:
			return "", invalidf("messages", "Invalid value: '%s'. Supported values are: 'text', 'image_url', 'input_audio', "+
				"'refusal', 'audio', and 'file'.", p.Type)
		}
	}
	return b.String(), nil
}

// mediaText stands for an image or file in a prompt: 85 tokens, OpenAI's price of a low-detail image.
var mediaText = strings.Repeat(" media", 85)

func openAIFormat(m map[string]jsontext.Value, a *ask) *failure {
	var format struct {
		Type       string `json:"type"`
		JSONSchema *struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Schema      jsontext.Value `json:"schema"`
			Strict      *bool          `json:"strict"`
		} `json:"json_schema"`
	}
	if f := field(m, "response_format", &format); f != nil {
		return f
	}
	switch format.Type {
	case "", "text":
		return nil
	case "json_object":
		if !a.Has("json") && !a.Has("JSON") {
			return invalid("messages", "'messages' must contain the word 'json' in some form, to use 'response_format' of "+
				"type 'json_object'.")
		}
		a.shape(nil)
		return nil
	case "json_schema":
	default:
		return invalidf("response_format.type", "Invalid value: '%s'. Supported values are: 'json_object', 'json_schema', "+
			"and 'text'.", format.Type)
	}
	s := format.JSONSchema
	if s == nil || !toolName.MatchString(s.Name) {
		return invalid("response_format.json_schema.name", "Missing required parameter: 'response_format.json_schema.name'.")
	}
	if s.Strict != nil && *s.Strict {
		if problem := strictSchema(s.Schema); problem != "" {
			return invalidf("response_format", "Invalid schema for response_format '%s': In context=(), %s", s.Name, problem)
		}
	}
	a.shape(s.Schema)
	return nil
}

// strictSchema tells what OpenAI's strict mode refuses at the top of a schema, "" when nothing.
func strictSchema(v jsontext.Value) string {
	var s struct {
		Type       string                    `json:"type"`
		Properties map[string]jsontext.Value `json:"properties"`
		Required   []string                  `json:"required"`
		Additional *bool                     `json:"additionalProperties"`
	}
	switch {
	case json.Unmarshal(v, &s) != nil || s.Type != "object":
		return "schema must be a JSON Schema of 'type: \"object\"'."
	case s.Additional == nil || *s.Additional:
		return "'additionalProperties' is required to be supplied and to be false."
	case len(s.Required) != len(s.Properties):
		return "'required' is required to be supplied and to be an array including every key in properties."
	}
	return ""
}
