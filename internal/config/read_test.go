package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

// reader is a file whose two secrets are nowhere to be found.
const reader = `version: 1
storage: {dir: elsewhere}
providers:
  openai: {preset: openai, key: env:WEIR_TEST_NOT_SET}
  claude: {preset: anthropic, key: file:no-such-file}
deployments:
  mini: {model: gpt-4o-mini, provider: openai}
routes:
  support: {layers: [{name: edge, use: [mini]}], targets: {edge: 100%}}
data: {unlabelled: internal, may_reach: {internal: any}}
use_cases:
  tickets: {owner: support, kpi: tickets closed, stakes: low, floor: internal, review: 2030-01-31}
`

func wrote(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadNeedsNoSecrets(t *testing.T) {
	path := wrote(t, reader)
	if _, err := Load(path, os.LookupEnv); err == nil {
		t.Fatal("the secrets are there after all")
	}
	c, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Storage.Dir != filepath.Join(filepath.Dir(path), "elsewhere") || c.UseCases["tickets"].Owner != "support" ||
		c.Routes[0].Targets["edge"] != 100 {
		t.Errorf("read %+v", c)
	}
	for name, ref := range map[string]string{"openai": "env:WEIR_TEST_NOT_SET", "claude": "file:no-such-file"} {
		if k := c.Providers[name].Key; k.Ref() != ref || k.Reveal() != "" {
			t.Errorf("%s: key from %q", name, k.Ref())
		}
	}
	if len(c.Files) > 0 {
		t.Errorf("read %v", c.Files)
	}
}

// What else is wrong with a file is told as by Load.
func TestReadChecksAsLoadDoes(t *testing.T) {
	for _, tt := range []struct{ name, old, now, want string }{
		{"an unknown key", "storage:", "store:", "unknown key"},
		{"a secret in the file", "key: env:WEIR_TEST_NOT_SET", "key: sk-123456789012345", "a secret does not stand in this file"},
		{"no key at all", ", key: file:no-such-file", "", "preset anthropic needs a key"},
		{"an unknown deployment", "use: [mini]", "use: [maxi]", `"maxi"`},
		{"a use case without owner", "owner: support, ", "", "owner"},
	} {
		_, err := Read(wrote(t, strings.Replace(reader, tt.old, tt.now, 1)))
		var all *Errors
		if !errors.As(err, &all) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	_, err := Read(filepath.Join(t.TempDir(), "weir.yaml"))
	var typed *llm.Error
	if !errors.As(err, &typed) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Where the secrets are there, what is read is what is loaded, but for them.
func TestReadIsLoadWithoutSecrets(t *testing.T) {
	t.Setenv("WEIR_TEST_NOT_SET", "realistic-value-1")
	path := wrote(t, strings.Replace(reader, "file:no-such-file", "env:WEIR_TEST_NOT_SET", 1))
	loaded, err := Load(path, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{
		"providers.claude.key: env:WEIR_TEST_NOT_SET changed", "providers.openai.key: env:WEIR_TEST_NOT_SET changed",
	}, Diff(read, loaded)); d != "" {
		t.Errorf("the difference (-want +got):\n%s", d)
	}
}
