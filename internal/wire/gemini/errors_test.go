package gemini

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

func TestProviderErrors(t *testing.T) {
	body := func(status, message, details string) string {
		return `{"error":{"code":0,"message":"` + message + `","status":"` + status + `","details":[` + details + `]}}`
	}
	for _, tt := range []struct {
		status int
		body   string
		code   llm.Code
		say    string
	}{
		{400, body("INVALID_ARGUMENT", "bad seed", ""), llm.CodeInvalid, "bad seed"},
		{400, body("INVALID_ARGUMENT", "API key not valid", `{"@type":"t","reason":"API_KEY_INVALID"}`), llm.CodeUpstream,
			"operator: check the key"},
		{400, body("FAILED_PRECONDITION", "User location is not supported", ""), llm.CodeUpstream, "operator"},
		{401, body("UNAUTHENTICATED", "x", ""), llm.CodeUpstream, "operator: check the key"},
		{403, body("PERMISSION_DENIED", "x", ""), llm.CodeUpstream, "operator: check the key"},
		{404, body("NOT_FOUND", "models/x is not found", ""), llm.CodeUpstream, "does not know the model"},
		{408, ``, llm.CodeTimeout, "too long"},
		{413, ``, llm.CodeTooLarge, "too large"},
		{429, `[` + body("RESOURCE_EXHAUSTED", "quota", "") + `]`, llm.CodeRate, "rate"},
		{499, body("CANCELLED", "x", ""), llm.CodeUpstream, "HTTP 499"},
		{500, body("INTERNAL", "x", ""), llm.CodeUpstream, "HTTP 500"},
		{503, `<html>`, llm.CodeUpstream, "HTTP 503"},
		{504, body("DEADLINE_EXCEEDED", "x", ""), llm.CodeTimeout, "too long"},
	} {
		e := Back{}.Error(tt.status, http.Header{}, []byte(tt.body))
		if e.Code != tt.code || e.Upstream != tt.status || !strings.Contains(e.Show(), tt.say) {
			t.Errorf("%d %s: %s upstream %d %q, want %s and %q", tt.status, tt.body, e.Code, e.Upstream, e.Show(), tt.code,
				tt.say)
		}
	}
}

func TestCredentialIsNeverRepeated(t *testing.T) {
	e := Back{}.Error(403, http.Header{}, []byte(`{"error":{"message":"key AIza123 is not allowed",`+
		`"status":"PERMISSION_DENIED"}}`))
	if strings.Contains(e.Error()+e.Show(), "AIza") {
		t.Errorf("the error repeats the key: %v", e)
	}
}

func TestProviderMessageIsBounded(t *testing.T) {
	e := Back{}.Error(400, http.Header{}, []byte(`{"error":{"message":"`+"x"+strings.Repeat("ä", 400)+`"}}`))
	if n := strings.Count(e.Message, "ä"); n != 249 {
		t.Errorf("%d runes of the message are repeated, want 249 (500 bytes, whole runes)", n)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := Back{Now: func() time.Time { return now }}
	info := func(delay string) string {
		return `{"error":{"details":[7,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"` + delay + `"}]}}`
	}
	for _, tt := range []struct {
		header, body string
		want         time.Duration
	}{
		{"", "", 0}, {"7", "", 7 * time.Second}, {"Sun, 01 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		{"Sun, 01 Mar 2026 11:00:00 GMT", "", 0}, {"soon", "", 0},
		{"", info("34.5s"), 34500 * time.Millisecond}, {"7", info("34s"), 7 * time.Second},
		{"", info("-1s"), 0}, {"", info("later"), 0}, {"", info("9999999s"), 24 * time.Hour},
	} {
		h := http.Header{}
		h.Set("Retry-After", tt.header)
		if got := b.Error(429, h, []byte(tt.body)).RetryAfter; got != tt.want {
			t.Errorf("Retry-After %q, body %s: %v, want %v", tt.header, tt.body, got, tt.want)
		}
	}
}
