package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/test/smoke/process"
)

// routes are the runs, each a route of weir.yaml and the use case of the same name.
var routes = []string{"cascade", "always-cheap", "always-strong"}

const (
	// simAddress is where weir.yaml expects weir sim.
	simAddress = "127.0.0.1:9090"
	clients    = 8
)

// stage is the two processes, and what is asked of them.
type stage struct {
	questions []question
	weir      process.Binary
	sim       *process.Running
	gateway   *process.Running
	dir       string // storage
	http      http.Client
}

// open builds weir and starts both processes below o.dir.
func open(ctx context.Context, o options, questions []question) (s *stage, err error) {
	s = &stage{questions: questions, dir: filepath.Join(o.dir, "weir-data"), http: http.Client{Timeout: 2 * time.Minute}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.weir, err = process.Build(ctx, o.dir); err != nil {
		return s, err
	}
	lines, err := record(questions)
	if err != nil {
		return s, err
	}
	answers := filepath.Join(o.dir, "recorded.jsonl")
	if err := os.WriteFile(answers, lines, 0o600); err != nil {
		return s, fmt.Errorf("write the recorded answers: %w", err)
	}
	s.sim, err = s.weir.Start(ctx, nil, "sim", "--listen", "127.0.0.1:0", "--answers", answers)
	if err != nil {
		return s, err
	}
	text, err := os.ReadFile(filepath.Join(o.here, "weir.yaml"))
	if err != nil {
		return s, fmt.Errorf("read the configuration: %w", err)
	}
	here := strings.Replace(string(text), simAddress, strings.TrimPrefix(s.sim.URL, "http://"), 1)
	conf := filepath.Join(o.dir, "weir.yaml")
	if err := os.WriteFile(conf, []byte(here), 0o600); err != nil {
		return s, fmt.Errorf("write the configuration: %w", err)
	}
	s.gateway, err = s.weir.Start(ctx, []string{"REAL_KEY=recorded"}, "serve", "--quiet", "--config", conf,
		"--listen-api", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0")
	if err == nil && s.gateway.Key == "" {
		err = errors.New("weir serve made no key: its storage is not new; choose another --dir")
	}
	return s, err
}

func (s *stage) close() {
	for _, p := range []*process.Running{s.gateway, s.sim} {
		if p != nil {
			p.Kill()
		}
	}
}

// result is what the clients of one run saw.
type result struct {
	route           string
	asked, answered int
	right           int
	strong          int // answers by the dear model
}

// returned is one answer that came back.
type returned struct {
	model string
	right bool
}

// play asks every question of one route.
func (s *stage) play(ctx context.Context, route string, progress io.Writer) (result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := result{route: route, asked: len(s.questions)}
	var mu sync.Mutex
	var next atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(s.questions) && ctx.Err() == nil; i = next.Add(1) - 1 {
				q := &s.questions[i]
				a, err := s.ask(ctx, route, q)
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				r.add(a)
				if r.answered%500 == 0 || r.answered == r.asked {
					fmt.Fprintf(progress, "%s: %d of %d answered\n", route, r.answered, r.asked)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return r, fmt.Errorf("%s: %w", route, err)
	}
	return r, nil
}

func (r *result) add(a returned) {
	r.answered++
	if a.right {
		r.right++
	}
	if a.model == strong {
		r.strong++
	}
}

// chat is what is read of an answer.
type chat struct {
	Choices []struct {
		Message struct {
			Content string `json:"content"`
		} `json:"message"`
	} `json:"choices"`
}

// ask asks one question and finds the answer that came back in the recording: that says whether it is right.
func (s *stage) ask(ctx context.Context, route string, q *question) (returned, error) {
	body, err := json.Marshal(map[string]any{
		"model": route, "messages": []map[string]string{{"role": "user", "content": q.Prompt}},
	})
	if err != nil {
		return returned{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.gateway.API+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return returned{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.gateway.Key)
	req.Header.Set("X-Weir-Use-Case", route)
	resp, err := s.http.Do(req)
	if err != nil {
		return returned{}, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return returned{}, fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return returned{}, fmt.Errorf("status %d to %q: %s", resp.StatusCode, q.Prompt, got)
	}
	var c chat
	if err := json.Unmarshal(got, &c); err != nil || len(c.Choices) != 1 {
		return returned{}, fmt.Errorf("the answer to %q is no chat completion: %s", q.Prompt, got)
	}
	model := resp.Header.Get("X-Weir-Model")
	known, ok := q.Answers[model]
	if !ok || known.Text != c.Choices[0].Message.Content {
		return returned{}, fmt.Errorf("%q never answered %q with %q", model, q.Prompt, c.Choices[0].Message.Content)
	}
	return returned{model: model, right: known.Correct}, nil
}
