package sqlite_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/store/sqlite"
)

// opener in the environment makes the test binary open the directories that it reads from standard input, one a line.
const opener = "WEIR_STORE_OPENER"

// openAll answers each line "ID DIR", or "ID serve DIR", with "ok" or the error.
func openAll(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		id, dir, _ := strings.Cut(lines.Text(), " ")
		said := "ok"
		if err := openOnce(id, dir); err != nil {
			said = strings.ReplaceAll(whole(err), "\n", " ")
		}
		if _, err := fmt.Fprintln(out, said); err != nil {
			return err
		}
	}
	return lines.Err()
}

// whole is an error with its causes, which its message hides from users.
func whole(err error) string {
	if below := errors.Unwrap(err); below != nil {
		return err.Error() + ": " + below.Error()
	}
	return err.Error()
}

// openOnce does what weir serve or weir key create does to a storage folder: it opens it, adds a key and lists.
func openOnce(id, dir string) (err error) {
	var keys *sqlite.Keys
	if path, ok := strings.CutPrefix(dir, "serve "); ok {
		db, err := sqlite.Open(path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		keys = db.Keys()
	} else {
		if keys, err = sqlite.OpenKeys(dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, keys.Close()) }()
	}
	if err := keys.Add(identity.Key{ID: id, Created: time.Unix(1, 0)}); err != nil {
		return err
	}
	all, err := keys.List()
	if err == nil && len(all) == 0 {
		return errors.New("an added key is not listed")
	}
	return err
}

// process is a test binary that opens directories.
type process struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func startOpener(t *testing.T) process {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), opener+"=1")
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	})
	return process{in, bufio.NewReader(out)}
}

func (p process) open(id, dir string) error {
	if _, err := fmt.Fprintln(p.in, id, dir); err != nil {
		return err
	}
	said, err := p.out.ReadString('\n')
	if err == nil && said != "ok\n" {
		err = errors.New(strings.TrimSpace(said))
	}
	return err
}

// A first `weir serve` and several `weir key` beside it find an empty folder at the same time: each must come out with
// the whole schema, and no key may be lost.
func TestAFreshDirectoryIsOpenedByManyAtOnce(t *testing.T) {
	rounds, processes, threads := 15, 3, 6
	if testing.Short() {
		rounds = 3
	}
	var others []process
	for range processes {
		others = append(others, startOpener(t))
	}
	for round := range rounds {
		dir := filepath.Join(t.TempDir(), "data")
		errs := make([]error, processes+threads)
		var wg sync.WaitGroup
		for i, p := range others {
			where := dir
			if i == 0 {
				where = "serve " + dir
			}
			wg.Go(func() { errs[i] = p.open("P"+strconv.Itoa(i), where) })
		}
		for i := range threads {
			wg.Go(func() { errs[processes+i] = openOnce("T"+strconv.Itoa(i), dir) })
		}
		wg.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("round %d, opener %d: %s", round, i, whole(err))
			}
		}
		if t.Failed() {
			return
		}
		keys, err := openKeys(t, dir).List()
		if err != nil || len(keys) != processes+threads {
			t.Fatalf("round %d: %d keys of %d, %v", round, len(keys), processes+threads, err)
		}
	}
}

// Who waits in vain is told what for.
func TestAnotherProcessPreparesTheDirectoryForTooLong(t *testing.T) {
	dir := t.TempDir()
	held, err := sqlite.Turn(dir, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Turn(dir, time.Millisecond)
	var told *llm.Error
	if !errors.As(err, &told) || !strings.Contains(told.Message, "another weir process has been preparing "+dir) {
		t.Errorf("told %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := sqlite.Turn(dir, time.Second)
	if err != nil {
		t.Fatalf("after it was let go: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
