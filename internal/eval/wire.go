package eval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/client"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/sim"
)

// callers is how many questions are asked at a time over the wire.
const callers = 12

// wired is a gateway before a simulator that plays the recording, and a client before it.
type wired struct {
	client *client.Client
	stream bool
	names  [2]string
	strike func() error
}

var _ player = (*wired)(nil)

// serve starts the simulator and the gateway.
func (o Options) serve(ctx context.Context, p *pair, v variants, dir string, remove func() error) (*wired, error) {
	lines, err := p.recorded(v)
	if err != nil {
		return nil, err
	}
	if o.Dir != "" { // for weir sim --answers
		if err := os.WriteFile(filepath.Join(dir, "recorded.jsonl"), lines, 0o600); err != nil {
			return nil, fmt.Errorf("write the recorded answers: %w", err)
		}
	}
	answers, err := sim.ReadRecorded(bytes.NewReader(lines))
	if err != nil {
		return nil, err
	}
	providers, err := sim.New(sim.Config{
		Models: []sim.Model{{ID: p.names[0]}, {ID: p.names[1]}}, Answers: answers, Seed: o.Seed, ChunkTokens: chunkTokens,
	})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the simulated providers: %w", err)
	}
	backstage := &http.Server{Handler: providers, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = backstage.Serve(ln) }() // ends with Close
	conf, err := o.configure(p, dir, ln.Addr().String())
	if err != nil {
		return nil, errors.Join(err, backstage.Close())
	}
	gateway, err := server.New(server.Options{Config: conf, Version: o.Version, FirstKeyName: "eval"})
	if err != nil {
		return nil, errors.Join(err, backstage.Close())
	}
	if gateway.FirstKey == "" {
		return nil, errors.Join(fmt.Errorf("%s holds the ledger of an earlier evaluation already", dir), gateway.Close(), backstage.Close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- gateway.Serve(running) }()
	return &wired{
		client: client.New("http://"+gateway.API(), gateway.FirstKey, callers), stream: o.Stream, names: p.names,
		strike: func() error {
			stop()
			return errors.Join(<-ended, backstage.Close(), remove())
		},
	}, nil
}

// chunkTokens is how much of an answer one frame of a stream carries.
const chunkTokens = 16

// recordedLine is one line of what a simulator plays.
type recordedLine struct {
	Prompt string `json:"prompt"`
	Model  string `json:"model"`
	Answer string `json:"answer"`
}

// recorded is what the simulator plays: every question, in every wrapper that it will be asked in.
func (p *pair) recorded(v variants) ([]byte, error) {
	var b bytes.Buffer
	seen := map[recordedLine]bool{}
	for _, prompts := range [][]string{p.prompts, v.stripped, v.scrambled} {
		for i, q := range prompts {
			for m, name := range p.names {
				key := recordedLine{Prompt: strings.TrimSpace(q), Model: name}
				if seen[key] {
					continue
				}
				seen[key] = true
				line, err := json.Marshal(recordedLine{q, name, p.answers[i][m].Text})
				if err != nil {
					return nil, fmt.Errorf("row %d: %w", i+1, err)
				}
				b.Write(append(line, '\n'))
			}
		}
	}
	return b.Bytes(), nil
}

func (w *wired) workers() int { return callers }

func (w *wired) close() error { return w.strike() }

// A gateway whose disk or callers keep it busy is asked again, after a wait that doubles, so often.
const (
	firstWait = 50 * time.Millisecond
	asksAgain = 10 // 51 s in all
)

func (w *wired) ask(ctx context.Context, route string, row int, prompt string) (told, error) {
	q := client.Chat{Model: route, Stream: w.stream, Messages: []client.Message{{Role: "user", Content: prompt}}}
	r, err := w.client.Ask(ctx, q)
	for again := 0; err == nil && r.Busy && again < asksAgain; again++ {
		select {
		case <-time.After(firstWait << again):
			r, err = w.client.Ask(ctx, q)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return told{}, err
	}
	if r.Failed != "" {
		return told{}, fmt.Errorf("row %d was answered with an error: %s", row+1, r.Failed)
	}
	c, err := w.client.Call(ctx, r.ID)
	return told{r.Model, r.Text, c}, err
}
