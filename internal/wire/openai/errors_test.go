package openai

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

func TestErrorBodies(t *testing.T) {
	for _, tc := range []struct {
		e    llm.Error
		want string
	}{
		{llm.Error{Code: llm.CodeInvalid, Message: `bad "n"`, Hint: "use 1", Param: "n"},
			`{"error":{"message":"bad \"n\" (use 1)","type":"invalid_request_error","param":"n","code":"invalid_request"}}`},
		{llm.Error{Code: llm.CodeKey, Message: "m"},
			`{"error":{"message":"m","type":"authentication_error","param":null,"code":"invalid_api_key"}}`},
		{llm.Error{Code: llm.CodeBudget, Message: "m"},
			`{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"budget_exceeded"}}`},
		{llm.Error{Code: llm.CodeRate, Message: "m"},
			`{"error":{"message":"m","type":"rate_limit_error","param":null,"code":"rate_limited"}}`},
		{llm.Error{Code: llm.CodePolicy, Message: "m"},
			`{"error":{"message":"m","type":"permission_error","param":null,"code":"policy_denied"}}`},
		{llm.Error{Code: llm.CodeModel, Message: "m"},
			`{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"model_not_found"}}`},
		{llm.Error{Code: llm.CodeLedger, Message: "m"},
			`{"error":{"message":"m","type":"server_error","param":null,"code":"ledger_unavailable"}}`},
	} {
		if got := string(Front{}.Error(&tc.e, false)); got != tc.want {
			t.Errorf("got %s", got)
		}
		if got := string(Front{}.Error(&tc.e, true)); got != "data: "+tc.want+"\n\n" {
			t.Errorf("in band: got %s", got)
		}
	}
}

func TestProviderErrors(t *testing.T) {
	for _, tc := range []struct {
		status            int
		body              string
		code              llm.Code
		says, hint, param string
	}{
		{400, `{"error":{"message":"too long","type":"invalid_request_error","param":"messages","code":"contex` +
			`t_length_exceeded"}}`, llm.CodeInvalid, "the provider answered 400: too long", "", "messages"},
		{422, `{"detail":"bad field"}`, llm.CodeInvalid, "the provider answered 422: bad field", "", ""},
		{401, `{"error":{"message":"Incorrect API key provided: sk-proj-1234567890"}}`, llm.CodeUpstream,
			"the provider refused Weir's credentials (401)", "operator: check the provider's key", ""},
		{403, `no`, llm.CodeUpstream, "the provider refused Weir's credentials (403)", "operator: check the provider's key",
			""},
		{402, `{"error":{"message":"Insufficient Balance"}}`, llm.CodeUpstream,
			"the provider answered 402: Insufficient Balance", "no credit", ""},
		{404, `{"error":{"message":"The model x does not exist","code":"model_not_found"}}`, llm.CodeUpstream,
			"404: The model x does not exist", "wire id", ""},
		{408, ``, llm.CodeTimeout, "the provider answered 408", "", ""},
		{504, `<html>`, llm.CodeTimeout, "the provider answered 504", "", ""},
		{413, `{"error":"too big"}`, llm.CodeTooLarge, "413: too big", "", ""},
		{429, `{"error":{"message":"slow down","type":"tokens","code":"rate_limit_exceeded"}}`, llm.CodeRate,
			"429: slow down", "", ""},
		{429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota"}}`, llm.CodeRate,
			"429: You exceeded", "no quota left", ""},
		{500, `{"message":"boom"}`, llm.CodeUpstream, "500: boom", "", ""},
		{503, `[1]`, llm.CodeUpstream, "the provider answered 503", "", ""},
		{529, `{"error":null}`, llm.CodeUpstream, "the provider answered 529", "", ""},
		{500, `{"error":{"message":"key sk-abcdefghijk in\nuse, Bearer abc.def"}}`, llm.CodeUpstream,
			"500: key [removed] in use, Bearer [removed]", "", ""},
	} {
		e := Back{}.Error(tc.status, http.Header{}, []byte(tc.body))
		if e.Code != tc.code || !strings.Contains(e.Message, tc.says) || !strings.Contains(e.Hint,
			tc.hint) || tc.hint == "" && e.Hint != "" ||
			e.Param != tc.param || e.Upstream != tc.status {
			t.Errorf("%d %s: %+v", tc.status, tc.body, e)
		}
	}
}

func TestProviderMessagesAreBounded(t *testing.T) {
	for _, unit := range []string{"x", "ü", "word "} {
		e := Back{}.Error(500, nil, []byte(`{"error":{"message":"`+strings.Repeat(unit, 5000)+`"}}`))
		if len(e.Message) > maxShown+len("the provider answered 500: ") || !strings.HasSuffix(e.Message,
			"...") || strings.ContainsRune(e.Message, '\uFFFD') {
			t.Errorf("%d bytes: %q", len(e.Message), e.Message[len(e.Message)-20:])
		}
	}
}

func TestSecretsAreStruckOut(t *testing.T) {
	for in, want := range map[string]string{
		"key sk-abc123456 bad":                "key [removed] bad",
		"(gsk_abcdef123456)":                  "[removed]",
		"got 'AIzaSyA1234567', sorry":         "got [removed] sorry",
		"use bearer abcdef":                   "use bearer [removed]",
		"risk-based ask-me task-list sk-":     "risk-based ask-me task-list sk-",
		"token eyJhbGciOiJIUzI1NiJ9.e30.x ok": "token [removed] ok",
	} {
		if got := show(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	b := Back{Now: func() time.Time { return now }}
	for _, tc := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "2", 2 * time.Second}, {"Retry-After", "0.5", time.Second / 2},
		{"Retry-After-Ms", "1500", 1500 * time.Millisecond},
		{"Retry-After", "Sat, 01 Aug 2026 12:00:30 GMT", 30 * time.Second},
		{"Retry-After", "Sat, 01 Aug 2026 11:00:00 GMT", 0},
		{"Retry-After", "soon", 0}, {"Retry-After", "-1", 0}, {"Retry-After", "NaN", 0},
		{"Retry-After", "1e30", longestWait}, {"X-Other", "1", 0},
	} {
		h := http.Header{}
		h.Set(tc.name, tc.value)
		if got := b.Error(429, h, nil).RetryAfter; got != tc.want {
			t.Errorf("%s: %s: got %v, want %v", tc.name, tc.value, got, tc.want)
		}
	}
	h := http.Header{"Retry-After": {"Sat, 01 Aug 2026 12:00:30 GMT"}}
	if d := (Back{}).Error(429, h, nil).RetryAfter; d != 0 {
		t.Errorf("a date without a clock: %v", d)
	}
}
