package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// gateway answers as a gateway would whose answers are given by path.
func gateway(t *testing.T, status int, body string, seen *http.Request) *Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		*seen = *r.Clone(r.Context())
		seen.Body = io.NopCloser(strings.NewReader(string(asked)))
		w.Header().Set("X-Request-Id", "0199")
		w.Header().Set("X-Weir-Model", "mini")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return New(s.URL, "sk-test", 2)
}

func TestAsk(t *testing.T) {
	const stream = `data: {"choices":[{"delta":{"content":"4"}}]}` + "\n\n: weir\n" +
		`data: {"choices":[{"delta":{"content":"2"}}]}` + "\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n"
	tests := []struct {
		name, body   string
		status       int
		stream       bool
		text, failed string
		err          string
	}{
		{name: "a body", body: `{"choices":[{"message":{"content":"42"}}]}`, status: 200, text: "42"},
		{name: "a refusal", body: `{"choices":[{"message":{"content":null,"refusal":"no"}}]}`, status: 200, text: "no"},
		{name: "a stream", body: stream, status: 200, stream: true, text: "42"},
		{name: "an error", body: `{"error":{"message":"no"}}`, status: 503, failed: `{"error":{"message":"no"}}`},
		{name: "an error without words", status: 502, failed: "502 Bad Gateway"},
		{
			name: "an error on the way", body: "data: {\"choices\":[]}\n\ndata: {\"error\":{\"message\":\"gone\"}}\n\n",
			status: 200, stream: true, err: "the answer broke off: gone",
		},
		{name: "no JSON", body: "hello", status: 200, err: "read the answer"},
		{name: "no frame", body: "data: hello\n\n", status: 200, stream: true, err: "read a frame of the answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var seen http.Request
			c := gateway(t, tt.status, tt.body, &seen)
			r, err := c.Ask(t.Context(), Chat{Model: "m", Stream: tt.stream, UseCase: "u", Messages: []Message{{"user", "6*7?"}}})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || r.Text != tt.text || r.Failed != tt.failed || r.Busy != (tt.status == 503) || r.ID != "0199" || r.Model != "mini" {
				t.Errorf("%+v, %v", r, err)
			}
			asked, _ := io.ReadAll(seen.Body)
			if seen.Header.Get("Authorization") != "Bearer sk-test" || seen.Header.Get("X-Weir-Use-Case") != "u" ||
				strings.Contains(string(asked), "UseCase") || !strings.Contains(string(asked), `"content":"6*7?"`) {
				t.Errorf("asked with %v: %s", seen.Header, asked)
			}
		})
	}
}

func TestCall(t *testing.T) {
	var seen http.Request
	c := gateway(t, 200, `{"id":"0199","attempts":[{"n":1,"verdict":"accepted","notes":{"doubt":{"score":0.5}}}]}`, &seen)
	got, err := c.Call(t.Context(), "0199")
	if err != nil || seen.URL.Path != "/api/v1/calls/0199" || got.Attempts[0].Notes.Doubt.Score != 0.5 {
		t.Errorf("%s: %+v, %v", seen.URL, got, err)
	}
	if _, err := gateway(t, 404, "no", &seen).Call(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("%v", err)
	}
}
