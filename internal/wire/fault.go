package wire

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

// Fault is what a provider told when it refused a call or failed, in whichever dialect it told it. The zero value is a
// failure of which nothing is known.
type Fault struct {
	Status  int           // HTTP status; below 400: the error came in band, under status 200, and its words say what it is
	Kind    string        // the provider's word for it: error.type, or Google's error.status
	Code    string        // the finer word beside it, or a status of its own; "" = none
	Reason  string        // of google.rpc.ErrorInfo
	Message string        // as the provider wrote it: it may quote a key or the caller
	Param   string        // the field of the request that is meant
	Wait    time.Duration // after which the provider says to come back; 0 = not told
	Spent   bool          // the account has used up what it has for long, not for a minute
}

// StatusOverloaded is Anthropic's own HTTP status for overloaded_error; in band every dialect's word for it gets it.
const StatusOverloaded = 529

// spentWait is the least wait when an account has no credit or quota left: someone has to pay first. It is longer than
// any wait within a call, so that the deployment is not asked twice by one.
const spentWait = 10 * time.Minute

// operator begins the hints that a caller can do nothing about.
const operator = "operator: "

// Error is the fault as Weir's own error, in the same words for every dialect. Upstream is the HTTP status, or in band
// the one that the provider's words stand for. What the codes say to whoever decides about another attempt:
//
//   - CodeInvalid (400, 422): the request is wrong, and would be elsewhere too. The provider's reason is shown.
//   - CodeWindow (a context that is too long): this model cannot take it, another may.
//   - CodeUnfit (413): likewise, of a body that is too large.
//   - CodeRate (429): asked too often; RetryAfter says how long to leave the deployment alone, if told.
//   - CodeTimeout (408, 504): it took too long.
//   - CodeUpstream (all else): it failed, or it refuses Weir's account. An account without credit or quota has a
//     RetryAfter of at least 10 minutes, whatever its status.
//
// Only a reason for refusing the request itself is shown to the caller; of others, the log has the words. What a
// provider says of Weir's own credentials is repeated nowhere.
func (f Fault) Error() *llm.Error {
	if f.Status < 400 || f.Status > 599 {
		f.Status = f.told()
	}
	f.Message = Shown(f.Message)
	e := f.judge()
	e.Upstream, e.RetryAfter = f.Status, max(f.Wait, e.RetryAfter)
	return e
}

// judge picks the code and the words.
func (f *Fault) judge() *llm.Error {
	switch status := f.Status; {
	case f.spent():
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider's account has no credit or quota left", Err: f.said(true),
			Hint: operator + "check the billing of this provider's account", RetryAfter: spentWait,
		}
	case f.is("model_not_found"), status == http.StatusNotFound:
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider does not know the model or path", Err: f.said(true),
			Hint: operator + "check the deployment's model name and the provider's url in weir.yaml",
		}
	case status == http.StatusUnauthorized, status == http.StatusForbidden, f.Reason == "API_KEY_INVALID":
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider refused Weir's credentials", Err: f.said(false),
			Hint: operator + "check the key of this provider in weir.yaml and what it may use",
		}
	case f.is("FAILED_PRECONDITION"):
		return &llm.Error{
			Code: llm.CodeUpstream, Message: "the provider does not serve this account", Err: f.said(true),
			Hint: operator + "check the billing and the region of this provider's account",
		}
	case f.tooLong(), status == http.StatusRequestEntityTooLarge:
		code := llm.CodeUnfit
		if f.tooLong() {
			code = llm.CodeWindow
		}
		return &llm.Error{
			Code: code, Message: "the request is larger than the model takes" + f.because(), Err: f.said(false),
			Hint: "send less context, or name a route whose models take more", Param: Shown(f.Param),
		}
	case status == http.StatusTooManyRequests:
		return &llm.Error{
			Code: llm.CodeRate, Message: "the provider is limiting the rate of calls", Err: f.said(true),
			Hint: "try again later",
		}
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return &llm.Error{Code: llm.CodeTimeout, Message: "the provider took too long", Err: f.said(true), Hint: "try again"}
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return &llm.Error{
			Code: llm.CodeInvalid, Message: "the provider refused the request" + f.because(), Err: f.said(false),
			Param: Shown(f.Param),
		}
	case status == http.StatusServiceUnavailable, status == StatusOverloaded:
		return &llm.Error{Code: llm.CodeUpstream, Message: "the provider is overloaded", Err: f.said(true), Hint: "try again"}
	}
	return &llm.Error{
		Code: llm.CodeUpstream, Message: "the provider failed (HTTP " + strconv.Itoa(f.Status) + ")", Err: f.said(true),
		Hint: "try again",
	}
}

// because is the reason as it is shown.
func (f *Fault) because() string {
	if f.Message == "" {
		return ", without a reason"
	}
	return ": " + f.Message
}

// said is the fault for the log, with the provider's message or without.
func (f *Fault) said(whole bool) error {
	status := strconv.Itoa(f.Status)
	said := "provider answered HTTP " + status
	for _, word := range [...]string{f.Kind, f.Code, f.Reason} {
		if word != "" && word != status {
			said += " " + Shown(word)
		}
	}
	if whole && f.Message != "" {
		said += ": " + f.Message
	}
	return errors.New(said)
}

// is reports whether the provider's words for the fault are among these.
func (f *Fault) is(words ...string) bool {
	for _, w := range words {
		if f.Code == w || f.Kind == w || f.Reason == w {
			return true
		}
	}
	return false
}

// says reports whether the message of a refusal holds one of the phrases, which are lower case.
func (f *Fault) says(phrases ...string) bool {
	switch f.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
		http.StatusTooManyRequests:
	default:
		return false
	}
	message := strings.ToLower(f.Message)
	for _, p := range phrases {
		if strings.Contains(message, p) {
			return true
		}
	}
	return false
}

// spent reports whether the account has no credit or quota left. Anthropic tells it only in the message of a 400.
func (f *Fault) spent() bool {
	return f.Spent || f.Status == http.StatusPaymentRequired ||
		f.is("insufficient_quota", "billing_error", "billing_hard_limit_reached", "billing_not_active") ||
		f.says("credit balance", "insufficient balance", "insufficient credits")
}

// tooLong reports whether the request does not fit the model's window. OpenAI has a code for it; most others tell it
// only in the message of a 400.
func (f *Fault) tooLong() bool {
	if f.Status == http.StatusTooManyRequests {
		return false
	}
	return f.is("context_length_exceeded", "exceed_context_size_error") || f.says(
		"prompt is too long", "input is too long", "context limit", // Anthropic, also at other clouds
		"maximum context length", "maximum prompt length", "context length", "context window", "context size",
		"exceeds the maximum number of tokens", // Gemini
	)
}

// statuses are the HTTP statuses that the dialects' words stand for in band.
var statuses = map[string]int{
	"invalid_request_error": 400, "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400,
	"context_length_exceeded": 400, "BadRequestError": 400,
	"authentication_error": 401, "invalid_api_key": 401, "UNAUTHENTICATED": 401,
	"billing_error": 402, "insufficient_quota": 429,
	"permission_error": 403, "PERMISSION_DENIED": 403,
	"not_found_error": 404, "model_not_found": 404, "NOT_FOUND": 404,
	"request_too_large": 413,
	"rate_limit_error":  429, "rate_limit_exceeded": 429, "RESOURCE_EXHAUSTED": 429,
	"CANCELLED": 499,
	"api_error": 500, "server_error": 500, "INTERNAL": 500, "UNKNOWN": 500, "UNIMPLEMENTED": 501,
	"UNAVAILABLE": 503, "service_unavailable": 503, "service_unavailable_error": 503,
	"timeout_error": 504, "timeout": 504, "DEADLINE_EXCEEDED": 504,
	"overloaded_error": StatusOverloaded, "overloaded": StatusOverloaded, "server_overloaded": StatusOverloaded,
	"engine_overloaded": StatusOverloaded,
}

// told is the status that the words of an error in band stand for: a code that is a status, else the code's or the
// kind's own; 500 for words nobody knows.
func (f *Fault) told() int {
	if n, err := strconv.Atoi(f.Code); err == nil && n >= 400 && n <= 599 {
		return n
	}
	for _, word := range [...]string{f.Code, f.Kind} {
		if n, ok := statuses[word]; ok {
			return n
		}
	}
	return http.StatusInternalServerError
}

// Unreadable is the error for an answer that is not what its dialect says. what names it: "an answer", "a stream
// frame". The detail is for the log, since the bytes are the provider's.
func Unreadable(what string, err error) *llm.Error {
	return &llm.Error{
		Code: llm.CodeUpstream, Message: "the provider sent " + what + " that cannot be read", Err: err, Hint: "try again",
	}
}
