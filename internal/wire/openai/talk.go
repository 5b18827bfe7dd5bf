package openai

import (
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// maxSigned bounds what a body of tiny members can make Weir keep beside it.
const maxSigned = 1 << 16

// inside is a string's value without its quotes; nothing when it is no string.
func inside(v llm.Span) llm.Span {
	if v.End-v.Start < 2 {
		return llm.Span{}
	}
	return llm.Span{Start: v.Start + 1, End: v.End - 1}
}

// sealed are members that compatible servers add to a model's turn, and must get back: what they hold is signed or
// encrypted.
func sealed(key []byte) bool {
	switch string(key) {
	case "reasoning_details", "extra_content", "thought_signature", "encrypted_content":
		return true
	}
	return false
}

// unknown reads a member that the dialect does not know.
func (s *scanner) unknown() {
	if !sealed(s.KeyBytes()) {
		s.collect("")
		return
	}
	t := &s.env.Talk
	if len(t.Signed) == maxSigned {
		s.Fail("more than 65536 signed members in one request")
		return
	}
	at := s.KeySpan()
	s.collect("")
	at.End = s.Pos()
	t.Signed = append(t.Signed, llm.Signed{Span: at, Turn: s.env.Turns - 1})
}

func (s *scanner) calls() {
	for s.Array(); s.More(); {
		s.env.Needs.Tools = true
		call := llm.ToolSpans{Turn: s.env.Turns - 1}
		s.Object(callKeys)
		for s.Next() {
			switch s.Key() {
			case "id":
				call.ID = inside(s.Skip())
			case "function":
				s.function(&call)
			case "":
				s.unknown()
			}
		}
		s.env.Talk.Calls.Add(call)
	}
}

// function reads a called function: name and arguments are text, also where a caller sends these as an object.
func (s *scanner) function(call *llm.ToolSpans) {
	s.Object(nameKeys)
	for s.Next() {
		switch key := s.Key(); {
		case key == "arguments" && s.Kind() == scan.String:
			v := s.String()
			call.Args, call.Quoted = v.Span, true
			s.text(v)
		case key == "arguments":
			call.Args.Start = s.Pos()
			s.collect("")
			call.Args.End = s.Pos()
		case key == "name" && s.Kind() == scan.String:
			v := s.String()
			call.Name = v.Span
			s.text(v)
		default:
			s.collect("")
		}
	}
}

// spoke notes what a message means for the conversation.
func (s *scanner) spoke(role string, first llm.Span) {
	t := &s.env.Talk
	switch role {
	case "system", "developer":
		if !t.System.Present() {
			t.System = first
		}
	case "assistant":
		t.Spoken++
		t.Open = false
	case "tool", "function":
		t.Open = true
		t.Results.Add(s.result)
	default:
		if !t.First.Present() {
			t.First = first
		}
		t.Asked, t.Open = s.env.Turns-1, false
	}
}

// openEnd notes where a text can be put behind the results that the messages end in. The walk stands behind them.
func (s *scanner) openEnd() {
	if s.env.Talk.Open && s.Err() == nil {
		s.env.Talk.Tail = llm.Tail{At: s.Pos() - 1, Before: `,{"role":"user","content":`, After: "}"}
	}
}
