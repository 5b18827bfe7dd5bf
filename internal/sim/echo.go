package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Echo answers by hand rules, for manual use: it repeats the question, calls the tool it is made to call (or one whose
// name the question has), and fills a schema with the smallest instance.
type Echo struct{}

var _ Answerer = Echo{}

// Answer never fails.
func (Echo) Answer(q Query) (Answer, error) {
	if c, ok := echoCall(q); ok {
		return Answer{Calls: []Call{c}, Note: "echo"}, nil
	}
	if q.JSON {
		return Answer{Text: string(instance(q.Schema, q.Schema, 0)), Note: "echo"}, nil
	}
	return Answer{Text: fmt.Sprintf("%s heard you say: %s", q.Model, q.LastUser()), Note: "echo"}, nil
}

func echoCall(q Query) (Call, bool) {
	if q.Force == "none" || len(q.Turns) == 0 || q.Turns[len(q.Turns)-1].Role == "tool" {
		return Call{}, false
	}
	for i, t := range q.Tools {
		forced := q.Force == t.Name || (q.Force == "required" && i == 0)
		if forced || (q.Force == "" && strings.Contains(q.LastUser(), t.Name)) {
			return Call{Name: t.Name, Args: argsOf(instance(t.Schema, t.Schema, 0))}, true
		}
	}
	return Call{}, false
}

// argsOf is a value if it is an object, else the empty object: arguments are always an object.
func argsOf(v jsontext.Value) jsontext.Value {
	if isObject(v) {
		return v
	}
	return jsontext.Value("{}")
}

type schemaNode struct {
	Ref        string                    `json:"$ref"`
	Type       jsontext.Value            `json:"type"`
	Enum       []jsontext.Value          `json:"enum"`
	Const      jsontext.Value            `json:"const"`
	Properties map[string]jsontext.Value `json:"properties"`
	Items      jsontext.Value            `json:"items"`
	MinItems   int                       `json:"minItems"`
	Minimum    jsontext.Value            `json:"minimum"`
	AnyOf      []jsontext.Value          `json:"anyOf"`
	Defs       map[string]jsontext.Value `json:"$defs"`
}

// deepest bounds schemas that refer to themselves.
const deepest = 32

// instance makes a small value that a schema takes; patterns and formats are not looked at. root is where references
// of the form #/$defs/NAME lead.
func instance(schema, root jsontext.Value, depth int) jsontext.Value {
	var n schemaNode
	if len(schema) == 0 || depth > deepest || json.Unmarshal(schema, &n) != nil {
		return jsontext.Value("{}")
	}
	if name, ok := strings.CutPrefix(n.Ref, "#/$defs/"); ok {
		var r schemaNode
		if json.Unmarshal(root, &r) == nil && r.Defs[name] != nil {
			return instance(r.Defs[name], root, depth+1)
		}
	}
	switch {
	case n.Const != nil:
		return n.Const
	case len(n.Enum) > 0:
		return n.Enum[0]
	case len(n.AnyOf) > 0:
		return instance(n.AnyOf[0], root, depth+1)
	}
	return n.ofType(root, depth)
}

func (n schemaNode) ofType(root jsontext.Value, depth int) jsontext.Value {
	kind := strings.ToLower(string(n.Type)) // Gemini's own schemas write STRING
	switch {
	case strings.Contains(kind, `"object"`) || n.Properties != nil:
		return n.object(root, depth)
	case strings.Contains(kind, `"array"`):
		items := make([]string, 0, n.MinItems)
		for range min(n.MinItems, deepest) {
			items = append(items, string(instance(n.Items, root, depth+1)))
		}
		return jsontext.Value("[" + strings.Join(items, ",") + "]")
	case strings.Contains(kind, `"string"`):
		return jsontext.Value(`"lorem ipsum"`)
	case strings.Contains(kind, `"integer"`), strings.Contains(kind, `"number"`):
		if n.Minimum != nil {
			return n.Minimum
		}
		return jsontext.Value("1")
	case strings.Contains(kind, `"boolean"`):
		return jsontext.Value("true")
	case strings.Contains(kind, `"null"`):
		return jsontext.Value("null")
	}
	return jsontext.Value("{}")
}

// object fills all properties, in the order of their names.
func (n schemaNode) object(root jsontext.Value, depth int) jsontext.Value {
	names := make([]string, 0, len(n.Properties))
	for name := range n.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(marshal(name))
		b.WriteByte(':')
		b.Write(instance(n.Properties[name], root, depth+1))
	}
	return jsontext.Value("{" + b.String() + "}")
}
