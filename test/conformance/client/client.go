// Package client runs the SDKs of clients: one process a language, which takes jobs as JSON lines and says in one JSON
// line each what the SDK saw. It installs what a language needs into the project's cache. It judges nothing.
//
// Invariants: every job gets an answer; one that its process did not survive is tried again alone, and is a crash only
// if it is one then too.
package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// Job is one call by one SDK.
type Job struct {
	ID     string `json:"id"`
	Client string `json:"client"` // as Language.Clients names it
	API    string `json:"api"`    // chat, messages, responses or gemini
	Base   string `json:"base"`   // without /v1
	Key    string `json:"key"`
	Model  string `json:"model"`
	Prompt string `json:"prompt"`
	Stream bool   `json:"stream"`
	Abort  bool   `json:"abort"`    // leave at the first piece of text
	Tool   bool   `json:"tool"`     // offer the tool find_water, which takes a place
	Leave  string `json:"leave"`    // URL that answers when it is time to leave; "" = stay
	Limit  int    `json:"limit_ms"` // after which the call hangs
}

// Seen is what an SDK made of a call.
type Seen struct {
	ID     string  `json:"id"`
	Text   string  `json:"text"`
	Call   string  `json:"call"` // of a tool: its name, and its arguments as JSON
	Finish string  `json:"finish"`
	Input  int     `json:"input"` // tokens
	Output int     `json:"output"`
	Error  *Raised `json:"error"`
	Hang   bool    `json:"hang"`
	Crash  string  `json:"crash"` // the end of what the process wrote when it died
}

// Raised is an error that an SDK raised, or an event that tells of one.
type Raised struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Status  int    `json:"status"` // of the HTTP answer, where it is told
}

// Runner is one language's program.
type Runner struct {
	Name string
	Args []string
	Dir  string
	Env  []string
}

// stuck is how long a process may be silent with jobs open before it is killed.
const stuck = 3 * time.Minute

// Run does all jobs. The error is of the runner itself, never of an SDK.
func (r *Runner) Run(ctx context.Context, jobs []Job) (map[string]Seen, error) {
	all := map[string]Seen{}
	tail, err := r.batch(ctx, jobs, all)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if _, ok := all[j.ID]; ok {
			continue
		}
		if tail, err = r.batch(ctx, []Job{j}, all); err != nil {
			return nil, err
		}
		if _, ok := all[j.ID]; !ok {
			all[j.ID] = Seen{ID: j.ID, Crash: tail}
		}
	}
	return all, nil
}

// batch adds what one process said, and gives the end of what it wrote besides.
func (r *Runner) batch(ctx context.Context, jobs []Job, all map[string]Seen) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Args[0], r.Args[1:]...)
	var in, errs bytes.Buffer
	for _, j := range jobs {
		b, err := json.Marshal(j)
		if err != nil {
			return "", err
		}
		in.Write(append(b, '\n'))
	}
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stderr = r.Dir, append(os.Environ(), r.Env...), &in, &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start the runner of %s: %w", r.Name, err)
	}
	silent := time.AfterFunc(stuck, cancel)
	defer silent.Stop()
	read := r.read(out, all, func() { silent.Reset(stuck) })
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return "", fmt.Errorf("runner of %s: %w", r.Name, err)
	}
	tail := bytes.TrimSpace(errs.Bytes())
	return string(tail[max(0, len(tail)-600):]), read
}

// read takes the lines that are answers.
func (r *Runner) read(out io.Reader, all map[string]Seen, heard func()) error {
	var once sync.Once
	var first error
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		heard()
		var s Seen
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			once.Do(func() { first = fmt.Errorf("runner of %s said %q: %w", r.Name, lines.Bytes(), err) })
			continue
		}
		all[s.ID] = s
	}
	return errors.Join(first, lines.Err())
}
