package openai

import (
	"strings"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// hintPrefix marks a metadata key as meant for Weir. The bare names are read too.
const hintPrefix = "x-weir-"

// readHints reads a metadata object: use_case, workflow, agent, session and data_class, with or without the prefix
// x-weir-, with '-' or '_'. Other members are the caller's own. A hint that is no string, or that two members tell
// differently, is an error: on whose behalf a call is made must not be a guess.
func readHints(c *scan.Cursor, body []byte) llm.Hints {
	var h llm.Hints
	if c.Null() {
		return h
	}
	c.Object(nil)
	for c.Next() {
		field := hintField(&h, c.KeyBytes())
		if field == nil || c.Null() {
			continue
		}
		v := c.String().Text(body)
		if *field != "" && *field != v {
			c.Fail("is told twice, differently")
		}
		*field = v
	}
	return h
}

// hintField is where the hint of that name goes, or nil.
func hintField(h *llm.Hints, key []byte) *string {
	if len(key) > len(hintPrefix)+len("data_class") {
		return nil
	}
	switch strings.ReplaceAll(strings.TrimPrefix(string(key), hintPrefix), "-", "_") {
	case "use_case":
		return &h.UseCase
	case "workflow":
		return &h.Workflow
	case "agent":
		return &h.Agent
	case "session":
		return &h.Session
	case "data_class":
		return &h.DataClass
	}
	return nil
}
