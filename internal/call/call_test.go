package call

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOpIDsReadBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var id OpID
		copy(id[:], rapid.SliceOfN(rapid.Byte(), len(id), len(id)).Draw(t, "id"))
		if got, err := ParseOpID(id.String()); err != nil || got != id {
			t.Fatalf("%s reads back as %s (%v)", id, got, err)
		}
	})
}

func TestParseOpIDRefuses(t *testing.T) {
	good := strings.Repeat("0a", 16)
	for _, bad := range []string{"", good[1:], good[2:], good + "00", good[:30] + "zz", " " + good, good[:8] + "-" + good[8:]} {
		if id, err := ParseOpID(bad); err == nil || !strings.Contains(err.Error(), "32 hex digits") || id != (OpID{}) {
			t.Errorf("ParseOpID(%q) = %s, %v", bad, id, err)
		}
	}
	if id, err := ParseOpID(strings.ToUpper(good)); err != nil || id.String() != good {
		t.Errorf("upper case = %s, %v; want %s", id, err, good)
	}
}

func FuzzParseOpID(f *testing.F) {
	f.Add("0198c0de0198c0de0198c0de0198c0de")
	f.Add("0198C0DE")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseOpID(s)
		if err == nil && id.String() != strings.ToLower(s) {
			t.Fatalf("%q was read as %s", s, id)
		}
	})
}

// TestAClassOnlyRises holds for any labels in any order: the result is the most sensitive of them, and no step lowers it.
func TestAClassOnlyRises(t *testing.T) {
	names := []string{"public", "internal", "confidential", "secret"}
	rapid.Check(t, func(t *rapid.T) {
		var c Class
		top := -1
		for _, rank := range rapid.SliceOfN(rapid.IntRange(-1, len(names)-1), 1, 8).Draw(t, "labels") {
			before, label := c, Class{}
			if rank >= 0 {
				label = NewClass(rank, names[rank])
			}
			c = c.Raise(label)
			top = max(top, rank)
			if c.Rank() < before.Rank() || before.Name() != "" && c.Name() == "" {
				t.Fatalf("%q raised by %q fell to %q", before.Name(), label.Name(), c.Name())
			}
		}
		want := Class{}
		if top >= 0 {
			want = NewClass(top, names[top])
		}
		if c != want {
			t.Fatalf("class = %q, want %q", c.Name(), want.Name())
		}
	})
}
