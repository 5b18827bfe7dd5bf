package anthropic

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

func TestProviderErrors(t *testing.T) {
	body := func(kind, message string) string {
		return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `"},"request_id":"r"}`
	}
	for _, tt := range []struct {
		status int
		body   string
		code   llm.Code
		say    string
	}{
		{400, body("invalid_request_error", "max_tokens: too many"), llm.CodeInvalid, "max_tokens: too many"},
		{400, body("invalid_request_error", "Your credit balance is too low"), llm.CodeUpstream, "billing"},
		{401, body("authentication_error", "invalid x-api-key"), llm.CodeUpstream, "operator: check the key"},
		{403, body("permission_error", "no"), llm.CodeUpstream, "operator: check the key"},
		{402, body("billing_error", "pay"), llm.CodeUpstream, "billing"},
		{404, body("not_found_error", "model: claude-9"), llm.CodeUpstream, "does not know the model"},
		{408, ``, llm.CodeTimeout, "too long"},
		{413, body("request_too_large", "x"), llm.CodeTooLarge, "too large"},
		{422, `not json`, llm.CodeInvalid, "no reason given"},
		{429, body("rate_limit_error", "x"), llm.CodeRate, "rate"},
		{500, body("api_error", "x"), llm.CodeUpstream, "HTTP 500"},
		{503, `<html>`, llm.CodeUpstream, "HTTP 503"},
		{504, ``, llm.CodeTimeout, "too long"},
		{529, body("overloaded_error", "Overloaded"), llm.CodeUpstream, "HTTP 529"},
	} {
		e := Back{}.Error(tt.status, http.Header{}, []byte(tt.body))
		if e.Code != tt.code || e.Upstream != tt.status || !strings.Contains(e.Show(), tt.say) {
			t.Errorf("%d %s: %s upstream %d %q, want %s and %q", tt.status, tt.body, e.Code, e.Upstream, e.Show(), tt.code,
				tt.say)
		}
	}
}

func TestProviderMessageIsBounded(t *testing.T) {
	long := "x" + strings.Repeat("ä", 400)
	e := Back{}.Error(400, http.Header{}, []byte(`{"error":{"type":"x","message":"`+long+`"}}`))
	if n := strings.Count(e.Message, "ä"); n != 249 || strings.ContainsRune(e.Message, '\uFFFD') {
		t.Errorf("%d runes of the message are repeated, want 249 (500 bytes, whole runes)", n)
	}
}

func TestCredentialIsNeverRepeated(t *testing.T) {
	e := Back{}.Error(401, http.Header{}, []byte(`{"error":{"type":"authentication_error",`+
		`"message":"bad key sk-ant-123"}}`))
	if strings.Contains(e.Error()+e.Show(), "sk-ant") {
		t.Errorf("the error repeats the key: %v", e)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := Back{Now: func() time.Time { return now }}
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0": 0, "-1": 0, "soon": 0, "999999999": 24 * time.Hour,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		h := http.Header{}
		h.Set("Retry-After", v)
		if got := b.Error(429, h, nil).RetryAfter; got != want {
			t.Errorf("Retry-After %q = %v, want %v", v, got, want)
		}
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
