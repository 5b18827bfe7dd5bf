package wire_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
	"github.com/weirhq/weir/internal/wire/anthropic"
	"github.com/weirhq/weir/internal/wire/gemini"
	"github.com/weirhq/weir/internal/wire/openai"
)

// back is what is asked of all dialects here.
type back interface {
	Error(status int, header http.Header, body []byte) *llm.Error
	Response(body []byte) (*llm.Response, error)
	Peek(body []byte) ([]llm.Event, int, error)
	Stream(wire.StreamOptions) wire.StreamReader
}

var backs = map[llm.Dialect]back{
	llm.OpenAI: openai.Back{}, llm.Anthropic: anthropic.Back{}, llm.Gemini: gemini.Back{},
}

const spent = 10 * time.Minute

// errorBodies are what providers answer, and what Weir makes of it whichever dialect the deployment speaks.
var errorBodies = []struct {
	name   string
	status int
	body   string
	code   llm.Code
	says   string // the whole message
	hint   string // part of the hint
	param  string
	wait   time.Duration
}{
	{
		"openai: a wrong field", 400, `{"error":{"message":"Invalid 'n'","type":"invalid_request_error","param":"n",` +
			`"code":null}}`,
		llm.CodeInvalid, "the provider refused the request: Invalid 'n'", "", "n", 0,
	},
	{
		"anthropic: a wrong field", 400, `{"type":"error","error":{"type":"invalid_request_error",` +
			`"message":"max_tokens: no"}}`,
		llm.CodeInvalid, "the provider refused the request: max_tokens: no", "", "", 0,
	},
	{
		"gemini: a wrong field", 400, `{"error":{"code":400,"message":"bad seed","status":"INVALID_ARGUMENT"}}`,
		llm.CodeInvalid, "the provider refused the request: bad seed", "", "", 0,
	},
	{
		"mistral: bare members", 422, `{"object":"error","message":"bad","type":"invalid_request_error","code":"1500"}`,
		llm.CodeInvalid, "the provider refused the request: bad", "", "", 0,
	},
	{
		"a framework's detail", 422, `{"detail":"field required"}`,
		llm.CodeInvalid, "the provider refused the request: field required", "", "", 0,
	},
	{"no reason", 400, `<html>`, llm.CodeInvalid, "the provider refused the request, without a reason", "", "", 0},

	{
		"openai: window", 400, `{"error":{"message":"This model's maximum context length is 8192 tokens",` +
			`"param":"messages","code":"context_length_exceeded"}}`, llm.CodeWindow,
		"the request is larger than the model takes: This model's maximum context length is 8192 tokens", "less context",
		"messages", 0,
	},
	{
		"anthropic: window", 400, `{"error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8 maximum"}}`,
		llm.CodeWindow, "the request is larger than the model takes: prompt is too long: 9 > 8 maximum", "less context", "",
		0,
	},
	{"gemini: window", 400, `[{"error":{"message":"The input token count (9) exceeds the maximum number of tokens ` +
		`allowed (8).","status":"INVALID_ARGUMENT"}}]`, llm.CodeWindow, "the request is larger than the model takes: " +
		"The input token count (9) exceeds the maximum number of tokens allowed (8).", "less context", "", 0},
	{
		"vllm: window", 400, `{"object":"error","message":"This model's maximum context length is 4096 tokens.","code":400}`,
		llm.CodeWindow, "the request is larger than the model takes: This model's maximum context length is 4096 tokens.",
		"less context", "", 0,
	},
	{
		"a size that is a context", 413, `{"error":{"message":"Input exceeds the context window"}}`, llm.CodeWindow,
		"the request is larger than the model takes: Input exceeds the context window", "less context", "", 0,
	},
	{
		"anthropic: size", 413, `{"error":{"type":"request_too_large","message":"over 32 MB"}}`,
		llm.CodeUnfit, "the request is larger than the model takes: over 32 MB", "less context", "", 0,
	},

	{
		"openai: quota", 429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota",` +
			`"code":"insufficient_quota"}}`, llm.CodeUpstream, "the provider's account has no credit or quota left", "billing",
		"", spent,
	},
	{
		"anthropic: credit", 400, `{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}`,
		llm.CodeUpstream, "the provider's account has no credit or quota left", "billing", "", spent,
	},
	{
		"anthropic: billing", 402, `{"error":{"type":"billing_error","message":"pay"}}`,
		llm.CodeUpstream, "the provider's account has no credit or quota left", "billing", "", spent,
	},
	{
		"deepseek: balance", 402, `{"error":{"message":"Insufficient Balance"}}`,
		llm.CodeUpstream, "the provider's account has no credit or quota left", "billing", "", spent,
	},
	{
		"gemini: quota of a day", 429, `{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[` +
			`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m",` +
			`"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]},{"retryDelay":"34s"}]}}`,
		llm.CodeUpstream, "the provider's account has no credit or quota left", "billing", "", spent,
	},

	{
		"openai: rate", 429, `{"error":{"message":"slow down","type":"tokens","code":"rate_limit_exceeded"}}`,
		llm.CodeRate, "the provider is limiting the rate of calls", "later", "", 0,
	},
	{
		"gemini: rate", 429, `{"error":{"message":"quota","status":"RESOURCE_EXHAUSTED","details":[7,{"violations":[` +
			`{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"},3]},{"retryDelay":"34.5s"}]}}`,
		llm.CodeRate, "the provider is limiting the rate of calls", "later", "", 34500 * time.Millisecond,
	},
	{
		"a context word in a rate limit", 429, `{"error":{"message":"too many tokens for the context window tier"}}`,
		llm.CodeRate, "the provider is limiting the rate of calls", "later", "", 0,
	},

	{
		"openai: key", 401, `{"error":{"message":"Incorrect API key provided: sk-proj-1234567890"}}`,
		llm.CodeUpstream, "the provider refused Weir's credentials", "operator: check the key", "", 0,
	},
	{
		"anthropic: permission", 403, `{"error":{"type":"permission_error","message":"no"}}`,
		llm.CodeUpstream, "the provider refused Weir's credentials", "operator: check the key", "", 0,
	},
	{
		"gemini: key", 400, `{"error":{"message":"API key not valid","status":"INVALID_ARGUMENT","details":[` +
			`{"@type":"t","reason":"API_KEY_INVALID"}]}}`,
		llm.CodeUpstream, "the provider refused Weir's credentials", "operator: check the key", "", 0,
	},
	{
		"gemini: region", 400, `{"error":{"message":"User location is not supported","status":"FAILED_PRECONDITION"}}`,
		llm.CodeUpstream, "the provider does not serve this account", "region", "", 0,
	},
	{
		"a model nobody knows", 404, `{"error":{"message":"model: x"}}`,
		llm.CodeUpstream, "the provider does not know the model or path", "model name", "", 0,
	},
	{
		"openai: a model the project may not use", 403, `{"error":{"message":"no access","code":"model_not_found"}}`,
		llm.CodeUpstream, "the provider does not know the model or path", "model name", "", 0,
	},

	{"request timeout", 408, ``, llm.CodeTimeout, "the provider took too long", "again", "", 0},
	{
		"gemini: deadline", 504, `{"error":{"status":"DEADLINE_EXCEEDED"}}`,
		llm.CodeTimeout, "the provider took too long", "again", "", 0,
	},
	{
		"anthropic: overloaded", 529, `{"error":{"type":"overloaded_error","message":"Overloaded"}}`,
		llm.CodeUpstream, "the provider is overloaded", "again", "", 0,
	},
	{"a load balancer", 503, `<html>`, llm.CodeUpstream, "the provider is overloaded", "again", "", 0},
	{"a bare message", 500, `{"message":"boom"}`, llm.CodeUpstream, "the provider failed (HTTP 500)", "again", "", 0},
	{"an error that is null", 502, `{"error":null}`, llm.CodeUpstream, "the provider failed (HTTP 502)", "again", "", 0},
	{"a conflict", 409, `{"error":"busy"}`, llm.CodeUpstream, "the provider failed (HTTP 409)", "again", "", 0},
	{
		"gemini: cancelled", 499, `{"error":{"status":"CANCELLED"}}`,
		llm.CodeUpstream, "the provider failed (HTTP 499)", "again", "", 0,
	},
}

func TestProviderErrorsMeanTheSameInEveryDialect(t *testing.T) {
	for _, tt := range errorBodies {
		for dialect, b := range backs {
			e := b.Error(tt.status, http.Header{}, []byte(tt.body))
			if e.Code != tt.code || e.Message != tt.says || e.Param != tt.param {
				t.Errorf("%s, %s: %s %q param %q, want %s %q param %q", tt.name, dialect, e.Code, e.Message, e.Param, tt.code,
					tt.says, tt.param)
			}
			if e.Upstream != tt.status || e.RetryAfter != tt.wait {
				t.Errorf("%s, %s: upstream %d after %v, want %d after %v", tt.name, dialect, e.Upstream, e.RetryAfter, tt.status,
					tt.wait)
			}
			if !strings.Contains(e.Hint, tt.hint) || (tt.hint == "") != (e.Hint == "") {
				t.Errorf("%s, %s: hint %q, want %q in it", tt.name, dialect, e.Hint, tt.hint)
			}
		}
	}
}

// inBand are error objects told under status 200, and the status they stand for.
var inBand = []struct {
	object string
	code   llm.Code
	status int
}{
	{`{"type":"overloaded_error","message":"Overloaded"}`, llm.CodeUpstream, 529},
	{`{"type":"server_error","code":"engine_overloaded","message":"m"}`, llm.CodeUpstream, 529},
	{`{"code":503,"message":"m","status":"UNAVAILABLE"}`, llm.CodeUpstream, 503},
	{`{"code":"rate_limit_exceeded","message":"m"}`, llm.CodeRate, 429},
	{`{"type":"rate_limit_error","message":"m"}`, llm.CodeRate, 429},
	{`{"message":"m","code":429}`, llm.CodeRate, 429},
	{`{"type":"insufficient_quota","message":"m"}`, llm.CodeUpstream, 429},
	{`{"type":"invalid_request_error","message":"m"}`, llm.CodeInvalid, 400},
	{`{"type":"invalid_request_error","message":"prompt is too long"}`, llm.CodeWindow, 400},
	{`{"type":"authentication_error","message":"m"}`, llm.CodeUpstream, 401},
	{`{"type":"timeout_error","message":"m"}`, llm.CodeTimeout, 504},
	{`{"status":"DEADLINE_EXCEEDED"}`, llm.CodeTimeout, 504},
	{`{"type":"server_error","code":null,"message":"m"}`, llm.CodeUpstream, 500},
	{`{"type":"a word of tomorrow","code":7}`, llm.CodeUpstream, 500},
	{`{}`, llm.CodeUpstream, 500},
}

func TestErrorsInBandStandForAStatus(t *testing.T) {
	for _, tt := range inBand {
		body := `{"type":"error","error":` + tt.object + `}`
		for dialect, b := range backs {
			check := func(way string, e *llm.Error) {
				if e == nil || e.Code != tt.code || e.Upstream != tt.status {
					t.Errorf("%s, %s, %s: %+v, want %s of %d", dialect, way, tt.object, e, tt.code, tt.status)
				}
			}
			_, err := b.Response([]byte(body))
			check("whole", llm.AsError(err))
			_, _, err = b.Peek([]byte(body))
			check("peeked at", llm.AsError(err))
			check("an error answer under 200", b.Error(200, http.Header{}, []byte(body)))
			for _, full := range []bool{true, false} {
				r := b.Stream(wire.StreamOptions{Full: full})
				d, err := r.Read([]byte("event: error\ndata: " + body + "\n\n"))
				if err != nil || len(d.Events) != 1 || d.Events[0].Kind != llm.EvError {
					t.Errorf("%s: %s on a stream: %+v, %v", dialect, tt.object, d.Events, err)
					continue
				}
				check("on a stream", d.Events[0].Err)
				if _, complete := r.Finish(); complete {
					t.Errorf("%s: a stream that ends with an error is complete", dialect)
				}
			}
		}
	}
}

func TestErrorsAreTheSameInBandAndOut(t *testing.T) {
	for _, tt := range inBand {
		out := wire.ReadError(tt.status, nil, []byte(`{"error":`+tt.object+`}`), nil)
		in := wire.ReadError(200, nil, []byte(`{"error":`+tt.object+`}`), nil)
		if out.Code != in.Code || out.Message != in.Message || out.Upstream != in.Upstream {
			t.Errorf("%s: in band %v (%d), as an answer %v (%d)", tt.object, in, in.Upstream, out, out.Upstream)
		}
	}
}
