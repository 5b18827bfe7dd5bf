package compress

import (
	"strings"

	"github.com/weirhq/weir/internal/llm"
)

// piece is one stretch of the source: a turn, a tool call, a tool result or a document.
type piece struct {
	label string // who says it; holds no digits of ours
	text  string
	turn  bool // a turn of the conversation, not a document or a tool's output
	user  bool // said by the user
}

// frame is a request taken apart: what is compressed and what stays.
type frame struct {
	req    *llm.Request
	pieces []piece
	ask    []llm.Part    // the question, verbatim
	tail   []llm.Message // after the question, verbatim: the last exchange of an open tool loop, or a prefilled answer
	query  string
}

// frameOf takes a request apart. It fails when there is neither a question nor a tool exchange to answer.
func frameOf(req *llm.Request, o Options) (*frame, error) {
	f := &frame{req: req}
	var msgs []llm.Message
	if req != nil {
		msgs = req.Messages
	}
	tail := tailStart(msgs)
	asked := lastAsk(msgs[:tail])
	if asked < 0 && tail == len(msgs) {
		return nil, &llm.Error{
			Code: llm.CodeUnaccepted, Message: "there is no user turn that a brief could carry",
			Hint: "send the question as the last user message",
		}
	}
	names := toolNames(msgs)
	for i, m := range msgs[:tail] {
		if i == asked {
			f.takeAsk(m.Parts, o)
			continue
		}
		f.take(m, names, o)
	}
	for _, m := range msgs[tail:] {
		f.tail = append(f.tail, llm.Message{Role: m.Role, Parts: unsigned(m.Parts)})
	}
	if o.Answer != "" {
		f.pieces = append(f.pieces, piece{label: "rejected attempt", text: o.Answer, turn: o.tokens(o.Answer) <= longPart})
	}
	f.query = f.queryFor(o)
	return f, nil
}

// fewWords is how many words, stop words aside, a question must have to stand by itself.
const fewWords = 3

// queryFor is what the source is searched for: the question and the failure. A question like "And when?" leans on the
// user's turn before it, which is then added.
func (f *frame) queryFor(o Options) string {
	query := plainText(f.ask) + "\n" + o.Failure
	n := 0
	words(plainText(f.ask), func(string) { n++ })
	if n >= fewWords {
		return query
	}
	for i := len(f.pieces) - 1; i >= 0; i-- {
		if f.pieces[i].user && f.pieces[i].turn {
			return query + "\n" + f.pieces[i].text
		}
	}
	return query
}

// tailStart is the index of the first message that must stay verbatim after the question: the assistant turn of the
// last tool exchange when its loop is open, or an assistant turn that the model is to continue.
func tailStart(msgs []llm.Message) int {
	n := len(msgs)
	if n == 0 {
		return 0
	}
	end := msgs[n-1]
	switch {
	case has(end.Parts, llm.ToolResult):
		for i := n - 2; i >= 0; i-- {
			if has(msgs[i].Parts, llm.ToolUse) {
				return i
			}
			if !has(msgs[i].Parts, llm.ToolResult) {
				break
			}
		}
		return n - 1
	case end.Role == llm.Assistant:
		return n - 1
	}
	return n
}

// lastAsk finds the last user message that says something of its own, or -1.
func lastAsk(msgs []llm.Message) int {
	for i := len(msgs) - 1; i >= 0; i-- {
		m := msgs[i]
		if m.Role == llm.User && !has(m.Parts, llm.ToolResult) && (has(m.Parts, llm.Text) || has(m.Parts, llm.Media)) {
			return i
		}
	}
	return -1
}

func has(parts []llm.Part, k llm.PartKind) bool {
	for _, p := range parts {
		if p.Kind == k {
			return true
		}
	}
	return false
}

// unsigned drops reasoning: its signature is for the model that wrote it.
func unsigned(parts []llm.Part) []llm.Part {
	out := make([]llm.Part, 0, len(parts))
	for _, p := range parts {
		if p.Kind != llm.Reasoning {
			out = append(out, p)
		}
	}
	return out
}

// toolNames maps the ids of tool calls to their tools, for dialects whose results carry the id only.
func toolNames(msgs []llm.Message) map[string]string {
	names := map[string]string{}
	for _, m := range msgs {
		for _, p := range m.Parts {
			if p.Kind == llm.ToolUse && p.Tool != nil && p.Tool.ID != "" {
				names[p.Tool.ID] = p.Tool.Name
			}
		}
	}
	return names
}

// take adds the pieces of a message of the history.
func (f *frame) take(m llm.Message, names map[string]string, o Options) {
	for _, p := range m.Parts {
		switch {
		case p.Kind == llm.Text || p.Kind == llm.Refusal:
			f.add(piece{label: string(m.Role), text: p.Text, turn: o.tokens(p.Text) <= longPart, user: m.Role == llm.User})
		case p.Kind == llm.Media:
			f.add(piece{label: string(m.Role), text: "(an attachment, left out)", turn: true})
		case p.Kind == llm.ToolUse && p.Tool != nil:
			f.add(piece{label: "tool call " + p.Tool.Name, text: string(p.Tool.Args)})
		case p.Kind == llm.ToolResult && p.Result != nil:
			name := p.Result.Name
			if name == "" {
				name = names[p.Result.ID]
			}
			label := strings.TrimSpace("tool result " + name)
			if p.Result.IsError {
				label += " (error)"
			}
			f.add(piece{label: label, text: plainText(p.Result.Content)})
		}
	}
}

func (f *frame) add(p piece) {
	if p.text = strings.TrimSpace(p.text); p.text != "" {
		f.pieces = append(f.pieces, p)
	}
}

// takeAsk tells the question from the documents beside it in the last user turn.
func (f *frame) takeAsk(parts []llm.Part, o Options) {
	short, lastLong := 0, -1
	for i, p := range parts {
		switch {
		case p.Kind != llm.Text || strings.TrimSpace(p.Text) == "":
		case o.tokens(p.Text) <= longPart:
			short++
		default:
			lastLong = i
		}
	}
	for i, p := range parts {
		switch {
		case p.Kind == llm.Reasoning:
		case p.Kind != llm.Text || o.tokens(p.Text) <= longPart:
			f.ask = append(f.ask, p)
		case short == 0 && i == lastLong:
			doc, ask := parted(p.Text, o)
			f.add(piece{label: "document", text: doc})
			f.ask = append(f.ask, llm.Part{Kind: llm.Text, Text: ask})
		default:
			f.add(piece{label: "document", text: p.Text})
		}
	}
}

// edge is how long, in tokens, a first or last paragraph may be to count as the question around a document.
const edge = 200

// parted splits one long text into a document and the question around it: its first and last paragraphs when they
// are short, else the whole text is the question. Either may hold the instructions, so both stay: a paragraph of
// the document that is kept too many costs little, an instruction lost costs the answer.
func parted(text string, o Options) (doc, ask string) {
	paras := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	first, last := 0, len(paras)
	for last > 1 && strings.TrimSpace(paras[last-1]) == "" {
		last--
	}
	if last < 2 {
		return "", text
	}
	var asks []string
	if o.tokens(paras[0]) <= edge {
		asks = append(asks, strings.TrimSpace(paras[0]))
		first++
	}
	if last-first > 1 && o.tokens(paras[last-1]) <= edge {
		last--
		asks = append(asks, strings.TrimSpace(paras[last]))
	}
	if len(asks) == 0 {
		return "", text
	}
	return strings.Join(paras[first:last], "\n\n"), strings.Join(asks, "\n\n")
}

// plainText joins the text of parts, a line each.
func plainText(parts []llm.Part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Kind != llm.Text || p.Text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// between ends a part: providers join the parts of a message as they stand.
const between = "\n\n"

// request builds the request that carries the brief: everything but the messages as it was.
func (f *frame) request(text, failure string) *llm.Request {
	out := *f.req
	var parts []llm.Part
	if len(f.pieces) > 0 {
		parts = append(parts, llm.Part{Kind: llm.Text, Text: text + between})
	}
	if failure != "" {
		parts = append(parts, llm.Part{Kind: llm.Text, Text: "A previous attempt was rejected: " + failure + between})
	}
	parts = append(parts, f.ask...)
	out.Messages = nil
	if len(parts) > 0 {
		out.Messages = append(out.Messages, llm.Message{Role: llm.User, Parts: parts})
	}
	out.Messages = append(out.Messages, f.tail...)
	return &out
}
