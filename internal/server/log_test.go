package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/telemetry"
)

// TestAStalledLogReaderDoesNotStopCalls writes the logs to a pipe that nobody reads, beyond what it holds and what Weir
// keeps for it.
func TestAStalledLogReaderDoesNotStopCalls(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	lines := telemetry.NewLines(ctx, w)
	t.Cleanup(func() {
		end()
		_ = r.Close() // lets the writer go
		lines.Wait()
		_ = w.Close()
	})
	log := telemetry.Logger(lines, slog.LevelInfo)
	h := playedBy(t, answering("42", 10, 5), server.Options{Access: log, Log: log, DroppedLines: lines.Dropped})
	filled := make(chan bool)
	go func() {
		defer close(filled)
		for line := strings.Repeat("x", 64<<10); lines.Dropped() == 0; {
			log.Info(line)
		}
	}()
	eventually(t, "lines being dropped", func() bool {
		select {
		case <-filled:
			return true
		default:
			return false
		}
	})
	for _, body := range []string{chat("gpt", "q", false), chat("elsewhere", "q", false)} {
		resp := h.stream("/v1/chat/completions", body)
		if id := resp.Header.Get("X-Request-Id"); resp.StatusCode/100 != 2 && resp.StatusCode != http.StatusBadGateway || id == "" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	}
	const gauge = "\nweir_log_dropped_lines "
	if m := h.get(h.admin + "/metrics").body; !strings.Contains(m, gauge) || strings.Contains(m, gauge+"0\n") {
		t.Error("the dropped lines are not told in the metrics")
	}
}
