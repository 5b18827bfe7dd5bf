package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	const passing = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA/sub"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p","Elapsed":0.1}
`
	for _, tt := range []struct {
		name, events, want, says string
	}{
		{"all pass", passing, "2 0 1 0", "ok  \tp\t0.1s\n"},
		{
			"one fails", `{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`, "0 1 0 0", "--- FAIL: TestA\nFAIL\tp\t0.1s\n",
		},
		{
			"does not build", `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`, "0 0 0 1", "p.go:1: undefined: x\nFAIL\tp [build failed]\n",
		},
		{
			"dies in a test", `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: out\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`, "0 0 0 1", "panic: out\nFAIL\tp\t0.1s\n",
		},
		{"plain words of the go command", "go: no such module\n", "0 0 0 0", "go: no such module\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			c := counter{out: &out, output: map[string][]string{}, guilty: map[string]bool{}}
			if err := c.read(strings.NewReader(tt.events)); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(c.passed, c.failed, c.skipped, c.broken); got != tt.want {
				t.Errorf("passed, failed, skipped, broken = %s, want %s", got, tt.want)
			}
			if out.String() != tt.says {
				t.Errorf("printed %q, want %q", out.String(), tt.says)
			}
		})
	}
}
