// Package conformance holds what real client SDKs of Go, npm and Python make of streams: of scripted ones, which say what
// a gateway may send, and of a running Weir in front of simulated providers. It is a module of its own, so that no SDK
// enters the product's.
package conformance

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/weirhq/weir/test/conformance/client"
)

var update = flag.Bool("update", false, "write the golden files anew")

// clients are the SDKs by language and dialect.
var clients = map[string]map[string][]string{
	"go": {
		"chat": {"openai-go", "openai-go v1"}, "messages": {"anthropic-go"}, "responses": {"openai-go responses"}, "gemini": {"genai-go"},
	},
	"npm": {
		"chat":      {"openai-node", "openai-node stream()", "ai-openai", "ai-compatible"},
		"messages":  {"anthropic-node", "anthropic-node stream()", "ai-anthropic"},
		"responses": {"openai-node responses", "ai-openai responses"},
		"gemini":    {"genai-node", "ai-google"},
	},
	"python": {
		"chat": {"openai-python"}, "messages": {"anthropic-python", "anthropic-python stream()"},
		"responses": {"openai-python responses"}, "gemini": {"genai-python"},
	},
	"agents": {"responses": {"codex-cli"}, "gemini": {"gemini-cli"}},
}

// cache is where SDKs are installed, below the project's root.
var cache = filepath.Join("..", "..", ".cache", "conformance")

var (
	mu      sync.Mutex
	runners = map[string]*client.Runner{}
	missing = map[string]error{}
)

// languages are those whose SDKs are played to: those that the environment's WEIR_SDKS names, else all but agents, which
// take half a gigabyte.
func languages() []string {
	if named := os.Getenv("WEIR_SDKS"); named != "" {
		return strings.Split(named, ",")
	}
	return []string{"go", "npm", "python"}
}

// runner is a language's runner. Only Python may be missing, where nobody has named it: then it is nil.
func runner(t *testing.T, language string) *client.Runner {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if runners[language] == nil && missing[language] == nil {
		abs, err := filepath.Abs(cache)
		if err != nil {
			t.Fatal(err)
		}
		runners[language], missing[language] = client.Install(t.Context(), language, ".", abs)
	}
	err := missing[language]
	switch {
	case err == nil:
		return runners[language]
	case language != "python" || os.Getenv("WEIR_SDKS") != "":
		t.Fatalf("the SDKs of %s: %v (WEIR_SDKS names the languages that are played to, as in WEIR_SDKS=go)", language, err)
	}
	t.Logf("left out, the SDKs of %s: %v", language, err)
	return nil
}
