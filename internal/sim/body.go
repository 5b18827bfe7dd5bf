package sim

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// object reads a JSON object's members; names must be among known.
func object(body []byte, known []string, unknown func(name string) *failure) (map[string]jsontext.Value, *failure) {
	var m map[string]jsontext.Value
	if err := json.Unmarshal(body, &m); err != nil || m == nil {
		return nil, invalid("", "We could not parse the JSON body of your request. (HINT: This likely means you aren't "+
			"using your HTTP library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)")
	}
	var strange []string
	for name := range m {
		if !slices.Contains(known, name) {
			strange = append(strange, name)
		}
	}
	if len(strange) > 0 {
		slices.Sort(strange)
		return nil, unknown(strange[0])
	}
	return m, nil
}

// field reads one member if it is there and not null.
func field[T any](m map[string]jsontext.Value, name string, into *T) *failure {
	v, ok := m[name]
	if !ok || v.Kind() == 'n' {
		return nil
	}
	if err := json.Unmarshal(v, into); err != nil {
		return invalidf(name, "Invalid type for '%s'.", name)
	}
	return nil
}

// fields reads members one after another and stops at the first failure.
func fields(reads ...*failure) *failure {
	for _, f := range reads {
		if f != nil {
			return f
		}
	}
	return nil
}

// inRange checks a number that may be absent.
func inRange(name string, v *float64, low, high float64) *failure {
	if v != nil && (*v < low || *v > high) {
		return invalidf(name, "Invalid '%s': decimal out of range. Expected a value between %v and %v.", name, low, high)
	}
	return nil
}

// bearer checks an Authorization header.
func bearer(r *http.Request, key string) *failure {
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return sameKey(strings.TrimSpace(got), ok, key)
}

func sameKey(got string, present bool, key string) *failure {
	switch {
	case !present || got == "":
		return &failure{kind: failNoKey}
	case key != "" && got != key:
		return &failure{kind: failBadKey}
	}
	return nil
}

// isObject reports whether a value is a JSON object.
func isObject(v jsontext.Value) bool { return v.Kind() == '{' }

// sse is one event of a stream in the plain form.
func sse(v any) []byte {
	var b bytes.Buffer
	b.WriteString("data: ")
	b.Write(marshal(v))
	b.WriteString("\n\n")
	return b.Bytes()
}
