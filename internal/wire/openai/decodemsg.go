package openai

import (
	"strconv"
	"strings"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// turn is one message as it stands; its keys may come in any order.
type turn struct {
	role, callID, name, refusal, think string
	content                            []llm.Part
	calls                              []llm.Part
}

func (d *decoder) message() {
	var t turn
	d.Object(messageKeys)
	for d.Next() {
		switch d.Key() {
		case "role":
			t.role = d.str()
		case "content":
			t.content = d.content()
		case "name":
			t.name = d.maybe()
		case "tool_call_id":
			t.callID = d.maybe()
		case "refusal":
			t.refusal = d.maybe()
		case "reasoning_content", "reasoning":
			if d.Kind() == scan.String {
				t.think = d.str()
			}
		case "tool_calls":
			if !d.Null() {
				for d.Array(); d.More(); {
					t.calls = append(t.calls, d.call())
				}
			}
		case "function_call":
			if !d.Null() {
				name, args := d.named()
				d.older++
				use := &llm.ToolCall{ID: d.olderID(), Name: name, Args: argsOf(args)}
				t.calls = append(t.calls, llm.Part{Kind: llm.ToolUse, Tool: use})
			}
		}
	}
	if d.Err() == nil {
		d.add(&t)
	}
}

// add puts a message in its place in the request.
func (d *decoder) add(t *turn) {
	q := d.req
	afterTool := d.tools
	d.tools = false
	switch t.role {
	case "system", "developer":
		q.System = append(q.System, t.content...)
	case "assistant":
		q.Messages = append(q.Messages, llm.Message{Role: llm.Assistant, Parts: t.spoken()})
	case "tool", "function":
		if t.role == "tool" && t.callID == "" {
			d.Fail("tool_call_id is missing")
		}
		if t.role == "function" && d.older > 0 {
			t.callID = d.olderID()
		}
		part := llm.Part{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: t.callID, Name: t.name, Content: t.content}}
		d.tools = true
		if afterTool {
			last := &q.Messages[len(q.Messages)-1]
			last.Parts = append(last.Parts, part)
			return
		}
		q.Messages = append(q.Messages, llm.Message{Role: llm.User, Parts: []llm.Part{part}})
	default:
		q.Messages = append(q.Messages, llm.Message{Role: llm.User, Parts: t.content})
	}
}

// olderID is an id for the latest call of the older form, which has none: other dialects demand one.
func (d *decoder) olderID() string { return "call_function_" + strconv.Itoa(d.older) }

// spoken are the parts of a model's turn.
func (t *turn) spoken() []llm.Part {
	var parts []llm.Part
	if t.think != "" {
		parts = append(parts, llm.Part{Kind: llm.Reasoning, Text: t.think})
	}
	parts = append(parts, t.content...)
	if t.refusal != "" {
		parts = append(parts, llm.Part{Kind: llm.Refusal, Text: t.refusal})
	}
	return append(parts, t.calls...)
}

func (d *decoder) call() llm.Part {
	t := &llm.ToolCall{}
	args := ""
	kind, seen := "function", false
	d.Object(callKeys)
	for d.Next() {
		switch d.Key() {
		case "id":
			t.ID = d.maybe()
		case "type":
			kind = d.maybe()
		case "function":
			t.Name, args = d.named()
			seen = true
		}
	}
	if kind != "function" || !seen {
		d.Fail("only calls of type function can be sent to a provider of another dialect")
	}
	t.Args = argsOf(args)
	d.names[t.ID] = t.Name
	return llm.Part{Kind: llm.ToolUse, Tool: t}
}

// nameResults gives tool results the name of the call they answer: one dialect addresses them by it.
func (d *decoder) nameResults() {
	for _, m := range d.req.Messages {
		for i := range m.Parts {
			if r := m.Parts[i].Result; r != nil && r.Name == "" {
				r.Name = d.names[r.ID]
			}
		}
	}
}

func (d *decoder) content() []llm.Part {
	switch d.Kind() {
	case scan.Null:
		d.Null()
		return nil
	case scan.String:
		return []llm.Part{{Kind: llm.Text, Text: d.str()}}
	}
	var parts []llm.Part
	for d.Array(); d.More(); {
		parts = append(parts, d.part())
	}
	return parts
}

func (d *decoder) part() llm.Part {
	var p llm.Part
	kind := ""
	d.Object(partKeys)
	for d.Next() {
		switch d.Key() {
		case "type":
			kind = d.str()
		case "text":
			p.Text = d.str()
		case "refusal":
			p.Kind, p.Text = llm.Refusal, d.str()
		case "image_url":
			p.Kind, p.Media = llm.Media, d.image()
		case "input_audio":
			p.Kind, p.Media = llm.Media, d.sound()
		case "file":
			p.Kind, p.Media = llm.Media, d.file()
		}
	}
	switch {
	case d.Err() != nil:
	case kind == "text" && p.Kind == llm.Text, kind == "refusal" && p.Kind == llm.Refusal:
	case (kind == "image_url" || kind == "input_audio" || kind == "file") && p.Media != nil:
	default:
		d.Fail("want a part of type text, refusal, image_url, input_audio or file, with the member of that name")
	}
	return p
}

func (d *decoder) image() *llm.MediaPart {
	if d.Kind() == scan.String {
		return d.media(d.str())
	}
	m := &llm.MediaPart{}
	d.Object(urlKeys)
	for d.Next() {
		if d.Key() == "url" {
			m = d.media(d.str())
		}
	}
	if *m == (llm.MediaPart{}) {
		d.Fail("url is missing")
	}
	return m
}

// media reads a URL: inline data, or a place for the provider to fetch from.
func (d *decoder) media(url string) *llm.MediaPart {
	if m := inline(url); m != nil {
		return m
	}
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		d.Fail("want an http URL or a data: URL in base64")
	}
	return &llm.MediaPart{URL: url}
}

// inline reads a data: URL in base64; nil = s is none.
func inline(s string) *llm.MediaPart {
	head := []byte(s[:min(len(s), 256)]) // a media type is short; the data may be megabytes
	mime, at, ok := scan.DataURL(head)
	if !ok {
		return nil
	}
	return &llm.MediaPart{MIME: mime, Data: s[at:]}
}

func (d *decoder) sound() *llm.MediaPart {
	m := &llm.MediaPart{}
	d.Object(soundKeys)
	for d.Next() {
		switch d.Key() {
		case "data":
			m.Data = d.str()
		case "format":
			if m.MIME = "audio/" + d.str(); m.MIME == "audio/mp3" {
				m.MIME = "audio/mpeg"
			}
		}
	}
	if m.Data == "" || m.MIME == "" {
		d.Fail("want data and format")
	}
	return m
}

func (d *decoder) file() *llm.MediaPart {
	m := &llm.MediaPart{}
	d.Object(fileKeys)
	for d.Next() {
		switch d.Key() {
		case "file_data":
			data := d.str()
			if m = inline(data); m == nil {
				m = &llm.MediaPart{MIME: "application/pdf", Data: data}
			}
		case "file_id":
			if !d.Null() {
				d.Fail("a file id means nothing to a provider of another dialect: send file_data")
			}
		}
	}
	if m.Data == "" {
		d.Fail("file_data is missing")
	}
	return m
}
