package eval

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// members are the names of a type's JSON members, nested ones included.
func members(t reflect.Type, into map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		members(t.Elem(), into)
	case reflect.Struct:
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			into[name] = true
			members(t.Field(i).Type, into)
		}
	}
}

// Who reads the JSON can look every member up.
func TestThePageTellsEveryMember(t *testing.T) {
	page, err := os.ReadFile("../../docs/evaluation.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	members(reflect.TypeFor[Result](), all)
	if len(all) < 40 {
		t.Fatalf("only %d members", len(all))
	}
	for name := range all {
		if !strings.Contains(string(page), "`"+name+"`") && !strings.Contains(string(page), "."+name+"`") {
			t.Errorf("docs/evaluation.md does not tell of %q", name)
		}
	}
}
