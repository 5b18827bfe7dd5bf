package anthropic

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// maxMessage bounds what is repeated of a provider's error message, in bytes.
const maxMessage = 500

var errorTypes = map[llm.Code]string{
	llm.CodeInvalid: "invalid_request_error", llm.CodeUnfit: "invalid_request_error",
	llm.CodeKey: "authentication_error", llm.CodeBudget: "billing_error", llm.CodePolicy: "permission_error",
	llm.CodeUnauthorized: "permission_error", llm.CodeModel: "not_found_error", llm.CodeTooLarge: "request_too_large",
	llm.CodeRate: "rate_limit_error", llm.CodeOverload: "overloaded_error", llm.CodeTimeout: "timeout_error",
}

// statusOverloaded is Anthropic's own HTTP status for overloaded_error.
const statusOverloaded = 529

// Error is an error body, or with inBand the event that ends a stream already begun.
func (Front) Error(e *llm.Error, inBand bool) []byte {
	if !inBand {
		return appendError(nil, e)
	}
	return appendErrorEvent(nil, e)
}

func appendErrorEvent(dst []byte, e *llm.Error) []byte {
	dst = append(dst, "event: error\ndata: "...)
	dst = appendError(dst, e)
	return append(dst, "\n\n"...)
}

func appendError(dst []byte, e *llm.Error) []byte {
	kind, ok := errorTypes[e.Code]
	if !ok {
		kind = "api_error"
	}
	if e.Upstream == statusOverloaded {
		kind = "overloaded_error"
	}
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","message":`...)
	dst = appendString(dst, e.Show())
	return append(dst, `}}`...)
}

// appendString appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// Error reads a provider's error answer. What a provider says of Weir's own credential is not repeated anywhere: it may
// quote the key.
func (b Back) Error(status int, header http.Header, body []byte) *llm.Error {
	kind, message := scanError(body)
	e := faultOf(status, kind, message)
	e.Upstream = status
	e.RetryAfter = b.retryAfter(header)
	return e
}

func faultOf(status int, kind, message string) *llm.Error {
	said := fmt.Errorf("provider answered HTTP %d %s", status, kind)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider refused Weir's credential", Err: said,
			Hint: "operator: check the key of this provider in weir.yaml",
		}
	case status == http.StatusPaymentRequired || strings.Contains(message, "credit balance"):
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider refused the call for want of credit", Err: said,
			Hint: "operator: check the billing of this provider's account",
		}
	case status == http.StatusNotFound:
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider does not know the model or path", Err: withText(said, message),
			Hint: "operator: check the deployment's model name and the provider's url",
		}
	case status == http.StatusRequestEntityTooLarge:
		return &llm.Error{
			Code: llm.CodeTooLarge, Message: "the provider finds the request too large", Err: withText(said, message),
			Hint: "send less context or fewer attachments",
		}
	case status == http.StatusTooManyRequests:
		return &llm.Error{
			Code: llm.CodeRate, Message: "the provider is limiting the rate of calls", Err: withText(said, message),
			Hint: "try again later",
		}
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		return &llm.Error{
			Code: llm.CodeTimeout, Message: "the provider took too long", Err: withText(said, message), Hint: "try again",
		}
	case status >= 400 && status < 500:
		if message == "" {
			message = "no reason given"
		}
		return &llm.Error{Code: llm.CodeInvalid, Message: "the provider refused the request: " + message, Err: said}
	}
	return &llm.Error{
		Code: llm.CodeUpstream, Message: fmt.Sprintf("the provider failed (HTTP %d)", status),
		Err: withText(said, message), Hint: "try again",
	}
}

func withText(err error, text string) error {
	if text == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, text)
}

// inBand reads the error that a stream or a body with status 200 carries.
func inBand(kind, message string) *llm.Error {
	status := http.StatusInternalServerError
	switch kind {
	case "invalid_request_error":
		status = http.StatusBadRequest
	case "authentication_error":
		status = http.StatusUnauthorized
	case "billing_error":
		status = http.StatusPaymentRequired
	case "permission_error":
		status = http.StatusForbidden
	case "not_found_error":
		status = http.StatusNotFound
	case "request_too_large":
		status = http.StatusRequestEntityTooLarge
	case "rate_limit_error":
		status = http.StatusTooManyRequests
	case "timeout_error":
		status = http.StatusGatewayTimeout
	case "overloaded_error":
		status = statusOverloaded
	}
	e := faultOf(status, kind, message)
	e.Upstream = status
	return e
}

var (
	errorKeys  = scan.NewKeys("type", "error", "request_id")
	detailsKey = scan.NewKeys("type", "message")
)

// scanError finds type and message of an error body; a body of another shape has neither.
func scanError(body []byte) (kind, message string) {
	c := scan.Open(body)
	defer c.Close()
	if c.Kind() != scan.Object {
		return "", ""
	}
	c.Object(errorKeys)
	for c.Next() {
		if c.Key() == "error" && c.Kind() == scan.Object {
			kind, message = scanErrorObject(c, body)
		}
	}
	if c.End() != nil {
		return "", ""
	}
	return kind, message
}

func scanErrorObject(c *scan.Cursor, text []byte) (kind, message string) {
	c.Object(detailsKey)
	for c.Next() {
		if c.Kind() != scan.String {
			continue
		}
		switch c.Key() {
		case "type":
			kind = bounded(c.String().Text(text), 64)
		case "message":
			message = bounded(c.String().Text(text), maxMessage)
		}
	}
	return kind, message
}

// bounded cuts s to n bytes at a rune's border.
func bounded(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// maxRetryAfter bounds what a provider may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After in seconds or as a date; 0 = not told or past.
func (b Back) retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if n, err := strconv.ParseUint(v, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now := b.Now
	if now == nil {
		now = time.Now
	}
	return min(max(at.Sub(now()), 0), maxRetryAfter)
}

// unreadable is the error for an answer that is not of this dialect.
func unreadable(what string, err error) *llm.Error {
	why := ""
	if e := (*llm.Error)(nil); errors.As(err, &e) {
		why = ": " + bounded(e.Message, maxMessage)
	}
	return &llm.Error{
		Code: llm.CodeUpstream, Message: "the provider's " + what + " cannot be read" + why, Err: err, Hint: "try again",
	}
}
