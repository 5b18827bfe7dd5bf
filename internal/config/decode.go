package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// largestFile bounds what is parsed; the YAML library's time grows with the square of the entries of one set. A
// thousand use cases are 150 KiB.
const largestFile = 256 << 10

// custom is a value of the file that is neither a leaf, a list, a set of named entries nor a set of fixed keys.
type custom interface {
	decode(d *decoder, n ast.Node, what string)
	shape() map[string]any
}

// named is a set of entries under names that the file chooses, in the file's order.
type named[T any] struct {
	given
	list []entry[T]
}

// entry is one named thing.
type entry[T any] struct {
	name string
	at   pos
	v    T
}

func (n *named[T]) decode(d *decoder, node ast.Node, what string) {
	n.at = position(node)
	d.mapping(node, what, func(key string, at pos, value ast.Node) {
		if !plainName(key) {
			d.p.add(at, "letters, digits, . _ - / : and no spaces, at most 100", "%q is not a usable name in %s", key, what)
			return
		}
		n.list = append(n.list, entry[T]{name: key, at: at})
		d.value(value, reflect.ValueOf(&n.list[len(n.list)-1].v).Elem(), what+"."+key)
	})
}

func (n *named[T]) names() []string {
	out := make([]string, len(n.list))
	for i, e := range n.list {
		out[i] = e.name
	}
	return out
}

func (n *named[T]) shape() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": shapeOf(reflect.TypeFor[T]())}
}

// words is a list of words; a single word may stand without brackets.
type words struct {
	given
	list []text
}

func (w *words) decode(d *decoder, node ast.Node, what string) {
	w.at = position(node)
	if seq, ok := node.(*ast.SequenceNode); ok {
		for _, n := range seq.Values {
			var t text
			d.leaf(n, &t, what)
			w.list = append(w.list, t)
		}
		return
	}
	var t text
	d.leaf(node, &t, what)
	w.list = []text{t}
}

func (w *words) shape() map[string]any {
	one := map[string]any{"type": "string"}
	return map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "items": one}}}
}

func (w *words) strings() []string {
	out := make([]string, 0, len(w.list))
	for _, t := range w.list {
		out = append(out, t.v)
	}
	return out
}

func plainName(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for _, c := range s {
		if !strings.ContainsRune("._-/:", c) && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// decoder fills the file's shape from the tree and notes everything that does not fit. It goes only as deep as the
// shape.
type decoder struct{ p *problems }

// decode reads a file into its shape. Everything wrong is noted in p.
func decode(data []byte, into any, p *problems) {
	if len(data) > largestFile {
		p.add(pos{1, 1, 1}, "split what belongs elsewhere (schemas) into files of its own", "the file is larger than 256 KiB")
		return
	}
	if !utf8.Valid(data) {
		p.add(pos{1, 1, 1}, "save the file as UTF-8", "the file is not UTF-8 text")
		return
	}
	file, err := parse(data)
	if err != nil {
		syntax(err, p)
		return
	}
	var body ast.Node
	for i, doc := range file.Docs {
		if i > 0 && doc.Body != nil {
			p.add(position(doc.Body), "remove the line ---", "the file holds more than one document")
			return
		}
		if doc.Body != nil {
			body = doc.Body
		}
	}
	if body == nil {
		p.add(pos{1, 1, 1}, "run weir init to write a working one", "the file is empty")
		return
	}
	d := &decoder{p: p}
	d.value(body, reflect.ValueOf(into).Elem(), "the file")
}

// parse turns a panic of the YAML library into an error: a file must never take the server down on reload.
func parse(data []byte) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not YAML: %v", r)
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

func syntax(err error, p *problems) {
	const hint = "check indentation, quotes and brackets around this place"
	var s *yaml.SyntaxError
	if errors.As(err, &s) && s.GetToken() != nil {
		p.add(tokenPos(s.GetToken()), hint, "not YAML: %s", s.GetMessage())
		return
	}
	p.add(pos{1, 1, 1}, hint, "not YAML: %s", strings.TrimPrefix(err.Error(), "not YAML: "))
}

func position(n ast.Node) pos {
	if n == nil {
		return pos{1, 1, 1}
	}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return position(m.Values[0].Key)
	}
	return tokenPos(n.GetToken())
}

func tokenPos(t *token.Token) pos {
	if t == nil || t.Position == nil {
		return pos{1, 1, 1}
	}
	if t.Type == token.NullType {
		return pos{max(1, t.Position.Line), max(1, t.Position.Column), 1}
	}
	at := pos{max(1, t.Position.Line), max(1, t.Position.Column), max(1, utf8.RuneCountInString(t.Value))}
	if t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
		at.width += 2
	}
	return at
}

// value fills one place of the shape.
func (d *decoder) value(n ast.Node, v reflect.Value, what string) {
	if bad := unwelcome(n); bad != "" {
		d.p.add(position(n), "write the value out", "%s are not read in this file", bad)
		return
	}
	switch to := v.Addr().Interface().(type) {
	case leaf:
		d.leaf(n, to, what)
	case custom:
		if _, null := n.(*ast.NullNode); null {
			d.p.add(position(n), "give it a value or remove the key", "%s is empty", what)
			return
		}
		to.decode(d, n, what)
	default:
		if v.Kind() == reflect.Slice {
			d.slice(n, v, what)
			return
		}
		d.structure(n, v, what)
	}
}

// unwelcome names YAML's means of reference, which this file does not need; "" = a plain node.
func unwelcome(n ast.Node) string {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		return "anchors and aliases"
	case *ast.TagNode:
		return "tags"
	case *ast.MergeKeyNode:
		return "merge keys"
	}
	return ""
}

// leaf reads a scalar from the text that stands in the file.
func (d *decoder) leaf(n ast.Node, to leaf, what string) {
	if bad := unwelcome(n); bad != "" {
		d.p.add(position(n), "write the value out", "%s are not read in this file", bad)
		return
	}
	raw, ok := "", true
	switch n := n.(type) {
	case *ast.StringNode:
		raw = n.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		raw = n.GetToken().Value
	case *ast.LiteralNode:
		raw = strings.TrimSpace(n.Value.Value)
	case *ast.NullNode:
		d.p.add(position(n), "give it a value or remove the key", "%s is empty", what)
		return
	default:
		ok = false
	}
	at := position(n)
	if !ok {
		d.p.add(at, "", "%s wants a single value, not a %s", what, kindOf(n))
		return
	}
	if raw == "" {
		d.p.add(at, "give it a value or remove the key", "%s is empty", what)
		return
	}
	to.place().at = at
	if err := to.read(raw); err != nil {
		to.place().bad = true
		d.p.add(at, "", "%s: %v", what, err)
	}
}

func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "set of keys"
	case *ast.SequenceNode:
		return "list"
	case *ast.NullNode:
		return "nothing"
	}
	return "value"
}

func (d *decoder) slice(n ast.Node, v reflect.Value, what string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.p.add(position(n), "write [a, b] or one - item a line", "%s wants a list, not a %s", what, kindOf(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", what, i+1))
	}
}

// mapping walks a set of keys and refuses a key that is there twice. It reports whether n is a set of keys at all.
func (d *decoder) mapping(n ast.Node, what string, each func(key string, at pos, value ast.Node)) bool {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		d.p.add(position(n), "give it a value or remove the key", "%s is empty", what)
		return false
	default:
		d.p.add(position(n), "write {key: value} or one key a line", "%s wants a set of keys, not a %s", what, kindOf(n))
		return false
	}
	first := map[string]int{}
	for _, mv := range values {
		at := position(mv.Key)
		if bad := unwelcome(mv.Key); bad != "" {
			d.p.add(at, "write the keys out", "%s are not read in this file", bad)
			continue
		}
		key := mv.Key.GetToken().Value
		if line, twice := first[key]; twice {
			d.p.add(at, fmt.Sprintf("it stands on line %d already: keep one", line), "key %q is there twice in %s", key, what)
			continue
		}
		first[key] = at.line
		each(key, at, mv.Value)
	}
	return true
}

// structure fills a struct by its fields' key tags, notes unknown and missing keys, and puts defaults where the file
// says nothing.
func (d *decoder) structure(n ast.Node, v reflect.Value, what string) {
	fields := keysOf(v.Type())
	if at, ok := v.FieldByName("At").Addr().Interface().(*pos); ok {
		*at = position(n)
	}
	seen := map[string]bool{}
	ok := d.mapping(n, what, func(key string, at pos, value ast.Node) {
		for _, f := range fields {
			if f.key != key {
				continue
			}
			seen[key] = true
			d.value(value, v.Field(f.index), strings.TrimPrefix(what+"."+key, "the file."))
			f.check(d.p, v.Field(f.index))
			return
		}
		known := make([]string, len(fields))
		for i, f := range fields {
			known[i] = f.key
		}
		seen[nearest(key, known)] = true // a typo is told once
		d.p.add(at, suggest(key, known, "keys here"), "unknown key %q in %s", key, what)
	})
	for _, f := range fields {
		if ok && f.required && !seen[f.key] {
			d.p.add(position(n), "add "+f.key+": "+f.doc, "%s has no %s", what, f.key)
		}
	}
	applyDefaults(v)
}
