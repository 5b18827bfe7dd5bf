package client

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// TestMain is also a runner that answers every job, but for one that it does not survive.
func TestMain(m *testing.M) {
	if os.Getenv("FAKE_RUNNER") == "" {
		os.Exit(m.Run())
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var j Job
		if err := json.Unmarshal(lines.Bytes(), &j); err != nil || j.ID == "deadly" {
			fmt.Fprintln(os.Stderr, "it fell over")
			os.Exit(3)
		}
		fmt.Printf(`{"id":%q,"text":"hello"}`+"\n", j.ID)
	}
	os.Exit(0)
}

func TestAJobThatItsProcessDoesNotSurviveIsACrash(t *testing.T) {
	r := &Runner{Name: "fake", Args: []string{os.Args[0]}, Env: []string{"FAKE_RUNNER=1"}}
	seen, err := r.Run(t.Context(), []Job{{ID: "first"}, {ID: "deadly"}, {ID: "last"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"first", "last"} {
		if s := seen[id]; s.Text != "hello" || s.Crash != "" {
			t.Errorf("job %s: %+v", id, s)
		}
	}
	if s := seen["deadly"]; !strings.Contains(s.Crash, "it fell over") {
		t.Errorf("the deadly job: %+v", s)
	}
}

func TestARunnerThatSaysNoJSONIsAnError(t *testing.T) {
	r := &Runner{Name: "echo", Args: []string{"echo", "no JSON"}}
	if _, err := r.Run(t.Context(), []Job{{ID: "a"}}); err == nil || !strings.Contains(err.Error(), "no JSON") {
		t.Errorf("error %v", err)
	}
}
