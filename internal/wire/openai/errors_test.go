package openai

import (
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/llm"
)

func TestErrorBodies(t *testing.T) {
	for _, tc := range []struct {
		e    llm.Error
		want string
	}{
		{
			llm.Error{Code: llm.CodeInvalid, Message: `bad "n"`, Hint: "use 1", Param: "n"},
			`{"error":{"message":"bad \"n\" (use 1)","type":"invalid_request_error","param":"n","code":"invalid_request"}}`,
		},
		{
			llm.Error{Code: llm.CodeKey, Message: "m"},
			`{"error":{"message":"m","type":"authentication_error","param":null,"code":"invalid_api_key"}}`,
		},
		{
			llm.Error{Code: llm.CodeBudget, Message: "m"},
			`{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"budget_exceeded"}}`,
		},
		{
			llm.Error{Code: llm.CodeRate, Message: "m"},
			`{"error":{"message":"m","type":"rate_limit_error","param":null,"code":"rate_limited"}}`,
		},
		{
			llm.Error{Code: llm.CodePolicy, Message: "m"},
			`{"error":{"message":"m","type":"permission_error","param":null,"code":"policy_denied"}}`,
		},
		{
			llm.Error{Code: llm.CodeModel, Message: "m"},
			`{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"model_not_found"}}`,
		},
		{
			llm.Error{Code: llm.CodeLedger, Message: "m"},
			`{"error":{"message":"m","type":"server_error","param":null,"code":"ledger_unavailable"}}`,
		},
	} {
		if got := string(Front{}.Error(&tc.e, false)); got != tc.want {
			t.Errorf("got %s", got)
		}
		// In band no header tells clients not to ask again: the type must.
		inBand := strings.NewReplacer("server_error", noRetry, "rate_limit_error", noRetry).Replace(tc.want)
		if got := string(Front{}.Error(&tc.e, true)); got != "data: "+inBand+"\n\n" {
			t.Errorf("in band: got %s", got)
		}
	}
}
