// Command gosdk runs jobs, one JSON line each on standard input, against the SDKs of Go; it says in one JSON line each
// what was seen. Jobs and answers are client.Job and client.Seen.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/test/conformance/client"
)

// call is what one SDK does with a job. It leaves what it saw in the second value, and gives the error that was raised.
type call func(context.Context, *client.Job, *client.Seen) error

var calls = map[string]call{
	"openai-go":           chat,
	"openai-go v1":        oldChat,
	"openai-go responses": responsesOf,
	"anthropic-go":        messages,
	"genai-go":            generate,
}

// atOnce bounds the calls: a busy machine shall not look like a client that hangs.
const atOnce = 8

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	gate := make(chan struct{}, atOnce)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var job client.Job
		if err := json.Unmarshal(lines.Bytes(), &job); err != nil {
			return fmt.Errorf("job %q: %w", lines.Bytes(), err)
		}
		gate <- struct{}{}
		wg.Go(func() {
			seen := do(&job)
			<-gate
			line, err := json.Marshal(seen)
			if err != nil {
				line = fmt.Appendf(nil, "%q", err)
			}
			mu.Lock()
			defer mu.Unlock()
			_, _ = out.Write(append(line, '\n')) // whoever reads it is gone when it fails
		})
	}
	wg.Wait()
	return lines.Err()
}

func do(job *client.Job) client.Seen {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(job.Limit)*time.Millisecond)
	defer cancel()
	stay, leave := context.WithCancel(ctx)
	defer leave()
	if job.Leave != "" {
		go awaited(stay, job.Leave, leave)
	}
	seen := client.Seen{ID: job.ID}
	err := calls[job.Client](stay, job, &seen)
	if ctx.Err() != nil {
		seen.Hang = true
		return seen
	}
	if err != nil {
		seen.Error = told(err)
	}
	return seen
}

// awaited calls f when a URL has answered.
func awaited(ctx context.Context, url string, f func()) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return // the call hangs, and says so
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
		f()
	}
}
