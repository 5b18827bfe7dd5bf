package sim

import (
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// gemini is generateContent and streamGenerateContent of the v1beta API.
type gemini struct{}

var _ dialect = gemini{}

var geminiFields = []string{
	"cachedContent", "cached_content", "contents", "generationConfig", "generation_config", "labels", "model",
	"safetySettings", "safety_settings", "systemInstruction", "system_instruction", "toolConfig", "tool_config", "tools",
}

var geminiConfigFields = []string{
	"candidateCount", "enableEnhancedCivicAnswers", "frequencyPenalty", "imageConfig", "logprobs", "maxOutputTokens",
	"mediaResolution", "presencePenalty", "responseJsonSchema", "responseLogprobs", "responseMimeType",
	"responseModalities", "responseSchema", "routingConfig", "seed", "speechConfig", "stopSequences", "temperature",
	"thinkingConfig", "topK", "topP",
}

type geminiContent struct {
	Role  string       `json:"role,omitempty"`
	Parts []geminiPart `json:"parts,omitempty"`
}

type geminiPart struct {
	Text             *string         `json:"text,omitzero"`
	FunctionCall     *geminiCall     `json:"functionCall,omitempty"`
	FunctionResponse *geminiResponse `json:"functionResponse,omitempty"`
	InlineData       jsontext.Value  `json:"inlineData,omitempty"`
	FileData         jsontext.Value  `json:"fileData,omitempty"`
	VideoMetadata    jsontext.Value  `json:"videoMetadata,omitempty"`
	ExecutableCode   jsontext.Value  `json:"executableCode,omitempty"`
	CodeResult       jsontext.Value  `json:"codeExecutionResult,omitempty"`
	Thought          bool            `json:"thought,omitzero"`
	ThoughtSignature string          `json:"thoughtSignature,omitempty"`
}

type geminiCall struct {
	ID   string         `json:"id,omitempty"`
	Name string         `json:"name"`
	Args jsontext.Value `json:"args,omitempty"`
}

type geminiResponse struct {
	ID       string         `json:"id,omitempty"`
	Name     string         `json:"name"`
	Response jsontext.Value `json:"response,omitempty"`
}

func geminiUnknown(where string) func(string) *failure {
	return func(name string) *failure {
		at := ""
		if where != "" {
			at = " at '" + where + "'"
		}
		return invalidf("", "Invalid JSON payload received. Unknown name \"%s\"%s: Cannot find field.", name, at)
	}
}

func (gemini) decode(r *http.Request, key string, body []byte) (*ask, *failure) {
	got := r.Header.Get("X-Goog-Api-Key")
	if got == "" {
		got = r.URL.Query().Get("key")
	}
	if f := sameKey(got, got != "", key); f != nil {
		return nil, f
	}
	a := &ask{dialect: Gemini, n: 1, wish: r.Header.Get("X-Sim-Fault"), prompt: 1}
	model, method, _ := strings.Cut(r.PathValue("call"), ":")
	switch method {
	case "generateContent":
	case "streamGenerateContent":
		a.stream, a.sse = true, r.URL.Query().Get("alt") == "sse"
	default:
		return nil, &failure{kind: failUnrecorded, message: "Method not found."}
	}
	a.Model = model
	m, f := object(body, geminiFields, geminiUnknown(""))
	if f != nil {
		return nil, f
	}
	f = fields(geminiSystem(m, a), geminiConversation(m, a), geminiTools(m, a), geminiConfig(m, a))
	if f != nil {
		return nil, f
	}
	return a, nil
}

// either reads a member under its camel-case or its snake-case name; protobuf's JSON takes both.
func either(m map[string]jsontext.Value, camel, snake string) jsontext.Value {
	if v := m[camel]; v != nil {
		return v
	}
	return m[snake]
}

func geminiSystem(m map[string]jsontext.Value, a *ask) *failure {
	v := either(m, "systemInstruction", "system_instruction")
	if v == nil {
		return nil
	}
	var c geminiContent
	if json.Unmarshal(v, &c) != nil {
		return invalid("", "Invalid value at 'system_instruction' (type.googleapis.com/google.ai.generativelanguage."+
			"v1beta.Content)")
	}
	for _, p := range c.Parts {
		if p.Text != nil {
			a.instruct(*p.Text)
		}
	}
	return nil
}

func geminiConversation(m map[string]jsontext.Value, a *ask) *failure {
	var contents []geminiContent
	if v := m["contents"]; v != nil {
		if err := json.Unmarshal(v, &contents, json.RejectUnknownMembers(true)); err != nil {
			return invalid("", "Invalid JSON payload received. Invalid value at 'contents'.")
		}
	}
	if len(contents) == 0 {
		return invalid("", "* GenerateContentRequest.contents: contents is not specified\n")
	}
	called := 0 // function calls of the turn before
	for i, c := range contents {
		role, text, calls, answers := geminiTurn(c)
		switch {
		case c.Role != "" && c.Role != "user" && c.Role != "model" && c.Role != "function":
			return invalid("", "Please use a valid role: user, model.")
		case text == "" && calls+answers == 0:
			return invalidf("", "* GenerateContentRequest.contents[%d].parts: contents.parts must not be empty.\n", i)
		case answers != called:
			return invalid("", "Please ensure that the number of function response parts is equal to the number of function "+
				"call parts of the function call turn.")
		}
		called = calls
		a.say(role, text)
	}
	if called > 0 {
		return invalid("", "Please ensure that function response turn comes immediately after a function call turn.")
	}
	return nil
}

// geminiTurn joins a content's text and counts its function calls and responses.
func geminiTurn(c geminiContent) (role, text string, calls, answers int) {
	var b strings.Builder
	for _, p := range c.Parts {
		switch {
		case p.FunctionCall != nil:
			calls++
			b.WriteString(p.FunctionCall.Name + string(p.FunctionCall.Args))
		case p.FunctionResponse != nil:
			answers++
			b.WriteString(p.FunctionResponse.Name + string(p.FunctionResponse.Response))
		case p.InlineData != nil || p.FileData != nil:
			b.WriteString(mediaText)
		case p.Text != nil:
			b.WriteString(*p.Text)
		}
	}
	role = "user"
	switch {
	case c.Role == "model":
		role = "assistant"
	case answers > 0:
		role = "tool"
	}
	return role, b.String(), calls, answers
}

func geminiTools(m map[string]jsontext.Value, a *ask) *failure {
	var tools []struct {
		Declarations []struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Parameters  jsontext.Value `json:"parameters"`
			JSONSchema  jsontext.Value `json:"parametersJsonSchema"`
		} `json:"functionDeclarations"`
	}
	var config struct {
		Calling struct {
			Mode    string   `json:"mode"`
			Allowed []string `json:"allowedFunctionNames"`
		} `json:"functionCallingConfig"`
	}
	if f := field(m, "tools", &tools); f != nil {
		return f
	}
	if v := either(m, "toolConfig", "tool_config"); v != nil && json.Unmarshal(v, &config) != nil {
		return invalid("", "Invalid value at 'tool_config'")
	}
	for i, t := range tools {
		for j, d := range t.Declarations {
			if d.Name == "" {
				return invalidf("", "* GenerateContentRequest.tools[%d].function_declarations[%d].name: Invalid function name. "+
					"Must start with a letter or an underscore.\n", i, j)
			}
			schema := d.Parameters
			if schema == nil {
				schema = d.JSONSchema
			}
			a.offer(d.Name, d.Description, schema)
		}
	}
	switch config.Calling.Mode {
	case "", "AUTO", "VALIDATED":
	case "NONE":
		a.Force = "none"
	case "ANY":
		a.Force = "required"
		if len(config.Calling.Allowed) > 0 {
			a.Force = config.Calling.Allowed[0]
		}
	default:
		return invalid("", "Invalid value at 'tool_config.function_calling_config.mode'")
	}
	return nil
}

func geminiConfig(m map[string]jsontext.Value, a *ask) *failure {
	v := either(m, "generationConfig", "generation_config")
	if v == nil {
		return nil
	}
	c, f := object(v, geminiConfigFields, geminiUnknown("generation_config"))
	if f != nil {
		return f
	}
	var temperature, topP *float64
	var limit, n *int
	var mime string
	f = fields(field(c, "temperature", &temperature), field(c, "topP", &topP), field(c, "maxOutputTokens", &limit),
		field(c, "candidateCount", &n), field(c, "responseMimeType", &mime))
	if f == nil {
		f = fields(inRange("temperature", temperature, 0, 2), inRange("topP", topP, 0, 1))
	}
	switch {
	case f != nil:
		return f
	case limit != nil && *limit < 1:
		return invalid("", "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be "+
			"positive.\n")
	case n != nil && (*n < 1 || *n > 8):
		return invalid("", "* GenerateContentRequest.generation_config.candidate_count: must be between 1 and 8.\n")
	}
	if limit != nil {
		a.max = *limit
	}
	if n != nil {
		a.n = *n
	}
	return geminiFormat(c, mime, a)
}

func geminiFormat(c map[string]jsontext.Value, mime string, a *ask) *failure {
	schema := either(c, "responseSchema", "responseJsonSchema")
	switch mime {
	case "", "text/plain":
		if schema != nil {
			return invalid("", "* GenerateContentRequest.generation_config.response_schema: only allowed when "+
				"response_mime_type is application/json.\n")
		}
	case "application/json", "text/x.enum":
		a.shape(schema)
	default:
		return invalidf("", "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are "+
			"`text/plain`, `application/json`. Got `%s`.\n", mime)
	}
	return nil
}
