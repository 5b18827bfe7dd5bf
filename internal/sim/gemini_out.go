package sim

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/weirhq/weir/internal/sim/tokens"
)

type geminiError struct {
	Error geminiErrorBody `json:"error"`
}

type geminiErrorBody struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  string `json:"status"`
	Details []any  `json:"details,omitempty"`
}

type geminiErrorInfo struct {
	Type   string `json:"@type"`
	Reason string `json:"reason"`
	Domain string `json:"domain"`
}

type geminiRetryInfo struct {
	Type  string `json:"@type"`
	Delay string `json:"retryDelay"`
}

func (gemini) failure(f *failure, _ string) []byte {
	e := geminiErrorBody{Status: "INVALID_ARGUMENT"}
	standard, status := "", statuses[f.kind]
	switch f.kind {
	case failNoKey:
		status, e.Status = http.StatusForbidden, "PERMISSION_DENIED"
		standard = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key " +
			"or other form of API consumer identity to call this API."
	case failBadKey:
		status, standard = http.StatusBadRequest, "API key not valid. Please pass a valid API key."
		e.Details = []any{geminiErrorInfo{"type.googleapis.com/google.rpc.ErrorInfo", "API_KEY_INVALID", "googleapis.com"}}
	case failPermission:
		e.Status, standard = "PERMISSION_DENIED", "The caller does not have permission"
	case failModel:
		e.Status = "NOT_FOUND"
		standard = fmt.Sprintf("models/%s is not found for API version v1beta, or is not supported for generateContent. "+
			"Call ListModels to see the list of available models and their supported methods.", f.model)
	case failUnrecorded:
		e.Status = "NOT_FOUND"
	case failTooLarge:
		status, standard = http.StatusBadRequest, "Request payload size exceeds the limit."
	case failWindow:
		standard = fmt.Sprintf("The input token count (%d) exceeds the maximum number of tokens allowed (%d).",
			f.prompt, f.window)
	case failRate:
		e.Status, standard = "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing "+
			"details."
		e.Details = []any{geminiRetryInfo{"type.googleapis.com/google.rpc.RetryInfo", fmt.Sprintf("%ds", f.after)}}
	case failServer:
		e.Status, standard = "INTERNAL", "An internal error has occurred. Please retry or report."
	case failUnavailable, failOverloaded:
		status, e.Status = http.StatusServiceUnavailable, "UNAVAILABLE"
		standard = "The model is overloaded. Please try again later."
	}
	f.status, e.Code, e.Message = status, status, f.text(standard)
	return marshal(geminiError{e})
}

func (gemini) inBand(body []byte) []byte { return geminiFrame(body) }

// geminiFrame is one event as Google writes it: with CRLF line ends.
func geminiFrame(body []byte) []byte {
	var b bytes.Buffer
	b.WriteString("data: ")
	b.Write(body)
	b.WriteString("\r\n\r\n")
	return b.Bytes()
}

type geminiAnswer struct {
	Candidates    []geminiCandidate `json:"candidates"`
	UsageMetadata *geminiUsage      `json:"usageMetadata,omitempty"`
	ModelVersion  string            `json:"modelVersion"`
	ResponseID    string            `json:"responseId"`
}

type geminiCandidate struct {
	Content geminiContent `json:"content"`
	Finish  string        `json:"finishReason,omitempty"`
	Index   int           `json:"index"`
}

type geminiModality struct {
	Modality   string `json:"modality"`
	TokenCount int    `json:"tokenCount"`
}

type geminiUsage struct {
	Prompt     int              `json:"promptTokenCount"`
	Candidates int              `json:"candidatesTokenCount,omitzero"`
	Total      int              `json:"totalTokenCount"`
	Cached     int              `json:"cachedContentTokenCount,omitzero"`
	Details    []geminiModality `json:"promptTokensDetails"`
	Thoughts   int              `json:"thoughtsTokenCount,omitzero"`
}

// geminiUsageOf counts in Gemini's way: thoughts stand beside candidates, and the total has both.
func geminiUsageOf(r *reply, visible int) *geminiUsage {
	if r.silent {
		return nil
	}
	return &geminiUsage{
		Prompt: r.prompt, Candidates: visible, Total: r.prompt + visible + r.reasoning(),
		Cached: r.cached(), Thoughts: r.reasoning(), Details: []geminiModality{{"TEXT", r.prompt}},
	}
}

func geminiFinish(f Finish) string {
	switch f {
	case FinishLength:
		return "MAX_TOKENS"
	case FinishRefusal:
		return "PROHIBITED_CONTENT"
	case FinishFilter:
		return "SAFETY"
	}
	return "STOP"
}

func geminiCalls(a Answer) []geminiPart {
	var parts []geminiPart
	for _, c := range a.Calls {
		parts = append(parts, geminiPart{FunctionCall: &geminiCall{Name: c.Name, Args: c.Args}})
	}
	return parts
}

func geminiShell(a *ask, r *reply, u *geminiUsage) geminiAnswer {
	return geminiAnswer{Candidates: []geminiCandidate{}, UsageMetadata: u, ModelVersion: a.Model, ResponseID: r.id}
}

func (gemini) whole(a *ask, r *reply) []byte {
	out := geminiShell(a, r, geminiUsageOf(r, r.total()-r.reasoning()))
	for i, ans := range r.answers {
		c := geminiCandidate{Index: i, Finish: geminiFinish(ans.Finish)}
		if ans.Finish != FinishRefusal { // a blocked candidate has no parts
			c.Content.Role = "model"
			if ans.Text != "" || len(ans.Calls) == 0 {
				c.Content.Parts = append(c.Content.Parts, geminiPart{Text: &ans.Text})
			}
			c.Content.Parts = append(c.Content.Parts, geminiCalls(ans)...)
		}
		out.Candidates = append(out.Candidates, c)
	}
	return marshal(out)
}

// frames are whole answer objects; each tells the usage so far, the last carries the finish reason. There is no end
// mark.
func (gemini) frames(a *ask, r *reply, chunk int) []frame {
	var out []frame
	said := 0
	for i, ans := range r.answers {
		for _, c := range geminiPieces(ans, chunk) {
			said += c.cost
			u := geminiUsageOf(r, said)
			if c.last && i == len(r.answers)-1 {
				u = geminiUsageOf(r, r.total()-r.reasoning())
			}
			o := geminiShell(a, r, u)
			cand := geminiCandidate{Index: i}
			if len(c.parts) > 0 {
				cand.Content = geminiContent{Role: "model", Parts: c.parts}
			}
			if c.last {
				cand.Finish = geminiFinish(ans.Finish)
			}
			o.Candidates = append(o.Candidates, cand)
			out = append(out, frame{geminiFrame(marshal(o)), c.cost})
		}
	}
	if !a.sse {
		return geminiArray(out)
	}
	return out
}

type geminiPiece struct {
	parts []geminiPart
	cost  int
	last  bool
}

func geminiPieces(ans Answer, chunk int) []geminiPiece {
	var out []geminiPiece
	if ans.Finish != FinishRefusal {
		for _, c := range chunks(ans.Text, chunk) {
			text := string(c.data)
			out = append(out, geminiPiece{parts: []geminiPart{{Text: &text}}, cost: c.tokens})
		}
	}
	for _, p := range geminiCalls(ans) {
		cost := tokens.Count(p.FunctionCall.Name) + tokens.Count(string(p.FunctionCall.Args)) + messageTokens
		out = append(out, geminiPiece{parts: []geminiPart{p}, cost: cost})
	}
	if len(out) == 0 {
		out = append(out, geminiPiece{})
	}
	out[len(out)-1].last = true
	return out
}

// geminiArray is the stream without alt=sse: one JSON array, written as it grows.
func geminiArray(frames []frame) []frame {
	for i, f := range frames {
		body := bytes.TrimSuffix(bytes.TrimPrefix(f.data, []byte("data: ")), []byte("\r\n\r\n"))
		head, tail := ",\r\n", ""
		if i == 0 {
			head = "["
		}
		if i == len(frames)-1 {
			tail = "\n]"
		}
		frames[i].data = append(append([]byte(head), body...), tail...)
	}
	return frames
}
