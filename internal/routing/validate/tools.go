package validate

import (
	"bytes"
	"fmt"

	"github.com/weirhq/weir/internal/llm"
)

// judgeTools holds the answer's tool calls against the tools that the request offers, and the request's tool choice
// against what was called.
func judgeTools(s Subject) string {
	c := s.choice()
	if c == nil || s.Request == nil {
		return ""
	}
	n := 0
	for _, p := range c.Parts {
		if p.Kind != llm.ToolUse || p.Tool == nil {
			continue
		}
		n++
		if why := judgeCall(s.Request, p.Tool); why != "" {
			return fmt.Sprintf("tool call %d: %s", n, why)
		}
	}
	if n == 0 && len(s.Request.Tools) > 0 && (s.Request.Choice.Mode == "required" || s.Request.Choice.Mode == "tool") {
		return "the request demands a tool call and the answer has none"
	}
	return ""
}

// judgeCall judges one call; tools of the provider's own (no schema here) pass on their name alone.
func judgeCall(req *llm.Request, call *llm.ToolCall) string {
	if len(req.Tools) == 0 {
		return ""
	}
	tool := findTool(req.Tools, call.Name)
	if tool == nil {
		return "the tool " + quote(call.Name) + " was not offered"
	}
	if m := req.Choice; m.Mode == "tool" && m.Name != "" && m.Name != call.Name {
		return "the request demands the tool " + quote(m.Name)
	}
	args := bytes.TrimSpace(call.Args)
	if len(args) == 0 {
		args = []byte("{}") // models leave it out when a tool takes nothing; the schema says whether that is so
	}
	if args[0] != '{' {
		return "arguments of " + quote(call.Name) + ": not a JSON object"
	}
	if why := matchSchema(args, callersSchema(tool.Schema)); why != "" {
		return "arguments of " + quote(call.Name) + ": " + why
	}
	return ""
}

func findTool(tools []llm.Tool, name string) *llm.Tool {
	for i := range tools {
		if tools[i].Name == name {
			return &tools[i]
		}
	}
	return nil
}
