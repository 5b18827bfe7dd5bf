package process

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test binary be the program that is run.
func TestMain(m *testing.M) {
	switch os.Getenv("WEIR_PROCESS_PART") {
	case "":
		os.Exit(m.Run())
	case "announce":
		fmt.Println(`{"api":"http://here","key":"k"}`)
		select {} // until it is killed
	case "fail":
		fmt.Fprintln(os.Stderr, "there is no configuration")
		os.Exit(3)
	case "print":
		fmt.Print(strings.Join(os.Args[1:], " "))
	}
}

func TestAProcessIsHeardAndKilled(t *testing.T) {
	p, err := Binary(os.Args[0]).Start(t.Context(), []string{"WEIR_PROCESS_PART=announce"}, "serve")
	if err != nil {
		t.Fatal(err)
	}
	if p.API != "http://here" || p.Key != "k" {
		t.Errorf("announced %+v", p.Said)
	}
	p.Kill()
	if err := p.Stop(); err == nil {
		t.Error("a killed process is said to have ended well")
	}
}

func TestAStartThatFailsSaysWhy(t *testing.T) {
	_, err := Binary(os.Args[0]).Start(t.Context(), []string{"WEIR_PROCESS_PART=fail"}, "serve")
	if err == nil || !strings.Contains(err.Error(), "there is no configuration") {
		t.Errorf("error = %v", err)
	}
}

func TestACommandRunsToItsEnd(t *testing.T) {
	t.Setenv("WEIR_PROCESS_PART", "print")
	out, err := Binary(os.Args[0]).Run(t.Context(), "usage", "--json")
	if err != nil || string(out) != "usage --json" {
		t.Errorf("printed %q, %v", out, err)
	}
	t.Setenv("WEIR_PROCESS_PART", "fail")
	if _, err := Binary(os.Args[0]).Run(t.Context(), "usage"); err == nil || !strings.Contains(err.Error(), "no configuration") {
		t.Errorf("error = %v", err)
	}
}

func TestTheEndOfALongLogIsKept(t *testing.T) {
	var l tail
	for i := range 40_000 {
		fmt.Fprintf(&l, "line %d\n", i)
	}
	if s := l.String(); len(s) > 2*kept || !strings.HasSuffix(s, "line 39999\n") {
		t.Errorf("%d bytes, ending in %q", len(s), s[max(0, len(s)-20):])
	}
}
