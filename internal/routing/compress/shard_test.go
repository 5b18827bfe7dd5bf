package compress

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

// blob is a token of n letters and digits without a seam.
func blob(n int) string {
	return strings.Repeat("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.a0Zb-_+/3", n/46+1)[:n]
}

func TestLongTokensAreLeftOut(t *testing.T) {
	for name, text := range map[string]string{
		"jwt":        "The header was Bearer " + blob(9000) + " and INV-402 must not be paid.",
		"base64":     `{"file": "` + blob(9000) + `", "id": "INV-402", "note": "it must not be paid"}`,
		"no spaces":  `{"file":"` + blob(9000) + `","id":"INV-402"}`,
		"at the end": "INV-402 must not be paid. " + blob(9000),
		"alone":      blob(9000),
		"minified":   strings.Repeat(`function(a,b){return a[17]+b.c3;}var q=12;`, 240) + " INV-402 must not be paid.",
		"letters":    strings.Repeat("请支付500元", 900) + " INV-402 must not be paid.",
	} {
		for _, target := range []int{0, 50, 2000} {
			req := &llm.Request{Messages: []llm.Message{
				say(llm.User, text), say(llm.Assistant, filler(40)), say(llm.User, "What is with INV-402?"),
			}}
			b, err := Extract(req, Options{Target: target})
			if err != nil {
				t.Errorf("%s, target %d: %v", name, target, err)
				continue
			}
			f := b.Fidelity()
			if f.BriefTokens > f.SourceTokens/2 || strings.Contains(b.Text(), "JIUzI1Ni") {
				t.Errorf("%s, target %d: the token is in the brief (%d tokens of %d)", name, target, f.BriefTokens, f.SourceTokens)
			}
			if name != "alone" && target != 50 && !strings.Contains(b.Text(), "INV-402") {
				t.Errorf("%s, target %d: the prose beside the token is gone:\n%s", name, target, b.Text())
			}
			if name == "jwt" && target == 2000 && !strings.Contains(b.Text(), leftOut) {
				t.Errorf("the brief does not say that a token was left out:\n%s", b.Text())
			}
		}
	}
}

func TestTextWithoutSpacesIsCutAtItsMarks(t *testing.T) {
	for name, text := range map[string]string{
		"prose":    strings.Repeat("供应商必须在三十天内交货，否则买方可以扣款。", 200),
		"minified": strings.Repeat(`{"id":17,"name":"crane"},`, 400)[:9_999],
		"flat":     `{"a":1` + strings.Repeat(`,"key":"value"`, 500) + `}`,
	} {
		for _, c := range cutLine(text) {
			if c.shard || len(c.text) > 4*longUnit {
				t.Errorf("%s: %d bytes, shard %t: %.40q", name, len(c.text), c.shard, c.text)
			}
		}
	}
}

func TestCellsOfARowAreFactsOfTheirOwn(t *testing.T) {
	for row, want := range map[string][]string{
		"4077,INV-4077,12231.50,EUR,2026-11-24,open": {"4077", "inv-4077", "12231.50,eur", "2026-11-24"},
		"PO-12,345,7":                         {"po-12", "345,7"},
		"INV-1,INV-2,a.p@acme.example,5":      {"inv-1", "inv-2", "a.p@acme.example", "5"},
		"1,250,000.50 and 12,5 and 1.250,00":  {"1,250,000.50", "12,5", "1.250,00"},
		"1,250-1,300 EUR":                     {"1,250-1,300"},
		"2026-11-24,500":                      {"2026-11-24", "500"},
		"1,2,3,4":                             {"1", "2", "3,4"},
		"DE89 3704 0044 0532 0130 00,ACME2,X": {"de89 3704 0044 0532 0130 00", "acme2"},
		"DE89 3704 0044 0532 INV-402":         {"de89 3704 0044 0532", "inv-402"},
		"Nov 5, 2026-01-02":                   {"nov 5", "2026-01-02"},
		"500 EUR2":                            {"500", "eur2"},
		"12231.50;EUR;7":                      {"12231.50;eur", "7"},
		"12231.50,EURO":                       {"12231.50"},
	} {
		var got []string
		for _, f := range factsOf(row) {
			got = append(got, f.key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", row, diff)
		}
	}
}

func TestRowsWithoutSpacesArePinned(t *testing.T) {
	var rows strings.Builder
	rows.WriteString("nr,invoice,sum,currency,due\n")
	for i := range 400 {
		fmt.Fprintf(&rows, "%d,INV-%d,%d.50,EUR,2026-11-%02d\n", 4000+i, 4000+i, 12_154+i, i%28+1)
	}
	b, err := Extract(&llm.Request{Messages: []llm.Message{
		say(llm.User, rows.String(), "How much is INV-4077?"),
	}}, Options{Target: 300})
	if err != nil {
		t.Fatal(err)
	}
	if f := b.Fidelity(); f.Pinned < 3 || !strings.Contains(b.Text(), "4077,INV-4077,12231.50,EUR,2026-11-22") {
		t.Errorf("fidelity %+v, want id, amount and date of the row pinned:\n%s", f, b.Text())
	}
}

// TestFactsAtSeamsAreHeld: what stands at the edge of a unit reads differently beside another unit.
func TestFactsAtSeamsAreHeld(t *testing.T) {
	for _, text := range []string{
		"EUR 5 May 2026", "Nov 5 2026", "DE89 3704 0044 0532 0130 00 1234 5678 INV-4", "$ 5 EUR",
		"500  EUR", "5 % May", "may  5 june 2026", "PO 12,5,EUR",
	} {
		whole := textOf(draft{text: text})
		for i := range len(text) {
			if text[i] != ' ' {
				continue
			}
			for _, part := range []string{text[:i], text[i+1:]} {
				for _, f := range factsOf(part) {
					if !whole.holds(f) {
						t.Errorf("%q of %q is not held by the whole", f.key, text)
					}
				}
			}
		}
	}
}

// vendors is a conversation of n turns each of which forbids something.
func vendors(n int) *llm.Request {
	req := &llm.Request{}
	for i := range n {
		req.Messages = append(req.Messages,
			say(llm.User, fmt.Sprintf("You must not pay vendor number %d before the audit of the harbour is signed.", i)))
	}
	req.Messages = append(req.Messages, say(llm.User, "Whom may we pay?"))
	return req
}

// TestManyObligations: a search per obligation would take minutes here, with or without the race detector.
func TestManyObligations(t *testing.T) {
	const n = 60_000
	began := time.Now()
	b, err := Extract(vendors(n), Options{Target: 500})
	if err != nil {
		t.Fatal(err)
	}
	if f := b.Fidelity(); f.Pinned < n || f.Kept != f.Pinned {
		t.Errorf("fidelity %+v, want all of at least %d", f, n)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestObligationsAreHeldOnlyWhole(t *testing.T) {
	units := split([]piece{{label: "user", text: "You must not pay it.\nNever call.", turn: true}}).units
	pins := pinnedOf(units, nil)
	whole, _ := render([]piece{{label: "user"}}, source{units: units}, []int32{0, 1}, nil)
	if kept, _ := measure([]string{"x"}, whole, pins); len(pins) != 2 || kept != 2 {
		t.Errorf("%d of %d kept, want 2 of 2", kept, len(pins))
	}
	half, _ := render([]piece{{label: "user"}}, source{units: units}, []int32{1}, nil)
	if kept, _ := measure([]string{"x"}, half, pins); kept != 1 {
		t.Errorf("%d kept, want 1 of 2", kept)
	}
	listed, appended := render([]piece{{label: "user"}}, source{units: units}, []int32{1}, pins)
	if kept, _ := measure([]string{"x"}, listed, pins); kept != 2 || appended != 1 {
		t.Errorf("%d kept, %d appended, want the lost one in the list of facts", kept, appended)
	}
}

func BenchmarkObligations(b *testing.B) {
	for _, n := range []int{8_000, 32_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			req := vendors(n)
			for b.Loop() {
				if _, err := Extract(req, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
