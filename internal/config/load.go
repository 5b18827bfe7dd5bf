package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	_ "time/tzdata" // zones of budgets, also where the machine has none

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/models/catalog"
)

// Load reads a file, with secrets from env. The error is an *Errors with everything that is wrong, or an *llm.Error
// when there is no readable file.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	return read(path, resolver{env: env, now: time.Now()})
}

// Read reads a file as Load does, with the same checks and errors, but looks no secret up: the keys of providers have
// only their Ref. It is for commands that call no provider, run where the server's secrets are not.
func Read(path string) (*Config, error) {
	return read(path, resolver{sealed: true, now: time.Now()})
}

func read(path string, r resolver) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, &llm.Error{
			Code: llm.CodeInvalid, Message: fmt.Sprintf("cannot read configuration %s: %v", path, plain(err)), Err: err,
			Hint: "weir init writes a working file; --config names another one",
		}
	}
	return r.parse(path, data)
}

// Parse reads a file's content. path names it in errors, and schemas, secrets and the data folder are relative to it;
// now decides which dates have passed. The error is an *Errors with everything that is wrong.
func Parse(path string, data []byte, env func(string) (string, bool), now time.Time) (*Config, error) {
	r := resolver{env: env, now: now}
	return r.parse(path, data)
}

func (r *resolver) parse(path string, data []byte) (*Config, error) {
	r.dir, r.p, r.f = filepath.Dir(path), &problems{}, &file{}
	r.c = &Config{Path: path, Models: catalog.Embedded()}
	decode(data, r.f, r.p)
	if r.f.At.line > 0 { // else there is nothing to check further
		r.resolve()
	}
	if err := r.p.err(path, data); err != nil {
		return nil, err
	}
	r.c.Warnings = r.p.warnings
	return r.c, nil
}

// resolver turns the file's shape into a Config: it looks names up, reads what is referred to and applies the rules
// that go across sections. It goes on after a problem, to find the next.
type resolver struct {
	env    func(string) (string, bool)
	sealed bool // secrets are not looked up
	now    time.Time
	dir    string // of the file
	p      *problems
	f      *file
	c      *Config
}

func (r *resolver) resolve() {
	r.process()
	r.models()
	r.providers()
	r.deployments()
	r.checks()
	r.data()
	r.budgets()
	r.useCases()
	r.routes()
	r.briefs()
	r.shadows()
	r.reach()
	r.holds()
}

// path resolves a path that stands in the file.
func (r *resolver) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.dir, p)
}

// largestRead bounds schemas, secrets and the file itself.
const largestRead = 4 << 20

// readFile reads a regular file of sane size: a device or pipe would hang a reload.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("not a regular file")
	case info.Size() > largestRead:
		return nil, fmt.Errorf("larger than %d MiB", largestRead>>20)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	return io.ReadAll(io.LimitReader(f, largestRead))
}

// plain is a file error without the path, which the message names already.
func plain(err error) string {
	switch {
	case os.IsNotExist(err):
		return "no such file"
	case os.IsPermission(err):
		return "permission denied"
	}
	return err.Error()
}
