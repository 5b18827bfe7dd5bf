package compress

import (
	"slices"
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
	rules  []llm.Part    // what a client put into user turns as instructions, verbatim
	ask    []llm.Part    // the question, verbatim
	tail   []llm.Message // after the question, verbatim: the last exchange of an open tool loop, or a prefilled answer
	said   []llm.Part    // of the tail, what the user said in it
	query  string
	params []string // what a rejected answer extracted and the source has, a line each
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
		first := i <= opening(msgs)
		switch {
		case i == asked:
			f.takeAsk(f.withoutRules(m.Parts, true), o)
		case i > asked && asked >= 0 && m.Role == llm.User: // said while the tools ran: a later word of the same turn
			f.takeLater(m, names, o)
		case m.Role == llm.User:
			f.take(llm.Message{Role: m.Role, Parts: f.withoutRules(m.Parts, first)}, names, o)
		default:
			f.take(m, names, o)
		}
	}
	f.takeTail(msgs[tail:], names)
	f.query = f.queryFor(o)
	f.params = parameters(o.Answer, f.evidence())
	return f, nil
}

// evidence lists the texts that a brief's facts may come from.
func (f *frame) evidence() []string {
	var out []string
	for _, p := range f.pieces {
		out = append(out, p.label, p.text)
	}
	out = append(out, plainText(f.req.System), plainText(f.rules), plainText(f.ask))
	for _, m := range f.tail {
		out = append(out, plainText(m.Parts))
		for _, p := range m.Parts {
			switch {
			case p.Tool != nil:
				out = append(out, string(p.Tool.Args))
			case p.Result != nil:
				out = append(out, plainText(p.Result.Content))
			}
		}
	}
	return out
}

// fewWords is how many words, stop words aside, a question must have to stand by itself.
const fewWords = 3

// queryFor is what the source is searched for: the question, what was said last in an open loop, and the failure. A
// question like "And when?" leans on the user's turn before it, which is then added.
func (f *frame) queryFor(o Options) string {
	query := plainText(f.ask) + "\n" + plainText(f.said)
	n := 0
	words(query, func([]byte) { n++ })
	query += "\n" + o.Failure
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
// last tool exchange when its loop is open, or an assistant turn that the model is to continue. A loop is open when no
// assistant turn answers the results, also when the user has said something after them.
func tailStart(msgs []llm.Message) int {
	n := len(msgs)
	last := n - 1
	for last >= 0 && msgs[last].Role == llm.User {
		last--
	}
	open := slices.ContainsFunc(msgs[last+1:], func(m llm.Message) bool { return has(m.Parts, llm.ToolResult) })
	switch {
	case open && last >= 0 && has(msgs[last].Parts, llm.ToolUse):
		return last
	case open: // results without their calls: they stay as text
		for i := last + 1; i < n; i++ {
			if has(msgs[i].Parts, llm.ToolResult) {
				return i
			}
		}
	case last == n-1 && n > 0 && (has(msgs[last].Parts, llm.Text) || has(msgs[last].Parts, llm.Refusal)):
		return n - 1
	}
	return n
}

// opening is the index of the first message that holds more than rules: clients put their rules into those before it.
func opening(msgs []llm.Message) int {
	for i, m := range msgs {
		if m.Role != llm.User || slices.ContainsFunc(m.Parts, func(p llm.Part) bool { return p.Kind != llm.Text || !isRule(p.Text) }) {
			return i
		}
	}
	return len(msgs)
}

// lastAsk finds the last user message that says something of its own beside tool results and rules, or -1.
func lastAsk(msgs []llm.Message) int {
	rules := -1
	for i := len(msgs) - 1; i >= 0; i-- {
		m := msgs[i]
		switch {
		case m.Role != llm.User || has(m.Parts, llm.ToolResult):
		case speaks(m.Parts):
			return i
		case rules < 0 && has(m.Parts, llm.Text):
			rules = i
		}
	}
	return rules // a turn of rules is better than none
}

// speaks reports whether parts hold a text that is no rule, or media.
func speaks(parts []llm.Part) bool {
	return slices.ContainsFunc(parts, func(p llm.Part) bool {
		return p.Kind == llm.Media || p.Kind == llm.Text && strings.TrimSpace(p.Text) != "" && !isRule(p.Text)
	})
}

func has(parts []llm.Part, k llm.PartKind) bool {
	return slices.ContainsFunc(parts, func(p llm.Part) bool { return p.Kind == k })
}

// ruleMarks open the texts by which agents' clients put instructions and the state of the machine into user turns.
var ruleMarks = []string{
	"<system-reminder>", "<environment_context>", "<user_instructions>", "<permissions instructions>", "<INSTRUCTIONS>",
	"# AGENTS.md instructions",
}

func isRule(text string) bool {
	t := strings.TrimSpace(text)
	return slices.ContainsFunc(ruleMarks, func(mark string) bool { return strings.HasPrefix(t, mark) })
}

// withoutRules takes the rules out of a user turn's parts. Those of the first turn and of the turn that is to be answered
// stand; those between were of the moment and are left out.
func (f *frame) withoutRules(parts []llm.Part, standing bool) []llm.Part {
	out := make([]llm.Part, 0, len(parts))
	for _, p := range parts {
		if p.Kind != llm.Text || !isRule(p.Text) {
			out = append(out, p)
			continue
		}
		if standing && !slices.ContainsFunc(f.rules, func(r llm.Part) bool { return r.Text == p.Text }) {
			f.rules = append(f.rules, p)
		}
	}
	return out
}

// takeLater takes a user message that came after the question while the tools ran: its results are pieces, what the
// user said in it belongs to the question.
func (f *frame) takeLater(m llm.Message, names map[string]string, o Options) {
	var results []llm.Part
	var said []llm.Part
	for _, p := range f.withoutRules(m.Parts, false) {
		if p.Kind == llm.ToolResult {
			results = append(results, p)
		} else {
			said = append(said, p)
		}
	}
	f.take(llm.Message{Role: m.Role, Parts: results}, names, o)
	f.takeAsk(said, o)
}

// takeTail keeps the last messages as they are, but for what no provider would take: reasoning, whose signature is for the
// model that wrote it, results without their call, which become text, and calls without a result, which get one that
// says so.
func (f *frame) takeTail(msgs []llm.Message, names map[string]string) {
	answered, called := map[string]bool{}, map[string]bool{}
	for _, m := range msgs {
		for _, p := range m.Parts {
			switch {
			case p.Kind == llm.ToolResult && p.Result != nil:
				answered[p.Result.ID] = true
			case p.Kind == llm.ToolUse && p.Tool != nil:
				called[p.Tool.ID] = true
			}
		}
	}
	for _, m := range msgs {
		var parts []llm.Part
		for _, p := range unsigned(m.Parts) {
			if p.Kind == llm.ToolResult && p.Result != nil && !called[p.Result.ID] {
				text := "[" + resultLabel(p.Result, names) + ", whose call is not in the conversation] " + resultText(p.Result)
				p = llm.Part{Kind: llm.Text, Text: text + between}
			}
			parts = append(parts, p)
		}
		for _, p := range m.Parts {
			if m.Role == llm.User && p.Kind == llm.Text && !isRule(p.Text) {
				f.said = append(f.said, p)
			}
		}
		if len(parts) > 0 {
			f.tail = append(f.tail, llm.Message{Role: m.Role, Parts: parts})
		}
	}
	f.answerAll(msgs, answered)
}

// answerAll gives the calls of the tail that have no result one that says so.
func (f *frame) answerAll(msgs []llm.Message, answered map[string]bool) {
	var missing []llm.Part
	for _, m := range msgs {
		for _, p := range m.Parts {
			if p.Kind == llm.ToolUse && p.Tool != nil && !answered[p.Tool.ID] {
				missing = append(missing, llm.Part{Kind: llm.ToolResult, Result: &llm.ToolAnswer{
					ID: p.Tool.ID, Name: p.Tool.Name, IsError: true,
					Content: []llm.Part{{Text: "(no result: the call was interrupted)"}},
				}})
			}
		}
	}
	if len(missing) == 0 {
		return
	}
	for i, m := range f.tail {
		if m.Role == llm.User { // results come first in the turn after their calls
			f.tail[i].Parts = slices.Concat(missing, m.Parts)
			return
		}
	}
	f.tail = append(f.tail, llm.Message{Role: llm.User, Parts: missing})
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
			f.add(piece{label: string(m.Role), text: leftAttachment, turn: true})
		case p.Kind == llm.ToolUse && p.Tool != nil:
			f.add(piece{label: "tool call " + p.Tool.Name, text: string(p.Tool.Args)})
		case p.Kind == llm.ToolResult && p.Result != nil:
			f.add(piece{label: resultLabel(p.Result, names), text: resultText(p.Result)})
		}
	}
}

// leftAttachment stands where an image or file of the history was.
const leftAttachment = "(an attachment, left out)"

func resultLabel(r *llm.ToolAnswer, names map[string]string) string {
	name := r.Name
	if name == "" {
		name = names[r.ID]
	}
	label := strings.TrimSpace("tool result " + name)
	if r.IsError {
		label += " (error)"
	}
	return label
}

// resultText is a result's text, with a word for what has none.
func resultText(r *llm.ToolAnswer) string {
	text := plainText(r.Content)
	if has(r.Content, llm.Media) {
		text = strings.TrimSpace(text + "\n" + leftAttachment)
	}
	if strings.TrimSpace(text) == "" {
		return "(empty)"
	}
	return text
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
	for _, r := range f.rules {
		parts = append(parts, llm.Part{Kind: llm.Text, Text: r.Text + between})
	}
	if text != "" {
		parts = append(parts, llm.Part{Kind: llm.Text, Text: text + between})
	}
	if failure != "" {
		parts = append(parts, llm.Part{Kind: llm.Text, Text: "A previous attempt was rejected: " + failure + between})
	}
	parts = append(parts, f.ask...)
	out.Messages = nil
	tail := f.tail
	if len(tail) > 0 && tail[0].Role == llm.User { // results that became text: one turn, not two
		parts = append(parts, tail[0].Parts...)
		tail = tail[1:]
	}
	if len(parts) > 0 {
		out.Messages = append(out.Messages, llm.Message{Role: llm.User, Parts: parts})
	}
	out.Messages = append(out.Messages, tail...)
	return &out
}
