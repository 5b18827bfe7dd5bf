// Command ratio measures what Weir costs beside the standard library's reverse proxy (and nginx, where there is one):
// processor time a call, a streamed chunk, memory a held stream, latency added. Gateways have a processor of their own;
// the null upstream and the load share another. Each runs in a process of its own, in turns, and a round in which the
// hypervisor took the processor away is refused.
//
//	go run ./bench/ratio                      everything, about five minutes
//	go run ./bench/ratio -case call-1k -rounds 7 -for 5s
//
// One JSON line a bar goes to standard output, how it gets on to standard error. Exit code 1 = it could not be measured.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/bench/cases"
	"github.com/weirhq/weir/bench/lab"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ratio:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	l, err := lab.New(os.Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	s := cases.Thorough(l)
	var names []string
	for _, c := range cases.Ratios {
		names = append(names, c.Name)
	}
	only := flag.String("case", "", "comma-separated cases of "+strings.Join(names, ", ")+"; none = all")
	flag.IntVar(&s.Rounds.Want, "rounds", s.Rounds.Want, "rounds that count")
	flag.BoolVar(&s.Rounds.Accept, "noisy", false, "keep rounds whose processor time was stolen")
	flag.DurationVar(&s.Run, "for", s.Run, "length of one run")
	flag.IntVar(&s.Streams, "streams", s.Streams, "streams to hold")
	flag.IntVar(&s.Rows, "rows", s.Rows, "rows of the grown ledger")
	flag.StringVar(&s.Nginx, "nginx", lab.FindNginx(), "path of nginx; empty = leave it out")
	flag.Parse()
	want := names
	if *only != "" {
		want = strings.Split(*only, ",")
	}
	for _, name := range want {
		i := slices.Index(names, name)
		if i < 0 {
			return fmt.Errorf("no case %s; there are %s", name, strings.Join(names, ", "))
		}
		l.Say("%s: %s", name, cases.Ratios[i].About)
		c := cases.Ratios[i]
		c.Command = "go run ./bench/ratio -case " + name
		bars, err := c.Measure(s)
		if err != nil {
			return err
		}
		for _, b := range bars {
			line, err := json.Marshal(b)
			if err != nil {
				return err
			}
			fmt.Printf("%s\n", line)
		}
	}
	return nil
}
