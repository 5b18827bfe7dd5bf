package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be the recorded process.
func TestMain(m *testing.M) {
	if dir := os.Getenv("WEIR_CRASH_SCRIPT"); dir != "" {
		if err := script(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// script writes A, syncs it, writes B, renames, and tells what it has done.
func script(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	steps := []func() error{
		func() error { _, err := f.WriteAt([]byte(strings.Repeat("A", 1024)), 0); return err },
		f.Sync,
		func() error { _, err := fmt.Println("A is safe"); return err },
		func() error { _, err := f.WriteAt([]byte(strings.Repeat("B", 1024)), 1024); return err },
		func() error { _, err := fmt.Println("B is not"); return err },
		func() error { return f.Truncate(512) },
		func() error { return os.Rename(filepath.Join(dir, "log"), filepath.Join(dir, "log.1")) },
		func() error { _, err := fmt.Println("renamed"); return err },
	}
	for _, s := range steps {
		if err := s(); err != nil {
			return err
		}
	}
	return f.Close()
}

func record(t *testing.T) *Log {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "WEIR_CRASH_SCRIPT="+dir)
	return Record(t, cmd, dir)
}

// image gives the files of an image by name.
func image(t *testing.T, l *Log, cut int, loss Loss) map[string]string {
	dest := t.TempDir()
	l.Image(t, cut, loss, dest, func(string) bool { return false })
	files := map[string]string{}
	names, err := os.ReadDir(dest)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dest, n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[n.Name()] = string(b)
	}
	return files
}

func TestImagesOfARecordedProcess(t *testing.T) {
	l := record(t)
	cuts := l.Prints()
	if len(cuts) != 3 || strings.Join(l.Printed(l.Len()), "|") != "A is safe|B is not|renamed" {
		t.Fatalf("printed %q at %v", l.Printed(l.Len()), cuts)
	}
	kept := func() Fate { return Kept }
	a, b := strings.Repeat("A", 1024), strings.Repeat("B", 1024)
	for _, tt := range []struct {
		name  string
		cut   int
		loss  Loss
		files map[string]string
	}{
		{"before anything", 0, kept, map[string]string{}},
		{"synced data survives", cuts[0], All, map[string]string{"log": a}},
		{"unsynced data is lost", cuts[1], All, map[string]string{"log": a}},
		{"unsynced data may survive", cuts[1], kept, map[string]string{"log": a + b}},
		{"unsynced data may be torn", cuts[1], func() Fate { return Torn }, map[string]string{"log": a + b[:512]}},
		{"an unsynced rename is lost", cuts[2], All, map[string]string{"log": a}},
		{"an unsynced rename may survive", cuts[2], kept, map[string]string{"log.1": a[:512]}},
	} {
		got := image(t, l, tt.cut, tt.loss)
		if fmt.Sprint(got) != fmt.Sprint(tt.files) {
			t.Errorf("%s: %.80q, want %.80q", tt.name, got, tt.files)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for cut := range l.Len() + 1 {
		for _, content := range image(t, l, cut, Some(r, 0.5)) {
			if cut >= cuts[0] && !strings.HasPrefix(content, a[:512]) {
				t.Fatalf("cut %d: synced data is gone: %.40q", cut, content)
			}
		}
	}
}

func TestASyncCoversOnlyWhatWasWrittenBeforeItBegan(t *testing.T) {
	const trace = `
10 openat(AT_FDCWD<\x2f>, "\x2f\x64\x2f\x61", O_RDWR|O_CREAT, 0644) = 3<\x2f\x64\x2f\x61>
10 pwrite64(3<\x2f\x64\x2f\x61>, "\x41", 1, 0) = 1
11 fdatasync(3<\x2f\x64\x2f\x61> <unfinished ...>
10 pwrite64(3<\x2f\x64\x2f\x61>, "\x42", 1, 1) = 1
11 <... fdatasync resumed>) = 0
10 pwrite64(3<\x2f\x64\x2f\x61>, "\x43", 1, 2) = -1 ENOSPC (No space left on device)
10 write(1<\x70>, "\x6f\x6b\x0a", 3 <unfinished ...>
11 openat(AT_FDCWD<\x2f>, "\x2f\x65\x2f\x61", O_RDWR|O_CREAT, 0644) = 4<\x2f\x65\x2f\x61>
10 <... write resumed>) = 3
`
	l, err := parse(strings.NewReader(strings.TrimPrefix(trace, "\n")), "/d")
	if err != nil {
		t.Fatal(err)
	}
	if got := image(t, l, l.Len(), All); got["a"] != "A" || len(got) != 1 {
		t.Errorf("all lost: %q, want A", got)
	}
	if got := image(t, l, l.Len(), func() Fate { return Kept }); got["a"] != "AB" {
		t.Errorf("all kept: %q, want AB", got)
	}
	if got := l.Printed(l.Len()); len(got) != 1 || got[0] != "ok" {
		t.Errorf("printed %q", got)
	}
}

func TestADirectorySyncMakesNamesDurable(t *testing.T) {
	const trace = `1 openat(AT_FDCWD<\x2f>, "\x2f\x64\x2f\x61", O_RDWR|O_CREAT, 0644) = 3<\x2f\x64\x2f\x61>
1 fsync(4<\x2f\x64>) = 0
1 unlink("\x2f\x64\x2f\x61") = 0
1 openat(AT_FDCWD<\x2f>, "\x2f\x64\x2f\x61", O_RDWR|O_CREAT, 0644) = 3<\x2f\x64\x2f\x61>
1 pwrite64(3<\x2f\x64\x2f\x61>, "\x42", 1, 0) = 1
`
	l, err := parse(strings.NewReader(trace), "/d")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := image(t, l, l.Len(), All)["a"]; !ok || got != "" {
		t.Errorf("%q, %v: want the first file, empty", got, ok)
	}
	if got := image(t, l, l.Len(), func() Fate { return Kept })["a"]; got != "B" {
		t.Errorf("%q, want the second file", got)
	}
}

func TestWritesThatTheModelLacksAreAnError(t *testing.T) {
	for _, line := range []string{
		`1 write(3<\x2f\x64\x2f\x61>, "\x42", 1) = 1`,
		`1 fallocate(3<\x2f\x64\x2f\x61>, 0, 0, 4096) = 0`,
	} {
		if _, err := parse(strings.NewReader(line+"\n"), "/d"); err == nil {
			t.Errorf("%s is taken", line)
		}
	}
}

// FuzzParse feeds the parser arbitrary traces.
func FuzzParse(f *testing.F) {
	f.Add(`1 pwrite64(3<\x2f\x64\x2f\x61>, "\x42", 1, 0) = 1`)
	f.Add(`1 fdatasync(3<\x2f\x64> <unfinished ...>` + "\n1 <... fdatasync resumed>) = 0")
	f.Add(`1 rename("\x2f\x64\x2f\x61", "\x2f\x64\x2f\x62") = 0`)
	f.Fuzz(func(t *testing.T, trace string) {
		l, err := parse(strings.NewReader(trace), "/d")
		if err != nil {
			return
		}
		for _, e := range l.events {
			if e.off > 1<<20 || strings.Contains(e.path, "..") || strings.ContainsAny(e.path, "\x00/") {
				return // an image of it would be large or outside
			}
		}
		l.Printed(l.Len())
	})
}
