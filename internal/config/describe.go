package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema is weir.yaml's JSON Schema (2020-12), for editors and for checking without Weir. It is made from the same
// description that reading follows; what goes across sections only weir check knows.
func Schema() []byte {
	s := shapeOf(reflect.TypeFor[file]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "weir.yaml"
	s["properties"].(map[string]any)["version"].(map[string]any)["const"] = 1
	b, err := json.Marshal(s, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		panic(fmt.Sprintf("schema of weir.yaml: %v", err)) // values are strings, lists and maps only
	}
	return append(b, '\n')
}

// shapeOf is the JSON Schema of a part of the file.
func shapeOf(t reflect.Type) map[string]any {
	switch v := reflect.New(t).Interface().(type) {
	case leaf:
		return v.shape()
	case custom:
		return v.shape()
	}
	if t.Kind() == reflect.Slice {
		return map[string]any{"type": "array", "items": shapeOf(t.Elem())}
	}
	props, required := map[string]any{}, []string(nil)
	for _, k := range keysOf(t) {
		s := shapeOf(t.Field(k.index).Type)
		s["description"] = k.doc
		if k.def != "" {
			s["default"] = k.def
			if t.Field(k.index).Type == reflect.TypeFor[integer]() {
				s["default"] = jsontext.Value(k.def)
			}
		}
		if k.enum != nil {
			restrict(s, k.enum)
		}
		props[k.key] = s
		if k.required {
			required = append(required, k.key)
		}
	}
	s := map[string]any{"type": "object", "properties": props, "additionalProperties": false}
	if required != nil {
		s["required"] = required
	}
	return s
}

// restrict puts the possible words where the schema takes a string.
func restrict(s map[string]any, enum []string) {
	if forms, ok := s["anyOf"].([]any); ok { // a word or a list of words: both hold the same item
		one := map[string]any{"type": "string", "enum": enum}
		forms[0], forms[1] = one, map[string]any{"type": "array", "items": one}
		return
	}
	s["enum"] = enum
}

// Reference is the reference page of weir.yaml's keys, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("| key | default | possible | meaning |\n|---|---|---|---|\n")
	for _, k := range allKeys() {
		def := k.def
		if k.required {
			def = "**required**"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.path, def, strings.Join(k.enum, ", "), strings.ReplaceAll(k.doc, "|",
			`\|`))
	}
	return b.String()
}

// pathInfo is a key with its path; <name> stands for names that the file chooses, [] for items of a list.
type pathInfo struct {
	keyInfo
	path string
}

func allKeys() []pathInfo { return keysUnder("", reflect.TypeFor[file]()) }

func keysUnder(prefix string, t reflect.Type) []pathInfo {
	var out []pathInfo
	for _, k := range keysOf(t) {
		path := prefix + k.key
		out = append(out, pathInfo{k, path})
		inner, suffix := innerType(t.Field(k.index).Type)
		if inner != nil {
			out = append(out, keysUnder(path+suffix+".", inner)...)
		}
	}
	return out
}

// innerType is the set of fixed keys within a value, nil for none.
func innerType(t reflect.Type) (reflect.Type, string) {
	switch v := reflect.New(t).Interface().(type) {
	case leaf, *words:
		return nil, ""
	case custom:
		if _, ok := v.(*fileMayRow); ok {
			return reflect.TypeFor[fileConditions](), ""
		}
		list, _ := t.FieldByName("list")
		e, _ := list.Type.Elem().FieldByName("v")
		inner, suffix := innerType(e.Type)
		return inner, ".<name>" + suffix
	}
	if t.Kind() == reflect.Slice {
		inner, suffix := innerType(t.Elem())
		return inner, "[]" + suffix
	}
	return t, ""
}
