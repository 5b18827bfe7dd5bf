package validate

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/llm"
)

// TestWhatABeginningDecidesHoldsOfTheWhole draws texts and beginnings of them: whatever is let go by its beginning passes
// the checks on the whole, unless it is cut off.
func TestWhatABeginningDecidesHoldsOfTheWhole(t *testing.T) {
	t.Parallel()
	var checks []Check
	for _, p := range []string{`(?i)order \d+`, `[.!?]`} {
		c, err := Compile(Spec{Name: "c", Regex: p, Early: true})
		if err != nil {
			t.Fatal(err)
		}
		checks = append(checks, c)
	}
	pieces := []string{
		"I cannot ", "help. ", "Order 77 ", "order 5", "is late! ", "Sorry, ", "but ", "the ", "I don't know. ",
		"Leider ", "kann ich nicht ", strings.Repeat("word ", 12), "\n", "\u2019", "X",
	}
	decided := 0
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom(pieces), 8, 60).Draw(t, "parts")
		text := strings.Join(parts, "")
		at := rapid.IntRange(min(leastEarly, len(text)), len(text)).Draw(t, "at")
		if !Decided(checks, text[:at]) {
			return
		}
		decided++
		s := Subject{
			Request: &llm.Request{},
			Answer:  &llm.Response{Choices: []llm.Choice{{Parts: []llm.Part{{Text: text}}, Stop: llm.StopEnd}}},
		}
		if f := All(append(Basic(), checks...), s); !f.OK {
			t.Fatalf("let go by %q, fails %s: %s\n%q", text[:at], f.Check, f.Reason, text)
		}
	})
	if decided == 0 {
		t.Error("no beginning decided anything")
	}
}

func TestOnlySomeChecksAreDecidedEarly(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("All is well with order 7. ", 10)
	for _, tc := range []struct {
		spec Spec
		want bool
	}{
		{Spec{Name: "a", Regex: `order`, Early: true}, true},
		{Spec{Name: "a", Regex: `order`}, false},
		{Spec{Name: "a", Regex: `refund`, Early: true}, false},
		{Spec{Name: "a", References: `order \d`}, false},
		{Spec{Name: "a", Arithmetic: true}, false},
	} {
		c, err := Compile(tc.spec)
		if err != nil {
			t.Fatal(err)
		}
		if got := Decided([]Check{c}, text); got != tc.want {
			t.Errorf("%+v: %v", tc.spec, got)
		}
	}
}

// TestABeginningIsMeasuredByItsWords holds that rules and space before the first words, or within them, decide nothing.
func TestABeginningIsMeasuredByItsWords(t *testing.T) {
	t.Parallel()
	for _, beginning := range []string{
		strings.Repeat("-", 170) + "\n\n", "> " + strings.Repeat("=", 160) + "\n\nI can", "I" + strings.Repeat("\n", 170) + "c", "",
	} {
		if Decided(nil, beginning) {
			t.Errorf("%.30q... is let go", beginning)
		}
	}
}
