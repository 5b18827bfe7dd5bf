package gemini

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

type request struct {
	Contents []*content        `json:"contents"`
	System   *content          `json:"systemInstruction,omitzero"`
	Tools    []toolSet         `json:"tools,omitzero"`
	Config   *toolConfig       `json:"toolConfig,omitzero"`
	Generate *generationConfig `json:"generationConfig,omitzero"`
}

type content struct {
	Role  string    `json:"role,omitzero"`
	Parts []outPart `json:"parts"`
}

// outPart has exactly one of Text, Inline, File, Call and Result.
type outPart struct {
	Text      *string         `json:"text,omitzero"`
	Thought   bool            `json:"thought,omitzero"`
	Inline    *inlineData     `json:"inlineData,omitzero"`
	File      *fileData       `json:"fileData,omitzero"`
	Call      *functionCall   `json:"functionCall,omitzero"`
	Result    *functionResult `json:"functionResponse,omitzero"`
	Signature string          `json:"thoughtSignature,omitzero"`
}

type inlineData struct {
	MIME string `json:"mimeType"`
	Data string `json:"data"`
}

type fileData struct {
	MIME string `json:"mimeType,omitzero"`
	URI  string `json:"fileUri"`
}

type functionCall struct {
	ID   string         `json:"id,omitzero"`
	Name string         `json:"name"`
	Args jsontext.Value `json:"args"`
}

type functionResult struct {
	ID       string         `json:"id,omitzero"`
	Name     string         `json:"name"`
	Response jsontext.Value `json:"response"`
}

type toolSet struct {
	Functions []functionDecl `json:"functionDeclarations"`
}

type functionDecl struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	Schema      jsontext.Value `json:"parametersJsonSchema,omitzero"`
}

type toolConfig struct {
	Calling callingConfig `json:"functionCallingConfig"`
}

type callingConfig struct {
	Mode    string   `json:"mode"`
	Allowed []string `json:"allowedFunctionNames,omitzero"`
}

type generationConfig struct {
	MaxTokens   int            `json:"maxOutputTokens,omitzero"`
	Temperature *float64       `json:"temperature,omitzero"`
	TopP        *float64       `json:"topP,omitzero"`
	Seed        *int32         `json:"seed,omitzero"`
	Stop        []string       `json:"stopSequences,omitzero"`
	Candidates  int            `json:"candidateCount,omitzero"`
	MIME        string         `json:"responseMimeType,omitzero"`
	Schema      jsontext.Value `json:"responseJsonSchema,omitzero"`
}

// Limits of the dialect.
const (
	maxStops      = 5
	maxCandidates = 8
)

// Encode writes a request of any origin. Lost on the way: the end user's id, strictness of tools, the ban on parallel
// calls; sampling that the model refuses; a seed beyond 31 bits is folded into them. A request of system texts
// alone asks them as the user; tool arguments that are no JSON object go as the text "arguments" of one. What the
// dialect has no place for is CodeUnfit: another layer's may have one.
func (Back) Encode(q *llm.Request, o call.Order) (call.Wire, error) {
	var out request
	var err error
	if out.Generate, err = generation(q, o); err != nil {
		return call.Wire{}, err
	}
	for i := range q.System {
		if s := &q.System[i].Text; *s != "" {
			if out.System == nil {
				out.System = &content{}
			}
			out.System.Parts = append(out.System.Parts, outPart{Text: s})
		}
	}
	e := encoder{calls: make(map[string]made), signed: needsSignature(o.Target.WireID)}
	if err := e.turns(q.Messages); err != nil {
		return call.Wire{}, err
	}
	if len(e.out) == 0 && out.System != nil {
		out.System.Role = "user"
		e.out, out.System = []*content{out.System}, nil
	}
	if len(e.out) == 0 {
		return call.Wire{}, unfit("messages", "there is nothing in them for a model to answer")
	}
	out.Contents = e.out
	out.tools(q)
	body, err := json.Marshal(&out)
	if err != nil {
		return call.Wire{}, &llm.Error{
			Code: llm.CodeUnfit, Message: "the request cannot be written in the Gemini dialect", Err: err,
			Hint: "check that schemas and tool arguments are JSON without duplicate keys",
		}
	}
	return call.Wire{Path: path(o.Target.WireID, o.Stream), Body: [][]byte{body}, Stream: o.Stream}, nil
}

func generation(q *llm.Request, o call.Order) (*generationConfig, error) {
	g := generationConfig{MaxTokens: q.MaxOutput, Stop: q.Stop}
	if m := o.Target.Model; m == nil || !m.FixedSampling {
		g.Temperature, g.TopP = q.Temperature, q.TopP
	}
	if g.MaxTokens == 0 || (o.MaxOut > 0 && g.MaxTokens > o.MaxOut) {
		g.MaxTokens = o.MaxOut
	}
	if m := o.Target.Model; m != nil && m.MaxOutput > 0 && g.MaxTokens > m.MaxOutput {
		g.MaxTokens = m.MaxOutput
	}
	if q.Seed != nil {
		seed := int32(*q.Seed & math.MaxInt32)
		g.Seed = &seed
	}
	switch n := max(q.N, o.N); {
	case n > maxCandidates:
		return nil, unfit("n", fmt.Sprintf("the Gemini dialect gives at most %d answers a call", maxCandidates))
	case n > 1:
		g.Candidates = n
	}
	if len(q.Stop) > maxStops {
		return nil, unfit("stop", fmt.Sprintf("the Gemini dialect takes at most %d stop sequences", maxStops))
	}
	if f := q.Format; f != nil {
		g.MIME = "application/json"
		if f.Kind == "json_schema" {
			g.Schema = f.Schema
		}
	}
	return &g, nil
}

func unfit(field, why string) *llm.Error {
	return &llm.Error{
		Code: llm.CodeUnfit, Message: field + ": " + why, Param: field, Hint: "ask for less, or name another route",
	}
}

func (out *request) tools(q *llm.Request) {
	if len(q.Tools) == 0 {
		return
	}
	set := toolSet{Functions: make([]functionDecl, 0, len(q.Tools))}
	for i := range q.Tools {
		t := &q.Tools[i]
		set.Functions = append(set.Functions, functionDecl{t.Name, t.Description, t.Schema})
	}
	out.Tools = []toolSet{set}
	c := callingConfig{}
	switch q.Choice.Mode {
	case "auto":
		c.Mode = "AUTO"
	case "none":
		c.Mode = "NONE"
	case "required":
		c.Mode = "ANY"
	case "tool":
		c.Mode, c.Allowed = "ANY", []string{q.Choice.Name}
	default:
		return
	}
	out.Config = &toolConfig{c}
}

// encoder writes the turns of one request.
type encoder struct {
	out    []*content
	calls  map[string]made // by id: the latest call of it
	count  int             // calls so far
	signed bool            // calls must carry a signature
}

// made is a call: its function, and its place among all.
type made struct {
	name  string
	place int
}

// turns writes the messages. Neighbours of the same role become one: all results of a turn must stand together, in the
// order of the calls that they answer.
func (e *encoder) turns(in []llm.Message) error {
	for from := 0; from < len(in); {
		role, to := "user", from+1
		if in[from].Role == llm.Assistant {
			role = "model"
		}
		var turn []placed
		for ; to < len(in) && (in[to].Role == llm.Assistant) == (role == "model"); to++ {
			continue
		}
		for i := from; i < to; i++ {
			for j := range in[i].Parts {
				turn = append(turn, placed{&in[i].Parts[j], i})
			}
		}
		e.sort(turn)
		for _, p := range turn {
			if err := e.part(role, p.Part, fmt.Sprintf("messages[%d]", p.message)); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// placed is a part and the message that it stands in.
type placed struct {
	*llm.Part
	message int
}

// sort puts the results of a turn into the order of their calls; all else keeps its place.
func (e *encoder) sort(turn []placed) {
	var slots []int
	var results []placed
	for i, p := range turn {
		if p.Kind == llm.ToolResult {
			slots, results = append(slots, i), append(results, p)
		}
	}
	place := func(p placed) int { return e.calls[p.Result.ID].place }
	slices.SortStableFunc(results, func(a, b placed) int { return place(a) - place(b) })
	for i, slot := range slots {
		turn[slot] = results[i]
	}
}

func (e *encoder) add(role string, p outPart) {
	n := len(e.out)
	if n == 0 || e.out[n-1].Role != role {
		e.out = append(e.out, &content{Role: role})
		n++
	}
	e.out[n-1].Parts = append(e.out[n-1].Parts, p)
}

func (e *encoder) part(role string, p *llm.Part, where string) error {
	switch p.Kind {
	case llm.Text, llm.Refusal:
		sig := signature(p.Opaque)
		if p.Text != "" || sig != "" {
			e.add(role, outPart{Text: &p.Text, Signature: sig})
		}
	case llm.Reasoning:
		if sig := signature(p.Opaque); sig != "" {
			e.add(role, outPart{Text: &p.Text, Thought: true, Signature: sig})
		}
	case llm.Media:
		return e.media(role, p.Media, where)
	case llm.ToolUse:
		e.call(role, p)
	case llm.ToolResult:
		return e.result(p.Result, where)
	}
	return nil
}

func (e *encoder) media(role string, m *llm.MediaPart, where string) error {
	switch {
	case m.Data == "":
		e.add(role, outPart{File: &fileData{m.MIME, m.URL}})
	case m.MIME == "":
		return unfit(where, "inline media without a media type")
	default:
		e.add(role, outPart{Inline: &inlineData{m.MIME, m.Data}})
	}
	return nil
}

func (e *encoder) call(role string, p *llm.Part) {
	args := p.Tool.Args
	if len(args) == 0 {
		args = jsontext.Value("{}")
	}
	if args.Kind() != '{' || !args.IsValid() {
		args = append(wire.AppendString(jsontext.Value(`{"arguments":`), string(args)), '}')
	}
	e.count++
	e.calls[p.Tool.ID] = made{p.Tool.Name, e.count}
	out := outPart{Call: &functionCall{p.Tool.ID, p.Tool.Name, args}, Signature: signature(p.Opaque)}
	if out.Signature == "" && e.signed {
		out.Signature = noSignature
	}
	e.add(role, out)
}

// result writes a tool's answer. The dialect wants an object: a JSON object goes as it is, all else under "output", or
// under "error" when the tool failed. Media follow as parts of their own.
func (e *encoder) result(r *llm.ToolAnswer, where string) error {
	name := r.Name
	if name == "" {
		name = e.calls[r.ID].name
	}
	if name == "" {
		return unfit(where, "a tool result answers no call of the messages before it")
	}
	var text strings.Builder
	for i := range r.Content {
		text.WriteString(r.Content[i].Text)
	}
	e.add("user", outPart{Result: &functionResult{r.ID, name, resultObject(text.String(), r.IsError)}})
	for i := range r.Content {
		if r.Content[i].Kind != llm.Media {
			continue
		}
		if err := e.media("user", r.Content[i].Media, where); err != nil {
			return err
		}
	}
	return nil
}

func resultObject(text string, failed bool) jsontext.Value {
	v := jsontext.Value(text)
	object := v.Kind() == '{' && v.IsValid()
	switch {
	case object && !failed:
		return v
	case !object:
		v = wire.AppendString(nil, text)
	}
	key := `{"output":`
	if failed {
		key = `{"error":`
	}
	return append(append(jsontext.Value(key), v...), '}')
}

// noSignature stands for a signature where a call was made by another model or the client kept none: without any,
// Gemini 3 and later refuse the turn. It is base64 of the word that Google names for this,
// skip_thought_signature_validator.
const noSignature = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

// needsSignature reports whether a model refuses function calls without a thoughtSignature: Gemini since 3.
func needsSignature(wireID string) bool {
	id := strings.TrimPrefix(wireID, "models/")
	return strings.HasPrefix(id, "gemini-") && !strings.HasPrefix(id, "gemini-1") && !strings.HasPrefix(id, "gemini-2")
}

// opaque is what Part.Opaque holds of this dialect.
type opaque struct {
	Signature string `json:"thoughtSignature"`
}

// signature reads a thoughtSignature out of v; "" = none of this dialect.
func signature(v []byte) string {
	var o opaque
	if len(v) == 0 || json.Unmarshal(v, &o) != nil {
		return ""
	}
	return o.Signature
}

func opaqueOf(signature string) jsontext.Value {
	if signature == "" {
		return nil
	}
	return append(wire.AppendString([]byte(`{"thoughtSignature":`), signature), '}')
}
