package anthropic

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

func TestRetryAfterDatesNeedTheBacksClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h := http.Header{"Retry-After": {"Sun, 01 Mar 2026 12:00:30 GMT"}}
	if d := (Back{Now: func() time.Time { return now }}).Error(529, h, nil).RetryAfter; d != 30*time.Second {
		t.Errorf("with a clock: %v", d)
	}
	if d := (Back{}).Error(529, h, nil).RetryAfter; d != 0 {
		t.Errorf("without one: %v", d)
	}
}

func TestFrontErrors(t *testing.T) {
	for code, kind := range map[llm.Code]string{
		llm.CodeInvalid: "invalid_request_error", llm.CodeKey: "authentication_error", llm.CodeBudget: "billing_error",
		llm.CodePolicy: "permission_error", llm.CodeUnauthorized: "permission_error", llm.CodeModel: "not_found_error",
		llm.CodeTooLarge: "request_too_large", llm.CodeUnfit: "invalid_request_error", llm.CodeUnaccepted: "api_error",
		llm.CodeRate: "rate_limit_error", llm.CodeInternal: "api_error", llm.CodeUpstream: "api_error",
		llm.CodeOverload: "overloaded_error", llm.CodeLedger: "api_error", llm.CodeTimeout: "timeout_error",
	} {
		e := &llm.Error{Code: code, Message: `say "it"`, Hint: "do so", Err: http.ErrAbortHandler}
		want := `{"type":"error","error":{"type":"` + kind + `","message":"say \"it\" (do so)"}}`
		if got := string(Front{}.Error(e, false)); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
		if got := string(Front{}.Error(e, true)); got != "event: error\ndata: "+want+"\n\n" {
			t.Errorf("%s in band: %q", code, got)
		}
	}
	over := Front{}.Error(&llm.Error{Code: llm.CodeUpstream, Upstream: 529, Message: "m"}, false)
	if !strings.Contains(string(over), `"overloaded_error"`) {
		t.Errorf("HTTP 529 of the provider: %s", over)
	}
}
