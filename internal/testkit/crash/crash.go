// Package crash shows what a disk may hold after power is lost. It records by strace every write and sync that a
// process makes below one directory, and every line the process prints, and builds from the record the directory as a
// power cut at any moment could have left it: all that was synced, and any subset of what was not, torn writes
// included. kill -9 cannot show that: the page cache survives it. For tests only, on Linux, with strace; Record skips
// the test elsewhere.
//
// The model: fsync and fdatasync make all earlier writes and truncations of that file durable, and its name; fsync of a
// directory makes all earlier creations, renames and removals in it durable. Removals and renames happen in order,
// writes to a file in any. Writes through mmap are not seen.
package crash

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Log is what one process did, in order.
type Log struct {
	dir    string
	events []event
}

type kind uint8

const (
	create kind = iota
	write
	truncate
	sync
	syncDir
	rename
	unlink
	printed // standard output
)

// event is one step. Paths are relative to the directory.
type event struct {
	kind kind
	path string
	to   string // rename
	off  int64  // write, truncate: the new size
	data []byte
	from int // sync: it covers the events before this one
}

// traced are the system calls that change files, in the form strace takes. One that is not there on this machine's
// architecture is left out by "?".
const traced = "?open,openat,?creat,write,pwrite64,fsync,fdatasync,ftruncate,?rename,?renameat,renameat2,?unlink," +
	"unlinkat,writev,pwritev,pwritev2,fallocate,sync_file_range,copy_file_range"

// Record runs a program under strace and returns what it did below dir and printed. It skips the test when strace is
// missing or may not trace.
func Record(tb testing.TB, cmd *exec.Cmd, dir string) *Log {
	tb.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		tb.Skip("strace is not installed")
	}
	out := filepath.Join(tb.TempDir(), "trace")
	if msg, err := exec.Command(strace, "-f", "-o", out, "true").CombinedOutput(); err != nil {
		tb.Skipf("strace may not trace here: %v: %s", err, msg)
	}
	args := []string{strace, "-f", "-y", "-xx", "-s", "4194304", "-e", "trace=" + traced, "-e", "signal=none", "-o", out}
	cmd.Args = append(args, append([]string{cmd.Path}, cmd.Args[1:]...)...)
	cmd.Path = strace
	cmd.Stdout = io.Discard
	if err := cmd.Run(); err != nil {
		tb.Fatalf("run under strace: %v", err)
	}
	f, err := os.Open(out)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	log, err := parse(f, dir)
	if err != nil {
		tb.Fatal(err)
	}
	return log
}

// parser turns strace's lines into events.
type parser struct {
	log     *Log
	begun   map[string]pending // by thread
	unknown error
}

// pending is a call that has begun and not returned.
type pending struct {
	line string
	at   int // events before it
}

var (
	resumed  = regexp.MustCompile(`^<\.\.\. \w+ resumed>`)
	returned = regexp.MustCompile(`= (-?\d+)[^=]*$`)
	descr    = regexp.MustCompile(`^(\d+)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?`)
)

func parse(r io.Reader, dir string) (*Log, error) {
	p := parser{log: &Log{dir: dir}, begun: map[string]pending{}}
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			p.line(strings.TrimSuffix(line, "\n"))
		}
		if errors.Is(err, io.EOF) {
			return p.log, p.unknown
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) line(s string) {
	thread, s, ok := strings.Cut(s, " ")
	if !ok {
		return
	}
	s = strings.TrimLeft(s, " ")
	at := len(p.log.events)
	switch {
	case strings.HasSuffix(s, "<unfinished ...>"):
		s = strings.TrimSuffix(s, "<unfinished ...>")
		p.begun[thread] = pending{s, at}
		p.call(s, true)
		return
	case strings.HasPrefix(s, "<... "):
		b, ok := p.begun[thread]
		if !ok {
			return
		}
		delete(p.begun, thread)
		p.finished(b.line+resumed.ReplaceAllString(s, ""), b.at)
		return
	}
	p.call(s, false)
	p.finished(s, at)
}

// call books what may have an effect from its beginning on: a write, a truncation, a removal.
func (p *parser) call(s string, unfinished bool) {
	name, args, ok := strings.Cut(s, "(")
	if !ok || (!unfinished && failed(s)) {
		return
	}
	switch name {
	case "write", "pwrite64":
		p.write(name, args)
	case "ftruncate":
		if path, rest, ok := p.file(args); ok {
			p.add(event{kind: truncate, path: path, off: number(rest)})
		}
	case "unlink", "unlinkat":
		if path, ok := p.inside(lastPath(args, 1)); ok {
			p.add(event{kind: unlink, path: path})
		}
	case "rename", "renameat", "renameat2":
		from, inside := p.inside(lastPath(args, 2))
		to, too := p.inside(lastPath(args, 1))
		if inside && too {
			p.add(event{kind: rename, path: from, to: to})
		}
	case "writev", "pwritev", "pwritev2", "fallocate", "copy_file_range":
		if _, _, ok := p.file(args); ok {
			p.unknown = fmt.Errorf("the model lacks %.60s", s)
		}
	}
}

// finished books what has an effect only when it has returned: a creation, a sync.
func (p *parser) finished(s string, from int) {
	name, args, ok := strings.Cut(s, "(")
	if !ok || failed(s) {
		return
	}
	switch name {
	case "open", "openat", "creat":
		if path, ok := p.inside(lastPath(args, 1)); ok && strings.Contains(args, "O_CREAT") {
			p.add(event{kind: create, path: path})
		}
	case "fsync", "fdatasync":
		d := descr.FindStringSubmatch(args)
		if d == nil || d[3] != "" {
			return
		}
		full := unhex(d[2])
		if full == p.log.dir {
			p.add(event{kind: syncDir, from: from})
		} else if path, ok := p.inside(full); ok {
			p.add(event{kind: sync, path: path, from: from})
		}
	}
}

func (p *parser) write(name, args string) {
	d := descr.FindStringSubmatch(args)
	if d == nil || d[3] != "" {
		return
	}
	quoted := strings.Split(args[len(d[0]):], `"`)
	if len(quoted) < 3 {
		return
	}
	data := []byte(unhex(quoted[1]))
	if d[1] == "1" && name == "write" {
		p.add(event{kind: printed, data: data})
		return
	}
	path, ok := p.inside(unhex(d[2]))
	if !ok {
		return
	}
	if name == "write" {
		p.unknown = fmt.Errorf("the model lacks write without an offset to %s", path)
		return
	}
	rest := strings.TrimPrefix(quoted[2], ", ")
	_, off, _ := strings.Cut(rest, ", ")
	p.add(event{kind: write, path: path, off: number(off), data: data})
}

func (p *parser) add(e event) { p.log.events = append(p.log.events, e) }

// file finds the path below the directory that a call's first argument, a descriptor, stands for.
func (p *parser) file(args string) (path, rest string, ok bool) {
	d := descr.FindStringSubmatch(args)
	if d == nil || d[3] != "" {
		return "", "", false
	}
	path, ok = p.inside(unhex(d[2]))
	return path, strings.TrimPrefix(args[len(d[0]):], ", "), ok
}

func (p *parser) inside(full string) (string, bool) {
	rel, ok := strings.CutPrefix(full, p.log.dir+string(filepath.Separator))
	return rel, ok && rel != ""
}

func failed(s string) bool {
	m := returned.FindStringSubmatch(s)
	return m != nil && strings.HasPrefix(m[1], "-")
}

// lastPath is the n-th quoted argument from the end.
func lastPath(args string, n int) string {
	parts := strings.Split(args, `"`)
	i := len(parts) - 2*n
	if i < 0 || i >= len(parts) {
		return ""
	}
	return unhex(parts[i])
}

// number reads the digits that s begins with.
func number(s string) int64 {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// unhex reads \x41\x42.
func unhex(s string) string {
	b := make([]byte, 0, len(s)/4)
	for i := 0; i+3 < len(s); i += 4 {
		v, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
		if err != nil {
			return ""
		}
		b = append(b, byte(v))
	}
	return string(b)
}
