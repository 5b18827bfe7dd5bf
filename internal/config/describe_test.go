package config

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// remove takes the first key at path out of a tree; path is as allKeys writes it.
func remove(node any, path []string) (any, bool) {
	step := path[0]
	list := strings.HasSuffix(step, "[]")
	step = strings.TrimSuffix(step, "[]")
	m, ok := node.(yaml.MapSlice)
	if !ok {
		return node, false
	}
	for i, item := range m {
		if step != "<name>" && item.Key != step {
			continue
		}
		if len(path) == 1 && !list {
			return append(append(yaml.MapSlice(nil), m[:i]...), m[i+1:]...), true
		}
		if next, done := removeBelow(item.Value, path[1:], list); done {
			out := append(yaml.MapSlice(nil), m...)
			out[i].Value = next
			return out, true
		}
	}
	return node, false
}

func removeBelow(node any, path []string, list bool) (any, bool) {
	if !list {
		return remove(node, path)
	}
	items, _ := node.([]any)
	for i, item := range items {
		if next, done := remove(item, path); done {
			out := append([]any(nil), items...)
			out[i] = next
			return out, true
		}
	}
	return node, false
}

// Every key of the schema stands in testdata/full.yaml and does something: without it the file is refused or means
// something else.
func TestEveryKeyDoesSomething(t *testing.T) {
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	whole := load(t, "testdata/full.yaml")
	for _, k := range allKeys() {
		t.Run(k.path, func(t *testing.T) {
			var tree yaml.MapSlice
			if err := yaml.UnmarshalWithOptions(data, &tree, yaml.UseOrderedMap()); err != nil {
				t.Fatal(err)
			}
			less, found := remove(tree, strings.Split(k.path, "."))
			if !found {
				t.Fatal("testdata/full.yaml does not exercise it")
			}
			text, err := yaml.Marshal(less)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse("testdata/full.yaml", text, environment, september)
			if err != nil {
				return
			}
			if diff := Diff(whole, c); len(diff) == 0 && len(k.enum) != 1 {
				// A key with one possible word states it: testdata/bad holds that any other is refused.
				t.Error("the configuration is the same without it")
			}
		})
	}
}

func TestEveryKeyIsExplained(t *testing.T) {
	used := map[string]bool{}
	for _, k := range allKeys() {
		if k.doc == "" || !strings.HasSuffix(k.doc, ".") {
			t.Errorf("key %s: explanation %q", k.path, k.doc)
		}
		used[k.doc] = true
	}
	for key, doc := range docs {
		if !used[doc] {
			t.Errorf("docs explains %s, which is no key", key)
		}
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("weir.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("weir.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instance(t *testing.T, data string) any {
	t.Helper()
	j, err := yaml.YAMLToJSON([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheSchemaAgreesWithReading(t *testing.T) {
	s := compiled(t)
	for _, name := range []string{"full", "small"} {
		data, err := os.ReadFile("testdata/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(instance(t, string(data))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"unknown-key-top", "unknown-key-model", "unknown-key-not-offered", "version-unknown", "version-missing",
		"hosting-unknown",
		"route-mode", "data-missing", "data-hosting", "use-case-no-owner", "budget-limit-week", "check-confidence",
		"secret-literal",
		"pin-word", "limits",
	} {
		data, err := os.ReadFile("testdata/bad/" + name + ".bad.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(instance(t, string(data))); err == nil {
			t.Errorf("the schema accepts %s", name)
		}
	}
}

func TestTheReferencePage(t *testing.T) {
	got := Reference()
	if *update {
		if err := os.WriteFile("testdata/reference.golden.md", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/reference.golden.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
	row := regexp.MustCompile(`^\| [^|]+ \| [^|]* \| [^|]* \| [^|]+ \|$`)
	for line := range strings.Lines(got) {
		if line = strings.TrimSpace(line); !row.MatchString(line) && !strings.HasPrefix(line, "|---") {
			t.Errorf("not a row of four: %s", line)
		}
	}
}
