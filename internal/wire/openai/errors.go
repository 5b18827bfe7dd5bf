package openai

import (
	"bytes"
	"net/http"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/scan"
)

// Error is an error body in this dialect; in band it is the last frame of a stream, after which no [DONE] comes.
func (Front) Error(e *llm.Error, inBand bool) []byte {
	var b []byte
	if inBand {
		b = append(b, "data: "...)
	}
	b = append(b, `{"error":{"message":`...)
	b = wire.AppendString(b, e.Show())
	b = append(b, `,"type":`...)
	kind := typeOf(e.Code)
	if inBand && passing[kind] {
		kind = noRetry
	}
	b = wire.AppendString(b, kind)
	b = append(b, `,"param":`...)
	if e.Param == "" {
		b = append(b, "null"...)
	} else {
		b = wire.AppendString(b, e.Param)
	}
	b = append(b, `,"code":`...)
	b = wire.AppendString(b, string(e.Code))
	b = append(b, "}}"...)
	if inBand {
		b = append(b, "\n\n"...)
	}
	return b
}

// KeepAlive is a comment line. Without a blank line behind it: some clients take comment and blank line for an empty
// frame, and fail.
func (Front) KeepAlive() []byte { return []byte(": weir\n") }

// EndMark is what every stream ends with.
func (Front) EndMark() []byte { return []byte("data: [DONE]\n\n") }

// noRetry is the type of an error in band that clients would otherwise take for one that passes. There is no header left
// that could tell them not to ask again, which would cost the whole cascade once more: the Vercel AI SDK asks three times
// unless type or code hold a word like invalid.
const noRetry = "invalid_response_error"

var passing = map[string]bool{"server_error": true, "timeout_error": true, "rate_limit_error": true}

// typeOf is the word OpenAI's clients know for a code.
func typeOf(c llm.Code) string {
	switch c {
	case llm.CodeInvalid, llm.CodeModel, llm.CodeTooLarge, llm.CodeUnfit, llm.CodeUnaccepted, llm.CodeWindow:
		return "invalid_request_error"
	case llm.CodeKey:
		return "authentication_error"
	case llm.CodePolicy, llm.CodeUnauthorized:
		return "permission_error"
	case llm.CodeBudget:
		return "insufficient_quota"
	case llm.CodeRate:
		return "rate_limit_error"
	case llm.CodeTimeout:
		return "timeout_error"
	}
	return "server_error"
}

// Error reads a provider's error answer.
func (b Back) Error(status int, header http.Header, body []byte) *llm.Error {
	return wire.ReadError(status, header, body, b.Now)
}

// readFailure reads the "error" member of an answer or frame; nil when it tells of none.
func readFailure(c *scan.Cursor, body []byte) *llm.Error {
	if c.Null() {
		return nil
	}
	return wire.FaultAt(c, body).Error()
}

// blank reports whether b holds no more than white space.
func blank(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }
