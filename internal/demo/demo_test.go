package demo_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/demo"
	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/server"
)

const sample = 24

func run(t *testing.T, seed uint64, asJSON bool) (out, errs, dir string) {
	t.Helper()
	var o, e bytes.Buffer
	dir = t.TempDir()
	err := demo.Run(t.Context(), demo.Options{
		Out: &o, Err: &e, Dir: dir, Seed: seed, Sample: sample, JSON: asJSON, Version: "test",
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, e.String())
	}
	return o.String(), e.String(), dir
}

func TestSameSeedSameOutput(t *testing.T) {
	one, told, _ := run(t, 7, false)
	two, _, _ := run(t, 7, false)
	if one != two {
		t.Errorf("two runs differ:\n%s\n----\n%s", one, two)
	}
	for _, want := range []string{
		"Has Invoice #402 been approved?", "rejected: invoice-shape", "compressed and checked by the gateway", "$4,999.50", "$413.30",
		"$1,966.50", "$290.44", "accepted wrong", "escalation tax", "profile mixed, prices list-2026-08",
	} {
		if !strings.Contains(one, want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	for _, want := range []string{"first accepted byte", "weir usage --by use-case", "ledger.db"} {
		if !strings.Contains(told, want) {
			t.Errorf("standard error does not say %q", want)
		}
	}
}

// The JSON has both profiles by both price books, and of each run every interaction.
func TestTheJSONHasEverySampledRun(t *testing.T) {
	out, _, _ := run(t, 2026, true)
	var r demo.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.Sampled {
		got = append(got, s.Profile+" "+s.Book)
		if s.Before.Accepted != sample || s.After.Accepted+s.After.Refused != sample || s.Interactions != sample {
			t.Errorf("%s by %s: %+v", s.Profile, s.Book, s)
		}
	}
	want := []string{"uniform article-2026-06", "uniform list-2026-08", "mixed article-2026-06", "mixed list-2026-08"}
	if !slices.Equal(got, want) || len(r.Analytic) != len(want) {
		t.Errorf("sampled %q, analytic %d", got, len(r.Analytic))
	}
}

// A folder with something in it that the demo would write over stays as it is.
func TestAFolderInUseIsRefused(t *testing.T) {
	for name, want := range map[string]string{
		"weir.yaml": "holds a weir.yaml already", filepath.Join("data", "ledger.db"): "holds the ledger of an earlier demo already",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := demo.Run(t.Context(), demo.Options{Out: io.Discard, Err: io.Discard, Dir: dir, Sample: 1})
		var told *llm.Error
		if !errors.As(err, &told) || !strings.Contains(told.Message, want) || !strings.Contains(told.Hint, "weir demo --dir ") {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
			t.Errorf("%s is now %q, %v", name, b, err)
		}
		if all, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(all) != 1 {
			t.Errorf("the folder holds %q, %v", all, err)
		}
	}
}

// What could not begin leaves nothing behind.
func TestAnAddressThatIsTakenLeavesTheFolderEmpty(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dir := t.TempDir()
	err = demo.Run(t.Context(), demo.Options{
		Out: io.Discard, Err: io.Discard, Dir: dir, Sample: 1, Listen: ln.Addr().String(),
	})
	var told *server.ListenError
	if !errors.As(err, &told) || told.Name != "api" {
		t.Errorf("error %v", err)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) > 0 {
		t.Errorf("the folder holds %v, %v", all, err)
	}
}
