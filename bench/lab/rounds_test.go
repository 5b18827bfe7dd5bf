package lab

import (
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpreads(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{3, 3, 3, 1}},
		{[]float64{9, 1, 5}, Spread{5, 1, 9, 3}},
		{[]float64{4, 1, 3, 2}, Spread{2.5, 1, 4, 4}},
	} {
		if diff := cmp.Diff(tt.want, SpreadOf(tt.values)); diff != "" {
			t.Errorf("%v: %s", tt.values, diff)
		}
	}
}

func TestFourDigitsAreKept(t *testing.T) {
	for in, want := range map[float64]float64{
		0: 0, 1.23456: 1.235, 123456: 123500, 0.00123449: 0.001234, -98.7654: -98.77, math.Inf(1): math.Inf(1),
	} {
		if got := Round(in); got != want {
			t.Errorf("Round(%v) = %v, want %v", in, got, want)
		}
	}
}

func TestRatiosCompareWithinARound(t *testing.T) {
	c := Costs{rounds: map[string][]float64{"weir": {60, 120, 75}, "reverseproxy": {50, 100, 50}}}
	if got := c.Ratio("weir", "reverseproxy"); got != 1.2 {
		t.Errorf("%v, want the 1.2 of the middle round", got)
	}
}

func TestARoundThatTellsNothingIsAnError(t *testing.T) {
	l := &Lab{Log: io.Discard}
	gone := errors.New("connection refused")
	for name, run := range map[string]func() (int64, error){
		"no unit":       func() (int64, error) { return 0, nil },
		"hardly a tick": func() (int64, error) { return 1_000_000, nil },
		"a failure":     func() (int64, error) { return 0, gone },
	} {
		_, err := l.Interleave(Rounds{Want: 1, Accept: true}, Subject{"weir", os.Getpid(), run})
		if err == nil || !strings.HasPrefix(err.Error(), "weir") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChildrenSayAndEnd(t *testing.T) {
	for _, side := range []Side{Anywhere, GatewaySide, LoadSide} {
		p, err := Start(Command{Args: []string{"sh", "-c", "echo ready; cat; echo over"}, Side: side})
		if err != nil {
			t.Fatal(err)
		}
		if line, err := p.Line(); err != nil || line != "ready" {
			t.Errorf("%q, %v", line, err)
		}
		p.Release()
		if rest, err := p.Rest(); err != nil || string(rest) != "over\n" {
			t.Errorf("%q, %v", rest, err)
		}
		p.close()
	}
	p, err := Start(Command{Args: []string{"sh", "-c", "echo no such file >&2; exit 3"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Line(); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("what the child said is lost: %v", err)
	}
	p.Kill()
}
