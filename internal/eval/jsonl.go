package eval

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Names of members, by what they hold; the first that is there counts.
var (
	modelNames  = []string{"model", "llm_selected", "model_name", "model_id"}
	answerNames = []string{"text", "answer", "response", "generated_answer", "output", "completion"}
	gradeNames  = []string{"correct", "is_correct", "right", "score", "accuracy", "valid"}
	manyNames   = []string{"answers", "models", "responses"}
	keyNames    = []string{"question_id", "id", "index"}
)

// longestLine bounds one line, in bytes.
const longestLine = 16 << 20

type object = map[string]jsontext.Value

// lines reads JSON lines. A line is a question with the answers of all models, or of one; a prompt to leave out; a
// model's price; or a question whose answers stand elsewhere.
func (r *reader) lines(folder, name string, f *os.File) error {
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 64<<10), longestLine)
	understood, first := 0, ""
	for n := 1; in.Scan(); n++ {
		line := bytes.TrimSpace(in.Bytes())
		if len(line) == 0 {
			continue
		}
		var o object
		if err := json.Unmarshal(line, &o); err != nil {
			return fmt.Errorf("line %d is no JSON object: %w", n, err)
		}
		if r.line(folder, name, o) {
			understood++
		} else if first == "" {
			first = fmt.Sprintf("line %d has members %s: no question with graded answers", n, names(o))
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	r.widened(folder, name)
	switch {
	case first != "":
		r.not(name, first)
	case understood == 0:
		r.not(name, "no lines")
	}
	return nil
}

// list reads a file that is one list of objects, each as a line would be.
func (r *reader) list(folder, name string, f *os.File) error {
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	var all []object
	why := ""
	if json.Unmarshal(text, &all) != nil {
		all, why = nil, "no list of JSON objects"
	} else if len(all) == 0 {
		why = "an empty list"
	}
	for i, o := range all {
		if !r.line(folder, name, o) && why == "" {
			why = fmt.Sprintf("object %d has members %s: no question with graded answers", i+1, names(o))
		}
	}
	r.widened(folder, name)
	if why != "" {
		r.not(name, why)
	}
	return nil
}

// widened groups the rows of a file that tell of several models.
func (r *reader) widened(folder, name string) {
	models := map[string]bool{}
	for _, row := range r.wide {
		for m := range row.Answers {
			models[m] = true
		}
	}
	switch len(models) {
	case 0:
	case 1:
		for m := range models {
			r.not(name, "answers of one model only, "+m)
		}
	default:
		r.add(folder, name, slices.Collect(maps.Keys(models)), r.wide)
	}
	r.wide = nil
}

// names lists an object's members.
func names(o object) string {
	var all []string
	for n := range o {
		all = append(all, n)
	}
	slices.Sort(all)
	const most = 6
	if len(all) > most {
		all = append(all[:most], "...")
	}
	return strings.Join(all, ", ")
}

// line takes one line in; false = it is nothing that is known.
func (r *reader) line(folder, file string, o object) bool {
	if p, ok := str(o, "eval_prompt"); ok {
		r.ban(p)
		return true
	}
	model, ofOne := str(o, modelNames...)
	if in, ok := str(o, "input_usd_per_1m"); ok && ofOne {
		out, _ := str(o, "output_usd_per_1m")
		r.data.Prices[model] = Price{in, out}
		return out != ""
	}
	prompt, asked := str(o, promptNames...)
	for _, many := range manyNames {
		if row, ok := wide(prompt, o[many]); ok && asked {
			r.wide = append(r.wide, row)
			return true
		}
	}
	grade, graded := num(o, gradeNames...)
	key, keyed := str(o, keyNames...)
	switch {
	case ofOne && graded && (asked || keyed):
		a := Answer{Grade: grade}
		a.Text, a.Said = str(o, answerNames...)
		if !asked {
			prompt = key
		}
		r.long = append(r.long, long{folder, file, prompt, model, a})
		return true
	case keyed && firstTurn(o) != "":
		if r.turns == nil {
			r.turns = map[string]string{}
		}
		r.turns[folder+"\x00"+key] = firstTurn(o)
		return true
	}
	return false
}

// wide reads the answers of several models to one question: {"MODEL": {"text": "...", "correct": true}}.
func wide(prompt string, v jsontext.Value) (Row, bool) {
	var all map[string]object
	if v.Kind() != '{' || json.Unmarshal(v, &all) != nil || len(all) == 0 {
		return Row{}, false
	}
	row := Row{Prompt: prompt, Answers: map[string]Answer{}}
	for model, o := range all {
		g, ok := num(o, gradeNames...)
		if !ok {
			continue
		}
		a := Answer{Grade: g}
		a.Text, a.Said = str(o, answerNames...)
		row.Answers[model] = a
	}
	return row, len(row.Answers) > 0
}

// firstTurn is the first of a question's turns; "" = it has none.
func firstTurn(o object) string {
	var turns []string
	if v := o["turns"]; v.Kind() != '[' || json.Unmarshal(v, &turns) != nil || len(turns) == 0 {
		return ""
	}
	return turns[0]
}

// str is the first member with a text; a number counts as its digits.
func str(o object, names ...string) (string, bool) {
	for _, n := range names {
		v := o[n]
		switch v.Kind() {
		case '"':
			var s string
			if json.Unmarshal(v, &s) == nil {
				return s, true
			}
		case '0':
			return string(v), true
		}
	}
	return "", false
}

// num is the first member with a grade: true, false or a number, in the object or in an object in it.
func num(o object, names ...string) (float64, bool) {
	for _, n := range names {
		switch v := o[n]; v.Kind() {
		case 't':
			return 1, true
		case 'f':
			return 0, true
		case '0':
			var f float64
			if json.Unmarshal(v, &f) == nil {
				return f, true
			}
		}
	}
	for _, v := range o {
		var inner object
		if v.Kind() != '{' || json.Unmarshal(v, &inner) != nil {
			continue
		}
		for _, n := range names {
			if inner[n].Kind() == 't' || inner[n].Kind() == 'f' || inner[n].Kind() == '0' {
				return num(object{n: inner[n]}, n)
			}
		}
	}
	return 0, false
}
