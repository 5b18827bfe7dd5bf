package llm

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestStatusOfEveryCode spells the table out: clients act on these numbers.
func TestStatusOfEveryCode(t *testing.T) {
	want := map[Code]int{
		CodeInvalid: http.StatusBadRequest, CodeKey: http.StatusUnauthorized, CodeBudget: http.StatusPaymentRequired,
		CodePolicy: http.StatusForbidden, CodeUnauthorized: http.StatusForbidden, CodeModel: http.StatusNotFound,
		CodeTooLarge: http.StatusRequestEntityTooLarge, CodeUnfit: http.StatusUnprocessableEntity,
		CodeUnaccepted: http.StatusUnprocessableEntity, CodeRate: http.StatusTooManyRequests,
		CodeHeader: http.StatusRequestHeaderFieldsTooLarge, CodeCanceled: 499,
		CodeInternal: http.StatusInternalServerError, CodeUpstream: http.StatusBadGateway,
		CodeOverload: http.StatusServiceUnavailable, CodeLedger: http.StatusServiceUnavailable,
		CodeTimeout: http.StatusGatewayTimeout, CodeWindow: http.StatusBadRequest,
		CodePath: http.StatusNotFound, CodeMethod: http.StatusMethodNotAllowed,
	}
	for code := range statusOf {
		if want[code] == 0 {
			t.Errorf("code %s is in no row of this test", code)
		}
	}
	want["unheard_of"] = http.StatusInternalServerError
	for code, status := range want {
		if got := (&Error{Code: code}).Status(); got != status {
			t.Errorf("%s is answered with %d, want %d", code, got, status)
		}
	}
}

func TestErrorTellsTheCallerNoCause(t *testing.T) {
	cause := errors.New("dial 10.0.0.7: refused")
	e := &Error{Code: CodeUpstream, Message: "the provider cannot be reached", Hint: "try later", Err: cause}
	if got := e.Show(); got != "the provider cannot be reached (try later)" {
		t.Errorf("shown: %q", got)
	}
	if got := e.Error(); got != "upstream_error: the provider cannot be reached: dial 10.0.0.7: refused" {
		t.Errorf("logged: %q", got)
	}
	if !errors.Is(e, cause) {
		t.Error("the cause is lost")
	}
	bare := &Error{Code: CodeRate, Message: "slow down"}
	if bare.Show() != "slow down" || bare.Error() != "rate_limited: slow down" {
		t.Errorf("without hint and cause: %q, %q", bare.Show(), bare.Error())
	}
}

func TestAsError(t *testing.T) {
	own := &Error{Code: CodeBudget, Message: "spent"}
	if got := AsError(fmt.Errorf("holding: %w", own)); got != own {
		t.Errorf("a wrapped error of ours came back as %v", got)
	}
	secret := fmt.Errorf("open /var/lib/key: %w", io.ErrUnexpectedEOF)
	got := AsError(secret)
	if got.Code != CodeInternal || strings.Contains(got.Show(), "/var/lib") || !errors.Is(got, io.ErrUnexpectedEOF) {
		t.Errorf("a stranger became %q with code %s", got.Show(), got.Code)
	}
}
