package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/report"
	"github.com/weirhq/weir/internal/server"
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

func TestTablesShowSixDigitsOfAnAmount(t *testing.T) {
	for decimal, want := range map[string]string{
		"0.00": "$0.00", "0.5979484": "$0.597948", "0.0000004": "$0.00", "0.0000006": "$0.000001", "0.9999999": "$1.00",
		"1.50365": "$1.50365", "20.529955007": "$20.53", "11.96947": "$11.9695", "123.456789": "$123.457",
		"1250": "$1,250.00", "48070.125": "$48,070.12", "1234567.891": "$1,234,567.89", "-0.0020009": "-$0.002001",
		"-11.96947": "-$11.9695", "9200000000": "$9,200,000,000.00",
	} {
		if got := rounded(decimal); got != want {
			t.Errorf("rounded(%q) = %q, not %q", decimal, got, want)
		}
	}
}

// The tables of a large organisation's month fit a wide terminal.
func TestTheUsageTablesFitATerminal(t *testing.T) {
	q := report.Quantiles{P50: 1204.5, P95: 12204.5, P99: 61204.5}
	row := report.UsageRow{
		Name: "procurement-invoices", Calls: 2_345_678, Attempts: 3_456_789,
		Input: 12_345_678_901, CacheRead: 3_345_678_901, CacheWrite: 345_678_901, Output: 456_789_012, Reasoning: 56_789_012, Cost: "12345.678901234", Frontier: "98765.432109876",
		Saved: "86419.753208642", PerM: "1.27084837", PerMIn: "0.932798561", PerMOut: "26.997540598", TTFT: q, FirstByte: q,
		Accepted: q, Speed: 4176, Escalated: "24.00%", Tax: "10.27%", Wasted: "1267.123456789", Settled: 3_400_000,
		Estimated: 5678, Presumed: 12, NotSent: 345,
	}
	var out strings.Builder
	if err := printUsage(&out, report.UsageTable{By: "use-case", Groups: []report.UsageRow{row}, Total: row}); err != nil {
		t.Fatal(err)
	}
	fits(t, out.String())
}

func fits(t *testing.T, tables string) {
	t.Helper()
	widest := ""
	for line := range strings.Lines(tables) {
		if len(line) > len(widest) {
			widest = line
		}
	}
	if len(widest) > 140+1 {
		t.Errorf("%d columns:\n%s", len(widest)-1, tables)
	}
}

func TestTheTablesOfObservedCallsFitATerminal(t *testing.T) {
	part := report.Part{Name: "edge", N: 117_284, Of: 123_456, Part: "95.00%", Low: "94.88%", High: "95.12%"}
	row := report.ObserveRow{
		Name: "procurement-invoices", Calls: 2_345_678, Answered: 2_345_600, Spent: "98765.432109876", AtStart: "12345.678901234",
		Would: report.Estimate{At: "23456.789012345", Low: "22345.678901234", High: "24567.890123456", N: 123_456},
		Saved: report.Estimate{At: "75308.643097531", Low: "74197.54198642", High: "76419.753208642", N: 123_456}, SavedBP: "76.24%",
		Layers: []report.Part{part}, Nowhere: part, Failed: part, Differs: part,
		Compared: []report.How{{How: "number", N: 117_284, Same: 117_000, Overlap: "98.76%"}},
		Drawn:    report.Drawn{Drawn: 123_999, Told: 123_456, Budget: 345, Dropped: 123, Cut: 45, Open: 30, Cost: "1234.567890123"},
	}
	var out strings.Builder
	if err := printObserve(&out, report.ObserveTable{By: "use-case", Groups: []report.ObserveRow{row}, Total: row}); err != nil {
		t.Fatal(err)
	}
	fits(t, out.String())
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
		{
			"the clients' address", fmt.Errorf("start: %w", &server.ListenError{Name: "api", Addr: "a:1", Err: syscall.EADDRINUSE}),
			"weir serve --listen-api HOST:PORT chooses another address, as listen.api in weir.yaml does; port 0 takes a free one",
		},
		{
			"the admin address", &server.ListenError{Name: "admin", Addr: "a:1", Err: syscall.EACCES},
			"weir serve --listen-admin HOST:PORT chooses another address, as listen.admin in weir.yaml does; port 0 takes a free one",
		},
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
