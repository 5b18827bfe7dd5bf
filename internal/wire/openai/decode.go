package openai

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// decoder is one walk of Decode.
type decoder struct {
	*scan.Cursor
	body  []byte
	req   *llm.Request
	names map[string]string // tool names by call id
	tools bool              // the message before was a tool's
	older int               // calls of the form before tools so far
}

// Decode reads the request whole. System and developer messages, wherever they stand, go to System; tool messages that
// follow each other become one user message of results. What no other dialect has (file ids, custom tools), and what
// this one's own providers might take though it cannot be understood here, is CodeUnfit: a model of this dialect may
// still get the bytes as they are. Fields that llm.Request has no place for (penalties, logprobs, names of
// speakers) are left out.
func (f Front) Decode(body []byte) (*llm.Request, error) {
	if _, err := f.Scan(body); err != nil {
		return nil, err
	}
	c := scan.Open(body)
	defer c.Close()
	d := decoder{Cursor: c, body: body, req: &llm.Request{}, names: map[string]string{}}
	c.Object(requestKeys)
	for c.Next() {
		if k := c.Key(); k != "" && !c.Null() {
			d.member(k)
		}
	}
	if err := c.End(); err != nil {
		e := *llm.AsError(err)
		e.Code, e.Hint = llm.CodeUnfit, "this goes only to a model of the OpenAI dialect, with the request unchanged"
		return nil, &e
	}
	d.nameResults()
	return d.req, nil
}

func (d *decoder) member(key string) {
	q := d.req
	switch key {
	case "model":
		q.Model = d.str()
	case "messages":
		for d.Array(); d.More(); {
			d.message()
		}
	case "max_tokens", "max_completion_tokens":
		q.MaxOutput = d.whole()
	case "n":
		q.N = d.whole()
	case "stream":
		q.Stream = d.Bool()
	case "user":
		q.User = d.str()
	case "safety_identifier":
		if s := d.str(); q.User == "" {
			q.User = s
		}
	case "temperature":
		f := d.Float()
		q.Temperature = &f
	case "top_p":
		f := d.Float()
		q.TopP = &f
	case "seed":
		n, _ := d.Int()
		q.Seed = &n
	case "stop":
		d.stop()
	case "parallel_tool_calls":
		q.Choice.NoParallel = !d.Bool()
	default:
		d.toolMember(key)
	}
}

func (d *decoder) toolMember(key string) {
	switch key {
	case "tools":
		for d.Array(); d.More(); {
			d.tool()
		}
	case "functions":
		for d.Array(); d.More(); {
			d.req.Tools = append(d.req.Tools, d.function())
		}
	case "tool_choice", "function_call":
		d.choice(key == "function_call")
	case "response_format":
		d.format()
	}
}

func (d *decoder) str() string { return d.String().Text(d.body) }

// maybe reads a string or null.
func (d *decoder) maybe() string {
	if d.Null() {
		return ""
	}
	return d.str()
}

func (d *decoder) whole() int {
	n, _ := d.Int()
	return int(n)
}

// value is a copy of the JSON value that comes next.
func (d *decoder) value() jsontext.Value {
	v := d.Skip()
	return bytes.Clone(d.body[v.Start:v.End])
}

func (d *decoder) stop() {
	if d.Kind() == scan.String {
		d.req.Stop = []string{d.str()}
		return
	}
	for d.Array(); d.More(); {
		d.req.Stop = append(d.req.Stop, d.str())
	}
}

func (d *decoder) tool() {
	kind, seen := "", false
	var t llm.Tool
	d.Object(toolKeys)
	for d.Next() {
		switch d.Key() {
		case "type":
			kind = d.str()
		case "function":
			t, seen = d.function(), true
		}
	}
	if kind != "function" || !seen {
		d.Fail("only tools of type function can be sent to a provider of another dialect")
	}
	d.req.Tools = append(d.req.Tools, t)
}

func (d *decoder) function() llm.Tool {
	var t llm.Tool
	d.Object(funcKeys)
	for d.Next() {
		switch d.Key() {
		case "name":
			t.Name = d.str()
		case "description":
			t.Description = d.maybe()
		case "parameters":
			if d.Kind() != scan.Null {
				if d.Kind() != scan.Object {
					d.Fail("want an object")
				}
				t.Schema = d.value()
			}
		case "strict":
			t.Strict = !d.Null() && d.Bool()
		}
	}
	if t.Name == "" {
		d.Fail("name is missing")
	}
	return t
}

// choice reads tool_choice, or the older function_call whose object is the function itself.
func (d *decoder) choice(old bool) {
	c := &d.req.Choice
	if d.Kind() == scan.String {
		switch c.Mode = d.str(); c.Mode {
		case "auto", "none", "required":
		default:
			d.Fail("want auto, none, required or a function")
		}
		return
	}
	c.Mode = "tool"
	if old {
		c.Name, _ = d.named()
	} else {
		d.Object(pickKeys)
		for d.Next() {
			switch d.Key() {
			case "type":
				if !d.String().Is(d.body, "function") {
					d.Fail("only a choice of type function can be sent to a provider of another dialect")
				}
			case "function":
				c.Name, _ = d.named()
			}
		}
	}
	if c.Name == "" {
		d.Fail("the function's name is missing")
	}
}

// named reads a function's name and the text of its arguments.
func (d *decoder) named() (name, args string) {
	d.Object(nameKeys)
	for d.Next() {
		switch d.Key() {
		case "name":
			name = d.str()
		case "arguments":
			args = d.maybe()
		}
	}
	return name, args
}

func (d *decoder) format() {
	f := &llm.Format{}
	d.Object(formatKeys)
	for d.Next() {
		switch d.Key() {
		case "type":
			f.Kind = d.str()
		case "json_schema":
			d.schema(f)
		}
	}
	switch f.Kind {
	case "json_object", "json_schema":
		d.req.Format = f
	case "text":
	default:
		d.Fail("want type text, json_object or json_schema")
	}
}

func (d *decoder) schema(f *llm.Format) {
	d.Object(schemaKeys)
	for d.Next() {
		switch d.Key() {
		case "name":
			f.Name = d.str()
		case "schema":
			if !d.Null() {
				f.Schema = d.value()
			}
		case "strict":
			f.Strict = !d.Null() && d.Bool()
		}
	}
}
