package conformance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weirhq/weir/test/conformance/script"
)

// TestThePageTellsWhatWasSeen compares the tables of docs/streaming.md with what the other tests keep in testdata;
// -update writes them anew.
func TestThePageTellsWhatWasSeen(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "streaming.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for name, want := range map[string]string{"versions": versions(t), "matrix": matrix(t), "keep-alives": keepAlives(t), "ends": ends(t)} {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
		head, rest, found := strings.Cut(page, begin)
		body, tail, closed := strings.Cut(rest, end)
		switch {
		case !found || !closed:
			t.Errorf("%s has no block between %q and %q", path, begin, end)
		case *update:
			page = head + begin + want + end + tail
		case body != want:
			t.Errorf("%s: the block %s is old; -update writes it:\n%s", path, name, want)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func kept(t *testing.T, name string) *results {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return parse(string(text))
}

// pins find an SDK's version: the file, and what stands before it.
var pins = []struct{ sdk, file, before string }{
	{"openai-go", "go.mod", "github.com/openai/openai-go/v3 v"},
	{"openai-go v1", "go.mod", "github.com/openai/openai-go v"},
	{"anthropic-go", "go.mod", "github.com/anthropics/anthropic-sdk-go v"},
	{"genai-go", "go.mod", "google.golang.org/genai v"},
	{"openai-node", "node/package.json", `"openai": "`},
	{"anthropic-node", "node/package.json", `"@anthropic-ai/sdk": "`},
	{"genai-node", "node/package.json", `"@google/genai": "`},
	{"ai (Vercel)", "node/package.json", `"ai": "`},
	{"ai-openai", "node/package.json", `"@ai-sdk/openai": "`},
	{"ai-compatible", "node/package.json", `"@ai-sdk/openai-compatible": "`},
	{"ai-anthropic", "node/package.json", `"@ai-sdk/anthropic": "`},
	{"ai-google", "node/package.json", `"@ai-sdk/google": "`},
	{"openai-python", "python/requirements.txt", "openai=="},
	{"anthropic-python", "python/requirements.txt", "anthropic=="},
	{"genai-python", "python/requirements.txt", "google-genai=="},
	{"codex-cli", "agents/package.json", `"@openai/codex": "`},
	{"gemini-cli", "agents/package.json", `"@google/gemini-cli": "`},
}

func versions(t *testing.T) string {
	t.Helper()
	var told []string
	for _, p := range pins {
		text, err := os.ReadFile(p.file)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(regexp.QuoteMeta(p.before) + `([0-9.]+[0-9])`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s names no version of %s", p.file, p.sdk)
		}
		told = append(told, p.sdk+" "+string(m[1]))
	}
	return wrapped(strings.Join(told, ", ") + ".")
}

// matrix is a row a scenario: how many cells are green, and what the SDKs raise.
func matrix(t *testing.T) string {
	t.Helper()
	seen := kept(t, "matrix.txt")
	var b strings.Builder
	b.WriteString("| scenario | green | what the SDKs raise |\n|---|---|---|\n")
	for _, s := range scenarios {
		green, all := 0, 0
		raised := map[string]bool{}
		for _, p := range providers {
			for _, outcome := range seen.by[s.name+", "+p.name] {
				all++
				state, words, _ := strings.Cut(outcome, "; ")
				if state == "green" {
					green++
				} else {
					raised["**"+state+"**"] = true
				}
				if name, ok := strings.CutPrefix(words, "raises "); ok {
					name, _, _ = strings.Cut(name, ": ")
					words = "`" + strings.TrimSuffix(name, " with Weir's words") + "`"
				}
				raised[words] = true
			}
		}
		fmt.Fprintf(&b, "| %s | %d of %d | %s |\n", s.name, green, all, strings.Join(slices.Sorted(maps.Keys(raised)), ", "))
	}
	return b.String()
}

// keepAlives is a row a form: the clients that do not take it, wherever it stands.
func keepAlives(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| dialect | keep-alive | clients that it breaks |\n|---|---|---|\n")
	for _, d := range script.Dialects() {
		seen := kept(t, "truth-"+d.Name+".txt")
		for _, form := range d.KeepAlives {
			breaks := map[string]bool{}
			for _, cell := range d.Alive(form) {
				for c, outcome := range seen.by[cell.Name] {
					if outcome != "ok" {
						breaks[c] = true
					}
				}
			}
			who := strings.Join(slices.Sorted(maps.Keys(breaks)), ", ")
			if who == "" {
				who = "none"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", d.Name, form.Name, who)
		}
	}
	return b.String()
}

// ends is a row a bad end: who is told nothing, and who asks again.
func ends(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| dialect | end | clients that see no error | clients that miss our words | clients that ask again |\n|---|---|---|---|---|\n")
	for _, d := range script.Dialects() {
		seen := kept(t, "truth-"+d.Name+".txt")
		for _, cell := range d.Ends() {
			var silent, wordless, again []string
			for _, c := range slices.Sorted(maps.Keys(seen.by[cell.Name])) {
				outcome := seen.by[cell.Name][c]
				if strings.Contains(outcome, "no error") {
					silent = append(silent, c)
				} else if !strings.Contains(outcome, "with our words") {
					wordless = append(wordless, c)
				}
				if _, times, ok := strings.Cut(outcome, "asked "); ok {
					again = append(again, c+" ("+times+")")
				}
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", d.Name, cell.Name, all(silent, seen, cell), all(wordless, seen, cell), all(again, seen, cell))
		}
	}
	return b.String()
}

// all lists clients, in one word where they are all.
func all(clients []string, seen *results, cell script.Cell) string {
	if len(clients) > 1 && len(clients) == len(seen.by[cell.Name]) && !strings.Contains(clients[0], "(") {
		return "all"
	}
	return strings.Join(clients, ", ")
}

// wrapped breaks a text into lines.
func wrapped(text string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		if column > 0 && column+1+len(word) > 120 {
			b.WriteByte('\n')
			column = 0
		} else if column > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String() + "\n"
}
