package gemini

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfterDatesNeedTheBacksClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h := http.Header{"Retry-After": {"Sun, 01 Mar 2026 12:00:30 GMT"}}
	if d := (Back{Now: func() time.Time { return now }}).Error(503, h, nil).RetryAfter; d != 30*time.Second {
		t.Errorf("with a clock: %v", d)
	}
	if d := (Back{}).Error(503, h, nil).RetryAfter; d != 0 {
		t.Errorf("without one: %v", d)
	}
}
