package openai

import (
	"bytes"

	"github.com/weirhq/weir/internal/wire/scan"
)

// hints are where the caller's hints lie in the metadata.
type hints struct{ useCase, workflow, agent, session, dataClass scan.Str }

// read reads a metadata object or null: use_case, workflow, agent, session and data_class, with or without the prefix
// x-weir-, with '-' or '_'. Other members are the caller's own. A hint that is no string, or that two members tell
// differently, is an error: on whose behalf a call is made must not be a guess.
func (h *hints) read(c *scan.Cursor, body []byte) {
	if c.Null() {
		return
	}
	c.Object(nil)
	for c.Next() {
		field := h.field(c.KeyBytes())
		if field == nil || c.Null() {
			continue
		}
		v := c.String()
		if field.Len() > 0 && field.Text(body) != v.Text(body) {
			c.Fail("is told twice, differently")
		}
		*field = v
	}
}

var hintPrefix = []byte("x-weir-")

// field is where the hint of that name goes, or nil.
func (h *hints) field(key []byte) *scan.Str {
	switch string(bytes.TrimPrefix(key, hintPrefix)) {
	case "use_case", "use-case":
		return &h.useCase
	case "workflow":
		return &h.workflow
	case "agent":
		return &h.agent
	case "session":
		return &h.session
	case "data_class", "data-class":
		return &h.dataClass
	}
	return nil
}
