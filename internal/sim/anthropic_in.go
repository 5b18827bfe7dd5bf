package sim

import (
	"maps"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// anthropic is the Messages API.
type anthropic struct{}

var _ dialect = anthropic{}

var anthropicFields = []string{
	"cache_control", "container", "context_management", "inference_geo", "max_tokens", "mcp_servers", "messages",
	"metadata", "model", "output_config", "output_format", "service_tier", "speed", "stop_sequences", "stream", "system",
	"temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
}

type anthropicMessage struct {
	Role    string         `json:"role"`
	Content jsontext.Value `json:"content"`
}

// anthropicBlock is a content block of a request; only what the simulation reads.
type anthropicBlock struct {
	Type      string         `json:"type"`
	Text      string         `json:"text"`
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Input     jsontext.Value `json:"input"`
	ToolUseID string         `json:"tool_use_id"`
	Content   jsontext.Value `json:"content"`
	Source    jsontext.Value `json:"source"`
	Thinking  string         `json:"thinking"`
	Signature string         `json:"signature"`
	Data      string         `json:"data"`
	Cache     *cacheControl  `json:"cache_control"`
}

type anthropicTool struct {
	Type        string         `json:"type"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	InputSchema jsontext.Value `json:"input_schema"`
	Cache       *cacheControl  `json:"cache_control"`
}

func (anthropic) decode(r *http.Request, key string, body []byte) (*ask, *failure) {
	got := r.Header.Get("X-Api-Key")
	if f := sameKey(got, got != "", key); f != nil {
		return nil, f
	}
	if r.Header.Get("Anthropic-Version") == "" {
		return nil, invalid("", "anthropic-version: header is required")
	}
	m, f := object(body, anthropicFields, func(name string) *failure {
		return invalid("", name+": Extra inputs are not permitted")
	})
	if f != nil {
		return nil, f
	}
	for _, name := range []string{"model", "messages", "max_tokens"} {
		if m[name] == nil {
			return nil, invalid("", name+": Field required")
		}
	}
	a := &ask{dialect: Anthropic, n: 1, sse: true, wish: r.Header.Get("X-Sim-Fault"), prompt: 3}
	f = fields(field(m, "model", &a.Model), field(m, "stream", &a.stream), anthropicLimits(m, a),
		anthropicTools(m, a), anthropicSystem(m, a), anthropicThinking(m, a), anthropicConversation(m, a),
		a.markAll(m), anthropicFormat(m, a))
	if f != nil {
		return nil, f
	}
	return a, nil
}

func anthropicLimits(m map[string]jsontext.Value, a *ask) *failure {
	var temperature, topP *float64
	var stops []string
	f := fields(field(m, "max_tokens", &a.max), field(m, "temperature", &temperature), field(m, "top_p", &topP),
		field(m, "stop_sequences", &stops))
	switch {
	case f != nil:
		return f
	case a.max < 0:
		return invalid("", "max_tokens: Input should be greater than or equal to 0")
	case temperature != nil && (*temperature < 0 || *temperature > 1):
		return invalid("", "temperature: range: 0..1")
	case topP != nil && (*topP < 0 || *topP > 1):
		return invalid("", "top_p: range: 0..1")
	}
	a.fill = a.max == 0
	for _, s := range stops {
		if strings.TrimSpace(s) == "" {
			return invalid("", "stop_sequences: each stop sequence must contain non-whitespace")
		}
	}
	return nil
}

func anthropicSystem(m map[string]jsontext.Value, a *ask) *failure {
	v := m["system"]
	if v == nil || v.Kind() == 'n' {
		return nil
	}
	blocks, f := anthropicBlocks("system", v)
	if f != nil {
		return f
	}
	for _, b := range blocks {
		if b.Type != "text" {
			return invalidf("", "system: Input should be 'text', got '%s'", b.Type)
		}
		a.instruct(b.Text)
		if f := a.mark(b.Cache); f != nil {
			return f
		}
	}
	return nil
}

// anthropicBlocks reads content that may be a string or a list of blocks.
func anthropicBlocks(where string, v jsontext.Value) ([]anthropicBlock, *failure) {
	if v.Kind() == '"' {
		b := anthropicBlock{Type: "text"}
		_ = json.Unmarshal(v, &b.Text) // a string by its kind
		return []anthropicBlock{b}, nil
	}
	var blocks []anthropicBlock
	if err := json.Unmarshal(v, &blocks); v.Kind() != '[' || err != nil {
		return nil, invalid("", where+": Input should be a valid list")
	}
	return blocks, nil
}

func anthropicTools(m map[string]jsontext.Value, a *ask) *failure {
	var tools []anthropicTool
	if f := field(m, "tools", &tools); f != nil {
		return f
	}
	for i, t := range tools {
		if t.Type != "" && t.Type != "custom" { // a tool of the provider's own
			continue
		}
		if !toolName.MatchString(t.Name) {
			return invalidf("", "tools.%d.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'", i)
		}
		if !isObject(t.InputSchema) {
			return invalidf("", "tools.%d.custom.input_schema: Field required", i)
		}
		a.offer(t.Name, t.Description, t.InputSchema)
		if f := a.mark(t.Cache); f != nil {
			return f
		}
	}
	var choice struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	if f := field(m, "tool_choice", &choice); f != nil {
		return f
	}
	switch choice.Type {
	case "", "auto":
	case "none":
		a.Force = "none"
	case "any":
		a.Force = "required"
	case "tool":
		a.Force = choice.Name
	default:
		return invalidf("", "tool_choice: Input tag '%s' found using 'type' does not match any of the expected tags: "+
			"'auto', 'any', 'tool', 'none'", choice.Type)
	}
	return nil
}

// anthropicConversation reads the messages; a tool_use must have its tool_result in the very next message.
func anthropicConversation(m map[string]jsontext.Value, a *ask) *failure {
	var messages []anthropicMessage
	if f := field(m, "messages", &messages); f != nil {
		return f
	}
	if len(messages) == 0 {
		return invalid("", "messages: at least one message is required")
	}
	if messages[0].Role == "assistant" {
		return invalid("", "messages: first message must use the \"user\" role")
	}
	var open []string
	for i, msg := range messages {
		if msg.Role != "user" && msg.Role != "assistant" {
			return invalidf("", "messages.%d.role: Input should be 'user' or 'assistant'", i)
		}
		blocks, f := anthropicBlocks("messages", msg.Content)
		if f != nil {
			return f
		}
		if open, f = anthropicTurn(i, msg.Role, blocks, open, a); f != nil {
			return f
		}
	}
	if len(open) > 0 {
		return unanswered(len(messages)-1, open[0])
	}
	return nil
}

func unanswered(i int, id string) *failure {
	return invalidf("", "messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. Each "+
		"`tool_use` block must have a corresponding `tool_result` block in the next message.", i, id)
}

// anthropicTurn reads one message and returns the tool calls it leaves open.
func anthropicTurn(i int, role string, blocks []anthropicBlock, open []string, a *ask) ([]string, *failure) {
	if len(blocks) == 0 {
		return nil, invalidf("", "messages.%d: all messages must have non-empty content except for the optional final "+
			"assistant message", i)
	}
	var text, results strings.Builder
	var calls []string
	answered := map[string]bool{}
	for j, b := range blocks {
		said, f := anthropicSaid(i, j, role, b)
		if f != nil {
			return nil, f
		}
		switch b.Type {
		case "tool_use":
			calls = append(calls, b.ID)
		case "tool_result":
			answered[b.ToolUseID] = true
		case "thinking", "redacted_thinking":
			a.thoughts = append(a.thoughts, thought{i, j, b.Thinking, b.Signature, b.Data})
			a.read(b.Type, b.Thinking+b.Signature+b.Data, 0)
			continue
		}
		if b.Type == "tool_result" {
			results.WriteString(said)
		} else {
			text.WriteString(said)
		}
		a.read(role+b.Type, said, 0)
		if f := a.mark(b.Cache); f != nil {
			return nil, f
		}
	}
	if f := paired(i, open, answered); f != nil {
		return nil, f
	}
	if a.lacks = ""; len(answered) > 0 {
		a.lacks, a.lacksAt = a.spokeFirst, i-1
	}
	a.spokeFirst = map[bool]string{true: blocks[0].Type}[role == "assistant" && !strings.HasSuffix(blocks[0].Type, "thinking")]
	a.prompt += messageTokens
	if len(answered) > 0 {
		a.Turns = append(a.Turns, Turn{Role: "tool", Text: results.String()})
	}
	if len(answered) == 0 || text.Len() > 0 {
		a.Turns = append(a.Turns, Turn{Role: role, Text: text.String()})
	}
	return calls, nil
}

// anthropicSaid is what a model reads of a block, or why the block is refused.
func anthropicSaid(i, j int, role string, b anthropicBlock) (string, *failure) {
	switch b.Type {
	case "text":
		if b.Text == "" {
			return "", invalid("", "messages: text content blocks must be non-empty")
		}
		return b.Text, nil
	case "image", "document", "search_result":
		return mediaText, nil
	case "thinking", "redacted_thinking":
		return "", nil
	case "tool_use":
		if b.ID == "" || !isObject(b.Input) {
			return "", invalidf("", "messages.%d.content.%d.tool_use.input: Input should be a valid dictionary", i, j)
		}
		return b.Name + string(b.Input), nil
	case "tool_result":
		return string(b.Content), nil
	}
	if serverBlock(role, b.Type) {
		return b.Name + string(b.Input) + string(b.Content), nil
	}
	return "", invalidf("", "messages.%d.content.%d: Input tag '%s' found using 'type' does not match any of the expected tags",
		i, j, b.Type)
}

// paired holds that a message answers the calls of the one before, and nothing else.
func paired(i int, open []string, answered map[string]bool) *failure {
	left := maps.Clone(answered)
	for _, id := range open {
		if !left[id] {
			return unanswered(i-1, id)
		}
		delete(left, id)
	}
	for id := range left {
		return invalidf("", "messages.%d.content.0: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each "+
			"`tool_result` block must have a corresponding `tool_use` block in the previous message.", i, id)
	}
	return nil
}

// serverBlock reports whether a block of a model's turn tells of a tool that the provider ran, or of its compaction:
// clients send these back as they came.
func serverBlock(role, kind string) bool {
	return role == "assistant" && (kind == "server_tool_use" || kind == "mcp_tool_use" || kind == "compaction" ||
		strings.HasSuffix(kind, "_tool_result"))
}

type anthropicFormatSpec struct {
	Type   string         `json:"type"`
	Schema jsontext.Value `json:"schema"`
}

// anthropicFormat reads structured output: output_config.format, or output_format as it was called before.
func anthropicFormat(m map[string]jsontext.Value, a *ask) *failure {
	var config struct {
		Format *anthropicFormatSpec `json:"format"`
		Effort string               `json:"effort"`
	}
	var old *anthropicFormatSpec
	if f := fields(field(m, "output_config", &config), field(m, "output_format", &old)); f != nil {
		return f
	}
	spec := config.Format
	if spec == nil {
		spec = old
	}
	if spec == nil {
		return nil
	}
	if spec.Type != "json_schema" || !isObject(spec.Schema) {
		return invalid("", "output_config.format: Input should be of type 'json_schema' with a schema")
	}
	a.shape(spec.Schema)
	return nil
}
