package eval

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder writes files and returns where.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "quiz")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// said is a recorded answer.
func said(text string, grade float64) Answer { return Answer{Text: text, Said: true, Grade: grade} }

func TestFormsOfData(t *testing.T) {
	one := []Row{{Prompt: "1+1?", Answers: map[string]Answer{"a": said("2", 1), "b": said("3", 0)}}}
	tests := []struct {
		name  string
		files map[string]string
		want  []Row
	}{
		{"a table", map[string]string{"t.csv": "prompt,a,b,a_response,b_response\n1+1?,True,False,2,3\n"}, one},
		{
			"a table with numbers and costs", map[string]string{
				"t.csv": ",query,a|model_response,b|model_response,a,b,a|total_cost,b|total_cost\n7,1+1?,2,3,1.0,0.0,0.001,0.5\n",
			}, one,
		},
		{
			"a table that is not all UTF-8",
			map[string]string{"t.csv": "prompt,a,b,a_response,b_response\n1\xff?,1,0,\xfe,3\n"},
			[]Row{{Prompt: "1\ufffd?", Answers: map[string]Answer{"a": said("\ufffd", 1), "b": said("3", 0)}}},
		},
		{
			"grades alone",
			map[string]string{"t.csv": "question,a,b\n1+1?,True,False\n"},
			[]Row{{Prompt: "1+1?", Answers: map[string]Answer{"a": {Grade: 1}, "b": {Grade: 0}}}},
		},
		{"lines of several models", map[string]string{
			"t.jsonl": `{"prompt":"1+1?","answers":{"a":{"text":"2","correct":true},"b":{"text":"3","correct":false}}}`,
		}, one},
		{"one list", map[string]string{
			"t.json": `[{"prompt":"1+1?","answers":{"a":{"text":"2","correct":true},"b":{"text":"3","correct":false}}}]`,
		}, one},
		{"lines with costs and tokens", map[string]string{
			"t.jsonl": `{"id":0,"prompt":"1+1?","models":{"a":{"answer":"2","correct":true,"in":3},"b":{"answer":"3","correct":false}}}`,
		}, one},
		{"a file for each model", map[string]string{
			"a.jsonl": `{"question":"1+1?","model":"a","response":"2","score":1}`,
			"b.jsonl": `{"question":"1+1?","llm_selected":"b","generated_answer":"3","evaluation":{"score":0.0,"metric":"m"}}`,
		}, one},
		{"judgements beside their questions", map[string]string{
			"judged.jsonl": `{"question_id":5,"model":"a","score":9,"turn":1}` + "\n" +
				`{"question_id":5,"model":"a","score":6,"turn":2}` + "\n" + `{"question_id":5,"model":"b","score":4,"turn":1}`,
			"question.jsonl": `{"question_id":5,"turns":["1+1?","And twice?"]}`,
		}, []Row{{Prompt: "1+1?", Answers: map[string]Answer{"a": {Grade: 7.5}, "b": {Grade: 4}}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Read(folder(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Sets) != 1 || d.Sets[0].Name != "quiz" || len(d.Not) > 0 {
				t.Fatalf("%+v", d)
			}
			if diff := cmp.Diff([]string{"a", "b"}, d.Sets[0].Models); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.want, d.Sets[0].Rows); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRowsThatAreLeftOut(t *testing.T) {
	dir := folder(t, map[string]string{
		"t.csv": "prompt,a,b,a_response,b_response\n" +
			"one?,True,False,1,2\none?,True,False,1,2\nseen?,True,False,1,2\nhalf?,True,,1,2\ntwo?,False,True,1,2\n",
		"contaminated.jsonl": `{"train_prompt":"seen","eval_prompt":"seen?"}`,
		"prices.jsonl":       `{"model":"a","input_usd_per_1m":"0.5","output_usd_per_1m":2}`,
		"README.md":          "notes",
	})
	d, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Options{Part: All}.pair(d.Sets[0])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one?", "two?"}, p.prompts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{contaminated: 1, incomplete: 1, doubled: 1}, p.left); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]Price{"a": {"0.5", "2"}}, d.Prices); diff != "" || len(d.Not) > 0 {
		t.Error(diff, d.Not)
	}
}

func TestTheStrongModelIsMeasured(t *testing.T) {
	d, err := Read(folder(t, map[string]string{"t.csv": "prompt,big,mid,small\np,0,1,1\nq,0,0,1\nr,1,1,1\ns,1,0,0\n"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		weak, strong string
		want         [2]string
	}{
		{"", "", [2]string{"big", "small"}},
		{"mid", "", [2]string{"mid", "small"}},
		{"small", "big", [2]string{"small", "big"}},
	} {
		p, err := Options{Part: All, Weak: tt.weak, Strong: tt.strong}.pair(d.Sets[0])
		if err != nil || p.names != tt.want {
			t.Errorf("%s, %s: %v, %v", tt.weak, tt.strong, p.names, err)
		}
	}
	for _, o := range []Options{{Weak: "none"}, {Weak: "small"}} {
		if _, err := o.pair(d.Sets[0]); err == nil || !strings.Contains(err.Error(), "quiz has no answers of") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestAFifthIsHeldBack(t *testing.T) {
	s := Set{Name: "quiz", Models: []string{"a", "b"}}
	for i := range 1000 {
		s.Rows = append(s.Rows, Row{Prompt: strings.Repeat("x", i), Answers: map[string]Answer{"a": {}, "b": {Grade: 1}}})
	}
	sizes := map[Part]int{}
	for _, part := range []Part{All, Design, Held} {
		p, err := Options{Part: part}.pair(s)
		if err != nil {
			t.Fatal(err)
		}
		sizes[part] = len(p.prompts)
	}
	if sizes[Design]+sizes[Held] != sizes[All] || sizes[Held] < 150 || sizes[Held] > 250 {
		t.Errorf("%v", sizes)
	}
}

func TestDataThatIsNone(t *testing.T) {
	for name, tt := range map[string]struct{ file, text, want string }{
		"no prompt":        {"t.csv", "text,a,b\nx,1,0\n", "no column named prompt, question, query, input"},
		"no grades":        {"t.csv", "prompt,a,b\nx,yes,no\n", "no column that says of every row whether an answer is right"},
		"one model":        {"t.csv", "prompt,a\nx,True\n", "answers of one model only, a"},
		"no rows":          {"t.csv", "prompt,a,b\n", "no rows"},
		"an empty table":   {"t.csv", "", "no rows"},
		"no lines":         {"t.jsonl", "\n", "no lines"},
		"other lines":      {"t.jsonl", `{"question":"x","answer":"y"}`, "line 1 has members answer, question: no question with graded answers"},
		"one model's file": {"t.jsonl", `{"question":"x","model":"a","answer":"y","score":1}`, "answers of one model only, a"},
		"one of many":      {"t.jsonl", `{"prompt":"x","answers":{"a":{"text":"y","correct":true}}}`, "answers of one model only, a"},
		"another kind":     {"t.parquet", "x", "neither CSV nor JSON lines"},
		"no list":          {"t.json", "{}", "no list of JSON objects"},
		"a broken list":    {"t.json", `[{"prompt":"x","answers":{"a":{"correct":true},"b":{"correct":false}}},{]`, "no list of JSON objects"},
		"an empty list":    {"t.json", "[]", "an empty list"},
		"a list of others": {"t.json", `[{"a":1}]`, "object 1 has members a: no question with graded answers"},
		"broken JSON":      {"t.jsonl", "{", "line 1 is no JSON object"},
		"a broken table":   {"t.csv", "prompt,a,b\n\"x,1,0\n", "t.csv: parse error on line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(folder(t, map[string]string{tt.file: tt.text}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "there is no ") {
		t.Errorf("%v", err)
	}
}
