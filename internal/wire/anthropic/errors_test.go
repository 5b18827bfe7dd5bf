package anthropic

import (
	"net/http"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/llm"
)

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
