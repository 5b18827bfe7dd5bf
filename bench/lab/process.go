package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Side is a processor that a process is kept on.
type Side int

// The gateway has a processor of its own; what calls it and what it calls share the other.
const (
	Anywhere Side = iota
	GatewaySide
	LoadSide
)

// cpus are the processors of the two sides: the first two that this process may use, or the only one for both.
func (s Side) cpu() (int, error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return 0, fmt.Errorf("read which processors may be used: %w", err)
	}
	first := -1
	for n := range 1024 {
		switch {
		case !allowed.IsSet(n):
		case first < 0 && (s == GatewaySide || allowed.Count() == 1):
			return n, nil
		case first < 0:
			first = n
		default:
			return n, nil
		}
	}
	return 0, errors.New("no processor may be used")
}

// onSide runs start on a thread that may use only the side's processor: a process inherits that of the thread that
// starts it, so no thread of it ever runs elsewhere.
func onSide(s Side, start func() error) error {
	if s == Anywhere {
		return start()
	}
	n, err := s.cpu()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	only.Set(n)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("keep to processor %d: %w", n, err)
	}
	return errors.Join(start(), unix.SchedSetaffinity(0, &before))
}

// Process is a running child.
type Process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	out    *bufio.Reader
	pipe   io.Closer
	stderr tail
	exited chan struct{}
	err    error // of Wait; read after exited
}

// tail keeps the last of what is written to it.
type tail struct{ b []byte }

const tailSize = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - tailSize; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// Command is a program to start.
type Command struct {
	Args   []string
	Dir    string
	Env    []string // added to this process's
	Side   Side
	Silent bool // its output goes to /dev/null
}

// Start starts a program. Its standard input stays open until Stop.
func Start(c Command) (*Process, error) {
	p := &Process{cmd: exec.Command(c.Args[0], c.Args[1:]...), exited: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = c.Dir, append(os.Environ(), c.Env...), &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives a measurement that is cut
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = in
	if !c.Silent {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer func() { _ = w.Close() }() // the child has its own
		p.cmd.Stdout, p.out, p.pipe = w, bufio.NewReader(r), r
	}
	if err := onSide(c.Side, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Line reads the next line of its output, newline taken off.
func (p *Process) Line() (string, error) {
	l, err := p.out.ReadString('\n')
	if err != nil {
		return "", p.failed(fmt.Errorf("%s said nothing: %w", p.cmd.Path, err))
	}
	return strings.TrimSuffix(l, "\n"), nil
}

// Rest reads what is left of its output and waits for its end.
func (p *Process) Rest() ([]byte, error) {
	b, err := io.ReadAll(p.out)
	<-p.exited
	if err = errors.Join(err, p.err); err != nil {
		return b, p.failed(err)
	}
	return b, nil
}

// failed adds what the process said of its trouble.
func (p *Process) failed(err error) error {
	select {
	case <-p.exited: // its stderr is complete
	case <-time.After(time.Second):
		return err
	}
	if said := bytes.TrimSpace(p.stderr.b); len(said) > 0 {
		return fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// Release ends the standard input: the programs of this project take it as the word to end.
func (p *Process) Release() { _ = p.stdin.Close() }

// Kill ends the process at once, as a power cut would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	p.close()
}

// Stop ends the process in order, and by force when it does not follow.
func (p *Process) Stop() {
	p.Release()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(15 * time.Second):
		p.Kill()
	}
	p.close()
}

func (p *Process) close() {
	if p.pipe != nil {
		_ = p.pipe.Close()
	}
}
