package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/sim"
	"github.com/weirhq/weir/internal/sim/scenario"
)

type simFlags struct {
	listen, answers string
	seed            uint64
	speed           int
	markers         bool
}

func (a *app) sim() *cobra.Command {
	var o simFlags
	c := &cobra.Command{
		Use:   "sim",
		Short: "Simulated OpenAI, Anthropic and Gemini on their exact dialects",
		Long: `Serves simulated providers: /openai/v1, /anthropic/v1 and /gemini/v1beta, streamed and not, with usage,
latency and errors of their own. Any key that is not empty is taken. By default the models are the catalogue's and
answer as the procurement scenario says; a question that is not the scenario's is echoed. --answers serves recorded
answers from a JSONL file instead: one {"model", "prompt", "answer"} a line, by the last user turn.

Faults: the request header x-sim-fault, or with --markers the text [[sim:FAULT]] in the question, asks for one of
400, 401, 429, 429:after=2s, 500, 503, 529, cut, stall, drip, garbage and more; GET /sim/stats counts everything.`,
		Example: `  weir sim --listen 127.0.0.1:9090
  weir sim --answers recorded.jsonl --speed 100`,
		Args: exact(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runSim(cmd.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:9090", "address")
	f.StringVar(&o.answers, "answers", "", "JSONL file of recorded answers")
	f.Uint64Var(&o.seed, "seed", scenario.Seed, "seed of latencies, answers and faults")
	f.IntVar(&o.speed, "speed", 1, "how many times faster than life")
	f.BoolVar(&o.markers, "markers", false, "obey [[sim:FAULT]] in the question")
	f.BoolVar(&a.json, "json", false, "announce the address as one JSON line")
	return c
}

func (a *app) runSim(ctx context.Context, o simFlags) error {
	if o.speed < 1 {
		return &usageError{fmt.Errorf("--speed %d: choose 1 or more", o.speed), "weir sim"}
	}
	s, err := o.build()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", o.listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%s is taken", o.listen)
	}
	if err != nil {
		return &hinted{err, "choose another address: weir sim --listen 127.0.0.1:0 takes a free port"}
	}
	url := "http://" + ln.Addr().String()
	if a.json {
		b, err := json.Marshal(map[string]string{"url": url})
		if err != nil {
			return err
		}
		fmt.Fprintf(a.Out, "%s\n", b)
	} else {
		fmt.Fprintf(a.Err, "simulated providers on %s/openai/v1, %s/anthropic/v1, %s/gemini/v1beta\n", url, url, url)
	}
	h := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() })
	defer stop()
	if err := h.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// build makes the providers that the flags describe.
func (o simFlags) build() (*sim.Sim, error) {
	c, day := catalog.Embedded(), scenario.Procurement()
	conf := sim.Config{
		Models: day.Models(c), Seed: o.seed, Speed: o.speed, Markers: o.markers,
		Answers: scenario.Agent{Scenario: day, Seed: o.seed, Catalog: c},
	}
	if o.answers != "" {
		recorded, err := recordedIn(o.answers)
		if err != nil {
			return nil, &hinted{err, `a line is {"model", "prompt", "answer"}, each a string; see weir sim --help`}
		}
		conf.Answers = recorded
		for _, name := range recorded.Names() {
			if !slices.ContainsFunc(conf.Models, func(m sim.Model) bool { return m.ID == name }) {
				conf.Models = append(conf.Models, sim.Model{ID: name})
			}
		}
	}
	return sim.New(conf)
}

// recordedIn reads a file of recorded answers.
func recordedIn(path string) (*sim.Recorded, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the recorded answers: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	recorded, err := sim.ReadRecorded(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return recorded, nil
}
