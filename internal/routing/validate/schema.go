package validate

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Bounds on JSON that is judged. Numbers are compared as exact rationals, so an exponent is a size: without a bound
// eleven bytes (1e999999999) would ask for gigabytes.
const (
	maxDepth    = 64
	maxNumber   = 400     // characters of a number
	maxExponent = 400     // of a number, either sign
	maxSchema   = 1 << 20 // bytes of a schema
)

// schemaURL is the name that a compiled schema has; nothing is ever loaded from it.
const schemaURL = "weir:schema"

// closed is a loader that loads nothing: a schema refers to itself and to the drafts only, never to a file or a host.
type closed struct{}

var _ jsonschema.URLLoader = closed{}

// Load refuses.
func (closed) Load(string) (any, error) {
	return nil, errors.New("a schema may not refer to another document")
}

// compileSchema compiles a JSON Schema (default draft 2020-12). Numbers stay exact.
func compileSchema(raw []byte) (*jsonschema.Schema, error) {
	if len(raw) > maxSchema {
		return nil, fmt.Errorf("schema is over %d bytes", maxSchema)
	}
	doc, err := readJSON(raw)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(closed{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	sch, err := c.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("compile the schema: %w", err)
	}
	return sch, nil
}

// schemaCheck wants the answer's text to be JSON that matches the schema.
func schemaCheck(name string, sch *jsonschema.Schema) Check {
	return rule{name, func(s Subject) string {
		if s.toolsOnly() {
			return ""
		}
		return matchSchema([]byte(s.text()), sch)
	}}
}

// matchSchema returns why the text is not JSON that matches sch (nil = any JSON), or "".
func matchSchema(text []byte, sch *jsonschema.Schema) string {
	doc, err := readJSON(text)
	if err != nil {
		return err.Error()
	}
	if sch == nil {
		return ""
	}
	err = sch.Validate(doc)
	if err == nil {
		return ""
	}
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		return "the JSON does not match the schema"
	}
	return explain(ve)
}

// readJSON reads one strict JSON value (no duplicate keys, no trailing data, bounded depth and numbers); numbers stay
// exact. Its error names a position and no content.
func readJSON(text []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		tok, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not valid JSON at byte %d", d.InputOffset())
		}
		if d.StackDepth() > maxDepth {
			return nil, fmt.Errorf("JSON nested deeper than %d at byte %d", maxDepth, d.InputOffset())
		}
		if tok.Kind() == '0' && !sane(tok.String()) {
			return nil, fmt.Errorf("a number too large to compare at byte %d", d.InputOffset())
		}
		if d.StackDepth() == 0 {
			if rest := bytes.TrimLeft(text[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
				return nil, fmt.Errorf("data after the JSON value at byte %d", d.InputOffset())
			}
		}
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, errors.New("not valid JSON at byte 0")
	}
	return doc, nil
}

// sane reports whether a JSON number is small enough to be compared exactly.
func sane(num string) bool {
	if len(num) > maxNumber {
		return false
	}
	i := strings.IndexAny(num, "eE")
	if i < 0 {
		return true
	}
	e, err := strconv.Atoi(strings.TrimPrefix(num[i+1:], "+"))
	return err == nil && e <= maxExponent && e >= -maxExponent
}

// maxCauses bounds how many of an answer's faults a reason names.
const maxCauses = 3

// explain names the first faults: where, which keyword, what the schema wants. Values of the answer stay out.
func explain(ve *jsonschema.ValidationError) string {
	var leaves []*jsonschema.ValidationError
	collect(ve, &leaves)
	var out []string
	for _, l := range leaves {
		if len(out) == maxCauses {
			out = append(out, fmt.Sprintf("and %d more", len(leaves)-maxCauses))
			break
		}
		out = append(out, "at "+quote(pointer(l.InstanceLocation))+": "+fault(l.ErrorKind))
	}
	return strings.Join(out, "; ")
}

// collect gathers the faults that have no causes of their own. Alternatives (anyOf, oneOf) count as one fault: which
// branch was meant is not known.
func collect(ve *jsonschema.ValidationError, out *[]*jsonschema.ValidationError) {
	switch ve.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not:
		*out = append(*out, ve)
		return
	}
	if len(ve.Causes) == 0 {
		*out = append(*out, ve)
		return
	}
	for _, c := range ve.Causes {
		collect(c, out)
	}
}

// fault says what a keyword wants.
func fault(k jsonschema.ErrorKind) string {
	switch e := k.(type) {
	case *kind.Required:
		return "required: missing " + names(e.Missing)
	case *kind.AdditionalProperties:
		return "additionalProperties: not allowed " + names(e.Properties)
	case *kind.Type:
		return "type: got " + e.Got + ", want " + strings.Join(e.Want, " or ")
	case *kind.Minimum:
		return "minimum: want at least " + e.Want.RatString()
	case *kind.Maximum:
		return "maximum: want at most " + e.Want.RatString()
	case *kind.ExclusiveMinimum:
		return "exclusiveMinimum: want more than " + e.Want.RatString()
	case *kind.ExclusiveMaximum:
		return "exclusiveMaximum: want less than " + e.Want.RatString()
	case *kind.MinLength:
		return "minLength: want " + strconv.Itoa(e.Want)
	case *kind.MaxLength:
		return "maxLength: want " + strconv.Itoa(e.Want)
	case *kind.MinItems:
		return "minItems: want " + strconv.Itoa(e.Want)
	case *kind.MaxItems:
		return "maxItems: want " + strconv.Itoa(e.Want)
	case *kind.Enum:
		return "enum: not one of the allowed values"
	case *kind.Format:
		return "format: want " + e.Want
	}
	if path := k.KeywordPath(); len(path) > 0 {
		return path[len(path)-1] + ": not met"
	}
	return "does not match the schema"
}

// names lists up to five field names.
func names(ns []string) string {
	more := ""
	if len(ns) > 5 {
		ns, more = ns[:5], ", ..."
	}
	qs := make([]string, len(ns))
	for i, n := range ns {
		qs[i] = quote(n)
	}
	return strings.Join(qs, ", ") + more
}

// pointer is the JSON Pointer of a location.
func pointer(loc []string) string {
	esc := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, p := range loc {
		b.WriteByte('/')
		b.WriteString(esc.Replace(p))
	}
	return b.String()
}

// quote quotes a name for a reason, cut to a length that cannot carry content of note.
func quote(s string) string {
	if r := []rune(s); len(r) > 64 {
		s = string(r[:64]) + "..."
	}
	return strconv.Quote(s)
}

// schemas remembers the compiled schemas that callers send with their requests: agents send the same tools with every
// turn. It is emptied when it holds maxSchemas, which costs one compilation each. A nil entry did not compile.
var schemas = struct {
	sync.Mutex
	by map[[32]byte]*jsonschema.Schema
}{by: map[[32]byte]*jsonschema.Schema{}}

const maxSchemas = 512

// callersSchema compiles a schema that came with a request, at most once while it is remembered. It returns nil,
// which matches any JSON, for an absent schema and for one that does not compile: that is the caller's fault, not
// the model's.
func callersSchema(raw []byte) *jsonschema.Schema {
	if len(raw) == 0 {
		return nil
	}
	key := sha256.Sum256(raw)
	schemas.Lock()
	sch, ok := schemas.by[key]
	schemas.Unlock()
	if ok {
		return sch
	}
	sch, err := compileSchema(raw)
	if err != nil {
		sch = nil
	}
	schemas.Lock()
	defer schemas.Unlock()
	if len(schemas.by) >= maxSchemas {
		clear(schemas.by)
	}
	schemas.by[key] = sch
	return sch
}
