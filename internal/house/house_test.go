package house

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// rule is one rule of the house. Its name is also the name of the bad tree in testdata that it must find guilty.
type rule struct {
	name  string
	why   string
	check func(*tree) []finding
}

var rules = []rule{
	{"parses", "a file that does not parse hides from every other rule", checkParses},
	{"rooms", "imports go one way: llm <- money <- catalog <- call <- the rooms <- gateway <- server <- cli", checkRooms},
	{"bans", "some packages have no place here", checkBans},
	{"folders", "a folder is named by what it provides", checkFolders},
	{"packagedoc", "a package says once what it is for, what it is not, and its invariants", checkPackageDocs},
	{"filesize", "a file is read in one sitting", checkFileSize},
	{"funcsize", "a function fits on a screen", checkFuncSize},
	{"interfaces", "an interface is small, or it is a type in disguise", checkInterfaces},
	{"lines", "a line fits beside another window", checkLines},
	{"money", "money is integer: a float loses cents", checkMoney},
	{"clock", "time and randomness are handed in, so that tests run on seeds", checkClock},
	{"sleeps", "a test that sleeps is slow on a good day and wrong on a bad one", checkSleeps},
	{"ports", "a fixed port fails on the machine where it is taken", checkPorts},
	{"texts", "texts name no machine, no registry and no unfinished work", checkTexts},
	{"readme", "what the README tells to type works", checkReadme},
}

func TestHouse(t *testing.T) {
	house := load(os.DirFS(root(t)))
	if len(house.files) < 20 {
		t.Fatalf("found %d Go files: the tree was not read", len(house.files))
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range r.check(house) {
				t.Error(f)
			}
			if t.Failed() {
				t.Logf("the rule: %s", r.why)
			}
		})
	}
}

// TestRulesCanFail shows each rule a bad tree. The archive's file "want" lists the findings, one a line.
func TestRulesCanFail(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			files, want := archive(t, r.name)
			var got []string
			for _, f := range r.check(load(files)) {
				got = append(got, f.String())
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// archive reads testdata/name.txtar as a tree, and the sorted findings wanted of it: at least one.
func archive(t *testing.T, name string) (fstest.MapFS, []string) {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files, want := fstest.MapFS{}, []string(nil)
	for _, f := range a.Files {
		if f.Name == "want" {
			want = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
			continue
		}
		files[f.Name] = &fstest.MapFile{Data: pad(f.Data)}
	}
	if len(want) == 0 || want[0] == "" {
		t.Fatalf("testdata/%s.txtar wants no finding: the rule is not shown to fail", name)
	}
	slices.Sort(want)
	return files, want
}

// pad replaces every line "//lines N" by N comment lines, so that an archive shows a long file in few lines.
func pad(b []byte) []byte {
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		n, ok := strings.CutPrefix(strings.TrimSpace(line), "//lines ")
		if !ok {
			out.WriteString(line)
			continue
		}
		count := 0
		for _, c := range n {
			count = count*10 + int(c-'0')
		}
		out.WriteString(strings.Repeat("//\n", count))
	}
	return []byte(out.String())
}

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}
