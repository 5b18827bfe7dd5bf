package anthropic

import (
	"net/http"
	"strings"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

var errorTypes = map[llm.Code]string{
	llm.CodeInvalid: "invalid_request_error", llm.CodeUnfit: "invalid_request_error",
	llm.CodeKey: "authentication_error", llm.CodeBudget: "billing_error", llm.CodePolicy: "permission_error",
	llm.CodeUnauthorized: "permission_error", llm.CodeModel: "not_found_error", llm.CodeTooLarge: "request_too_large",
	llm.CodeWindow: "invalid_request_error", llm.CodeRate: "rate_limit_error", llm.CodeOverload: overloaded,
	llm.CodeTimeout: "timeout_error",
}

// Error is an error body, or with inBand the event that ends a stream already begun.
func (Front) Error(e *llm.Error, inBand bool) []byte {
	if !inBand {
		return appendError(nil, e, typeOf(e))
	}
	return appendErrorEvent(nil, e)
}

// KeepAlive is the dialect's own ping, which may come at any time.
func (Front) KeepAlive() []byte { return []byte("event: ping\ndata: {\"type\": \"ping\"}\n\n") }

// EndMark is what every stream ends with.
func (Front) EndMark() []byte {
	return []byte("event: message_stop\ndata: {\"type\": \"message_stop\"}\n\n")
}

// appendErrorEvent never says overloaded_error: clients ask again for that word, which would cost a whole cascade once more.
func appendErrorEvent(dst []byte, e *llm.Error) []byte {
	kind := typeOf(e)
	if kind == overloaded {
		kind = apiError
	}
	dst = append(dst, "event: error\ndata: "...)
	dst = appendError(dst, e, kind)
	return append(dst, "\n\n"...)
}

const (
	apiError   = "api_error"
	overloaded = "overloaded_error"
)

func typeOf(e *llm.Error) string {
	if e.Upstream == wire.StatusOverloaded {
		return overloaded
	}
	if kind, ok := errorTypes[e.Code]; ok {
		return kind
	}
	return apiError
}

func appendError(dst []byte, e *llm.Error, kind string) []byte {
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","message":`...)
	dst = wire.AppendString(dst, shown(e))
	return append(dst, `}}`...)
}

// tooLong are the words by which clients of the dialect know that they must shorten their context.
const tooLong = "prompt is too long"

// shown is an error's text. That of a context which is too long begins with the dialect's own words.
func shown(e *llm.Error) string {
	text := e.Show()
	if e.Code != llm.CodeWindow {
		return text
	}
	if i := strings.Index(text, tooLong); i >= 0 {
		return text[i:]
	}
	return tooLong + ": " + text
}

// Error reads a provider's error answer.
func (b Back) Error(status int, header http.Header, body []byte) *llm.Error {
	return wire.ReadError(status, header, body, b.Now)
}

// failure is what an error in band told; e is nil where it told nothing.
func failure(e *llm.Error) *llm.Error {
	if e == nil {
		return wire.Fault{}.Error()
	}
	return e
}
