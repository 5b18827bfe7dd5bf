package config

import (
	"crypto/rand"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew")

// september is the day on which the tests' files are read.
var september = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// geminiKey looks like a key, and is another one in each run.
var geminiKey = "AIza" + rand.Text()[:18]

// generated is the place of a secret in a bad file.
var generated = regexp.MustCompile(`GENERATED[A-Z]*`)

// withSecrets puts generated secrets of the same length into a bad file, and returns them with it.
func withSecrets(data []byte) ([]byte, []string) {
	var secrets []string
	data = generated.ReplaceAllFunc(data, func(place []byte) []byte {
		secret := rand.Text()[:len(place)]
		secrets = append(secrets, secret)
		return []byte(secret)
	})
	return data, secrets
}

// environment is what env: finds in tests.
func environment(name string) (string, bool) {
	v, ok := map[string]string{
		"GEMINI_KEY": geminiKey, "SHORT": "abc", "DEFAULT": "ChangeMe-now", "EMPTY": "", "XXX": "sk-xxxxxxxx",
	}[name]
	return v, ok
}

// secretsInTests must never be seen in an error.
var secretsInTests = []string{
	geminiKey, "ChangeMe-now", "sk-xxxxxxxx", "from-a-file-1234", "two words here", "HIDDENKEY", "HIDDENUSER",
}

func TestEveryBadFileHasItsError(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.bad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 40 {
		t.Fatalf("%d bad files, want at least 40", len(names))
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".bad.yaml"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			data, secrets := withSecrets(data)
			_, err = Parse(name, data, environment, september)
			var all *Errors
			if !errors.As(err, &all) {
				t.Fatalf("the file is accepted: %v", err)
			}
			got := strings.ReplaceAll(err.Error(), filepath.Dir(name)+"/", "") + "\n"
			for _, s := range append(secrets, secretsInTests...) {
				if strings.Contains(got, s) {
					t.Errorf("the error shows a secret:\n%s", got)
				}
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
