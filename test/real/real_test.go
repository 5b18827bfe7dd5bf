package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew from the folder that WEIR_SHARED names")

// TestASliceOfRealAnswersFlowsThrough is the whole run on 100 questions: every answer arrives unchanged, every call is
// booked, and the cascade recovers its part of what the dear model knows better.
func TestASliceOfRealAnswersFlowsThrough(t *testing.T) { play(t, options{here: "."}) }

func TestEveryQuestionFlowsThrough(t *testing.T) {
	shared := os.Getenv("WEIR_SHARED")
	if shared == "" {
		t.Skip("WEIR_SHARED is not set")
	}
	play(t, options{here: ".", shared: shared})
}

func play(t *testing.T, o options) {
	t.Helper()
	var out bytes.Buffer
	o.dir = t.TempDir()
	ok, err := run(t.Context(), o, &out, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", out.String())
	if !ok {
		t.Error("a bar does not hold")
	}
}

func TestTheSliceIsEverySoManyth(t *testing.T) {
	shared := os.Getenv("WEIR_SHARED")
	if shared == "" {
		t.Skip("WEIR_SHARED is not set")
	}
	all, err := options{shared: shared}.questions()
	if err != nil {
		t.Fatal(err)
	}
	want, err := jsonl(spread(all, 100))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "gsm8k-100.jsonl")
	if *update {
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the recording says; run: go test ./test/real -update", path)
	}
}

func TestBadRecordings(t *testing.T) {
	head := strings.Join(header, ",") + "\n"
	for name, text := range map[string]string{
		"empty":            "",
		"no rows":          head,
		"other columns":    "a,b,c,d,e\n1,True,True,x,y\n",
		"too few columns":  head + "1,True,True,x\n",
		"neither":          head + "1,yes,True,x,y\n",
		"an open quote":    head + `1,True,True,"x,y` + "\n",
		"one row too long": head + "1,True,True,x,y\n1,True,True,x,y,z\n",
	} {
		path := filepath.Join(t.TempDir(), "recording.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if q, err := readCSV(path); err == nil {
			t.Errorf("%s: read %d questions", name, len(q))
		}
	}
}

func TestBadSlices(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "prompt", "unknown member": `{"prompt":"q","answer":"a"}`, "one answer": `{"prompt":"q","answers":{"a":{}}}`,
		"no prompt": `{"answers":{"a":{},"b":{}}}`, "empty": "",
	} {
		path := filepath.Join(t.TempDir(), "slice.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if q, err := readSlice(path); err == nil {
			t.Errorf("%s: read %d questions", name, len(q))
		}
	}
}

// ran is a run with some right answers.
func ran(route string, right, strong int) result {
	return result{route: route, asked: 10, right: right, strong: strong}
}

func TestTheLedgerMustAgreeWithTheClients(t *testing.T) {
	runs := []result{ran("cascade", 7, 2), ran("always-cheap", 6, 0), ran("always-strong", 8, 10)}
	good := func() books {
		return books{
			useCase: map[string]row{
				"cascade":       {Calls: 10, Attempts: 12, Settled: 12},
				"always-cheap":  {Calls: 10, Attempts: 10, Settled: 10},
				"always-strong": {Calls: 10, Attempts: 10, Settled: 10},
			},
			layer: map[string]row{"strong": {Calls: 2}},
			model: map[string]row{cheap: {Attempts: 20}, strong: {Attempts: 12}},
		}
	}
	if err := good().agree(runs); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(books){
		"a call is missing":       func(b books) { b.useCase["cascade"] = row{Calls: 9, Attempts: 12, Settled: 12} },
		"an attempt is estimated": func(b books) { b.useCase["always-cheap"] = row{Calls: 10, Attempts: 10, Settled: 9} },
		"a retry":                 func(b books) { b.useCase["always-strong"] = row{Calls: 10, Attempts: 11, Settled: 11} },
		"an escalation too many":  func(b books) { b.layer["strong"] = row{Calls: 3} },
		"another model":           func(b books) { b.model[strong] = row{Attempts: 13} },
	} {
		b := good()
		spoil(b)
		if b.agree(runs) == nil {
			t.Errorf("%s: the ledger is said to agree", name)
		}
	}
}

func TestBars(t *testing.T) {
	for _, c := range []struct {
		right, calls int
		ok           bool
	}{{7, 2, true}, {6, 2, false}, {8, 3, false}} {
		runs := []result{ran("cascade", c.right, c.calls), ran("always-cheap", 6, 0), ran("always-strong", 8, 10)}
		var out bytes.Buffer
		ok, err := printBars(&out, options{}, runs, books{layer: map[string]row{"strong": {Calls: c.calls}}})
		if err != nil || ok != c.ok {
			t.Errorf("%+v: ok = %v, %v\n%s", c, ok, err, out.String())
		}
	}
}
