package sim

import (
	"fmt"

	"github.com/weirhq/weir/internal/sim/tokens"
)

type openAIError struct {
	Error openAIErrorBody `json:"error"`
}

type openAIErrorBody struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (openAI) failure(f *failure, _ string) []byte {
	e := openAIErrorBody{Type: "invalid_request_error"}
	code := f.code
	switch f.kind {
	case failNoKey:
		e.Message = "You didn't provide an API key. You need to provide your API key in an Authorization header using " +
			"Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
	case failBadKey:
		code, e.Message = "invalid_api_key", "Incorrect API key provided. You can find your API key at "+
			"https://platform.openai.com/account/api-keys."
	case failPermission:
		code, e.Message = "unsupported_country_region_territory", "Country, region, or territory not supported"
	case failModel:
		code = "model_not_found"
		e.Message = fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", f.model)
	case failWindow:
		code, f.param = "context_length_exceeded", "messages"
		e.Message = fmt.Sprintf("This model's maximum context length is %d tokens. However, your messages resulted in %d "+
			"tokens. Please reduce the length of the messages.", f.window, f.prompt)
	case failTooLarge:
		e.Message = "Request too large."
	case failRate:
		e.Type, code, e.Message = "requests", "rate_limit_exceeded", "Rate limit reached for "+f.model+
			" on requests per min (RPM). Please try again later."
	case failServer:
		e.Type, e.Message = "server_error", "The server had an error while processing your request. Sorry about that!"
	case failUnavailable, failOverloaded:
		e.Type, e.Message = "server_error", "The engine is currently overloaded, please try again later."
	}
	e.Message = f.text(e.Message)
	if f.param != "" {
		e.Param = &f.param
	}
	if code != "" {
		e.Code = &code
	}
	return marshal(openAIError{e})
}

func (openAI) inBand(body []byte) []byte {
	return append(append([]byte("data: "), body...), "\n\n"...)
}

type openAIUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
	PromptDetails    struct {
		CachedTokens int `json:"cached_tokens"`
		AudioTokens  int `json:"audio_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		ReasoningTokens    int `json:"reasoning_tokens"`
		AudioTokens        int `json:"audio_tokens"`
		AcceptedPrediction int `json:"accepted_prediction_tokens"`
		RejectedPrediction int `json:"rejected_prediction_tokens"`
	} `json:"completion_tokens_details"`
}

func openAIUsageOf(r *reply) *openAIUsage {
	if r.silent {
		return nil
	}
	u := &openAIUsage{PromptTokens: r.prompt, CompletionTokens: r.total(), TotalTokens: r.prompt + r.total()}
	u.PromptDetails.CachedTokens = r.cached()
	u.CompletionDetails.ReasoningTokens = r.reasoning()
	return u
}

func openAIFinish(f Finish) string {
	switch f {
	case FinishTools:
		return "tool_calls"
	case FinishFilter:
		return "content_filter"
	case FinishRefusal:
		return "stop"
	}
	return string(f)
}

func openAICalls(r *reply, choice int) []openAICall {
	var out []openAICall
	for i, c := range r.answers[choice].Calls {
		out = append(out, openAICall{
			ID: fmt.Sprintf("call_%s%d%d", r.id, choice, i), Type: "function",
			Function: openAIFunction{Name: c.Name, Arguments: string(c.Args)},
		})
	}
	return out
}

type openAIWhole struct {
	ID          string              `json:"id"`
	Object      string              `json:"object"`
	Created     int64               `json:"created"`
	Model       string              `json:"model"`
	Choices     []openAIWholeChoice `json:"choices"`
	Usage       *openAIUsage        `json:"usage,omitempty"`
	ServiceTier string              `json:"service_tier"`
	Fingerprint string              `json:"system_fingerprint"`
}

type openAIWholeChoice struct {
	Index   int `json:"index"`
	Message struct {
		Role        string       `json:"role"`
		Content     *string      `json:"content"`
		Refusal     *string      `json:"refusal"`
		Annotations []string     `json:"annotations"`
		ToolCalls   []openAICall `json:"tool_calls,omitempty"`
	} `json:"message"`
	Logprobs *struct{} `json:"logprobs"`
	Finish   string    `json:"finish_reason"`
}

const openAIFingerprint = "fp_51m0000001"

func (openAI) whole(a *ask, r *reply) []byte {
	out := openAIWhole{
		ID: "chatcmpl-" + r.id, Object: "chat.completion", Created: r.created, Model: a.Model,
		Usage: openAIUsageOf(r), ServiceTier: "default", Fingerprint: openAIFingerprint,
	}
	for i, ans := range r.answers {
		c := openAIWholeChoice{Index: i, Finish: openAIFinish(ans.Finish)}
		c.Message.Role, c.Message.Annotations, c.Message.ToolCalls = "assistant", []string{}, openAICalls(r, i)
		switch {
		case ans.Finish == FinishRefusal:
			c.Message.Refusal = &ans.Text
		case ans.Text != "" || len(ans.Calls) == 0:
			c.Message.Content = &ans.Text
		}
		out.Choices = append(out.Choices, c)
	}
	return marshal(out)
}

type openAIChunk struct {
	ID          string              `json:"id"`
	Object      string              `json:"object"`
	Created     int64               `json:"created"`
	Model       string              `json:"model"`
	ServiceTier string              `json:"service_tier"`
	Fingerprint string              `json:"system_fingerprint"`
	Choices     []openAIChunkChoice `json:"choices"`
}

// openAIUsageChunk is a chunk when include_usage was asked for: every chunk has the member, null but in the last.
type openAIUsageChunk struct {
	openAIChunk `json:",embed"`
	Usage       *openAIUsage `json:"usage"`
}

type openAIChunkChoice struct {
	Index    int         `json:"index"`
	Delta    openAIDelta `json:"delta"`
	Logprobs *struct{}   `json:"logprobs"`
	Finish   *string     `json:"finish_reason"`
}

type openAIDelta struct {
	Role      string       `json:"role,omitempty"`
	Content   *string      `json:"content,omitzero"`
	Refusal   *string      `json:"refusal,omitzero"`
	ToolCalls []openAICall `json:"tool_calls,omitempty"`
}

// openAIStream builds the frames of a stream.
type openAIStream struct {
	base  openAIChunk
	usage bool
	out   []frame
}

func (s *openAIStream) put(u *openAIUsage, cost int, choices ...openAIChunkChoice) {
	c := s.base
	c.Choices = append([]openAIChunkChoice{}, choices...)
	if s.usage {
		s.out = append(s.out, frame{sse(openAIUsageChunk{c, u}), cost})
		return
	}
	s.out = append(s.out, frame{sse(c), cost})
}

func (s *openAIStream) delta(choice, cost int, d openAIDelta) {
	s.put(nil, cost, openAIChunkChoice{Index: choice, Delta: d})
}

func (openAI) frames(a *ask, r *reply, chunk int) []frame {
	s := &openAIStream{usage: a.usage && !r.silent, base: openAIChunk{
		ID:     "chatcmpl-" + r.id,
		Object: "chat.completion.chunk", Created: r.created, Model: a.Model, ServiceTier: "default",
		Fingerprint: openAIFingerprint,
	}}
	for i, ans := range r.answers {
		empty := ""
		s.delta(i, 0, openAIDelta{Role: "assistant", Content: &empty})
		for _, c := range chunks(ans.Text, chunk) {
			text := string(c.data)
			if ans.Finish == FinishRefusal {
				s.delta(i, c.tokens, openAIDelta{Refusal: &text})
				continue
			}
			s.delta(i, c.tokens, openAIDelta{Content: &text})
		}
		for j, call := range openAICalls(r, i) {
			s.call(i, j, call, chunk)
		}
		finish := openAIFinish(ans.Finish)
		s.put(nil, 0, openAIChunkChoice{Index: i, Finish: &finish})
	}
	if s.usage {
		s.put(openAIUsageOf(r), 0)
	}
	return append(s.out, frame{data: []byte("data: [DONE]\n\n")})
}

// call streams one tool call: id and name first, then the arguments in pieces.
func (s *openAIStream) call(choice, index int, c openAICall, chunk int) {
	args := c.Function.Arguments
	c.Index, c.Function.Arguments = &index, ""
	s.delta(choice, tokens.Count(c.Function.Name)+messageTokens, openAIDelta{ToolCalls: []openAICall{c}})
	for _, p := range chunks(args, chunk) {
		piece := openAICall{Index: &index, Function: openAIFunction{Arguments: string(p.data)}}
		s.delta(choice, p.tokens, openAIDelta{ToolCalls: []openAICall{piece}})
	}
}
