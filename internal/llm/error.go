package llm

import (
	"errors"
	"fmt"
	"time"
)

// Code is a stable, machine-readable error code.
type Code string

// Codes and the HTTP status each has on our own errors (see Status).
const (
	CodeInvalid      Code = "invalid_request"         // 400
	CodeKey          Code = "invalid_api_key"         // 401
	CodeBudget       Code = "budget_exceeded"         // 402
	CodePolicy       Code = "policy_denied"           // 403
	CodeModel        Code = "model_not_found"         // 404
	CodePath         Code = "not_found"               // 404: no such path or thing
	CodeMethod       Code = "method_not_allowed"      // 405
	CodeTooLarge     Code = "request_too_large"       // 413
	CodeUnfit        Code = "no_model_fits"           // 422: no allowed model has the window or capability
	CodeUnaccepted   Code = "validation_exhausted"    // 422: every layer's answer failed its checks
	CodeRate         Code = "rate_limited"            // 429
	CodeInternal     Code = "internal_error"          // 500
	CodeUpstream     Code = "upstream_error"          // 502
	CodeOverload     Code = "overloaded"              // 503
	CodeLedger       Code = "ledger_unavailable"      // 503
	CodeTimeout      Code = "upstream_timeout"        // 504
	CodeUnauthorized Code = "permission_denied"       // 403
	CodeHeader       Code = "header_too_large"        // 431
	CodeCanceled     Code = "canceled"                // 499: the caller went away; nobody reads it
	CodeWindow       Code = "context_length_exceeded" // 400: a provider told that its model's window is too small
)

var statusOf = map[Code]int{
	CodeInvalid: 400, CodeKey: 401, CodeBudget: 402, CodePolicy: 403, CodeUnauthorized: 403, CodeModel: 404,
	CodePath: 404, CodeMethod: 405, CodeTooLarge: 413, CodeUnfit: 422, CodeUnaccepted: 422, CodeRate: 429,
	CodeInternal: 500, CodeUpstream: 502, CodeOverload: 503, CodeLedger: 503, CodeTimeout: 504, CodeHeader: 431,
	CodeCanceled: 499, CodeWindow: 400,
}

// Error is the one typed error. Code is for machines, Message is safe to show to the caller, Hint says what the caller
// or operator can do, Err is for the log only and never shown.
type Error struct {
	Code       Code
	Message    string
	Hint       string
	Err        error
	Upstream   int           // HTTP status of a provider's error; 0 = our own
	RetryAfter time.Duration // 0 = not told
	Param      string        // the offending field, if one
}

// Error joins code, message and the wrapped error.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// Status is the HTTP status to answer with.
func (e *Error) Status() int {
	if s, ok := statusOf[e.Code]; ok {
		return s
	}
	return 500
}

// Show is the text for the caller: the message, then the hint.
func (e *Error) Show() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}

// AsError finds an *Error in err's chain, or wraps err as an internal error whose detail is not shown.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: "internal error", Hint: "the server log has the details", Err: err}
}
