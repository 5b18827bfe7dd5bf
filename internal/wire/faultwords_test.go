package wire_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/anthropic"
	"github.com/weirhq/weir/internal/wire/gemini"
	"github.com/weirhq/weir/internal/wire/openai"
)

func TestSecretsAreStruckOut(t *testing.T) {
	for in, want := range map[string]string{
		"key sk-abc123456 bad":                "key [removed] bad",
		"(gsk_abcdef123456)":                  "[removed]",
		"got 'AIzaSyA1234567', sorry":         "got [removed] sorry",
		"at https://h/v1?key=AIzaSyA1234567":  "at [removed]",
		"use bearer abcdef":                   "use bearer [removed]",
		"Authorization: Bearer a b":           "Authorization: Bearer [removed] b",
		"risk-based ask-me task-list sk-":     "risk-based ask-me task-list sk-",
		"token eyJhbGciOiJIUzI1NiJ9.e30.x ok": "token [removed] ok",
		"cloud ya29.a0AfH6SMBx":               "cloud [removed]",
		"two\n lines\tof  words":              "two lines of words",
		"":                                    "",
	} {
		if got := wire.Shown(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestNoWordOfAProviderCarriesACredential(t *testing.T) {
	const key = "sk-ant-api03-abcdef123456"
	for _, status := range []int{400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 503, 529} {
		body := `{"error":{"message":"bad ` + key + ` key","type":"` + key + `","code":"` + key + `","param":"` + key + `",` +
			`"details":[{"reason":"` + key + `"}]}}`
		e := wire.ReadError(status, nil, []byte(body), nil)
		if all := e.Error() + e.Show() + e.Param; strings.Contains(all, "sk-ant") {
			t.Errorf("%d: the error repeats the key: %s", status, all)
		}
	}
	for _, status := range []int{401, 403} {
		e := wire.ReadError(status, nil, []byte(`{"error":{"message":"key of acme-corp is revoked"}}`), nil)
		if strings.Contains(e.Error(), "acme-corp") {
			t.Errorf("%d: what a provider says of Weir's credentials is repeated: %v", status, e)
		}
	}
}

func TestTheLogHasTheWordsThatAreNotShown(t *testing.T) {
	body := []byte(`{"error":{"message":"limit of org-7 reached","code":"rate_limit_exceeded"}}`)
	e := wire.ReadError(429, nil, body, nil)
	if strings.Contains(e.Show(), "org-7") {
		t.Errorf("the caller is shown %q", e.Show())
	}
	const want = "rate_limited: the provider is limiting the rate of calls: " +
		"provider answered HTTP 429 rate_limit_exceeded: limit of org-7 reached"
	if e.Error() != want {
		t.Errorf("the log has %q, want %q", e.Error(), want)
	}
}

func TestWordsOfAProviderAreBounded(t *testing.T) {
	for _, unit := range []string{"x", "ü", "word ", " ", "\xff"} {
		got := wire.Shown(strings.Repeat(unit, 5000))
		if len(got) > 500 || !utf8.ValidString(got) {
			t.Errorf("%q: %d bytes, ends in %q", unit, len(got), got[max(0, len(got)-20):])
		}
		if strings.TrimSpace(unit) != "" && utf8.ValidString(unit) && !strings.HasSuffix(got, "...") {
			t.Errorf("%q: what was cut does not say so: %q", unit, got[max(0, len(got)-20):])
		}
	}
	if got := wire.Shown(strings.Repeat("y", 500)); len(got) != 500 || strings.HasSuffix(got, "...") {
		t.Errorf("500 bytes are cut to %d", len(got))
	}
	long := strings.Repeat("k", 5000)
	e := wire.Fault{Status: 500, Kind: long, Code: long, Reason: long, Message: long}.Error()
	if n := len(e.Error()); n > 2300 {
		t.Errorf("an error of %d bytes", n)
	}
}

func TestBoundedCutsAtARune(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abc", 2, "ab"}, {"aü", 2, "a"}, {"ü", 1, ""}, {"€€", 5, "€"}, {"", 0, ""}} {
		if got := wire.Bounded(tt.in, tt.n); got != tt.want {
			t.Errorf("%q to %d bytes: %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	for _, tt := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "2", 2 * time.Second},
		{"Retry-After", "0.5", time.Second / 2},
		{"Retry-After", "0", 0},
		{"Retry-After-Ms", "1500", 1500 * time.Millisecond},
		{"Retry-After", "Sat, 01 Aug 2026 12:00:30 GMT", 30 * time.Second},
		{"Retry-After", "Sat, 01 Aug 2026 11:00:00 GMT", 0},
		{"Retry-After", "Sat, 01 Aug 2027 11:00:00 GMT", 24 * time.Hour},
		{"Retry-After", "soon", 0},
		{"Retry-After", "-1", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "", 0},
		{"Retry-After", "1e30", 24 * time.Hour},
		{"Retry-After", "Inf", 24 * time.Hour},
		{"X-Other", "1", 0},
	} {
		h := http.Header{}
		h.Set(tt.name, tt.value)
		if got := wire.RetryAfter(h, clock); got != tt.want {
			t.Errorf("%s: %s: %v, want %v", tt.name, tt.value, got, tt.want)
		}
	}
	h := http.Header{"Retry-After": {"Sat, 01 Aug 2026 12:00:30 GMT"}}
	if d := wire.RetryAfter(h, nil); d != 0 {
		t.Errorf("a date without a clock: %v", d)
	}
}

// Every dialect reads a date by the clock it was given, and without one ignores it.
func TestRetryAfterDatesNeedTheBacksClock(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC) }
	h := http.Header{"Retry-After": {"Sat, 01 Aug 2026 12:00:30 GMT"}}
	for dialect, b := range map[llm.Dialect]back{
		llm.OpenAI: openai.Back{Now: now}, llm.Anthropic: anthropic.Back{Now: now}, llm.Gemini: gemini.Back{Now: now},
	} {
		if d := b.Error(503, h, nil).RetryAfter; d != 30*time.Second {
			t.Errorf("%s with a clock: %v", dialect, d)
		}
		if d := backs[dialect].Error(503, h, nil).RetryAfter; d != 0 {
			t.Errorf("%s without one: %v", dialect, d)
		}
	}
}

func TestRetryAfterInTheBody(t *testing.T) {
	info := func(delay string) []byte {
		return []byte(`{"error":{"details":[7,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":` + delay +
			`}]}}`)
	}
	for _, tt := range []struct {
		header, delay string
		want          time.Duration
	}{
		{"", `"34.5s"`, 34500 * time.Millisecond},
		{"7", `"34s"`, 7 * time.Second},
		{"0", `"34s"`, 34 * time.Second},
		{"", `"-1s"`, 0},
		{"", `"later"`, 0},
		{"", `34`, 0},
		{"", `"9999999s"`, 24 * time.Hour},
	} {
		h := http.Header{"Retry-After": {tt.header}}
		if got := wire.ReadError(429, h, info(tt.delay), nil).RetryAfter; got != tt.want {
			t.Errorf("Retry-After %q, retryDelay %s: %v, want %v", tt.header, tt.delay, got, tt.want)
		}
	}
	h := http.Header{"Retry-After": {"3600"}}
	if d := wire.ReadError(402, h, nil, nil).RetryAfter; d != time.Hour {
		t.Errorf("an account without credit that is told to wait longer: %v", d)
	}
}

func TestUnreadableKeepsItsDetailForTheLog(t *testing.T) {
	e := wire.Unreadable("an answer", &llm.Error{Code: llm.CodeInvalid, Message: "JSON at byte 7"})
	const shown = "the provider sent an answer that cannot be read (try again)"
	if e.Show() != shown || !strings.Contains(e.Error(), "byte 7") {
		t.Errorf("shown %q, logged %q", e.Show(), e.Error())
	}
}

// FuzzReadFault: whatever a provider sends, its error has a code, a status and bounded words without credentials.
func FuzzReadFault(f *testing.F) {
	for _, tt := range errorBodies {
		f.Add(tt.status, []byte(tt.body))
	}
	f.Add(200, []byte(`{"error":{"error":{"error":"x"}}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := wire.ReadError(status, nil, body, nil)
		if e.Code == "" || e.Upstream < 400 || e.Upstream > 599 || e.RetryAfter < 0 || e.RetryAfter > 24*time.Hour {
			t.Fatalf("%+v", e)
		}
		if len(e.Message) > 600 || len(e.Param) > 500 || !utf8.ValidString(e.Show()) {
			t.Fatalf("message of %d bytes: %q", len(e.Message), e.Message)
		}
	})
}
