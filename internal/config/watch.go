package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch reads the file again whenever its content, or that of a schema or secret file it names, has changed and been
// quiet for debounce, and tells onChange: a new Config, or why the file is bad (the old one then stays in force). It
// watches folders, not files, so that editors that write a new file and rename it, and mounted config maps, are seen.
// It returns when ctx ends, or at once with an error when the folders cannot be watched.
func Watch(ctx context.Context, path string, debounce time.Duration, load func() (*Config, error),
	onChange func(*Config, error),
) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	defer func() { _ = w.Close() }() // nothing is lost with it
	s := watchState{path: path, w: w, files: []string{path}}
	if err := s.follow(); err != nil {
		return err
	}
	if c, err := load(); err == nil {
		s.files = append(s.files, c.Files...)
		if err := s.follow(); err != nil {
			return err
		}
	}
	quiet := time.NewTimer(debounce)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, open := <-w.Events:
			if !open {
				return nil
			}
			if s.concerns(ev.Name) {
				quiet.Reset(debounce)
			}
		case _, open := <-w.Errors: // an overflow may have swallowed an event: look
			if !open {
				return nil
			}
			quiet.Reset(debounce)
		case <-quiet.C:
			s.changed(load, onChange)
		}
	}
}

type watchState struct {
	path  string
	w     *fsnotify.Watcher
	files []string
	print [sha256.Size]byte // of all files' content before they were last read
}

// follow watches the folders of the files; a folder that is watched already is left alone.
func (s *watchState) follow() error {
	for _, f := range s.files {
		if err := s.w.Add(filepath.Dir(f)); err != nil {
			return fmt.Errorf("watch %s: %w", filepath.Dir(f), err)
		}
	}
	return nil
}

// concerns reports whether an event may be about one of the files. Kubernetes swaps the link ..data beside them.
func (s *watchState) concerns(name string) bool {
	for _, f := range s.files {
		if filepath.Clean(name) == filepath.Clean(f) {
			return true
		}
	}
	return filepath.Base(name) == "..data"
}

func (s *watchState) fingerprint() [sha256.Size]byte {
	h := sha256.New()
	for _, f := range s.files {
		data, err := readFile(f)
		h.Write(fmt.Appendf(nil, "%s %d %v\n", f, len(data), err))
		h.Write(data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// changed reads the file again unless all content is what it was before the last reading. The print is taken before: a
// change during the reading has an event of its own, which then finds another print.
func (s *watchState) changed(load func() (*Config, error), onChange func(*Config, error)) {
	now := s.fingerprint()
	if now == s.print {
		return
	}
	s.print = now
	c, err := load()
	if err == nil {
		s.files = append([]string{s.path}, c.Files...)
		err = s.follow()
	}
	if err != nil {
		onChange(nil, err)
		return
	}
	onChange(c, nil)
}
