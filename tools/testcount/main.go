// Command testcount reads the events of go test -json on standard input and prints what plain go test prints, then one
// last line: how many tests passed, failed and were skipped, by the runner's own events. Subtests count. It exits with 1
// when a test or a package failed, or when no test ran at all.
//
//	go test -json ./... | testcount
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// event is one line of go test -json, or of go build -json, which comes before the tests of a package.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64 // seconds
}

// counter sums up events.
type counter struct {
	out                     io.Writer
	passed, failed, skipped int
	broken                  int                 // packages that failed by themselves: they did not build, or they died
	output                  map[string][]string // what a test printed, until it ends
	guilty                  map[string]bool     // packages with a failed test
}

func main() {
	c := counter{out: os.Stdout, output: map[string][]string{}, guilty: map[string]bool{}}
	start := time.Now()
	if err := c.read(os.Stdin); err != nil {
		fmt.Fprintf(os.Stderr, "testcount: %v\n", err)
		os.Exit(1)
	}
	if c.broken > 0 {
		fmt.Printf("%d packages did not build or died\n", c.broken)
	}
	fmt.Printf("%d passed, %d failed, %d skipped in %s\n", c.passed, c.failed, c.skipped,
		time.Since(start).Round(time.Second))
	if c.failed+c.broken > 0 || c.passed == 0 {
		os.Exit(1)
	}
}

func (c *counter) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintf(c.out, "%s\n", lines.Text()) // the go command itself speaks plainly
			continue
		}
		c.take(e)
	}
	return lines.Err()
}

func (c *counter) take(e event) {
	at := e.Package + "\x00" + e.Test
	switch e.Action {
	case "output":
		c.output[at] = append(c.output[at], e.Output)
	case "build-output":
		fmt.Fprint(c.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			c.endPackage(e)
		} else {
			c.endTest(e, at)
		}
		delete(c.output, at)
	}
}

func (c *counter) endTest(e event, at string) {
	switch e.Action {
	case "pass":
		c.passed++
	case "skip":
		c.skipped++
	case "fail":
		c.failed++
		c.guilty[e.Package] = true
		fmt.Fprint(c.out, strings.Join(c.output[at], ""))
	}
}

// endPackage prints the package's own line. A package that failed without a failed test shows all that it said: it did
// not build, it panicked, or it ran out of time.
func (c *counter) endPackage(e event) {
	own := c.output[e.Package+"\x00"]
	if e.Action == "fail" && !c.guilty[e.Package] {
		c.broken++
		for at, said := range c.output {
			if pkg, test, _ := strings.Cut(at, "\x00"); pkg == e.Package && test != "" {
				fmt.Fprint(c.out, strings.Join(said, ""))
			}
		}
		fmt.Fprint(c.out, strings.Join(own, ""))
		return
	}
	for _, line := range own {
		if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "FAIL\t") {
			fmt.Fprint(c.out, line)
		}
	}
}
