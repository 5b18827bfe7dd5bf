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
		llm.CodeHeader: "api_error", llm.CodeCanceled: "api_error",
	} {
		e := &llm.Error{Code: code, Message: `say "it"`, Hint: "do so", Err: http.ErrAbortHandler}
		want := `{"type":"error","error":{"type":"` + kind + `","message":"say \"it\" (do so)"}}`
		if got := string(Front{}.Error(e, false)); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
		// In band no header tells clients not to ask again: the type must.
		want = strings.Replace(want, overloaded, apiError, 1)
		if got := string(Front{}.Error(e, true)); got != "event: error\ndata: "+want+"\n\n" {
			t.Errorf("%s in band: %q", code, got)
		}
	}
	for said, want := range map[string]string{
		"the request is larger than the model takes: prompt is too long: 9 > 8 maximum": "prompt is too long: 9 > 8 maximum",
		"the context window is 8": "prompt is too long: the context window is 8",
	} {
		got := string(Front{}.Error(&llm.Error{Code: llm.CodeWindow, Upstream: 400, Message: said}, false))
		if got != `{"type":"error","error":{"type":"invalid_request_error","message":"`+want+`"}}` {
			t.Errorf("%s: clients that shorten their context read %s", said, got)
		}
	}
	over := Front{}.Error(&llm.Error{Code: llm.CodeUpstream, Upstream: 529, Message: "m"}, false)
	if !strings.Contains(string(over), `"overloaded_error"`) {
		t.Errorf("HTTP 529 of the provider: %s", over)
	}
}
