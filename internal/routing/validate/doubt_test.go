package validate

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const eggs = "A farm packs 48 eggs in boxes of 6 and sells each box for $4. How many boxes does it fill?"

func TestSignsOfDoubt(t *testing.T) {
	const good = "48 eggs in boxes of 6 are 48 / 6 = 8 boxes at $4.\nThe farm fills 8 boxes."
	tests := []struct {
		name, question, text string
		want                 []string // signs that must be there
		never                []string
	}{
		{"a plain answer", eggs, good, nil, []string{
			"arithmetic", "unfinished", "no-result", "odd-result", "other-result", "unsourced", "unused", "hedge", "repeats",
			"no-work", "unheard", "dead-end", "part-step",
		}},
		{"a wrong sum", eggs, "48 / 6 = 9, so 9 boxes.", []string{"arithmetic", "unused"}, []string{"no-result"}},
		{"broken off in an annotation", eggs, "So it is 48 / 6 = <<48/", []string{"unfinished"}, nil},
		{"broken off after an operator", eggs, "First we take 48 and divide it: 48 /", []string{"unfinished"}, nil},
		{"broken off in a line", eggs, "48 / 6 = 8 boxes.\nThen the farm takes the 4", []string{"unfinished"}, nil},
		{"an open bracket", eggs, "There are 8 boxes (48 / 6.", []string{"unfinished"}, nil},
		{"a code block left open", "Write a loop.", "```go\nfor {\n}\n", []string{"unfinished"}, nil},
		{"a code block", "Write a loop.", "Here:\n```go\nfor {\n}\n```", nil, []string{"unfinished"}},
		{"a list", "Name colours.", "Some are:\n- red\n- a very light shade of blue", nil, []string{"unfinished"}},
		{"one word", "What is the capital of France?", "Paris", nil, []string{"unfinished", "no-result"}},
		{"no number at the end", eggs, "48 / 6 = 8.\nThat is what the farm fills.", []string{"no-result"}, nil},
		{"half a box", eggs, "48 / 6 = 8, less a half for 4: the farm fills 7.5.", []string{"odd-result"}, nil},
		{"half an hour", "How many hours are 150 minutes and 30 seconds?", "They are 2.5 hours.", nil, []string{"unsourced"}},
		{"below zero", eggs, "6 - 48 = -42", []string{"odd-result"}, nil},
		{"parts of a cent", "How much is a third of $10 and $1?", "It is 11 / 3 = $3.6667", []string{"odd-result"}, nil},
		{"a number from nowhere", eggs, "With 177 and 2301 to spare, 48 / 6 = 8.", []string{"unsourced"}, nil},
		{"another number at the end", eggs, "48 / 6 = 8 and 8 * 4 = 32.\n#### 47", []string{"other-result"}, nil},
		{"a share in words", "Half of the 48 eggs are sold. How many are sold?", "48 - 4 = 44 are sold.", []string{"unheard"}, nil},
		{
			"a share taken up", "Half of the 48 eggs are sold. How many are sold?", "48 / 2 = 24 are sold.", nil,
			[]string{"unheard", "unused", "few-steps"},
		},
		{"a dead end", eggs, "48 / 6 = 8, and 48 * 4 = 192.\nThe farm fills 8 boxes.", []string{"dead-end"}, nil},
		{"parts on the way", "How many boxes of 6 hold 48 eggs?", "48 / 5 = 9.6, and 9.6 * 5 / 6 = 8.", []string{"part-step"}, nil},
		{
			"too few steps", "Ann has 3 cats, 4 dogs, 5 birds and 6 fish. How many animals is that?", "3 + 4 = 7 animals.",
			[]string{"few-steps", "unused"},
			nil,
		},
		{"words of doubt", eggs, good + " However, it seems that this is not specified.", []string{"hedge"}, nil},
		{"said twice", eggs, "The farm fills 8 boxes.\nThe farm fills 8 boxes.", []string{"repeats"}, nil},
		{"no calculation", eggs, "The farm fills 8 boxes.", []string{"no-work"}, nil},
		{"nothing to count", "Who wrote Faust?", "Goethe wrote it.", nil, []string{"no-result", "no-work", "unused"}},
		{"another language", "Wie viele Kisten sind 48 Eier zu je 6?", "Das sind viele Kisten.", []string{"no-result"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := DoubtOf(answer(tt.question, tt.text))
			for _, s := range tt.want {
				if d.Signs[s] == 0 {
					t.Errorf("no %s in %v", s, d)
				}
			}
			for _, s := range tt.never {
				if d.Signs[s] != 0 {
					t.Errorf("%s in %v", s, d)
				}
			}
			if plain := DoubtOf(answer(eggs, good)); len(tt.want) > 0 && tt.question == eggs && d.Score <= plain.Score {
				t.Errorf("%v is no graver than the plain answer's %v", d, plain)
			}
		})
	}
}

func TestDoubtCheckPassesUpToItsLimit(t *testing.T) {
	wrong := answer(eggs, "48 / 6 = 9 secret boxes")
	d := DoubtOf(wrong)
	limit := int(math.Floor(d.Score * 100))
	over := compile(t, Spec{Name: "sure", Doubt: limit}).Judge(wrong)
	if over.OK || over.Check != "sure" || over.Doubt == nil || over.Doubt.Score != d.Score {
		t.Errorf("above the limit: %+v", over)
	}
	if !strings.Contains(over.Reason, "a calculation does not hold") || strings.Contains(over.Reason, "secret") {
		t.Errorf("reason %q", over.Reason)
	}
	if under := compile(t, Spec{Name: "sure", Doubt: limit + 1}).Judge(wrong); !under.OK || under.Doubt == nil {
		t.Errorf("below the limit: %+v", under)
	}
}

func TestAllTellsTheDoubtOfWhateverFails(t *testing.T) {
	checks := []Check{compile(t, Spec{Name: "sure", Doubt: 100}), compile(t, Spec{Name: "dated", Regex: "^2026"})}
	f := All(checks, answer(eggs, "8 boxes"))
	if f.OK || f.Check != "dated" || f.Doubt == nil {
		t.Errorf("finding %+v", f)
	}
	if f = All(checks[:1], answer(eggs, "8 boxes")); !f.OK || f.Doubt == nil {
		t.Errorf("finding %+v", f)
	}
}

func TestDoubtIsAShareWhateverIsSaid(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		piece := rapid.SampledFrom([]string{
			"48", " = ", "$", "(", "<<", "\n", ". ", "9999999999999999999999", "-", "%", "how many ", "/ 0", "x", "However, ", "\xff", "½",
		})
		q := strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(r, "question"), "")
		a := strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(r, "answer"), "")
		d := DoubtOf(answer(q, a))
		if !(d.Score > 0 && d.Score < 1) {
			r.Fatalf("score %v", d.Score)
		}
		for name, v := range d.Signs {
			if !(v > 0 && v <= 1) {
				r.Fatalf("%s = %v", name, v)
			}
		}
		if again := DoubtOf(answer(q, a)); again.Score != d.Score {
			r.Fatalf("%v, then %v", d.Score, again.Score)
		}
	})
}

func BenchmarkDoubt(b *testing.B) {
	s := answer(eggs, strings.Repeat("48 eggs in boxes of 6 are 48 / 6 = 8 boxes at $4, and 8 * 4 = 32.\n", 12))
	for b.Loop() {
		DoubtOf(s)
	}
}
