package sim

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/sim/tokens"
)

type anthropicError struct {
	Type  string `json:"type"`
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
	RequestID string `json:"request_id"`
}

func (anthropic) failure(f *failure, id string) []byte {
	e := anthropicError{Type: "error", RequestID: id}
	e.Error.Type = "invalid_request_error"
	standard := ""
	switch f.kind {
	case failNoKey:
		e.Error.Type, standard = "authentication_error", "x-api-key header is required"
	case failBadKey:
		e.Error.Type, standard = "authentication_error", "invalid x-api-key"
	case failPermission:
		e.Error.Type, standard = "permission_error", "Your API key does not have permission to use the specified resource."
	case failModel:
		e.Error.Type, standard = "not_found_error", "model: "+f.model
	case failUnrecorded:
		e.Error.Type = "not_found_error"
	case failTooLarge:
		e.Error.Type, standard = "request_too_large", "Request exceeds the maximum size"
	case failWindow:
		standard = fmt.Sprintf("prompt is too long: %d tokens > %d maximum", f.prompt, f.window)
	case failRate:
		e.Error.Type = "rate_limit_error"
		standard = "This request would exceed your organization's rate limit of requests per minute."
	case failServer:
		e.Error.Type, standard = "api_error", "Internal server error"
	case failUnavailable:
		e.Error.Type, standard = "api_error", "Service unavailable"
	case failOverloaded:
		e.Error.Type, standard = "overloaded_error", "Overloaded"
	}
	e.Error.Message = f.text(standard)
	return marshal(e)
}

func (anthropic) inBand(body []byte) []byte { return event("error", jsontext.Value(body)) }

// event is one named event of a stream.
func event(name string, v any) []byte {
	var b bytes.Buffer
	b.WriteString("event: ")
	b.WriteString(name)
	b.WriteString("\ndata: ")
	b.Write(marshal(v))
	b.WriteString("\n\n")
	return b.Bytes()
}

type anthropicUsage struct {
	InputTokens   int `json:"input_tokens"`
	CacheCreation int `json:"cache_creation_input_tokens"`
	CacheRead     int `json:"cache_read_input_tokens"`
	Creation      struct {
		FiveMinutes int `json:"ephemeral_5m_input_tokens"`
		OneHour     int `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	OutputTokens int    `json:"output_tokens"`
	ServiceTier  string `json:"service_tier"`
}

// anthropicUsageOf counts in Anthropic's way: input_tokens leaves cached ones out.
func anthropicUsageOf(r *reply, output int) *anthropicUsage {
	if r.silent {
		return nil
	}
	m := r.metered
	u := &anthropicUsage{
		InputTokens: r.prompt - r.cached() - m.short - m.long, CacheRead: r.cached(), CacheCreation: m.short + m.long,
		OutputTokens: output, ServiceTier: "standard",
	}
	u.Creation.FiveMinutes, u.Creation.OneHour = m.short, m.long
	return u
}

func anthropicStop(a Answer) *string {
	s := map[Finish]string{
		FinishStop: "end_turn", FinishLength: "max_tokens", FinishTools: "tool_use",
		FinishRefusal: "refusal", FinishFilter: "refusal",
	}[a.Finish]
	return &s
}

type anthropicText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// anthropicThought is a thinking block.
type anthropicThought struct {
	Type      string `json:"type"`
	Thinking  string `json:"thinking"`
	Signature string `json:"signature"`
}

// anthropicSealed is a thinking block that only its model can read.
type anthropicSealed struct {
	Type string `json:"type"`
	Data string `json:"data"`
}

// thought is the block of what a model thought.
func (s *Sim) thought(model string, a Answer) any {
	if a.Redacted {
		return anthropicSealed{"redacted_thinking", s.seal(model, a.Thinking)}
	}
	return anthropicThought{"thinking", a.Thinking, s.sign(model, a.Thinking)}
}

type anthropicUse struct {
	Type  string         `json:"type"`
	ID    string         `json:"id"`
	Name  string         `json:"name"`
	Input jsontext.Value `json:"input"`
}

func anthropicUses(r *reply) []anthropicUse {
	var out []anthropicUse
	for i, c := range r.answers[0].Calls {
		out = append(out, anthropicUse{"tool_use", fmt.Sprintf("toolu_%s%d", r.id, i), c.Name, c.Args})
	}
	return out
}

type anthropicWhole struct {
	Model        string          `json:"model"`
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	Role         string          `json:"role"`
	Content      []any           `json:"content"`
	StopReason   *string         `json:"stop_reason"`
	StopSequence *string         `json:"stop_sequence"`
	Usage        *anthropicUsage `json:"usage,omitempty"`
}

func anthropicShell(a *ask, r *reply, output int) anthropicWhole {
	return anthropicWhole{
		Model: a.Model, ID: "msg_" + r.id, Type: "message", Role: "assistant", Content: []any{},
		Usage: anthropicUsageOf(r, output),
	}
}

func (anthropic) whole(a *ask, r *reply) []byte {
	out, ans := anthropicShell(a, r, r.total()), r.answers[0]
	if ans.Thinking != "" {
		out.Content = append(out.Content, r.thought)
	}
	if ans.Text != "" {
		out.Content = append(out.Content, anthropicText{"text", ans.Text})
	}
	for _, u := range anthropicUses(r) {
		out.Content = append(out.Content, u)
	}
	out.StopReason = anthropicStop(ans)
	return marshal(out)
}

type anthropicStart struct {
	Type    string         `json:"type"`
	Message anthropicWhole `json:"message"`
}

type anthropicBlockStart struct {
	Type  string `json:"type"`
	Index int    `json:"index"`
	Block any    `json:"content_block"`
}

type anthropicBlockDelta struct {
	Type  string `json:"type"`
	Index int    `json:"index"`
	Delta any    `json:"delta"`
}

type anthropicBlockStop struct {
	Type  string `json:"type"`
	Index int    `json:"index"`
}

type anthropicPartialJSON struct {
	Type    string `json:"type"`
	Partial string `json:"partial_json"`
}

type anthropicEnd struct {
	Type  string `json:"type"`
	Delta struct {
		StopReason   *string `json:"stop_reason"`
		StopSequence *string `json:"stop_sequence"`
	} `json:"delta"`
	Usage *anthropicUsage `json:"usage,omitempty"`
}

type anthropicBare struct {
	Type string `json:"type"`
}

// anthropicStream builds the events of a stream.
type anthropicStream struct {
	out   []frame
	index int
}

func (s *anthropicStream) put(name string, cost int, v any) {
	s.out = append(s.out, frame{event(name, v), cost})
}

func (s *anthropicStream) open(cost int, block any) {
	s.put("content_block_start", cost, anthropicBlockStart{"content_block_start", s.index, block})
	if s.index == 0 {
		s.put("ping", 0, anthropicBare{"ping"})
	}
}

func (s *anthropicStream) delta(cost int, d any) {
	s.put("content_block_delta", cost, anthropicBlockDelta{"content_block_delta", s.index, d})
}

func (s *anthropicStream) close() {
	s.put("content_block_stop", 0, anthropicBlockStop{"content_block_stop", s.index})
	s.index++
}

type anthropicThinkingDelta struct {
	Type     string `json:"type"`
	Thinking string `json:"thinking"`
}

type anthropicSignatureDelta struct {
	Type      string `json:"type"`
	Signature string `json:"signature"`
}

// think streams what a model thought.
func (s *anthropicStream) think(block any, chunk int) {
	t, open := block.(anthropicThought)
	if !open {
		s.open(tokens.Count(block.(anthropicSealed).Data), block)
		s.close()
		return
	}
	s.open(0, anthropicThought{Type: t.Type})
	for _, c := range chunks(t.Thinking, chunk) {
		s.delta(c.tokens, anthropicThinkingDelta{"thinking_delta", string(c.data)})
	}
	s.delta(0, anthropicSignatureDelta{"signature_delta", t.Signature})
	s.close()
}

// pingEvery is after how many deltas a ping comes.
const pingEvery = 40

func (anthropic) frames(a *ask, r *reply, chunk int) []frame {
	s, ans := &anthropicStream{}, r.answers[0]
	s.put("message_start", 0, anthropicStart{"message_start", anthropicShell(a, r, 1)})
	if ans.Thinking != "" {
		s.think(r.thought, chunk)
	}
	if ans.Text != "" {
		s.open(0, anthropicText{Type: "text"})
		for i, c := range chunks(ans.Text, chunk) {
			s.delta(c.tokens, anthropicText{"text_delta", string(c.data)})
			if i%pingEvery == pingEvery-1 {
				s.put("ping", 0, anthropicBare{"ping"})
			}
		}
		s.close()
	}
	for _, u := range anthropicUses(r) {
		args := string(u.Input)
		u.Input = jsontext.Value("{}")
		s.open(tokens.Count(u.Name)+messageTokens, u)
		s.delta(0, anthropicPartialJSON{Type: "input_json_delta"})
		for _, c := range chunks(args, chunk) {
			s.delta(c.tokens, anthropicPartialJSON{"input_json_delta", string(c.data)})
		}
		s.close()
	}
	end := anthropicEnd{Type: "message_delta", Usage: anthropicUsageOf(r, r.total())}
	end.Delta.StopReason = anthropicStop(ans)
	s.put("message_delta", 0, end)
	s.put("message_stop", 0, anthropicBare{"message_stop"})
	return s.out
}
