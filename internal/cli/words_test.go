package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
)

func TestAmountsReadAsMoney(t *testing.T) {
	for decimal, want := range map[string]string{
		"0.00": "$0.00", "0.000213": "$0.000213", "12.5": "$12.50", "1250": "$1,250.00", "1234567.891": "$1,234,567.891",
		"-0.002": "-$0.002", "-1250.5": "-$1,250.50",
	} {
		if got := usd(decimal); got != want {
			t.Errorf("usd(%q) = %q, not %q", decimal, got, want)
		}
	}
}

func TestOneIsNoPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 problems", 1: "1 problem", 2: "2 problems"} {
		if got := count(n, "problem"); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestSinceIsAPointInTime(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	tests := []struct {
		since string
		want  time.Time
		bad   bool
	}{
		{since: "", want: time.Time{}},
		{since: "0h", want: now},
		{since: "90m", want: now.Add(-90 * time.Minute)},
		{since: "24h", want: now.Add(-day)},
		{since: "7d", want: now.Add(-7 * day)},
		{since: "1.5d", want: now.Add(-36 * time.Hour)},
		{since: "36500d", want: now.Add(-36500 * day)},
		{since: "2026-06-01", want: time.Date(2026, 6, 1, 0, 0, 0, 0, time.Local)},
		{since: "2026-06-01T08:00:00+02:00", want: time.Date(2026, 6, 1, 6, 0, 0, 0, time.UTC)},
		{since: "-24h", bad: true},
		{since: "-1d", bad: true},
		{since: "200000d", bad: true}, // further back than a length of time can say
		{since: "24", bad: true},
		{since: "d", bad: true},
		{since: "2026-02-30", bad: true},
		{since: "yesterday", bad: true},
	}
	for _, tt := range tests {
		got, err := sinceOf(tt.since, now)
		var usage *usageError
		switch {
		case tt.bad && !errors.As(err, &usage):
			t.Errorf("%q: %v, error %v", tt.since, got, err)
		case !tt.bad && (err != nil || !got.Equal(tt.want)):
			t.Errorf("%q: %v, error %v, want %v", tt.since, got, err, tt.want)
		}
	}
}

func TestWhatKeepsServeFromStartingHasAHint(t *testing.T) {
	own := &llm.Error{Code: llm.CodeKey, Message: "there is no key", Hint: "make one"}
	tests := []struct {
		name string
		err  error
		hint string
	}{
		{"an address", fmt.Errorf("listen: %w", &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}),
			"weir serve --listen-api 127.0.0.1:0 --listen-admin 127.0.0.1:0 takes free ports"},
		{"a folder", fmt.Errorf("make it: %w", &os.PathError{Op: "mkdir", Path: "x", Err: syscall.EACCES}), storageHint},
		{"one that has a hint", own, ""},
		{"anything else", errors.New("odd"), ""},
	}
	for _, tt := range tests {
		got := startHint(tt.err)
		var h *hinted
		if errors.As(got, &h); h == nil && tt.hint != "" || h != nil && h.hint != tt.hint {
			t.Errorf("%s: %#v", tt.name, got)
		}
		if got.Error() != tt.err.Error() {
			t.Errorf("%s: the words changed to %q", tt.name, got)
		}
	}
}
