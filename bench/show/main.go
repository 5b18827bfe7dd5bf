// Command show measures every bar of the project and prints one JSON line each:
//
//	{"name":"binary, MB","value":21.3,"bar":"<= 35","ok":true,"command":"go run ./bench/show -only binary"}
//
// What takes minutes (a thousand kills, fuzzing) is not run but read from the latest file in bench/results, with its
// date; -long runs it and leaves such a file.
//
//	go run ./bench/show                  all bars
//	go run ./bench/show -short           rough figures in a few minutes, for CI
//	go run ./bench/show -only demo,start
//	go run ./bench/show -long -only kills
//
// Exit code 1 = something could not be measured. A bar that does not hold is not that: its line says so.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/bench/cases"
	"github.com/weirhq/weir/bench/lab"
)

type options struct {
	short, long, list bool
	only, nginx       string
	shared            string
}

func main() {
	var o options
	flag.BoolVar(&o.short, "short", false, "one round, rough figures, noise is kept")
	flag.BoolVar(&o.long, "long", false, "run also what takes minutes, and keep its figures in bench/results")
	flag.BoolVar(&o.list, "list", false, "name the cases and end")
	flag.StringVar(&o.only, "only", "", "comma-separated cases; none = all")
	flag.StringVar(&o.nginx, "nginx", lab.FindNginx(), "path of nginx; empty = leave it out")
	flag.StringVar(&o.shared, "shared", os.Getenv("WEIR_SHARED"), "folder of shared data for real input; none = the slice in testdata")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "show:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	chosen, err := choose(o.only)
	if err != nil || o.list {
		for _, c := range chosen {
			fmt.Printf("%-10s %s\n", c.Name, c.About)
		}
		return err
	}
	l, err := lab.New(os.Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	s := cases.Thorough(l)
	if o.short {
		s = cases.Brief(l)
	}
	s.Nginx, s.Shared = o.nginx, o.shared
	store := results{dir: l.Root + "/bench/results"}
	var failed []error
	for _, c := range chosen {
		bars, err := show(c, s, o, store)
		failed = append(failed, err)
		for _, b := range bars {
			if err := printBar(b); err != nil {
				return err
			}
		}
	}
	return errors.Join(failed...)
}

// show measures a case now, or reads what it came to when it last ran.
func show(c cases.Case, s *cases.Settings, o options, store results) ([]cases.Bar, error) {
	if c.Long && !o.long {
		return store.latest(c)
	}
	s.Lab.Say("%s: %s", c.Name, c.About)
	bars, err := c.Measure(s)
	if err != nil || !c.Long {
		return bars, err
	}
	return bars, store.keep(c.Name, bars, time.Now())
}

func choose(only string) ([]cases.Case, error) {
	if only == "" {
		return cases.All, nil
	}
	var chosen []cases.Case
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(cases.All, func(c cases.Case) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no case %s; -list names them", name)
		}
		chosen = append(chosen, cases.All[i])
	}
	return chosen, nil
}

func printBar(b cases.Bar) error {
	line, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s\n", line)
	return err
}
