package lab

import (
	"os"
	"testing"
	"time"
)

func TestProcessTimeIsReadBehindAnyName(t *testing.T) {
	tests := []struct {
		name, text string
		want       time.Duration
		bad        bool
	}{
		{"plain", "7 (weir) S 1 7 7 0 -1 4194560 2500 0 0 0 120 30 5 6 20 0 9 0 100 1 1", 1500 * time.Millisecond, false},
		{"a name with brackets and spaces", "7 (a) b (c)) S 1 7 7 0 -1 4194560 2500 0 0 0 1 2 5 6", 30 * time.Millisecond, false},
		{"children's time does not count", "7 (w) S 1 7 7 0 -1 0 0 0 0 0 0 0 900 900", 0, false},
		{"too short", "7 (w) S 1 7", 0, true},
		{"no name", "7 w S", 0, true},
		{"no number", "7 (w) S 1 7 7 0 -1 0 0 0 0 0 x 0 0", 0, true},
	}
	for _, tt := range tests {
		got, err := parseStat(tt.text)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%s: %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestMachineTime(t *testing.T) {
	m, err := parseMachine("cpu  100 1 50 9000 300 2 3 44 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
	if want := (Machine{Busy: 1560 * time.Millisecond, Steal: 440 * time.Millisecond}); err != nil || m != want {
		t.Errorf("%+v, %v; want %+v", m, err, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8 9 10", "cpu a b c d e f g h i j"} {
		if m, err := parseMachine(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, m)
		}
	}
}

func TestSizeFields(t *testing.T) {
	const text = "Name:\tweir\nVmHWM:\t   2048 kB\nVmRSS:\t 1024 kB\nThreads:\t5\n"
	if n, err := parseKB([]byte(text), "VmRSS"); n != 1<<20 || err != nil {
		t.Errorf("VmRSS = %d, %v", n, err)
	}
	for _, field := range []string{"VmSwap", "Name", "Threads"} {
		if n, err := parseKB([]byte(text), field); err == nil {
			t.Errorf("%s is read as %d", field, n)
		}
	}
}

func TestThisProcessIsSeen(t *testing.T) {
	for name, read := range map[string]func(int) (int64, error){"RSS": RSS, "PeakRSS": PeakRSS, "PSS": PSS} {
		if n, err := read(os.Getpid()); err != nil || n <= 0 {
			t.Errorf("%s = %d, %v", name, n, err)
		}
	}
	if _, err := CPU(os.Getpid()); err != nil {
		t.Error(err)
	}
	if m, err := Now(); err != nil || m.Busy <= 0 {
		t.Errorf("%+v, %v", m, err)
	}
}
