// Command real sends grade-school word problems through a running Weir and reads from its ledger what the answers cost.
// The answers are those that two real models once gave (RouteLLM's recording of GSM8K, see testdata/NOTICE); weir sim
// serves them, and weir serve, a process of its own, answers over HTTP by weir.yaml in this folder. Three runs: the
// cascade, always the cheap model, always the dear one.
//
// Whether an answer is right says the recording's own column for that answer, never a check. The figures of cost and the
// share of calls come from the ledger alone.
//
//	go run ./test/real                          100 questions, from testdata
//	go run ./test/real --shared $WEIR_SHARED    every question of data/routellm/gsm8k below that folder
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
)

// options are the command line.
type options struct {
	shared string // folder with data/routellm/gsm8k; "" = the slice in testdata
	dir    string // where configuration and ledger go and stay; "" = a folder that is removed
	here   string // this folder
}

func main() {
	o := options{here: filepath.Join("test", "real")}
	flag.StringVar(&o.shared, "shared", "", "folder that holds data/routellm/gsm8k; none = 100 questions from testdata")
	flag.StringVar(&o.dir, "dir", "", "folder for the configuration and the ledger, kept afterwards")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ok, err := run(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "real: error:", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(2)
	}
}

// run plays the three runs and prints the table and the bars; ok = every bar holds.
func run(ctx context.Context, o options, out, progress io.Writer) (ok bool, err error) {
	questions, err := o.questions()
	if err != nil {
		return false, err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "weir-real-"); err != nil {
			return false, fmt.Errorf("make a folder: %w", err)
		}
		defer func() { _ = os.RemoveAll(o.dir) }()
	}
	s, err := open(ctx, o, questions)
	if err != nil {
		return false, err
	}
	defer s.close()
	var runs []result
	for _, route := range routes {
		r, err := s.play(ctx, route, progress)
		if err != nil {
			return false, err
		}
		runs = append(runs, r)
	}
	books, err := s.books(ctx)
	if err != nil {
		return false, err
	}
	if err := books.agree(runs); err != nil {
		return false, err
	}
	printTable(out, runs, books)
	return printBars(out, o, runs, books)
}
