package gemini

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// maxMessage bounds what is repeated of a provider's error message, in bytes.
const maxMessage = 500

// maxRetryAfter bounds what a provider may ask for.
const maxRetryAfter = 24 * time.Hour

// fault is a provider's error object.
type fault struct {
	code            int
	message, status string
	reason          string // of google.rpc.ErrorInfo
	retry           time.Duration
}

var (
	bodyKeys   = scan.NewKeys("error")
	errorKeys  = scan.NewKeys("code", "message", "status", "details", "errors")
	detailKeys = scan.NewKeys("@type", "reason", "domain", "metadata", "retryDelay")
)

// scan reads the error object that comes next.
func (f *fault) scan(c *scan.Cursor, text []byte) {
	for c.Object(errorKeys); c.Next(); {
		switch key := c.Key(); {
		case key == "code" && c.Kind() == scan.Number:
			n, _ := c.Int()
			f.code = int(n)
		case key == "message" && c.Kind() == scan.String:
			f.message = bounded(c.String().Text(text), maxMessage)
		case key == "status" && c.Kind() == scan.String:
			f.status = bounded(c.String().Text(text), 64)
		case key == "details" && c.Kind() == scan.Array:
			for c.Array(); c.More(); {
				f.detail(c, text)
			}
		}
	}
}

func (f *fault) detail(c *scan.Cursor, text []byte) {
	if c.Kind() != scan.Object {
		return
	}
	for c.Object(detailKeys); c.Next(); {
		if c.Kind() != scan.String {
			continue
		}
		switch c.Key() {
		case "reason":
			f.reason = bounded(c.String().Text(text), 64)
		case "retryDelay":
			if d, err := time.ParseDuration(c.String().Text(text)); err == nil {
				f.retry = min(max(d, 0), maxRetryAfter)
			}
		}
	}
}

// scanFault finds the error object of a body, which some endpoints put into an array.
func scanFault(body []byte) fault {
	var f fault
	c := scan.Open(body)
	defer c.Close()
	one := func() {
		if c.Kind() != scan.Object {
			return
		}
		for c.Object(bodyKeys); c.Next(); {
			if c.Key() == "error" && c.Kind() == scan.Object {
				f.scan(c, body)
			}
		}
	}
	if c.Kind() == scan.Array {
		for c.Array(); c.More(); {
			one()
		}
	} else {
		one()
	}
	if c.End() != nil {
		return fault{}
	}
	return f
}

// Error reads a provider's error answer. What a provider says of Weir's own credential is not repeated anywhere: it may
// quote the key.
func (b Back) Error(status int, header http.Header, body []byte) *llm.Error {
	f := scanFault(body)
	e := f.llm(status)
	if d := b.retryAfter(header); d > 0 {
		e.RetryAfter = d
	}
	return e
}

// llm is the fault as Weir's own error. status is the HTTP status; 0 = the provider told none.
func (f *fault) llm(status int) *llm.Error {
	if status < 100 || status > 599 {
		status = http.StatusInternalServerError
	}
	e := f.kind(status)
	e.Upstream, e.RetryAfter = status, f.retry
	return e
}

func (f *fault) kind(status int) *llm.Error {
	said := fmt.Errorf("provider answered HTTP %d %s %s", status, f.status, f.reason)
	told := said
	if f.message != "" {
		told = fmt.Errorf("%w: %s", said, f.message)
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden || f.reason == "API_KEY_INVALID":
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider refused Weir's credential", Err: said,
			Hint: "operator: check the key of this provider in weir.yaml",
		}
	case status == http.StatusPaymentRequired || f.status == "FAILED_PRECONDITION":
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider does not serve this account", Err: told,
			Hint: "operator: check the billing and the region of this provider's account",
		}
	case status == http.StatusNotFound:
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider does not know the model or path", Err: told,
			Hint: "operator: check the deployment's model name and the provider's url",
		}
	case status == http.StatusRequestEntityTooLarge:
		return &llm.Error{
			Code: llm.CodeTooLarge, Message: "the provider finds the request too large", Err: told,
			Hint: "send less context or fewer attachments",
		}
	case status == http.StatusTooManyRequests:
		return &llm.Error{
			Code: llm.CodeRate, Message: "the provider is limiting the rate of calls", Err: told, Hint: "try again later",
		}
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		return &llm.Error{Code: llm.CodeTimeout, Message: "the provider took too long", Err: told, Hint: "try again"}
	case status >= 400 && status < 499:
		message := f.message
		if message == "" {
			message = "no reason given"
		}
		return &llm.Error{Code: llm.CodeInvalid, Message: "the provider refused the request: " + message, Err: said}
	}
	return &llm.Error{
		Code: llm.CodeUpstream, Message: fmt.Sprintf("the provider failed (HTTP %d)", status), Err: told, Hint: "try again",
	}
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
