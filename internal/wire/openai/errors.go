package openai

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire/scan"
)

// Error is an error body in this dialect; in band it is the last frame of a stream, after which no [DONE] comes.
func (Front) Error(e *llm.Error, inBand bool) []byte {
	var b []byte
	if inBand {
		b = append(b, "data: "...)
	}
	b = append(b, `{"error":{"message":`...)
	b = appendQuoted(b, e.Show())
	b = append(b, `,"type":`...)
	b = appendQuoted(b, typeOf(e.Code))
	b = append(b, `,"param":`...)
	if e.Param == "" {
		b = append(b, "null"...)
	} else {
		b = appendQuoted(b, e.Param)
	}
	b = append(b, `,"code":`...)
	b = appendQuoted(b, string(e.Code))
	b = append(b, "}}"...)
	if inBand {
		b = append(b, "\n\n"...)
	}
	return b
}

// typeOf is the word OpenAI's clients know for a code.
func typeOf(c llm.Code) string {
	switch c {
	case llm.CodeInvalid, llm.CodeModel, llm.CodeTooLarge, llm.CodeUnfit, llm.CodeUnaccepted:
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

// maxShown is how much of a provider's message is repeated, in bytes.
const maxShown = 500

var (
	failureKeys = scan.NewKeys("error", "message", "detail")
	errorKeys   = scan.NewKeys("message", "type", "param", "code")
)

// failure is what a provider's error object tells.
type failure struct{ message, kind, param, code string }

// Error reads a provider's error answer. The provider's message is shown, cut and with credentials struck out, except
// where the provider refuses Weir's own credentials.
func (b Back) Error(status int, header http.Header, body []byte) *llm.Error {
	f := readErrorBody(body)
	e := &llm.Error{Upstream: status, RetryAfter: b.retryAfter(header)}
	said := "the provider answered " + strconv.Itoa(status)
	if f.message != "" {
		said += ": " + f.message
	}
	e.Code, e.Message = llm.CodeUpstream, said
	switch {
	case status == 401 || status == 403:
		e.Message = "the provider refused Weir's credentials (" + strconv.Itoa(status) + ")"
		e.Hint = "operator: check the provider's key in weir.yaml and what it may use"
	case status == 402:
		e.Hint = "operator: the provider account has no credit left"
	case status == 400 || status == 422:
		e.Code, e.Param = llm.CodeInvalid, f.param
	case status == 404:
		e.Hint = "operator: check the model's wire id and the provider's url in weir.yaml"
	case status == 408 || status == 504:
		e.Code = llm.CodeTimeout
	case status == 413:
		e.Code = llm.CodeTooLarge
	case status == 429:
		e.Code = llm.CodeRate
		if f.code == "insufficient_quota" || f.kind == "insufficient_quota" {
			e.Hint = "operator: the provider account has no quota left"
		}
	}
	return e
}

// readErrorBody reads {"error":{...}}, {"error":"..."}, {"message":"..."} or {"detail":"..."}; of anything else it
// tells nothing.
func readErrorBody(body []byte) failure {
	c := scan.Open(body)
	defer c.Close()
	if c.Kind() != scan.Object {
		return failure{}
	}
	var f failure
	c.Object(failureKeys)
	for c.Next() {
		switch c.Key() {
		case "error":
			if g := readErrorObject(c, body); g != (failure{}) {
				f = g
			}
		case "message", "detail":
			if c.Kind() == scan.String && f.message == "" {
				f.message = show(c.String().Text(body))
			}
		}
	}
	if c.End() != nil {
		return failure{}
	}
	return f
}

// readErrorObject reads the value of "error".
func readErrorObject(c *scan.Cursor, body []byte) failure {
	var f failure
	switch c.Kind() {
	case scan.String:
		f.message = show(c.String().Text(body))
		return f
	case scan.Object:
	default:
		c.Skip()
		return f
	}
	c.Object(errorKeys)
	for c.Next() {
		switch c.Key() {
		case "message":
			f.message = show(word(c, body))
		case "type":
			f.kind = word(c, body)
		case "param":
			f.param = show(word(c, body))
		case "code":
			f.code = word(c, body)
		}
	}
	return f
}

// word reads a string or the text of a number; other values are "".
func word(c *scan.Cursor, body []byte) string {
	switch c.Kind() {
	case scan.String:
		return c.String().Text(body)
	case scan.Number:
		v := c.Skip()
		return string(body[v.Start:v.End])
	}
	c.Skip()
	return ""
}

// readFailure reads the "error" member of an answer or frame; nil when it tells of none.
func readFailure(c *scan.Cursor, body []byte) *llm.Error {
	if c.Null() {
		return nil
	}
	f := readErrorObject(c, body)
	return inBand(f.kind, f.code, f.message)
}

// inBand is an error told with status 200.
func inBand(kind, code, message string) *llm.Error {
	e := &llm.Error{Code: llm.CodeUpstream, Message: "the provider reported an error", Upstream: 200}
	if message = show(message); message != "" {
		e.Message += ": " + message
	}
	switch {
	case code == "429" || strings.HasPrefix(code, "rate_limit") || strings.HasPrefix(kind, "rate_limit"):
		e.Code = llm.CodeRate
	case code == "408" || code == "504" || strings.Contains(kind, "timeout"):
		e.Code = llm.CodeTimeout
	}
	return e
}

// show makes a provider's message fit to be shown: one line of at most maxShown bytes without credentials.
func show(s string) string {
	fields := strings.Fields(s[:min(len(s), 4*maxShown)])
	for i, w := range fields {
		if secret(w) || i > 0 && strings.EqualFold(fields[i-1], "bearer") {
			fields[i] = "[removed]"
		}
	}
	s = strings.ToValidUTF8(strings.Join(fields, " "), "")
	if len(s) <= maxShown {
		return s
	}
	n := maxShown - len("...")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// secret reports whether a word holds what looks like a credential.
func secret(w string) bool {
	for _, mark := range [...]string{"sk-", "sk_", "gsk_", "xai-", "hf_", "AIza", "eyJ", "key-", "pk-", "AKIA"} {
		i := strings.Index(w, mark)
		if i >= 0 && len(w)-i >= len(mark)+6 && (i == 0 || !letter(w[i-1])) {
			return true
		}
	}
	return false
}

func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// longestWait bounds a Retry-After; what is longer is no advice for one call.
const longestWait = 24 * time.Hour

// retryAfter reads retry-after-ms, or Retry-After in seconds or as a date; 0 = not told.
func (b Back) retryAfter(h http.Header) time.Duration {
	if d, ok := wait(h.Get("retry-after-ms"), time.Millisecond); ok {
		return d
	}
	v := h.Get("Retry-After")
	if d, ok := wait(v, time.Second); ok {
		return d
	}
	at, err := http.ParseTime(v)
	if err != nil || b.Now == nil {
		return 0
	}
	return min(max(at.Sub(b.Now()), 0), longestWait)
}

func wait(s string, unit time.Duration) (time.Duration, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f >= 0) {
		return 0, false
	}
	return time.Duration(min(f*float64(unit), float64(longestWait))), true
}

// unreadable is the error for an answer that is not what the dialect says. Its detail is for the log: the bytes are the
// provider's.
func unreadable(what string, err error) *llm.Error {
	return &llm.Error{Code: llm.CodeUpstream, Message: "the provider sent " + what + " that cannot be read", Err: err}
}

// blank reports whether b holds no more than white space.
func blank(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }
