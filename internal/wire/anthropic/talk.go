package anthropic

import (
	"bytes"

	"github.com/weirhq/weir/internal/llm"
)

// silent is the value of thinking by which a model does not think: it then takes a tool loop without thinking blocks.
const silent = `{"type":"disabled"}`

// maxSigned bounds what a body of tiny thinking blocks can make Weir keep beside it.
const maxSigned = 1 << 16

// talk is what the message under way told of the conversation's state.
type talk struct {
	role    llm.Role
	end     int // of its blocks: where one more can be put
	blocks  int
	signed  int // of the blocks
	results int
}

// toolBlock is where the members of a block lie that tools need; which of them count, its type says.
type toolBlock struct {
	at, id, name, input, content llm.Span
	failed                       bool
}

// inside is a string's value without its quotes; nothing when it is no string.
func inside(v llm.Span) llm.Span {
	if v.End-v.Start < 2 {
		return llm.Span{}
	}
	return llm.Span{Start: v.Start + 1, End: v.End - 1}
}

// valued is where the value lies that read reads.
func (s *scanner) valued(read func()) llm.Span {
	s.Kind() // to the value
	start := s.Pos()
	read()
	return llm.Span{Start: start, End: s.Pos()}
}

// tell notes what one block of a message means for the conversation.
func (s *scanner) tell(kind string, b *toolBlock) {
	t, turn := &s.env.Talk, s.env.Turns-1
	s.talk.blocks++
	switch kind {
	case typeThinking, typeRedacted:
		s.talk.signed++
		if len(t.Signed) == maxSigned {
			s.Fail("more than 65536 thinking blocks in one request")
		}
		t.Signed = append(t.Signed, llm.Signed{Span: b.at, Turn: turn})
	case typeToolUse:
		t.Calls.Add(llm.ToolSpans{ID: b.id, Name: b.name, Args: b.input, Turn: turn})
	case "tool_result":
		s.talk.results++
		t.Results.Add(llm.ResultSpans{ID: b.id, Content: b.content, Failed: b.failed, Turn: turn})
	}
}

// spoke notes what a whole message, which lies at, means for the conversation. One of nothing but thinking is cut as a
// whole, since the dialect takes no message without content.
func (s *scanner) spoke(at llm.Span) {
	t, m := &s.env.Talk, &s.talk
	if n := len(t.Signed) - m.signed; m.signed > 0 && m.signed == m.blocks {
		t.Signed = append(t.Signed[:n], llm.Signed{Span: at, Turn: s.env.Turns - 1})
	}
	switch m.role {
	case llm.Assistant:
		t.Spoken++
		t.Open, t.Tail = false, llm.Tail{}
	case llm.User:
		t.Open, t.Tail = m.results > 0, llm.Tail{}
		if t.Open {
			t.Tail = llm.Tail{At: m.end, Before: `,{"type":"text","text":`, After: "}"}
		} else {
			t.Asked = s.env.Turns - 1
		}
	}
}

// billing begins the block that Claude Code puts before its instructions: it differs from call to call.
var billing = []byte("x-anthropic-billing-header")

// instructions finds the first text of the instructions that stays the same through a conversation.
func (s *scanner) instructions(texts []llm.Segment) {
	for _, t := range texts {
		if !bytes.HasPrefix(s.body[t.Span.Start:t.Span.End], billing) {
			s.env.Talk.System = t.Span
			return
		}
	}
}
