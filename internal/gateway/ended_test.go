package gateway

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

// TestTheEndOfACallIsWordedByWhoBroughtItAbout: a deadline of some part of the way is not the call's, nor is a stop of the
// server the caller's leaving.
func TestTheEndOfACallIsWordedByWhoBroughtItAbout(t *testing.T) {
	over, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	gone, leave := context.WithCancel(context.Background())
	leave()
	stopped, stop := context.WithCancelCause(context.Background())
	stop(ErrStopping)
	within, end := context.WithTimeout(stopped, time.Hour)
	defer end()
	ledger := &llm.Error{Code: llm.CodeLedger, Err: context.DeadlineExceeded}
	for name, tt := range map[string]struct {
		ctx  context.Context
		err  error
		want llm.Code
	}{
		"the call's deadline":      {over, context.DeadlineExceeded, llm.CodeTimeout},
		"the ledger's deadline":    {context.Background(), ledger, llm.CodeLedger},
		"the caller left":          {gone, context.Canceled, llm.CodeCanceled},
		"a write to it failed":     {context.Background(), fmt.Errorf("write: %w", context.Canceled), llm.CodeCanceled},
		"the server stops":         {within, fmt.Errorf("read: %w", context.Cause(within)), llm.CodeOverload},
		"the server stops, anyhow": {within, context.Canceled, llm.CodeOverload},
	} {
		if got := llm.AsError(ended(tt.ctx, tt.err)).Code; got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
