package validate

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirhq/weir/internal/llm"
)

// term is a random calculation: its text and its value, computed here and not by the code under test.
type term struct {
	text  string
	value *big.Rat
	level int // 0 = sum, 1 = product, 2 = number or parenthesis
}

// paren wraps t when it binds less than level.
func (t term) paren(level int) string {
	if t.level < level {
		return "(" + t.text + ")"
	}
	return t.text
}

func genTerm(t *rapid.T, depth int) term {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		n := rapid.Int64Range(1, 99_999).Draw(t, "n")
		places := rapid.IntRange(0, 2).Draw(t, "places")
		r := big.NewRat(n, []int64{1, 10, 100}[places])
		return term{grouped(r.FloatString(places), rapid.Bool().Draw(t, "grouped")), r, 2}
	}
	a, b := genTerm(t, depth-1), genTerm(t, depth-1)
	unit := rapid.SampledFrom([]string{"", " apples", " boxes of fruit"}).Draw(t, "unit")
	switch op := rapid.SampledFrom([]string{"+", "-", "−", "*", "×", "/", "÷"}).Draw(t, "op"); op {
	case "+":
		return term{a.paren(0) + unit + " + " + b.paren(1), new(big.Rat).Add(a.value, b.value), 0}
	case "-", "−":
		return term{a.paren(0) + unit + " " + op + " " + b.paren(1), new(big.Rat).Sub(a.value, b.value), 0}
	case "*", "×":
		return term{a.paren(1) + unit + " " + op + " " + b.paren(2), new(big.Rat).Mul(a.value, b.value), 1}
	default:
		if b.value.Sign() == 0 {
			b = term{"7", big.NewRat(7, 1), 2}
		}
		return term{a.paren(1) + " " + op + " " + b.paren(2), new(big.Rat).Quo(a.value, b.value), 1}
	}
}

// grouped puts commas between thousands.
func grouped(s string, yes bool) string {
	whole, frac, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; yes && i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if frac == "" {
		return whole
	}
	return whole + "." + frac
}

func TestRandomCalculations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genTerm(t, 3)
		if c.level == 2 {
			t.Skip("no operator")
		}
		places := rapid.IntRange(0, 6).Draw(t, "places shown")
		right := c.value.FloatString(places)
		frame := rapid.SampledFrom([]string{"So %s = %s eggs.", "<<%s=%s>>", "- %s = $%s", "Total: %s = %s\n"}).Draw(t,
			"frame")
		if strings.Contains(frame, "$") && places == 3 {
			t.Skip("$1.200 is a thousand in some countries")
		}
		text := fmt.Sprintf(frame, c.text, grouped(right, true))
		if n, wrong := calculations(text); n != 1 || len(wrong) != 0 {
			t.Fatalf("%q: judged %d, wrong %v; it holds", text, n, wrong)
		}
		off := new(big.Rat).SetInt64(rapid.Int64Range(1, 50).Draw(t, "off by"))
		text = fmt.Sprintf(frame, c.text, grouped(off.Add(off, c.value).FloatString(places), true))
		if n, wrong := calculations(text); n != 1 || len(wrong) != 1 {
			t.Fatalf("%q: judged %d, wrong %v; it does not hold", text, n, wrong)
		}
	})
}

// genJSON is a random JSON object or array in the form that encoders write.
func genJSON(t *rapid.T, depth int) string {
	word := rapid.StringMatching(`([a-z ,:]|\\"|[}{\]\[]|\\\\|é|“)*`)
	switch k := rapid.IntRange(0, 5).Draw(t, "kind"); {
	case depth == 0 || k > 3:
		scalars := []string{"1", "-0.50", "12345678901234567890", "true", "null", `"x"`, "1e5"}
		return rapid.SampledFrom(scalars).Draw(t, "scalar")
	case k == 3:
		return `"` + word.Draw(t, "string") + `"`
	case k == 2:
		var items []string
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			items = append(items, genJSON(t, depth-1))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return genObject(t, depth)
}

func genObject(t *rapid.T, depth int) string {
	var members []string
	for i := range rapid.IntRange(1, 3).Draw(t, "members") {
		members = append(members, fmt.Sprintf(`"k%d":%s`, i, genJSON(t, depth-1)))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestDamagedJSONIsRestored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := genObject(t, 3)
		if !valid(whole) {
			t.Fatalf("the generator wrote %q", whole)
		}
		text := whole
		if rapid.Bool().Draw(t, "trailing comma") {
			text = text[:len(text)-1] + ",}"
		}
		switch rapid.IntRange(0, 4).Draw(t, "damage") {
		case 0:
			text = "```json\n" + text + "\n```"
		case 1:
			text = "Here you are: " + text + "\nIs there more?"
		case 2:
			text = strings.TrimSuffix(text, "}")
		case 3:
			text = "\ufeff" + text
		}
		got := text
		if fixed, note := repairJSON(text, true); note != "" {
			got = fixed
		}
		if got != whole {
			t.Fatalf("%q was repaired to %q, want %q", text, got, whole)
		}
	})
}

func TestArgumentsThatFitPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		args := genObject(t, 2)
		req := &llm.Request{Tools: []llm.Tool{{Name: "t", Schema: []byte(`{"type":"object","required":["k0"]}`)}}}
		call := llm.Part{Kind: llm.ToolUse, Tool: &llm.ToolCall{Name: "t", Args: []byte(args)}}
		if why := judgeTools(Subject{Request: req, Answer: response(llm.StopToolUse, call)}); why != "" {
			t.Fatalf("%s: %s", args, why)
		}
		call.Tool.Args = []byte(strings.Replace(args, `"k0"`, `"k9"`, 1))
		want := `tool call 1: arguments of "t": at "": required: missing "k0"`
		if why := judgeTools(Subject{Request: req, Answer: response(llm.StopToolUse, call)}); why != want {
			t.Fatalf("%s: %q, want %q", call.Tool.Args, why, want)
		}
	})
}
